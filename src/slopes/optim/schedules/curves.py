"""Schedules that depend on the step only: steps, powers, lines, cosines and cycles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...constraint import COUNT, FLAG, NOT_NEGATIVE, OPTIONAL_COUNT, POSITIVE, RISING, SHARE_OR_ONE, one_of
from .base import FixedLength, Schedule


@dataclass(frozen=True)
class Constant(Schedule):
    """1 in every step (or another factor).

    >>> from slopes.optim import schedules
    >>> schedules.Constant()(7)
    1.0
    """

    value: float = 1.0
    constraints = {"value": NOT_NEGATIVE}

    def factor(self, step: int, steps: int) -> float:
        return self.value


@dataclass(frozen=True)
class Step(Schedule):
    """gamma^(step // step_size): multiply by `gamma` after every `step_size` steps.

    >>> from slopes.optim import schedules
    >>> [schedules.Step(step_size=2, gamma=0.5)(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    step_size: int
    gamma: float = 0.1
    constraints = {"step_size": COUNT, "gamma": NOT_NEGATIVE}

    def factor(self, step: int, steps: int) -> float:
        return self.gamma ** (step // self.step_size)


@dataclass(frozen=True)
class MultiStep(Schedule):
    """gamma^(number of milestones reached): multiply by `gamma` at chosen steps.

    >>> from slopes.optim import schedules
    >>> [schedules.MultiStep(milestones=(1, 4), gamma=0.5)(step) for step in range(5)]
    [1.0, 0.5, 0.5, 0.5, 0.25]
    """

    milestones: Sequence[int]
    gamma: float = 0.1
    constraints = {"milestones": RISING, "gamma": NOT_NEGATIVE}

    def factor(self, step: int, steps: int) -> float:
        return self.gamma ** sum(milestone <= step for milestone in self.milestones)


@dataclass(frozen=True)
class Exponential(Schedule):
    """gamma^step: multiply by `gamma` after each step.

    >>> from slopes.optim import schedules
    >>> schedules.Exponential(0.5)(3)
    0.125
    """

    gamma: float
    constraints = {"gamma": NOT_NEGATIVE}

    def factor(self, step: int, steps: int) -> float:
        return self.gamma ** step


@dataclass(frozen=True)
class Linear(FixedLength):
    """start_factor + (end_factor - start_factor) t / n: linear interpolation; n is `steps`, by default all steps of the run.

    The first step has the factor `start_factor`; step n, the one after the last of n, and later steps have `end_factor`.

    >>> from slopes.optim import schedules
    >>> [schedules.Linear()(step, 4) for step in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """

    start_factor: float = 1.0
    end_factor: float = 0.0
    steps: int | None = None
    constraints = {"start_factor": NOT_NEGATIVE, "end_factor": NOT_NEGATIVE, "steps": OPTIONAL_COUNT}

    def factor(self, step: int, steps: int) -> float:
        length = self.length(steps)
        return self.start_factor + (self.end_factor - self.start_factor) * (min(step, length) / length)


@dataclass(frozen=True)
class Polynomial(FixedLength):
    """(1 - t / n)^power: to 0 in n steps; n is `steps`, by default all steps of the run.

    >>> from slopes.optim import schedules
    >>> [schedules.Polynomial(power=2.0)(step, 4) for step in range(5)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """

    power: float = 1.0
    steps: int | None = None
    constraints = {"power": NOT_NEGATIVE, "steps": OPTIONAL_COUNT}

    def factor(self, step: int, steps: int) -> float:
        length = self.length(steps)
        return (1 - min(step, length) / length) ** self.power


@dataclass(frozen=True)
class Cosine(FixedLength):
    """floor + (1 - floor) (1 + cos(pi t / n)) / 2: cosine annealing.

    n is `steps`, by default all steps of the run; after n steps it stays at `floor`.
    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.

    >>> from slopes.optim import schedules
    >>> [round(schedules.Cosine()(step, 4), 4) for step in range(5)]
    [1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    steps: int | None = None
    floor: float = 0.0
    constraints = {"steps": OPTIONAL_COUNT, "floor": SHARE_OR_ONE}

    def factor(self, step: int, steps: int) -> float:
        length = self.length(steps)
        return falling_cosine(min(step, length) / length, self.floor)


@dataclass(frozen=True)
class CosineRestarts(Schedule):
    """Cosine annealing from 1 to `floor` in T_0 steps, then again in T_0 T_mult, T_0 T_mult^2, ... steps.

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.

    >>> from slopes.optim import schedules
    >>> [round(schedules.CosineRestarts(2, T_mult=2)(step), 4) for step in range(7)]
    [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0]
    """

    T_0: int
    T_mult: int = 1
    floor: float = 0.0
    constraints = {"T_0": COUNT, "T_mult": COUNT, "floor": SHARE_OR_ONE}

    def factor(self, step: int, steps: int) -> float:
        length = self.T_0
        while self.T_mult > 1 and step >= length:
            step, length = step - length, length * self.T_mult
        return falling_cosine(step % length / length, self.floor)


def falling_cosine(share: float, floor: float) -> float:
    """Half a cosine from 1 (share 0) to the floor (share 1)."""
    return floor + (1 - floor) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class Cyclic(Schedule):
    """From `floor` up to 1 in step_size_up steps, and down in step_size_down (by default as many), again and again.

    The optimizer's learning rate is the highest: PyTorch's max_lr, and floor base_lr / max_lr. mode="triangular2" halves the height
    above the floor with each cycle, "exp_range" multiplies it by gamma^step. Momentum is not changed.
    Source: Smith, "Cyclical learning rates for training neural networks", 2017.

    >>> from slopes.optim import schedules
    >>> [schedules.Cyclic(0.5, step_size_up=2)(step) for step in range(6)]
    [0.5, 0.75, 1.0, 0.75, 0.5, 0.75]
    """

    floor: float
    step_size_up: int = 2000
    step_size_down: int | None = None
    mode: str = "triangular"
    gamma: float = 1.0
    constraints = {"floor": SHARE_OR_ONE, "step_size_up": COUNT, "step_size_down": OPTIONAL_COUNT,
                   "mode": one_of("triangular", "triangular2", "exp_range"), "gamma": NOT_NEGATIVE}

    def factor(self, step: int, steps: int) -> float:
        down = self.step_size_down or self.step_size_up
        cycle, position = divmod(step, self.step_size_up + down)
        height = position / self.step_size_up if position <= self.step_size_up else 1 - (position - self.step_size_up) / down
        scale = {"triangular": 1.0, "triangular2": 0.5 ** cycle, "exp_range": self.gamma ** step}[self.mode]
        return self.floor + (1 - self.floor) * height * scale


@dataclass(frozen=True)
class OneCycle(FixedLength):
    """From 1 / div_factor up to 1 in the fraction `pct_start` of the steps, then down to 1 / (div_factor final_div_factor).

    With n steps (`steps`, by default all of the run) the peak is at step pct_start n - 1, and the last step, n - 1, has the lowest
    rate. Between them anneal_strategy="cos" goes along half cosines, "linear" straight. three_phase=True comes down to 1 / div_factor
    in as many steps as it went up, and to the lowest rate in those that are left. The optimizer's learning rate is the peak; a range
    test (`sl.train.range_test`) shows how high it can be. Momentum is not changed. Source: Smith and Topin, "Super-convergence", 2018;
    defaults are PyTorch's.

    >>> from slopes.optim import schedules
    >>> cycle = schedules.OneCycle(steps=10)
    >>> [round(cycle(step), 3) for step in (0, 2, 5, 9)]
    [0.04, 1.0, 0.611, 0.0]
    """

    steps: int | None = None
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    three_phase: bool = False
    constraints = {"steps": OPTIONAL_COUNT, "pct_start": SHARE_OR_ONE, "anneal_strategy": one_of("cos", "linear"),
                   "div_factor": POSITIVE, "final_div_factor": POSITIVE, "three_phase": FLAG}

    def factor(self, step: int, steps: int) -> float:
        last = self.length(steps) - 1
        top, low = max(0.0, min(self.pct_start * (last + 1) - 1, last)), 1 / self.div_factor
        lowest, down = low / self.final_div_factor, min(2 * top, last)
        if step <= top:
            return self.between(low, 1.0, step / top if top else 1.0)
        if not self.three_phase:
            return self.between(1.0, lowest, min(1.0, (step - top) / (last - top)))
        if step <= down:
            return self.between(1.0, low, (step - top) / (down - top))
        return self.between(low, lowest, min(1.0, (step - down) / (last - down)))

    def between(self, start: float, end: float, share: float) -> float:
        """Between start (share 0) and end (share 1)."""
        return bend(start, end, share) if self.anneal_strategy == "cos" else start + (end - start) * share


def bend(start: float, end: float, share: float) -> float:
    """Half a cosine from start (share 0) to end (share 1)."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
