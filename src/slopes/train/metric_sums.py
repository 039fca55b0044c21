"""The sums over the examples of a batch from which metrics are computed."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Sequence

import numpy as np

from .. import functions as F
from ..tensor import Tensor
from .metric import Ratio


def sum_over_examples(values: Tensor) -> Tensor:
    """The sum over examples of each example's mean: exact integers when there is one truth per example."""
    if values.dtype == np.bool_:
        values = F.astype(values, np.int32 if values.ndim == 1 else np.float32)
    return F.sum(F.mean(values, axis=tuple(range(1, values.ndim))) if values.ndim > 1 else values)


def sum_of_counted(values: Tensor, targets: Tensor, ignored: Iterable[int]) -> tuple[Tensor, Tensor]:
    """The sum of the values whose target is no ignored label, and how many there are: float32, exact up to 2^24."""
    counted = is_counted(targets, ignored)
    return F.sum(F.where(counted, F.astype(values, np.float32), 0.0)), F.sum(F.astype(counted, np.float32))


def sum_of_ratio(ratio: Ratio, targets: Tensor, ignored: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The two sums of a ratio over the first axis, without the targets that are ignored labels."""
    totals, weights = (part if part.dtype == np.float64 else F.astype(part, np.float32) for part in ratio)
    if ignored and totals.shape[0] == targets.size:
        counted = F.reshape(is_counted(targets, ignored), (-1,))
        totals, weights = (F.where(F.reshape(counted, (-1, *[1] * (part.ndim - 1))), part, 0.0) for part in (totals, weights))
    return F.sum(totals, axis=0), F.sum(weights, axis=0)


def weighted_sums(values: Tensor | Ratio, targets: Tensor, ignored: Sequence[int], weights: Tensor) -> tuple[Tensor, Tensor]:
    """The two sums of a metric over examples with these weights (N,), without the targets that are ignored labels."""
    if not isinstance(values, Ratio):
        flat = F.reshape(values, (-1,))
        values = Ratio(flat, F.ones(flat.shape))
    weights = repeat_weights(weights, values.totals.shape[0])
    parts = (part if part.dtype == np.float64 else F.astype(part, np.float32) for part in values)
    return sum_of_ratio(Ratio(*(part * F.reshape(weights, (-1, *[1] * (part.ndim - 1))) for part in parts)), targets, ignored)


def repeat_weights(weights: Tensor, count: int) -> Tensor:
    """The weights (N,) of examples for the values (count,) of which each example has equally many."""
    times = count // weights.shape[0]
    return weights if times == 1 else F.reshape(F.expand_dims(weights, 1) * F.ones((1, times)), (-1,))


def is_counted(targets: Tensor, ignored: Iterable[int]) -> Tensor:
    """Whether each target is no ignored label."""
    return functools.reduce(operator.and_, (targets != label for label in ignored))
