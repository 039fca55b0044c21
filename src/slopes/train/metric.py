"""A metric: how it is computed from sums over examples, so that the figure of a data set does not depend on its batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from ..errors import ArgumentError
from ..tensor import Tensor


class Ratio(NamedTuple):
    """A metric that is a ratio of sums: totals (M, ...) and weights (M, ...), each summed over the first axis.

    M counts examples, or targets where an example has several, equally many of each example if these have weights. A metric with a sum
    for each class has a second axis for them.
    """

    totals: Tensor
    weights: Tensor


MetricFunction = Callable[[Tensor, Tensor], Tensor | Ratio]
Finish = Callable[[np.ndarray, np.ndarray], float]


def quotient(total: np.ndarray, weight: np.ndarray) -> float:
    """total / weight of two numbers; 0 where nothing counted."""
    return float(total) / (float(weight) or 1.0)


@dataclass(frozen=True)
class Metric:
    """A metric for `fit(..., metrics=[...])`: how it is computed, shown and compared.

    name             what histories, chunks and callbacks call it
    function         (outputs, targets) -> one value per example (N,), or per target, or a Ratio; None for a figure that is
                     measured elsewhere
    lower_is_better  for EarlyStopping and search; an accuracy is better where it is higher
    format           how a value is written: ".2%" for shares, ".4g" for other numbers
    finish           (sum of the values, their number), or the two sums of a Ratio, over a batch or a data set -> the figure
    undefined        of a figure that can be nan: what it needs to be a number, which a warning then says

    >>> from slopes.train import Metric
    >>> distance = Metric("distance", lambda outputs, targets: ((outputs - targets) ** 2).sum(axis=1) ** 0.5, lower_is_better=True)
    >>> distance.text(0.123456)
    '0.1235'
    """

    name: str
    function: MetricFunction | None = None
    lower_is_better: bool = False
    format: str = ".4g"
    finish: Finish = quotient
    undefined: str = ""
    in_step: ClassVar[bool] = True  # whether the compiled step computes sums for it

    @property
    def is_share(self) -> bool:
        """Whether values are shares of a whole, written as per cent."""
        return self.format.endswith("%")

    def text(self, value: float) -> str:
        """A value as it is shown."""
        return format(value, self.format)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor | Ratio:
        if self.function is None:
            raise ArgumentError(f"the metric {self.name!r} has no function", repair=f"give one: Metric({self.name!r}, function)")
        return self.function(outputs, targets)


@dataclass(frozen=True)
class LossMetric(Metric):
    """A figure that follows from the mean loss: `finish` gets the loss and 1."""

    in_step: ClassVar[bool] = False


@dataclass(frozen=True)
class TableMetric(Metric):
    """A metric of `evaluate` alone whose figure is an array: `table` makes it of the two sums."""

    table: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda totals, weights: totals


@dataclass(frozen=True)
class ScoreMetric(Metric):
    """A metric that compares examples with each other: of the outputs and targets of all of them, which are kept until the end.

    `score` (outputs (M, classes) or logits (M,), targets (M,), weights (M,)) -> the figure. Measured on validation data and by
    `evaluate`: during an epoch of training, each batch has other weights.
    """

    score: Callable[[np.ndarray, np.ndarray, np.ndarray], float] = lambda outputs, targets, weights: math.nan
    in_step: ClassVar[bool] = False
