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


class ExampleWeights:
    """The weights of the examples of a batch, (N,) or of each target (N, ...), and whether a loss has used them."""

    def __init__(self, weights: Tensor) -> None:
        self.weights, self.used = weights, False

    def expand(self, values: Tensor) -> Tensor:
        """The weight of each of the values (N, ...), or (N * k, ...) where the axes of examples and tokens are one."""
        self.used = True
        weights, shape = self.weights, tuple(values.shape)
        if not shape or weights.shape != shape[: weights.ndim]:
            if not shape or shape[0] % weights.size:
                raise ShapeError(f"the mean over values of shape {shape} cannot be weighted by examples", why=f"there are {weights.size} "
                                 "weights, and the first axis does not count examples",
                                 repair="let the loss be the mean over examples: nn.weighted_mean(values, 1) with values (N, ...)")
            weights = build("expand", weights.reshape((-1, 1)), shape=(weights.size, shape[0] // weights.size)).reshape((-1,))
        weights = weights.reshape((*weights.shape, *[1] * (len(shape) - weights.ndim)))
        return build("expand", weights.astype(values.dtype), shape=shape)


class Recording(threading.local):
    """The notes of the current record_means block of this thread, and the weights of the current weigh_examples block, if any."""

    def __init__(self) -> None:
        self.notes: Notes | None = None
        self.examples: ExampleWeights | None = None


recording = Recording()


@contextmanager
def record_means() -> Iterator[Notes]:
    """Record the means of all losses in this block; a mean with total weight 0 is 0 there instead of nan."""
    before, recording.notes = recording.notes, Notes()
    try:
        yield recording.notes
    finally:
        recording.notes = before


@contextmanager
def weigh_examples(weights: Tensor | None) -> Iterator[ExampleWeights | None]:
    """Weight the examples in the means of all losses in this block; None: all count the same."""
    before, recording.examples = recording.examples, None if weights is None else ExampleWeights(weights)
    try:
        yield recording.examples
    finally:
        recording.examples = before


def weighted_mean(values: Any, weights: Any) -> Tensor:
    """sum(weights * values) / sum(weights).

    values: (...) floats, such as the loss of each example, token or pixel. weights: the same shape, or one that broadcasts to it,
    non-negative or boolean; where a weight is 0 the value is ignored, even if it is infinite or nan.
    If all weights are 0, the mean is nan; in a step of `fit` and `evaluate` it is 0, without a gradient.

    Use it in custom losses that ignore some elements: `fit` and `evaluate` then weight each batch, and each part of a batch
    (accumulate), correctly. This is exact for sums of such means and of plain ones (`.mean()`), times constants.
    With class_weight or sample_weight in `fit`, the weights are multiplied by those of the examples, which the first axis of the values
    counts: there a custom loss ends in nn.weighted_mean(values, 1).
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
    if recording.examples is not None:
        weights = weights * recording.examples.expand(values)
    masked = build("where", weights == 0, 0, values)
    return ratio((masked * weights).sum(), weights.sum())


def ratio(total: Tensor, weight: Tensor) -> Tensor:
    """total / weight, recorded as a mean."""
    if recording.notes is None:
        return total / weight
    mean = total / build("where", weight == 0, 1, weight)
    recording.notes.means.append(Mean(mean, total, weight))
    return mean


def mean_loss(losses: Tensor, shares: Tensor | None = None) -> Tensor:
    """The mean of losses, or the sum of losses that are weighted already by that of their weights; examples are weighted, if they are."""
    if recording.examples is None:
        return losses.mean() if shares is None else ratio(losses.sum(), shares.sum())
    if shares is None:
        return weighted_mean(losses, 1)
    weights = recording.examples.expand(losses)
    return ratio((build("where", weights == 0, 0, losses) * weights).sum(), (shares * weights).sum())


def note_ignored(label: int | None) -> None:
    """Record that this label is ignored."""
    if recording.notes is not None and label is not None:
        recording.notes.ignored.add(label)
