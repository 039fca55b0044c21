"""Line searches: how far to go along a direction that leads downhill."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

ENOUGH = 1e-4  # c1: a step must gain this share of what the slope at its start promises (Armijo)
FLAT = 0.9  # c2: and be at most this share as steep at its end (the second Wolfe condition)
TRIES = 25


@dataclass(frozen=True)
class Place:
    """A point on the line, `step` directions from its start: the value there, its slope along the line, and the whole gradient."""

    step: float
    value: float
    slope: float
    gradient: np.ndarray = field(repr=False)


Along = Callable[[float], Place]


def fixed(along: Along, start: Place, step: float, reach: float) -> Place:
    """No search: the first step is taken, whatever it gives."""
    return along(step)


def backtracking(along: Along, start: Place, step: float, reach: float) -> Place:
    """The first of step, step / 2, step / 4, ... that gains enough (Armijo 1966); `start` itself when none of them does.

    f(t) <= f(0) + c1 t f'(0), with c1 = 1e-4.
    """
    for _ in range(2 * TRIES):
        place = along(step)
        if gains(place, start):
            return place
        step /= 2
    return start


def strong_wolfe(along: Along, start: Place, step: float, reach: float) -> Place:
    """A place that gains enough and is flat: f(t) <= f(0) + c1 t f'(0) and |f'(t)| <= c2 |f'(0)|, with c1 = 1e-4 and c2 = 0.9.

    First the step grows until the line has turned upwards, then the bracket is narrowed by cubic interpolation. After 25 tries, or
    when the bracket is too small to matter, the lowest place seen. `reach` is the largest element of the direction. Source: Nocedal
    and Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6, with the safeguards of Schmidt's minFunc, as in PyTorch.
    """
    near, far, tries = bracket(along, start, step)
    if tries == TRIES or (near is far):
        return min(near, far, key=lambda place: place.value)
    return narrow(along, start, near, far, tries, reach)


def gains(place: Place, start: Place) -> bool:
    """The Armijo condition."""
    return place.value <= start.value + ENOUGH * place.step * start.slope


def is_flat(place: Place, start: Place) -> bool:
    return abs(place.slope) <= -FLAT * start.slope


def bracket(along: Along, start: Place, step: float) -> tuple[Place, Place, int]:
    """Two places between which there is a good one (or twice the same that is good already), and the number of tries."""
    before, place = start, along(step)
    for tries in range(TRIES):
        if not gains(place, start) or (tries > 1 and place.value >= before.value):
            return before, place, tries
        if is_flat(place, start):
            return place, place, tries
        if place.slope >= 0:
            return before, place, tries
        step = lowest_of_cubic(before, place, place.step + 0.01 * (place.step - before.step), 10 * place.step)
        before, place = place, along(step)
    return start, place, TRIES


def narrow(along: Along, start: Place, near: Place, far: Place, tries: int, reach: float) -> Place:
    """Replace one end of the bracket by a place inside it, until that is good; `low` is the better end."""
    low, high = (near, far) if near.value <= far.value else (far, near)
    hesitant = False
    while tries < TRIES and abs(high.step - low.step) * reach >= 1e-9:
        step, hesitant = inside(low, high, hesitant)
        place = along(step)
        tries += 1
        if not gains(place, start) or place.value >= low.value:
            low, high = (low, place) if low.value <= place.value else (place, low)
            continue
        if is_flat(place, start):
            return place
        low, high = place, low if place.slope * (high.step - low.step) >= 0 else high
    return low


def inside(low: Place, high: Place, hesitant: bool) -> tuple[float, bool]:
    """Where to look next in the bracket, and whether that was close to an end: twice in turn is once too often."""
    left, right = sorted((low.step, high.step))
    step, margin = lowest_of_cubic(low, high, left, right), 0.1 * (right - left)
    if min(right - step, step - left) >= margin:
        return step, False
    if not hesitant and left < step < right:
        return step, True
    return (right - margin if right - step < step - left else left + margin), False


def lowest_of_cubic(one: Place, other: Place, least: float, most: float) -> float:
    """The step, within least..most, where the cubic through two places with their slopes is lowest; else the middle."""
    first, second = (one, other) if one.step <= other.step else (other, one)
    width = second.step - first.step
    if not math.isfinite(first.value + second.value + first.slope + second.slope) or not width:
        return (least + most) / 2
    bend = first.slope + second.slope - 3 * (second.value - first.value) / width
    square = bend * bend - first.slope * second.slope
    root = math.sqrt(max(square, 0.0))
    under = second.slope - first.slope + 2 * root
    if square < 0 or under == 0:
        return (least + most) / 2
    return min(max(second.step - width * ((second.slope + root - bend) / under), least), most)
