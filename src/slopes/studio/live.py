"""A training that a page watches: a few milliseconds at a time, and its curve; and tasks that are announced before they block."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..train.training import Training
from .engine import Frame

Part = tuple[dict[str, Any], dict[str, np.ndarray]]  # of a frame: values, and arrays

MOST_POINTS = 600  # of a curve: enough for a wide screen
FULL_SPEED = 0.0  # as steps per second: no limit
WAIT_SECONDS = 0.1  # for the page to show what a task is about
LONGEST_TRAINING = 10**6  # epochs: a page decides when a training ends


class Curve:
    """Means of values over equal numbers of steps: where there would be more than MOST_POINTS, pairs of them are joined.

    names  of the values
    width  steps of each point

    >>> curve = Curve(("loss",))
    >>> curve.add(np.arange(5.0)[None])
    >>> curve.points().tolist()  # steps, then a row for each name
    [[1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 1.0, 2.0, 3.0, 4.0]]
    """

    def __init__(self, names: Sequence[str], most: int = MOST_POINTS) -> None:
        self.names, self.most, self.width, self.steps = tuple(names), most, 1, 0
        self.sums = np.zeros((len(names), most + 1))
        self.counts = np.zeros(most + 1, np.int64)

    def add(self, values: np.ndarray) -> None:
        """The values (names, steps) of the next steps."""
        for column in values.T:
            if self.steps // self.width == self.most:
                self.join_pairs()
            point = self.steps // self.width
            self.sums[:, point] += column
            self.counts[point] += 1
            self.steps += 1

    def join_pairs(self) -> None:
        """Half as many points, each of twice as many steps."""
        half = self.most // 2
        self.sums[:, :half] = self.sums[:, :self.most].reshape(len(self.names), half, 2).sum(axis=2)
        self.counts[:half] = self.counts[:self.most].reshape(half, 2).sum(axis=1)
        self.sums[:, half:], self.counts[half:] = 0, 0
        self.width *= 2

    def points(self) -> np.ndarray:
        """(1 + names, points) float32: the last step of each point, counted from 1, and the means."""
        count = -(-self.steps // self.width)
        steps = np.cumsum(self.counts[:count])
        return np.vstack([steps, self.sums[:, :count] / self.counts[:count]]).astype(np.float32)


class LiveTraining:
    """A Training that is advanced a few milliseconds at a time, and the curve of its `names`."""

    def __init__(self, training: Training, names: Sequence[str] = ("loss",)) -> None:
        self.training, self.curve = training, Curve(names)
        self.seconds_per_step, self.credit, self.last_call = 0.0, 0.0, math.nan

    @property
    def steps(self) -> int:
        """How many steps were done."""
        return self.training.history.steps

    def advance(self, seconds: float, speed: float = FULL_SPEED) -> int:
        """Train for about this long, at most `speed` steps per second; how many steps were done."""
        now = time.monotonic()
        elapsed, self.last_call = now - self.last_call, now
        steps = max(1, int(seconds / self.seconds_per_step)) if self.seconds_per_step else 1
        if speed:
            self.credit = min(self.credit + (elapsed * speed if elapsed < 1 else 1.0), 1 + speed * seconds)
            steps = min(steps, int(self.credit))
            self.credit -= steps
        return self.run(steps) if steps else 0

    def run(self, steps: int) -> int:
        """Do that many steps, and add them to the curve."""
        first = not self.steps
        started = time.perf_counter()
        chunk = self.training.advance(steps)
        if not first:  # which was compiled
            measured = (time.perf_counter() - started) / chunk.steps
            self.seconds_per_step = 0.7 * self.seconds_per_step + 0.3 * measured if self.seconds_per_step else measured
        self.curve.add(np.array([chunk[name] for name in self.curve.names], np.float64))
        return chunk.steps


class Tasks:
    """Functions that block for seconds, such as reading data or compiling: each is run after the page had time to show its text."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, Callable[[], None]]] = deque()
        self.announced = math.nan  # when the text of the first task was put up
        self.shown = False

    def add(self, text: str, function: Callable[[], None]) -> None:
        """Run a function after those that wait already."""
        self.waiting.append((text, function))

    def clear(self) -> None:
        """Forget all that wait."""
        self.waiting.clear()
        self.announced, self.shown = math.nan, False

    @property
    def text(self) -> str:
        """What the first task does; empty where there is none."""
        return self.waiting[0][0] if self.waiting else ""

    def run_next(self) -> None:
        """Run the first task, unless the page still has to show its text."""
        now = time.monotonic()
        if math.isnan(self.announced):
            self.announced = now
        if not self.shown and now - self.announced < WAIT_SECONDS:
            time.sleep(0.002)
            return
        _, function = self.waiting.popleft()
        self.announced, self.shown = math.nan, False
        function()


class Parts:
    """What a page shows, in named parts that are sent when they changed; each part has a version, so that a page which missed one
    (frames are dropped when it is slow) can ask for it.

    >>> parts = Parts(("curve", "maps"))
    >>> parts.change("maps")
    >>> parts.take(), parts.take(), parts.versions
    (['maps'], [], {'curve': 0, 'maps': 1})
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.versions = dict.fromkeys(names, 0)
        self.due: set[str] = set()

    def change(self, *names: str) -> None:
        """These parts changed."""
        for name in names:
            self.versions[name] += 1
            self.due.add(name)

    def resend(self, *names: str) -> None:
        """These parts (all without names) are sent again, as they are."""
        self.due.update(names or self.versions)

    def take(self, among: Sequence[str] | None = None) -> list[str]:
        """The parts to send now (only those `among` these), which then are no longer due."""
        names = [name for name in self.versions if name in self.due and (among is None or name in among)]
        self.due.difference_update(names)
        return names

    def frame(self, written: Mapping[str, Part]) -> Frame:
        """A frame of these parts, and the versions of all; an array is called PART.NAME."""
        header: dict[str, Any] = {"versions": dict(self.versions)}
        header.update({name: values for name, (values, _) in written.items()})
        return Frame(header, {f"{name}.{key}": array for name, (_, arrays) in written.items() for key, array in arrays.items()})


class Every:
    """Whether it is time again: at most once in `seconds`.

    >>> often = Every(3600)
    >>> often.due(), often.due()
    (True, False)
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.last = seconds, -math.inf

    def due(self) -> bool:
        """True at most once in `seconds`."""
        now = time.monotonic()
        if now - self.last < self.seconds:
            return False
        self.last = now
        return True
