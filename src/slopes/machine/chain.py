"""Runs of several programs, one after the other, as one native call.

Between two native calls Python does little, but finds its own code gone from the processor's caches: coming back to it takes far longer
than what it does there. A chain comes back once, and is written by plain assignments: each further kind of work would be cold, too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from . import pool as pools
from .engine import ARGUMENTS, POOL, SPIN_LIMIT, STEPS, STRIDES, Program, Stalls, thread_count
from .entry import CALL, entry
from .thread_choice import ThreadChoice

FIELDS, ERROR, NEXT, FIRST = len(CALL), *map(CALL.index, ("error", "next", "first"))


class Run(NamedTuple):
    """A program in a chain, the addresses of its table of arguments and of their strides, its first step, and how many it does."""

    program: Program
    tables: tuple[int, int]
    first: int
    steps: int


class Chain:
    """Runs programs in turn, as often as they are asked for; whoever calls has each program for itself (`Program.turn`)."""

    def __init__(self) -> None:
        self.stalls, self.choice, self._running = Stalls(), ThreadChoice(), False
        self._make_room(64)

    def _make_room(self, length: int) -> None:
        """Memory for a chain of so many runs."""
        calls = np.zeros(length * FIELDS, np.int64)
        self._room, self._calls, self._address = length, calls.data, calls.ctypes.data
        self._enter = entry().bound(self._address)

    def run(self, runs: Sequence[Run]) -> tuple[int, int]:
        """Do them one after the other; returns 0, or the number of the site that failed, and the index of that run."""
        if self._running:  # a signal handler interrupts this very chain, whose calls are written already
            return Chain().run(runs)
        self._running = True
        try:
            return self._run(runs)
        finally:
            self._running = False

    def _run(self, runs: Sequence[Run]) -> tuple[int, int]:
        if len(runs) > self._room:
            self._make_room(2 * len(runs))
        pool, count = pools.pool, self.choice.thread_count(thread_count())
        with pool.busy:
            _blocks = [program.reserve(count if program.manifest.parallel else 1) for program in {run.program for run in runs}]
            steps = self._write(runs, pool.address)
            start = time.perf_counter()
            failed = self._enter()
            took = time.perf_counter() - start
        self.stalls.record(count, self.choice.record(count, steps, took), took)
        return failed, self._failed(len(runs)) if failed else 0

    def _write(self, runs: Sequence[Run], pool: int) -> int:
        """Write the calls; returns the number of all steps."""
        calls, total, following = self._calls, 0, self._address
        for i, (program, (arguments, strides), first, steps) in enumerate(runs):
            start, following = i * FIELDS, following + 8 * FIELDS
            calls[start : start + FIELDS] = program.call
            calls[start + ARGUMENTS], calls[start + STRIDES], calls[start + FIRST], calls[start + STEPS] = arguments, strides, first, steps
            calls[start + SPIN_LIMIT], calls[start + POOL], calls[start + ERROR] = program.spin_limit * steps, pool, 0
            calls[start + NEXT] = following if i + 1 < len(runs) else 0
            total += steps
        return total

    def _failed(self, length: int) -> int:
        """The run that reported an error."""
        return next(i for i in range(length) if self._calls[i * FIELDS + ERROR])
