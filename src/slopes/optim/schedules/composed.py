"""Schedules made of others: warm-up, epochs, one after another, and products."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...constraint import COUNT, NOT_NEGATIVE, RISING, Constraint
from ...errors import ArgumentError
from .base import Schedule, ScheduleFunction
from .curves import Constant

CALLABLE = Constraint("a schedule or a function (step, steps) -> factor", lambda value: callable(value) and not isinstance(value, type),
                      (0.5, "cosine", None))
CALLABLES = Constraint("schedules or functions (step, steps) -> factor", lambda value: isinstance(value, (list, tuple)) and len(value) > 0
                       and all(map(CALLABLE.holds, value)), ((), 0.5, ("cosine",)))
UNCHANGED = Constant()


class Composed(Schedule):
    """The base of schedules made of others, which observe results and have the state of their parts."""

    def parts(self) -> Mapping[str, ScheduleFunction]:
        """The parts, by the prefix of the names of their state."""
        return {}

    def schedules(self) -> dict[str, Schedule]:
        """The parts that are schedules, not functions."""
        return {prefix: part for prefix, part in self.parts().items() if isinstance(part, Schedule)}

    def begin(self) -> None:
        for part in self.schedules().values():
            part.begin()

    def observe(self, results: Mapping[str, float]) -> None:
        for part in self.schedules().values():
            part.observe(results)

    def named_state(self) -> dict[str, float]:
        return {prefix + name: value for prefix, part in self.schedules().items() for name, value in part.named_state().items()}

    def load_named_state(self, state: Mapping[str, float]) -> None:
        for prefix, part in self.schedules().items():
            part.load_named_state({name: state[prefix + name] for name in part.named_state()})


def factor_of(schedule: ScheduleFunction, step: int, steps: int) -> float:
    """The factor of a schedule or function in a step of `steps` (0: unknown)."""
    return schedule(step, steps or None) if isinstance(schedule, Schedule) else schedule(step, steps)


@dataclass(frozen=True)
class WarmUp(Composed):
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
    then: ScheduleFunction = UNCHANGED
    start: float = 0.01
    constraints = {"steps": COUNT, "then": CALLABLE, "start": NOT_NEGATIVE}

    def factor(self, step: int, steps: int) -> float:
        rest = max(1, steps - self.steps) if steps else 0
        if step < self.steps:
            return (self.start + (1 - self.start) * step / self.steps) * factor_of(self.then, 0, rest)
        return factor_of(self.then, step - self.steps, rest)

    def parts(self) -> dict[str, ScheduleFunction]:
        return {"": self.then}


@dataclass(frozen=True)
class PerEpoch(Composed):
    """A schedule that counts epochs instead of steps: all steps of an epoch have the same factor. PerEpoch(Step(30), 938).

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

    def parts(self) -> dict[str, ScheduleFunction]:
        return {"": self.schedule}


@dataclass(frozen=True)
class Sequential(Composed):
    """Schedules one after another: Sequential([Linear(0.1, 1.0), Cosine()], milestones=[500]); each counts from its own first step.

    Schedule i + 1 begins at milestones[i]; the steps of each but the last are those up to the next milestone.
    Raises ArgumentError unless there is one schedule more than milestones.

    >>> from slopes.optim import schedules
    >>> both = schedules.Sequential([schedules.Constant(0.5), schedules.Linear()], milestones=[2])
    >>> [both(step, 6) for step in range(6)]
    [0.5, 0.5, 1.0, 0.75, 0.5, 0.25]
    """

    schedulers: Sequence[ScheduleFunction]
    milestones: Sequence[int]
    constraints = {"schedulers": CALLABLES, "milestones": RISING}

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.schedulers) != len(self.milestones) + 1:
            raise ArgumentError(f"Sequential: {len(self.schedulers)} schedules and {len(self.milestones)} milestones",
                                why="between two schedules is one milestone", repair="pass one milestone less than schedules")

    def factor(self, step: int, steps: int) -> float:
        i = sum(milestone <= step for milestone in self.milestones)
        starts = [0, *self.milestones]
        end = self.milestones[i] if i < len(self.milestones) else steps
        return factor_of(self.schedulers[i], step - starts[i], max(1, end - starts[i]) if end else 0)

    def parts(self) -> dict[str, ScheduleFunction]:
        return {f"{i}_": schedule for i, schedule in enumerate(self.schedulers)}


@dataclass(frozen=True)
class Chained(Composed):
    """The product of the factors of schedules, all of which count the same steps.

    >>> from slopes.optim import schedules
    >>> [schedules.Chained([schedules.Exponential(0.5), schedules.Step(2)])(step) for step in range(3)]
    [1.0, 0.5, 0.025]
    """

    schedulers: Sequence[ScheduleFunction]
    constraints = {"schedulers": CALLABLES}

    def factor(self, step: int, steps: int) -> float:
        return math.prod(factor_of(schedule, step, steps) for schedule in self.schedulers)

    def parts(self) -> dict[str, ScheduleFunction]:
        return {f"{i}_": schedule for i, schedule in enumerate(self.schedulers)}
