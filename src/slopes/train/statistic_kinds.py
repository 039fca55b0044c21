"""The kinds of statistics: each computes a few figures from all elements of some tensors, in a compiled step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from .. import functions as F
from .. import nn
from ..nn.module import Module
from ..tensor import Tensor

LOWEST, HIGHEST = -40, 8  # powers of two of the histogram: its first bin has all that is smaller, its last all that is larger
BINS = HIGHEST - LOWEST
NEAR = 0.01  # an element is saturated within this share of the range from one of its ends
RANGES: dict[type, tuple[float, float]] = {nn.Sigmoid: (0.0, 1.0), nn.Tanh: (-1.0, 1.0), nn.Softmax: (0.0, 1.0)}

Parts = Sequence[Tensor]  # what is measured as one: the outputs of a layer for all parts of a batch


def count(parts: Parts) -> int:
    """The number of elements."""
    return sum(math.prod(part.shape) for part in parts)


def total(parts: Parts, function: Callable[[Tensor], Tensor]) -> Tensor:
    """The sum of the function of every element."""
    sums = [F.sum(function(part)) for part in parts]
    return sum(sums[1:], sums[0])


def share(parts: Parts, condition: Callable[[Tensor], Tensor]) -> Tensor:
    """The share of elements for which a condition holds."""
    return total(parts, lambda part: F.astype(condition(part), part.dtype)) / count(parts)


def norm(parts: Parts) -> Tensor:
    """sqrt(sum x^2)."""
    return F.sqrt(total(parts, lambda part: part * part))


def mean(parts: Parts) -> Tensor:
    """sum x / n."""
    return total(parts, lambda part: part) / count(parts)


def std(parts: Parts) -> Tensor:
    """sqrt(sum (x - mean)^2 / n), in two passes: nothing cancels."""
    middle = mean(parts)
    return F.sqrt(total(parts, lambda part: (part - middle) * (part - middle)) / count(parts))


def zeros(parts: Parts) -> Tensor:
    """The share of elements that are 0."""
    return share(parts, lambda part: part == 0)


def largest(parts: Parts) -> Tensor:
    """max |x|."""
    first, *others = [F.max(F.abs(part)) for part in parts]
    for other in others:
        first = F.maximum(first, other)
    return first


def saturated(parts: Parts, low: float, high: float) -> Tensor:
    """The share of elements within NEAR (high - low) of an end of the range."""
    margin = NEAR * (high - low)
    return share(parts, lambda part: (part < low + margin) | (part > high - margin))


def histogram(parts: Parts) -> Tensor:
    """(BINS,): how many |x| are in [2^(LOWEST + k), 2^(LOWEST + k + 1)), k = 0, ..., BINS - 1.

    Counted by comparisons with all limits, as a power of two is exact; what is not a number counts as too large.
    """
    limits = F.asarray(np.exp2(np.arange(LOWEST + 1, HIGHEST)).astype(parts[0].dtype))
    above = total_along(parts, lambda row: F.logical_not(F.abs(row) < limits[:, None]))
    every, none = F.full((1,), count(parts), above.dtype), F.zeros((1,), above.dtype)
    return F.concat([every, above]) - F.concat([above, none])


def total_along(parts: Parts, condition: Callable[[Tensor], Tensor]) -> Tensor:
    """For each row of a condition on all elements (1, n), how often it holds."""
    sums = [F.sum(F.astype(condition(part.reshape((1, -1))), np.int32), axis=1) for part in parts]
    return sum(sums[1:], sums[0])


def ratio(parts: Parts, before: Tensor) -> Tensor:
    """The norm of an update divided by that of the tensor before it: 0 without an update, infinite where zeros change."""
    change, size = norm(parts), norm([before])
    return F.where(change == 0, 0.0, change / size)


KINDS: dict[str, Callable[..., Tensor]] = {
    function.__name__: function for function in (norm, mean, std, zeros, largest, saturated, histogram, ratio)}


def range_of(layer: object) -> tuple[float, float] | None:
    """The range of a layer's outputs, where it has two ends."""
    return next((limits for kind, limits in RANGES.items() if isinstance(layer, Module) and isinstance(layer, kind)), None)


def histogram_limits() -> np.ndarray:
    """(BINS + 1,): the limits of a histogram's bins; the first bin begins at 0, and the last one has no end.

    >>> histogram_limits()[[0, 1, 41, -2]].tolist()
    [0.0, 1.8189894035458565e-12, 2.0, 128.0]
    """
    return np.concatenate([[0.0], np.exp2(np.arange(LOWEST + 1, HIGHEST)), [np.inf]])
