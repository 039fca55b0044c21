"""How many threads, and the crew of Python threads that enter a native program together."""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from .. import settings


def available() -> int:
    """The processors this process may use: its affinity mask, cut to the container's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = container_quota()
    return max(1, min(count, math.ceil(quota))) if quota else max(1, count)


@lru_cache(maxsize=4)
def container_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Processors granted by the control group (version 2 or 1), None when unlimited or unknown."""
    try:
        limit, period = (root / "cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limit = (root / "cpu" / "cpu.cfs_quota_us").read_text()
        period = (root / "cpu" / "cpu.cfs_period_us").read_text()
        return int(limit) / int(period) if int(limit) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def thread_count() -> int:
    """The number of threads for large programs: SLOPES_THREADS, or what is available."""
    return settings.named_threads() or available()


class Crew:
    """Threads that wait for work. `run(job, n)` calls job(0) here and job(1) .. job(n - 1) on the crew, and waits for all.

    The crew must have been grown to n before.
    """

    def __init__(self) -> None:
        self._members: list[_Member] = []
        self._busy = threading.Lock()

    def grow(self, count: int) -> int:
        """Have threads for `count` to work at once; returns how many can, fewer where the system gives no more threads."""
        with self._busy:
            while len(self._members) < count - 1:
                try:
                    self._members.append(_Member(len(self._members) + 1))
                except RuntimeError:  # what Python raises when the system refuses a thread
                    break
            return min(count, len(self._members) + 1)

    def run(self, job: Callable[[int], None], count: int) -> None:
        with self._busy:
            helpers = self._members[:count - 1]
            for helper in helpers:
                helper.start(job)
            try:
                job(0)
            finally:  # after an interruption too: a helper that is still at work would miss the next start
                for helper in helpers:
                    helper.finish()


class _Member:
    """One waiting thread."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._job: Callable[[int], None] | None = None
        threading.Thread(target=self._serve, name=f"slopes-{number}", daemon=True).start()

    def start(self, job: Callable[[int], None]) -> None:
        self._job = job
        self._go.release()

    def finish(self) -> None:
        self._done.acquire()

    def _serve(self) -> None:
        while True:
            self._go.acquire()
            assert self._job is not None
            self._job(self.number)
            self._job = None
            self._done.release()


crew = Crew()


def renew_after_fork() -> None:
    """A child process has none of its parent's threads: it starts a crew of its own."""
    global crew
    crew = Crew()


if hasattr(os, "register_at_fork") and sys.platform != "win32":
    os.register_at_fork(after_in_child=renew_after_fork)
