"""The threads that help to run native programs."""

from __future__ import annotations

import _thread
import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from weakref import ref

import numpy as np

from ..costs import AWAKE, LONGEST_BACKOFF
from ..settings import MOST_THREADS
from .arena import Arena
from .buffer import ALIGNMENT
from .entry import LOCK, SLOT, SLOTS, SPIN_LIMIT, entry, keep_forever


class ContentionBackoff:
    """How many threads to run on while other programs want the processors too.

    Threads that work together wait for each other; where one of them has to share its processor, all stand still for milliseconds
    at a time. A single loss is bad luck; after the next one thread less takes part for as long as was lost, then twice as long,
    and so on, so that attempts cost little while the others stay. Each run that goes well halves that again.
    """

    def __init__(self) -> None:
        self._out, self._until = 0, 0.0
        self.factor = 0  # the backoff after the next stall, as a multiple of the time lost

    def thread_count(self, count: int) -> int:
        """How many of `count` threads to use now."""
        if self._out and time.perf_counter() > self._until:
            self.reset()
        return max(1, count - self._out)

    def reset(self) -> None:
        """Use all threads again."""
        self._out = 0

    def record_stall(self, seconds: float) -> None:
        """Others took so much time away from a run."""
        if self.factor:
            self._out += 1
            self._until = time.perf_counter() + self.factor * seconds
        self.factor = min(2 * self.factor, LONGEST_BACKOFF) or 1

    def record_success(self) -> None:
        """A run on all threads took its usual time."""
        self.factor //= 2


class ThreadPool:
    """Threads that help to run native programs: they wait in native code, see `entry`."""

    def __init__(self) -> None:
        self.busy = threading.RLock()  # held while a call is run, as the pool can do one at a time; or before and after by a signal handler
        self.backoff = ContentionBackoff()
        self._helpers = 0
        self._memory: np.ndarray | None = None
        self._arena: Callable[[], Arena | None] = lambda: None

    def arena(self) -> Arena:
        """The arena of all programs that the pool helps to run, for as long as one of them lives."""
        arena = self._arena()
        if arena is None:
            arena = Arena()
            self._arena = ref(arena)
        return arena

    @property
    def address(self) -> int:
        """Where the memory is by which helpers and callers talk to each other."""
        if self._memory is None:
            self._memory = np.zeros(SLOTS + SLOT * (MOST_THREADS + 1) + ALIGNMENT, np.uint8)  # pages are taken where it is used
            keep_forever(self._memory)
            self._address = -(-self._memory.ctypes.data // ALIGNMENT) * ALIGNMENT
            self._write(SPIN_LIMIT, round(AWAKE / entry().pause))
        return self._address

    def _write(self, offset: int, value: int) -> None:
        ctypes.c_int64.from_address(self._address + offset).value = value

    def grow(self, count: int) -> int:
        """Have threads for `count` to work at once; returns how many can, fewer where the system gives no more threads."""
        if self._helpers < count - 1:
            with self.busy:
                while self._helpers < count - 1:
                    self._helpers += 1  # before it starts: a signal handler must not start it once more
                    try:
                        self._start(self._helpers)
                    except RuntimeError:  # what Python raises when the system refuses a thread, or the interpreter ends
                        self._helpers -= 1
                        break
        return min(count, self._helpers + 1)

    def _start(self, index: int) -> None:
        address = self.address
        self._write(SLOTS + SLOT * index + LOCK, entry().helper_lock())
        _thread.start_new_thread(entry().serve, (address, index))  # not by `threading`, whose locks a signal handler may interrupt


pool = ThreadPool()


def state(index: int) -> int:
    """The state of a helper, one of `entry.WAITING` to `entry.GO`."""
    return ctypes.c_int64.from_address(pool.address + SLOTS + SLOT * index).value


def renew_after_fork() -> None:
    """A child process has none of its parent's threads: it starts a pool of its own."""
    global pool
    pool = ThreadPool()


if hasattr(os, "register_at_fork") and sys.platform != "win32":
    os.register_at_fork(after_in_child=renew_after_fork)
