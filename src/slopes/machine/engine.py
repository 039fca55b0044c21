"""From LLVM code to something callable."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import numpy as np

from ..costs import CROWDED, STALL, WAKE_TIME, WORK_TIME
from ..loops.target import CONTEXT_BYTES, STEP, YIELD
from . import pool as pools
from . import threads
from .arena import Arena, Block
from .buffer import aligned_bytes
from .entry import CALL, entry
from .thread_choice import ThreadChoice
from .translate import Loaded

ARGUMENTS, STRIDES, ARENA, THREADS, STEPS, FIRST, POOL, SPIN_LIMIT, JOINED = map(
    CALL.index, ("arguments", "strides", "arena", "threads", "steps", "first", "pool", "spin_limit", "joined"))

RESTORED = ARGUMENTS, STRIDES, STEPS, FIRST, ARENA, THREADS  # what a call needs that another one of the same thread interrupts


# ---------------------------------------------------------------------- programs
@dataclass(frozen=True)
class Manifest:
    """What is needed to run a compiled program, apart from its code; `sites` are indices of nodes of the graph."""

    arena: int
    scratch: int
    parallel: bool
    sites: tuple[int, ...]
    kernels: tuple[tuple[str, int], ...]  # (kind, element steps), in order


class Stalls:
    """Tells runs that took far longer than usual, because other programs had the processors, and reports them to the pool."""

    def __init__(self) -> None:
        self.stall = STALL

    def record(self, count: int, usual: float, seconds: float) -> None:
        """A run on `count` threads took so many seconds, where it usually takes `usual`."""
        backoff = pools.pool.backoff
        if seconds > CROWDED * usual + self.stall:
            backoff.record_stall(seconds - usual)
        elif backoff.factor and count > 1:
            backoff.record_success()


class Program:
    """A compiled graph: call it with the addresses of its arguments."""

    def __init__(self, manifest: Manifest, codes: Sequence[bytes], clocks: int = 0) -> None:
        self.manifest, self._loaded = manifest, Loaded(codes)
        self.arena = pools.pool.arena() if manifest.parallel else Arena()
        self._context = aligned_bytes(CONTEXT_BYTES + 8 * clocks)
        self.step = self._context[STEP:STEP + 8].view(np.int64)  # the number of the step that the last run came to
        self.clocks = self._context[CONTEXT_BYTES:].view(np.int64)  # ticks of each kernel, in a timed program
        self.begin_anew()
        self._call = np.zeros(len(CALL), np.int64)
        self._call[CALL.index("function")] = self._loaded.address("program")
        self._call[CALL.index("context")] = self._context.ctypes.data
        self.call = self._call.data  # as `entry.CALL` names its fields
        self._enter = entry().bound(self._call.ctypes.data)
        if not manifest.parallel:
            self.enter = self._enter  # type: ignore[method-assign]  # native code: nothing to do around it
        self.stalls, self.choice = Stalls(), ThreadChoice()
        self.spin_limit = spin_limit(sum(work for _, work in manifest.kernels))
        _alive.add(self)

    def begin_anew(self) -> None:
        """As when nobody ever ran it: made new, or copied by a fork while some thread, which the child has not got, was in it."""
        self._context[:] = 0
        self._context[YIELD:YIELD + 8].view(np.uint64)[0] = entry().rest
        self.binding = False  # whether the thread that holds the lock is binding arrays
        self.lock = threading.RLock()  # held from preparing to the end of a run, see `turn`
        self.entered = [False]  # whether the thread that holds the lock is between the two
        self.prepared: tuple[int, int] | None = None  # the very tables with which it can be entered again for one step

    @contextlib.contextmanager
    def turn(self) -> Iterator[bool]:
        """Have the program for this thread alone, others wait. Gives whether this interrupts a turn of the same thread.

        A signal handler, or a destructor, may call the very program whose call it interrupts, at any point but those in native code.
        The interrupted call goes on as if nothing had happened: what it wrote into the call is put back.
        """
        with self.lock:
            nested, self.entered[0] = self.entered[0], True
            before = [self.call[field] for field in RESTORED]
            try:
                yield nested
            finally:
                self.entered[0] = nested
                if nested:
                    self.prepared = None
                    for field, value in zip(RESTORED, before):
                        self.call[field] = value

    def run(self, arguments: int, strides: int, steps: int = 1) -> int:
        """Run `steps` steps; `arguments` and `strides` are addresses of tables. Returns 0, or the number of the site that failed."""
        with self.turn():
            self.prepare((arguments, strides), steps)
            return self.enter()

    def prepare(self, tables: tuple[int, int], steps: int = 1) -> None:
        """Have everything ready to be entered, once or several times, with these tables; whoever calls holds the lock."""
        self.prepared = None
        self.call[ARGUMENTS], self.call[STRIDES] = tables
        self.call[STEPS] = steps
        if not self.manifest.parallel and not self.call[ARENA]:
            self.reserve(1)
        self.prepared = tables if steps == 1 else None

    def enter(self) -> int:
        """Run with the pool; returns 0, or the number of the site that failed."""
        call, failed, steps, done = self.call, 0, self.call[STEPS], 0
        while done < steps and not failed:  # in one piece, but for trials of another number of threads
            count = self.choice.thread_count(thread_count())
            call[FIRST], call[STEPS] = done, self.choice.piece(steps - done)
            failed = self._enter_together(count, call[STEPS])
            done += call[STEPS]
        call[FIRST], call[STEPS] = 0, steps
        return failed

    def _enter_together(self, count: int, steps: int) -> int:
        """Run some steps with so many threads."""
        call, pool = self.call, pools.pool
        call[POOL], call[SPIN_LIMIT] = pool.address, self.spin_limit * steps
        with pool.busy:
            _block = self.reserve(count)  # held: a signal handler may let the arena grow
            start = time.perf_counter()
            failed = self._enter()
            took = time.perf_counter() - start
        self.stalls.record(count, self.choice.record(count, steps, took), took)
        return failed

    @property
    def joined(self) -> int:
        """How many threads took part in the last run."""
        return self.call[JOINED] if self.call[THREADS] > 1 else 1

    def reserve(self, count: int) -> Block:
        """Have memory for this many threads, for as long as the block is held."""
        size = self.manifest.arena + count * self.manifest.scratch
        block = self.arena.block
        if block.size < size or not block.address:
            block = self.arena.grow(self, size)
        self.call[ARENA], self.call[THREADS] = block.address, count
        return block


_alive: WeakSet[Program] = WeakSet()


def renew_after_fork() -> None:
    """A child process has none of its parent's threads: nobody is in any program."""
    for program in list(_alive):
        program.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew_after_fork)


def thread_count() -> int:
    """How many threads the next run takes part with."""
    pool = pools.pool
    return pool.grow(pool.backoff.thread_count(threads.thread_count()))


def spin_limit(work: int) -> int:
    """How many rounds of a waiting loop a helper is waited for: what it takes to wake one, or half of what there is to do."""
    return round(max(WAKE_TIME, work * WORK_TIME / 2) / entry().pause)


def addresses(arrays: Sequence[Any]) -> np.ndarray:
    """The arrays' addresses as a table for a program."""
    return np.array([array.ctypes.data for array in arrays], np.uint64)
