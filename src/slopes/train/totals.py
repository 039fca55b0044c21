"""A loss taken apart into its weighted means, and the loss of a whole batch from those of its parts."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.pullback import pull_back
from ..graph.build import build_node, constant
from ..nn.means import Mean, Notes, record_means, weigh_examples
from ..tensor import Tensor
from ..trace import current_trace
from .weighting import target_weights

Loss = Callable[[Tensor, Tensor], Tensor]
SumAndWeight = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Objective:
    """A loss, whether it is a sum over the examples (else it is a mean), the labels that it leaves out, and the weights of classes."""

    loss: Loss
    summed: bool = False
    ignored: frozenset[int] = frozenset()
    class_weight: np.ndarray | None = None


class Part(NamedTuple):
    """Examples of a batch: inputs, targets, the weights of the examples (None: all 1), and the share of the batch."""

    inputs: Any
    targets: Tensor
    weights: Tensor | None
    share: Any


class Term(NamedTuple):
    """One mean in a loss: what it contributes to the loss is total / weight."""

    contribution: Tensor
    total: Tensor
    weight: Tensor


class PartResult(NamedTuple):
    """The results of a part of a batch: its loss, the means in it, its share of the batch, and (sum, weight) of each metric."""

    loss: Tensor
    terms: list[Term]
    share: Any
    metrics: dict[str, SumAndWeight]


def measure_part(objective: Objective, outputs: Any, part: Part, metrics: dict[str, SumAndWeight]) -> PartResult:
    """The loss of a part of a batch, taken apart into the means in it."""
    with record_means() as notes, weigh_examples(target_weights(objective.class_weight, part.targets, part.weights)):
        value = objective.loss(outputs, part.targets)
    return PartResult(value, terms(value, notes), part.share, metrics)


def terms(value: Tensor, notes: Notes) -> list[Term]:
    """The contribution of each mean to a loss that is a sum of means times constants: the derivative by the mean is its constant."""
    trace = current_trace()
    assert trace is not None, "a step is always compiled"
    nodes = [trace.operand(mean.value) for mean in notes.means]
    factors = pull_back([trace.operand(value)], [constant(1, value.dtype)], nodes)
    return [scale_mean(mean, trace.tensor(build_node("stop_gradient", (factor,), {})))
            for mean, factor in zip(notes.means, factors) if factor is not None]


def scale_mean(mean: Mean, factor: Tensor) -> Term:
    """The contribution of `factor` times a mean."""
    return Term(factor * mean.value, factor * mean.total, mean.weight)


def whole_loss(parts: Sequence[PartResult], summed: bool) -> tuple[list[Tensor], list[Term]]:
    """What each part adds to the loss of the whole batch, and the means over the whole batch.

    A mean of the parts becomes one of the batch by its share of all weights, the rest of the loss by its share of the examples.
    """
    if len(parts) == 1:
        return [parts[0].loss], parts[0].terms
    whole = [over_parts(column) for column in zip(*(part.terms for part in parts))]
    return [part_of_whole(part, whole, summed) for part in parts], whole


def over_parts(terms: Sequence[Term]) -> Term:
    """The mean over all parts."""
    sum_of_all, weight = total(term.total for term in terms), total(term.weight for term in terms)
    return Term(sum_of_all / divisor(weight), sum_of_all, weight)


def divisor(weight: Tensor) -> Tensor:
    """The weight, or 1 where nothing counts."""
    return weight + (weight == 0).astype(weight.dtype)


def part_of_whole(part: PartResult, whole: Sequence[Term], summed: bool) -> Tensor:
    """What one part adds to the loss of the whole batch."""
    rest = total([part.loss, *(-term.contribution for term in part.terms)])
    shares = [term.total / divisor(over.weight) for term, over in zip(part.terms, whole)]
    return total([rest if summed else rest * part.share, *shares])


def total(values: Any) -> Any:
    """Their sum."""
    return functools.reduce(operator.add, values)


def batch_results(parts: Sequence[PartResult], loss: Tensor, means: Sequence[Term], **more: Any) -> dict[str, Any]:
    """The results of a step by name: the loss, (sum, weight) of every metric, and the three numbers of every mean in the loss."""
    metrics = {name: tuple(total(part.metrics[name][i] for part in parts).detach() for i in (0, 1)) for name in parts[0].metrics}
    return {"loss": loss.detach(), "metrics": metrics,
            "means": tuple(tuple(value.detach() for value in term) for term in means), "statistics": {}, **more}
