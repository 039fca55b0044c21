"""How the learning rate changes over the steps of a run: a factor between 0 and 1 for each step."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..errors import ArgumentError

Schedule = Callable[[int, int], float]


def linear(step: int, steps: int) -> float:
    """1 - step / steps: from the full rate to almost nothing, evenly."""
    return 1 - step / steps


def cosine(step: int, steps: int) -> float:
    """(1 + cos(pi step / steps)) / 2 (Loshchilov, Hutter 2017, without restarts): high for long, then almost nothing."""
    return (1 + math.cos(math.pi * step / steps)) / 2


SCHEDULES: dict[str, Schedule | None] = {"constant": None, "linear": linear, "cosine": cosine}


def find_schedule(wanted: str | Schedule | None) -> Schedule | None:
    """The schedule by name, or the function itself; None where the rate stays."""
    if wanted is None or callable(wanted):
        return wanted
    if wanted not in SCHEDULES:
        raise ArgumentError(f"no schedule is called {wanted!r}",
                            repair=f"use one of {', '.join(SCHEDULES)}, or a function (step, steps) -> factor")
    return SCHEDULES[wanted]
