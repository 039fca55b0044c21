"""How many threads a program runs on: all that it may have, or fewer where measurements show that fewer are faster."""

from __future__ import annotations

from math import inf

from ..costs import FIRST_TRIAL, HOPELESS, LONGEST_INTERVAL, SLOWER, TRIAL_RUNS, TRIAL_STEPS, WORTH_FEWER
from ..settings import MOST_THREADS


class ThreadChoice:
    """The number of threads of one program, from the times of its runs.

    Threads with little to do wait longer for each other, and for what lies in another core's cache, than they save; and where another
    program has a processor, all wait for the thread that has none. So a few runs have half as many threads now and then (or twice as
    many, where fewer than allowed are the best so far), at intervals that grow while nothing changes. Results are the same for any
    number.
    """

    def __init__(self) -> None:
        self.usual: dict[int, float] = {}  # the usual seconds of a step, by the number of threads
        self.best = MOST_THREADS
        self.until_trial = self.interval = FIRST_TRIAL  # steps
        self.trying, self.against = 0, 0  # the numbers of threads of a trial, and those that it is compared with
        self.times: list[float] = []  # seconds of a step, in the runs of a trial so far
        self.taken = 0  # the steps of these runs
        self.downward = False  # whether the last trial had fewer threads

    def thread_count(self, allowed: int) -> int:
        """For the next run."""
        best = min(self.best, allowed)
        if self.trying > allowed:
            self.trying = 0
        if self.until_trial <= 0 and not self.trying and allowed > 1:
            self.downward = best > 1 and (best == allowed or not self.downward)
            self.trying, self.against, self.times = best // 2 if self.downward else min(2 * best, allowed), best, []
            self.taken = 0
        return self.trying or best

    def piece(self, steps: int) -> int:
        """How many of these steps to do before the next decision."""
        if self.trying:
            return min(steps, TRIAL_STEPS)
        return min(steps, self.until_trial) if self.until_trial > 0 else steps

    def record(self, count: int, steps: int, seconds: float) -> float:
        """Steps on `count` threads took so long; returns what they usually take."""
        step = seconds / steps
        usual = self.usual[count] = min(step, self.usual.get(count, step) * SLOWER)
        self.until_trial -= steps
        if count == self.trying:
            self.times.append(step)
            self.taken += steps
            self.end_trial(self.usual.get(self.against, inf))
        return usual * steps

    def end_trial(self, usual: float) -> None:
        """Decide, after a few runs or one that is hopeless, between these threads and those that take `usual` seconds."""
        seconds = min(self.times)
        enough = TRIAL_RUNS * TRIAL_STEPS
        if len(self.times) < TRIAL_RUNS and self.taken < enough and seconds < HOPELESS * usual:
            return
        better = seconds < usual * (WORTH_FEWER if self.downward else 1)
        self.interval = FIRST_TRIAL if better else min(2 * self.interval, LONGEST_INTERVAL)
        self.best = self.trying if better else self.best
        self.trying, self.until_trial = 0, self.interval * max(1, self.taken // enough)  # after long runs, longer
