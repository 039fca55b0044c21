"""Weighted means that record their denominators, so that the means of batch parts and batches combine exactly."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..errors import ShapeError
from ..graph.build import build
from ..tensor import Tensor, asarray


class Mean(NamedTuple):
    """A computed mean, value = total / weight; all 0-d."""

    value: Tensor
    total: Tensor
    weight: Tensor


class Notes:
    """Recorded in a with-block: the means of its losses in order, and the labels that they ignore."""

    def __init__(self) -> None:
        self.means: list[Mean] = []
        self.ignored: set[int] = set()


class Recording(threading.local):
    """The notes of the current record_means block of this thread, if any."""

    def __init__(self) -> None:
        self.notes: Notes | None = None


recording = Recording()


@contextmanager
def record_means() -> Iterator[Notes]:
    """Record the means of all losses in this block; a mean with total weight 0 is 0 there instead of nan."""
    before, recording.notes = recording.notes, Notes()
    try:
        yield recording.notes
    finally:
        recording.notes = before


def weighted_mean(values: Any, weights: Any) -> Tensor:
    """sum(weights * values) / sum(weights).

    values: (...) floats, such as the loss of each example, token or pixel. weights: the same shape, or one that broadcasts to it,
    non-negative or boolean; where a weight is 0 the value is ignored, even if it is infinite or nan.
    If all weights are 0, the mean is nan; in a step of `fit` and `evaluate` it is 0, without a gradient.

    Use it in custom losses that ignore some elements: `fit` and `evaluate` then weight each batch, and each part of a batch
    (accumulate), correctly. This is exact for sums of such means and of plain ones (`.mean()`), times constants.
    Raises ShapeError when the weights do not broadcast to the values.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.weighted_mean(sl.tensor([1.0, 4.0, 7.0]), sl.tensor([1, 2, 0])))
    3.0
    >>> def masked_error(outputs, targets):  # targets below 0 are unknown
    ...     return nn.weighted_mean((outputs - targets) ** 2, targets >= 0)
    """
    values, weights = asarray(values), asarray(weights)
    if weights.ndim > values.ndim or any(size not in (1, n) for size, n in zip(weights.shape[::-1], values.shape[::-1])):
        raise ShapeError(f"weighted_mean: weights {tuple(weights.shape)} do not broadcast to values {tuple(values.shape)}",
                         why="each value has its own weight", repair=f"pass weights of shape {tuple(values.shape)}")
    weights = build("expand", weights.astype(values.dtype), shape=tuple(values.shape))
    masked = build("where", weights == 0, 0, values)
    return ratio((masked * weights).sum(), weights.sum())


def ratio(total: Tensor, weight: Tensor) -> Tensor:
    """total / weight, recorded as a mean."""
    if recording.notes is None:
        return total / weight
    mean = total / build("where", weight == 0, 1, weight)
    recording.notes.means.append(Mean(mean, total, weight))
    return mean


def note_ignored(label: int | None) -> None:
    """Record that this label is ignored."""
    if recording.notes is not None and label is not None:
        recording.notes.ignored.add(label)
