"""The schedules that fit knows by name; they are defined among the optimizers, in optim/schedules.py."""

from __future__ import annotations

from ..errors import ArgumentError
from ..optim.schedules import Cosine, Linear, OneCycle, ScheduleFunction

Schedule = ScheduleFunction
SCHEDULES: dict[str, Schedule | None] = {"constant": None, "linear": Linear(), "cosine": Cosine(), "one_cycle": OneCycle()}


def find_schedule(schedule: str | Schedule | None) -> Schedule | None:
    """The schedule by name, or the given one itself; None where the rate stays.

    >>> find_schedule("linear")
    Linear(start_factor=1.0, end_factor=0.0, steps=None)
    """
    if isinstance(schedule, type):
        raise ArgumentError(f"schedule is the class {schedule.__name__}, not a schedule",
                            repair=f"make one: optim.schedules.{schedule.__name__}(...)")
    if schedule is None or callable(schedule):
        return schedule
    if schedule not in SCHEDULES:
        raise ArgumentError(f"no schedule is called {schedule!r}",
                            repair=f"use one of {', '.join(SCHEDULES)}, one of optim.schedules, or a function (step, steps) -> factor")
    return SCHEDULES[schedule]
