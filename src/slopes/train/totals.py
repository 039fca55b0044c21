"""What a step reports of its batch, and the means over many batches, or the parts of one, that follow from it."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.pullback import pull_back
from ..graph.operation import build_node, constant
from ..nn.means import Mean, Notes, record_means
from ..tensor import Tensor, current_trace
from .stepper import Stretch

Loss = Callable[[Tensor, Tensor], Tensor]
Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Objective:
    """A loss, whether it is a sum over the examples (else it is a mean), and the labels that it leaves out."""

    loss: Loss
    summed: bool = False
    ignored: frozenset[int] = frozenset()


class Term(NamedTuple):
    """One mean in a loss: what it contributes to the loss is total / weight."""

    contribution: Tensor
    total: Tensor
    weight: Tensor


class Answer(NamedTuple):
    """What a part of a batch gave: its loss, the means in it, which share of the batch it is, and (sum, weight) of each metric."""

    value: Tensor
    terms: list[Term]
    share: Any
    metrics: list[Pair]


def answer(loss: Loss, outputs: Any, targets: Any, share: Any, metrics: list[Pair]) -> Answer:
    """The loss of a part of a batch, taken apart into the means in it."""
    with record_means() as notes:
        value = loss(outputs, targets)
    return Answer(value, terms(value, notes), share, metrics)


def terms(value: Tensor, notes: Notes) -> list[Term]:
    """What each mean contributes to a loss that is a sum of means times constants: the derivative by the mean is its constant."""
    trace = current_trace()
    assert trace is not None, "a step is always compiled"
    nodes = [trace.operand(each.value) for each in notes.means]
    found = pull_back([trace.operand(value)], [constant(1, value.dtype)], nodes)
    return [scaled(mean, trace.tensor(build_node("stop_gradient", (factor,), {})))
            for mean, factor in zip(notes.means, found) if factor is not None]


def scaled(mean: Mean, factor: Tensor) -> Term:
    """What a mean contributes as `factor` times itself."""
    return Term(factor * mean.value, factor * mean.total, mean.weight)


def whole_loss(answers: Sequence[Answer], summed: bool) -> tuple[list[Tensor], list[Term]]:
    """What each part adds to the loss of the whole batch, and the means over the whole batch.

    A mean of the parts becomes one of the batch by its share of all weights, the rest of the loss by its share of the examples.
    """
    if len(answers) == 1:
        return [answers[0].value], answers[0].terms
    whole = [over_parts(column) for column in zip(*(part.terms for part in answers))]
    return [part_of_whole(part, whole, summed) for part in answers], whole


def over_parts(terms: Sequence[Term]) -> Term:
    """The mean over all parts."""
    found, weight = total(each.total for each in terms), total(each.weight for each in terms)
    return Term(found / divisor(weight), found, weight)


def divisor(weight: Tensor) -> Tensor:
    """The weight, or 1 where nothing counts."""
    return weight + (weight == 0).astype(weight.dtype)


def part_of_whole(part: Answer, whole: Sequence[Term], summed: bool) -> Tensor:
    """What one part adds to the loss of the whole batch."""
    rest = total([part.value, *(-each.contribution for each in part.terms)])
    shares = [each.total / divisor(over.weight) for each, over in zip(part.terms, whole)]
    return total([rest if summed else rest * part.share, *shares])


def total(values: Any) -> Any:
    """Their sum."""
    return functools.reduce(operator.add, values)


def report(answers: Sequence[Answer], value: Tensor, means: Sequence[Term]) -> tuple[Tensor, ...]:
    """What a step returns: the loss, (sum, weight) of every metric, and the three numbers of every mean in the loss."""
    metrics = [tuple(map(total, zip(*column))) for column in zip(*(part.metrics for part in answers))]
    return (value.detach(), *(each.detach() for several in (*metrics, *means) for each in several))


class Tally:
    """Means over all steps so far, from what each step reported.

    A loss is taken apart into its weighted means, which are weighed by what they divided by, and the rest, by numbers of examples.
    """

    def __init__(self, metrics: Iterable[str], summed: bool) -> None:
        self.names, self.summed, self.examples = list(metrics), summed, 0
        self.sums: list[float] = []
        self.weights: list[float] = []

    def add(self, stretch: Stretch) -> None:
        """The reports of these steps."""
        value, *rest = (each.astype(np.float64) for each in stretch.values)
        metrics, means = rest[: 2 * len(self.names)], rest[2 * len(self.names) :]
        plain = value - sum(means[::3])
        plain = plain if self.summed else plain * stretch.counts
        self.sums = added(self.sums, [*metrics[::2], plain, *means[1::3]])
        self.weights = added(self.weights, [*metrics[1::2], stretch.counts, *means[2::3]])
        self.examples += int(stretch.counts.sum())

    @property
    def loss(self) -> float:
        """The mean loss."""
        return math.fsum(self.means()[len(self.names) :])

    @property
    def metrics(self) -> dict[str, float]:
        """The mean of every metric."""
        return dict(zip(self.names, self.means()))

    def means(self) -> list[float]:
        """Each sum by its weight; 0 where nothing counted."""
        return [found / (weight or 1.0) for found, weight in zip(self.sums, self.weights)] or [0.0] * len(self.names)


def added(old: list[float], new: Sequence[np.ndarray]) -> list[float]:
    """The sums so far, and those of these steps."""
    return [before + math.fsum(each.tolist()) for before, each in zip(old or [0.0] * len(new), new)]
