"""Means over what counts: a mean notes what it divided by, so that parts of a batch and batches of a data set add up to the whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..errors import ShapeError
from ..graph.operation import build
from ..tensor import Tensor, asarray


class Mean(NamedTuple):
    """A mean that was computed: its value is total / weight; all 0-d."""

    value: Tensor
    total: Tensor
    weight: Tensor


class Notes:
    """What the losses of a with-block said: their means in order, and the labels that they leave out."""

    def __init__(self) -> None:
        self.means: list[Mean] = []
        self.ignored: set[int] = set()


class Recording(threading.local):
    """The notes that losses of this thread are written into, if anyone asked for them."""

    def __init__(self) -> None:
        self.notes: Notes | None = None


recording = Recording()


@contextmanager
def record_means() -> Iterator[Notes]:
    """What losses divide by in this block; a mean of nothing is 0 there, as it adds nothing to the whole."""
    before, recording.notes = recording.notes, Notes()
    try:
        yield recording.notes
    finally:
        recording.notes = before


def weighted_mean(values: Any, weights: Any) -> Tensor:
    """sum(weights * values) / sum(weights): a mean over what counts.

    values: (...) floats, such as the loss of each example, token or pixel. weights: the same shape, or one that broadcasts to it,
    numbers of at least 0 or truth values; where a weight is 0 the value does not count, even if it is infinite or nan.
    Where nothing counts at all the mean is nan; in a step of `fit` and `evaluate` it is 0, without a gradient.

    A loss of your own that leaves something out should end in it: `fit` and `evaluate` then know how much each batch, and each part
    of one (accumulate), counts. Their results are those of the whole for sums of such means and of plain ones (`.mean()`), times
    constants. Raises ShapeError when the weights do not broadcast to the values.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.weighted_mean(sl.tensor([1.0, 4.0, 7.0]), sl.tensor([1, 2, 0])))
    3.0
    >>> def masked_error(outputs, targets):  # numbers below 0 are unknown
    ...     return nn.weighted_mean((outputs - targets) ** 2, targets >= 0)
    """
    values, weights = asarray(values), asarray(weights)
    if weights.ndim > values.ndim or any(size not in (1, n) for size, n in zip(weights.shape[::-1], values.shape[::-1])):
        raise ShapeError(f"weighted_mean: weights {tuple(weights.shape)} do not broadcast to values {tuple(values.shape)}",
                         why="each value has its own weight", repair=f"give weights of shape {tuple(values.shape)}")
    weights = build("expand", weights.astype(values.dtype), shape=tuple(values.shape))
    masked = build("where", weights == 0, 0, values)
    return ratio((masked * weights).sum(), weights.sum())


def ratio(total: Tensor, weight: Tensor) -> Tensor:
    """total / weight, noted as a mean."""
    if recording.notes is None:
        return total / weight
    mean = total / build("where", weight == 0, 1, weight)
    recording.notes.means.append(Mean(mean, total, weight))
    return mean


def note_ignored(label: int | None) -> None:
    """Note that targets of this label do not count."""
    if recording.notes is not None and label is not None:
        recording.notes.ignored.add(label)
