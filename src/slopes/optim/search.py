"""Line searches: the step size along a descent direction."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

ENOUGH = 1e-4  # c1 of the Armijo condition: required share of the decrease that the initial slope predicts
FLAT = 0.9  # c2 of the curvature condition: largest ratio of the final slope to the initial one
TRIES = 25  # evaluations per search beyond the first, unless the caller has a limit


@dataclass(frozen=True)
class Trial:
    """One evaluated point start + step * direction: its value, slope along the direction, and gradient."""

    step: float
    value: float
    slope: float
    gradient: np.ndarray = field(repr=False)


Along = Callable[[float], Trial]


def take_first(along: Along, start: Trial, step: float, reach: float) -> Trial:
    """No search: always take the first step."""
    return along(step)


def backtracking(along: Along, start: Trial, step: float, reach: float) -> Trial:
    """The first of step, step / 2, step / 4, ... that satisfies the Armijo condition (1966), or `start` if none does.

    f(t) <= f(0) + c1 t f'(0), with c1 = 1e-4.
    """
    for _ in range(2 * TRIES):
        trial = along(step)
        if decreases_enough(trial, start):
            return trial
        step /= 2
    return start


def strong_wolfe(along: Along, start: Trial, step: float, reach: float, limit: int = TRIES) -> Trial:
    """A step that satisfies the strong Wolfe conditions f(t) <= f(0) + c1 t f'(0) and |f'(t)| <= c2 |f'(0)|, c1 = 1e-4, c2 = 0.9.

    The step grows until it brackets a minimum; cubic interpolation then narrows the bracket. After `limit` evaluations beyond the
    first, or when the bracket is negligibly small, the lowest point so far. `reach` is the largest element of the direction.
    Source: Nocedal and Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6, with the safeguards of Schmidt's minFunc,
    as in PyTorch.
    """
    near, far, tries = bracket(along, start, step, limit)
    if tries == limit or (near is far):
        return min(near, far, key=lambda trial: trial.value)
    return narrow(along, start, near, far, limit - tries, reach)


def decreases_enough(trial: Trial, start: Trial) -> bool:
    """The Armijo condition."""
    return trial.value <= start.value + ENOUGH * trial.step * start.slope


def is_flat(trial: Trial, start: Trial) -> bool:
    return abs(trial.slope) <= -FLAT * start.slope


def bracket(along: Along, start: Trial, step: float, limit: int) -> tuple[Trial, Trial, int]:
    """The two ends of a bracket (both the same if that point is acceptable), and the number of evaluations."""
    before, trial = start, along(step)
    for tries in range(limit):
        if not decreases_enough(trial, start) or (tries > 1 and trial.value >= before.value):
            return before, trial, tries
        if is_flat(trial, start):
            return trial, trial, tries
        if trial.slope >= 0:
            return before, trial, tries
        step = lowest_of_cubic(before, trial, trial.step + 0.01 * (trial.step - before.step), 10 * trial.step)
        before, trial = trial, along(step)
    return start, trial, limit


def narrow(along: Along, start: Trial, near: Trial, far: Trial, limit: int, reach: float) -> Trial:
    """Replace one end of the bracket by a point inside it until that is acceptable; `low` is the better end."""
    low, high = (near, far) if near.value <= far.value else (far, near)
    hesitant = False
    for _ in range(limit):
        if abs(high.step - low.step) * reach < 1e-9:
            break
        step, hesitant = next_step(low, high, hesitant)
        trial = along(step)
        if not decreases_enough(trial, start) or trial.value >= low.value:
            low, high = (low, trial) if low.value <= trial.value else (trial, low)
            continue
        if is_flat(trial, start):
            return trial
        low, high = trial, low if trial.slope * (high.step - low.step) >= 0 else high
    return low


def next_step(low: Trial, high: Trial, hesitant: bool) -> tuple[float, bool]:
    """The next step inside the bracket, and whether it is close to an end, which is not allowed twice in a row."""
    left, right = sorted((low.step, high.step))
    step, margin = lowest_of_cubic(low, high, left, right), 0.1 * (right - left)
    if min(right - step, step - left) >= margin:
        return step, False
    if not hesitant and left < step < right:
        return step, True
    return (right - margin if right - step < step - left else left + margin), False


def lowest_of_cubic(one: Trial, other: Trial, least: float, most: float) -> float:
    """The minimum, within least..most, of the cubic through two points and their slopes; if there is none, the middle."""
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
