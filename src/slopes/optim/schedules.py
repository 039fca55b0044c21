"""Learning-rate schedules: for each step, the factor of the optimizer's learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from ..constraint import COUNT, FLAG, NOT_NEGATIVE, POSITIVE, RISING, SHARE_OR_ONE, Constraint, check, is_count, is_whole, one_of
from ..errors import ArgumentError, missing_method

ScheduleFunction = Callable[[int, int], float]
OPTIONAL_COUNT = Constraint("a whole number of at least 1, or None", lambda value: value is None or is_count(value),
                            (0, -3, 2.5, True, "3"))
PATIENCE = Constraint("a whole number of at least 0", lambda value: is_whole(value) and value >= 0, (-1, 1.5, "3", True))
CALLABLE = Constraint("a schedule or a function (step, steps) -> factor", lambda value: callable(value) and not isinstance(value, type),
                      (0.5, "cosine", None))


class Schedule:
    """The base class of schedules: schedule(step, steps) returns the factor of the learning rate in a step, counted from 0.

    `sl.fit(..., schedule=s)` multiplies the optimizer's learning rate by s(step, steps) in every step. In your own loop, set
    `opt.lr = lr * s(step)` before opt.step(); this does not recompile. Any function (step, steps) -> factor works, too.

    >>> from slopes.optim import schedules
    >>> class InverseRoot(schedules.Schedule):
    ...     def factor(self, step, steps):
    ...         return (step + 1) ** -0.5
    >>> InverseRoot()(3)
    0.5
    """

    constraints: ClassVar[Mapping[str, Constraint]] = {}

    def __post_init__(self) -> None:
        check(type(self).__name__, self.constraints, {name: getattr(self, name) for name in self.constraints})

    def __call__(self, step: int, steps: int | None = None) -> float:
        return self.factor(step, 0 if steps is None else steps)

    def factor(self, step: int, steps: int) -> float:
        """The factor in step `step` of `steps` (0: unknown)."""
        raise missing_method(self, "factor")

    def begin(self) -> None:
        """Called by fit before the first step: forget the observations of an earlier run."""

    def observe(self, results: Mapping[str, float]) -> None:
        """Called by fit after every epoch with the validation loss and metrics (or those of training, without validation data)."""

    def named_state(self) -> dict[str, float]:
        """The observations so far, as numbers by name; a schedule that depends only on the step has no state."""
        return {}

    def load_named_state(self, state: Mapping[str, float]) -> None:
        """Restore the numbers that `named_state` returned."""


class FixedLength(Schedule):
    """A schedule over a fixed number of `steps`, by default all steps of the run."""

    steps: int | None

    def length(self, steps: int) -> int:
        """The number of steps that the schedule covers."""
        if self.steps is None and not steps:
            name = type(self).__name__
            raise ArgumentError(f"{name}: the total number of steps is unknown", why="the schedule extends over all of them",
                                repair=f"pass it once, {name}(steps=1000), or in each call, schedule(step, 1000)")
        return self.steps or steps


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
    """decay^(step // every): multiply by `decay` after every `every` steps.

    >>> from slopes.optim import schedules
    >>> [schedules.Step(every=2, decay=0.5)(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    every: int
    decay: float = 0.1
    constraints = {"every": COUNT, "decay": NOT_NEGATIVE}

    def factor(self, step: int, steps: int) -> float:
        return self.decay ** (step // self.every)


@dataclass(frozen=True)
class MultiStep(Schedule):
    """decay^(number of milestones reached): multiply by `decay` at chosen steps.

    >>> from slopes.optim import schedules
    >>> [schedules.MultiStep(at=(1, 4), decay=0.5)(step) for step in range(5)]
    [1.0, 0.5, 0.5, 0.5, 0.25]
    """

    at: Sequence[int]
    decay: float = 0.1
    constraints = {"at": RISING, "decay": NOT_NEGATIVE}

    def factor(self, step: int, steps: int) -> float:
        return self.decay ** sum(milestone <= step for milestone in self.at)


@dataclass(frozen=True)
class Exponential(Schedule):
    """decay^step: multiply by `decay` after each step.

    >>> from slopes.optim import schedules
    >>> schedules.Exponential(0.5)(3)
    0.125
    """

    decay: float
    constraints = {"decay": NOT_NEGATIVE}

    def factor(self, step: int, steps: int) -> float:
        return self.decay ** step


@dataclass(frozen=True)
class Linear(FixedLength):
    """start + (end - start) t / n: linear interpolation from `start` to `end`; n is `steps`, by default all steps of the run.

    The first step has the factor `start`; step n, the first with `end`, is the one after the last of n; later steps have `end`, too.

    >>> from slopes.optim import schedules
    >>> [schedules.Linear()(step, 4) for step in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """

    start: float = 1.0
    end: float = 0.0
    steps: int | None = None
    constraints = {"start": NOT_NEGATIVE, "end": NOT_NEGATIVE, "steps": OPTIONAL_COUNT}

    def factor(self, step: int, steps: int) -> float:
        length = self.length(steps)
        return self.start + (self.end - self.start) * (min(step, length) / length)


@dataclass(frozen=True)
class Cosine(FixedLength):
    """floor + (1 - floor) (1 + cos(pi t / n)) / 2: cosine annealing.

    n is `steps`, by default all steps of the run; after n steps it stays at `floor`, or, with restart=True, restarts at 1.
    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.

    >>> from slopes.optim import schedules
    >>> [round(schedules.Cosine()(step, 4), 4) for step in range(5)]
    [1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    steps: int | None = None
    floor: float = 0.0
    restart: bool = False
    constraints = {"steps": OPTIONAL_COUNT, "floor": SHARE_OR_ONE, "restart": FLAG}

    def factor(self, step: int, steps: int) -> float:
        length = self.length(steps)
        position = step % length if self.restart else min(step, length)
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * (position / length))) / 2


@dataclass(frozen=True)
class OneCycle(FixedLength):
    """From 1 / div up to 1 in the fraction `rise` of the steps, then down to 1 / (div final_div), along half cosines.

    With n steps (`steps`, by default all of the run) the peak is at step rise n - 1, and the last step, n - 1, has the lowest rate.
    The optimizer's learning rate is the peak; a range test (`sl.train.range_test`) shows how high it can be. Momentum is not
    changed. Source: Smith and Topin, "Super-convergence", 2018; defaults are PyTorch's.

    >>> from slopes.optim import schedules
    >>> cycle = schedules.OneCycle(steps=10)
    >>> [round(cycle(step), 3) for step in (0, 2, 5, 9)]
    [0.04, 1.0, 0.611, 0.0]
    """

    steps: int | None = None
    rise: float = 0.3
    div: float = 25.0
    final_div: float = 1e4
    constraints = {"steps": OPTIONAL_COUNT, "rise": SHARE_OR_ONE, "div": POSITIVE, "final_div": POSITIVE}

    def factor(self, step: int, steps: int) -> float:
        last = self.length(steps) - 1
        top, low = max(0.0, min(self.rise * (last + 1) - 1, last)), 1 / self.div
        if step <= top:
            return bend(low, 1.0, step / top if top else 1.0)
        return bend(1.0, low / self.final_div, min(1.0, (step - top) / (last - top)))


def bend(start: float, end: float, share: float) -> float:
    """Half a cosine from start (share 0) to end (share 1)."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class WarmUp(Schedule):
    """Linear warm-up from `start` over the first steps, followed by another schedule: WarmUp(500, Cosine()).

    The factor in step t < steps is (start + (1 - start) t / steps) times the first factor of `then`; step t >= steps has the
    factor of step t - steps of `then`, whose run is shorter by the warm-up. Source: Goyal et al., "Accurate, large minibatch
    SGD", 2017.

    >>> from slopes.optim import schedules
    >>> warm = schedules.WarmUp(2, schedules.Linear(), start=0.5)
    >>> [warm(step, 6) for step in range(6)]
    [0.5, 0.75, 1.0, 0.75, 0.5, 0.25]
    """

    steps: int
    then: ScheduleFunction = Constant()
    start: float = 0.01
    constraints = {"steps": COUNT, "then": CALLABLE, "start": NOT_NEGATIVE}

    def factor(self, step: int, steps: int) -> float:
        rest = max(1, steps - self.steps) if steps else 0
        if step < self.steps:
            return (self.start + (1 - self.start) * step / self.steps) * self.after(0, rest)
        return self.after(step - self.steps, rest)

    def after(self, step: int, steps: int) -> float:
        return self.then(step, steps or None) if isinstance(self.then, Schedule) else self.then(step, steps)

    def begin(self) -> None:
        if isinstance(self.then, Schedule):
            self.then.begin()

    def observe(self, results: Mapping[str, float]) -> None:
        if isinstance(self.then, Schedule):
            self.then.observe(results)

    def named_state(self) -> dict[str, float]:
        return self.then.named_state() if isinstance(self.then, Schedule) else {}

    def load_named_state(self, state: Mapping[str, float]) -> None:
        if isinstance(self.then, Schedule):
            self.then.load_named_state(state)


@dataclass(frozen=True)
class PerEpoch(Schedule):
    """A schedule that counts epochs instead of steps: all steps of an epoch have the same factor. PerEpoch(Step(every=30), 938).

    >>> from slopes.optim import schedules
    >>> [schedules.PerEpoch(schedules.Exponential(0.5), 2)(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    schedule: Schedule
    steps_per_epoch: int
    constraints = {"schedule": Constraint("a schedule", lambda value: isinstance(value, Schedule), (0.5, "cosine", None)),
                   "steps_per_epoch": COUNT}

    def factor(self, step: int, steps: int) -> float:
        return self.schedule(step // self.steps_per_epoch, -(-steps // self.steps_per_epoch) or None)

    def begin(self) -> None:
        self.schedule.begin()

    def observe(self, results: Mapping[str, float]) -> None:
        self.schedule.observe(results)

    def named_state(self) -> dict[str, float]:
        return self.schedule.named_state()

    def load_named_state(self, state: Mapping[str, float]) -> None:
        self.schedule.load_named_state(state)


@dataclass
class Plateau(Schedule):
    """Multiply by `decay` whenever a monitored value has not improved for more than `patience` epochs.

    threshold  an improvement is a decrease by more than this fraction of the best value; with mode="max", an increase
    watch      the monitored value: "loss" or a metric, of the validation data if there are any
    cooldown   epochs after a reduction that are not counted;   floor  the smallest factor

    fit updates it after every epoch. In your own loop: `plateau.see(value)` after each epoch, then `opt.lr = lr * plateau.scale`.
    Every run of fit resets it. Source and defaults: PyTorch's ReduceLROnPlateau.

    >>> from slopes.optim import schedules
    >>> plateau = schedules.Plateau(decay=0.5, patience=1)
    >>> [plateau.see(loss) for loss in (3.0, 2.0, 2.0, 2.0, 2.0)]
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    decay: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    cooldown: int = 0
    floor: float = 0.0
    mode: str = "min"
    watch: str = "loss"
    scale: float = field(default=1.0, init=False)
    constraints = {"decay": SHARE_OR_ONE, "patience": PATIENCE, "threshold": NOT_NEGATIVE, "cooldown": PATIENCE,
                   "floor": SHARE_OR_ONE, "mode": one_of("min", "max")}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.begin()

    def begin(self) -> None:
        """Reset all state."""
        self.scale, self.best, self.bad, self.resting = 1.0, math.inf if self.mode == "min" else -math.inf, 0, 0

    def factor(self, step: int, steps: int) -> float:
        return self.scale

    def see(self, value: float) -> float:
        """Record the value after an epoch; returns the factor from now on."""
        value = float(value)
        better = self.is_better(value)
        self.best, self.bad = (value, 0) if better else (self.best, self.bad + 1)
        if self.resting:
            self.resting, self.bad = self.resting - 1, 0
        if self.bad > self.patience:
            self.scale, self.resting, self.bad = max(self.scale * self.decay, self.floor), self.cooldown, 0
        return self.scale

    def is_better(self, value: float) -> bool:
        gain = self.best - value if self.mode == "min" else value - self.best
        return gain > (0 if math.isinf(self.best) else self.threshold * abs(self.best))

    def observe(self, results: Mapping[str, float]) -> None:
        if self.watch not in results:
            raise ArgumentError(f"Plateau: there is no {self.watch!r} to watch", why=f"the measured values are {', '.join(results)}",
                                repair='watch "loss", or name the metric in metrics= of fit')
        self.see(results[self.watch])

    def named_state(self) -> dict[str, float]:
        return {"scale": self.scale, "best": self.best, "bad": self.bad, "resting": self.resting}

    def load_named_state(self, state: Mapping[str, float]) -> None:
        self.scale, self.best = float(state["scale"]), float(state["best"])
        self.bad, self.resting = int(state["bad"]), int(state["resting"])
