"""Runs of several programs, one after the other, as one native call.

Between two native calls Python evicts little from the processor's caches, but finds its own code evicted by the programs: coming back to
it takes far longer than what it does there. A chain comes back once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from . import pool as pools
from .engine import ARGUMENTS, POOL, SPIN_LIMIT, STEPS, STRIDES, Program, Stalls, thread_count
from .entry import CALL, entry

ERROR, NEXT = CALL.index("error"), CALL.index("next")


class Runs(NamedTuple):
    """Runs of one program in a chain: which of the chain's runs they are, their tables of arguments (runs, arguments), the strides of
    all of them, and the number of steps of each."""

    program: Program
    indices: np.ndarray
    tables: np.ndarray
    strides: int
    steps: np.ndarray


class Chain:
    """Runs programs in turn, as often as they are asked for; whoever calls has each program for itself (`Program.turn`)."""

    def __init__(self) -> None:
        self.stalls = Stalls()
        self._make_room(64)

    def _make_room(self, length: int) -> None:
        """Memory for a chain of so many runs."""
        self.calls = np.zeros((length, len(CALL)), np.int64)
        self._enter = entry().bound(self.calls.ctypes.data)

    def run(self, runs: Sequence[Runs]) -> tuple[int, int]:
        """Run them in the order of their indices; returns 0, or the number of the site that failed, and the index of that run."""
        length = sum(len(part.indices) for part in runs)
        if length > len(self.calls):
            self._make_room(2 * length)
        calls, pool, count = self.calls[:length], pools.pool, thread_count()
        with pool.busy:
            _blocks = [part.program.reserve(count if part.program.manifest.parallel else 1) for part in runs]
            for part in runs:
                calls[part.indices] = part.program.call
                calls[part.indices, ARGUMENTS] = part.tables.ctypes.data + part.tables.strides[0] * np.arange(len(part.indices))
                calls[part.indices, STRIDES] = part.strides
                calls[part.indices, STEPS] = part.steps
                calls[part.indices, SPIN_LIMIT] = part.program.spin_limit * part.steps
            calls[:, POOL] = pool.address
            calls[:, ERROR] = 0
            calls[:, NEXT] = calls.ctypes.data + calls.strides[0] * np.arange(1, length + 1)
            calls[-1, NEXT] = 0
            start = time.perf_counter()
            failed = self._enter()
            took = time.perf_counter() - start
        self.stalls.record(count, int(calls[:, STEPS].sum()), took)
        return failed, int(calls[:, ERROR].argmax()) if failed else 0
