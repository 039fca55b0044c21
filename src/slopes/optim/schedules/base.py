"""The base of learning-rate schedules: for each step, the factor of the optimizer's learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from ...constraint import Constraint, check
from ...errors import ArgumentError, missing_method

ScheduleFunction = Callable[[int, int], float]


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
