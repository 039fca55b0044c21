"""What rows that networks did not learn from say of them: the weight of each variant, a temperature for classes, a margin for numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .scores import surprise

COVERAGE = 0.9  # of the intervals around predicted numbers
COOLEST, HOTTEST, ROUNDS = 0.05, 20.0, 40
GOLDEN = (math.sqrt(5) - 1) / 2


def softmax(logits: np.ndarray) -> np.ndarray:
    """The softmax over the last axis, in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def best_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The t for which softmax(logits / t) has the lowest log loss, by golden-section search over log t.

    Source: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017.
    """
    def loss(x: float) -> float:
        return float(surprise(softmax(logits / math.exp(x)), targets).mean())

    return math.exp(lowest(loss, math.log(COOLEST), math.log(HOTTEST)))


def best_share(loss: Callable[[float], float]) -> float:
    """The share in 0 to 1 of the first of two variants for which a convex loss of their mixture is lowest."""
    return lowest(loss, 0.0, 1.0)


def lowest(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one valley is lowest, by golden-section search."""
    for _ in range(ROUNDS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (low, right) if function(left) <= function(right) else (left, high)
    return (low + high) / 2


def margin(predicted: np.ndarray, targets: np.ndarray) -> float:
    """The half width of intervals: of a new row, prediction - margin to prediction + margin holds the target with probability 90%.

    It is the ceil(0.9 (n + 1))-th smallest |prediction - target| of n rows that were not learned from. Source: Barber, Candès,
    Ramdas, Tibshirani, "Predictive inference with the jackknife+", 2021 (the cross-validation form).
    """
    errors = np.sort(np.abs(predicted - targets))
    return float(errors[min(math.ceil(COVERAGE * (len(errors) + 1)), len(errors)) - 1])
