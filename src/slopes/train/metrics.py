"""Metrics, measured beside the loss: each gives one value per example, so that its mean over a data set is exact."""

from __future__ import annotations

import difflib
import functools
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import functions as F
from ..errors import ArgumentError
from ..tensor import Tensor

MetricFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Metric:
    """A metric for `fit(..., metrics=[...])`: how it is computed, shown and compared.

    name             what histories, chunks and callbacks call it
    function         (outputs, targets) -> one value per example (N,), or per target; None for a figure that is measured elsewhere
    lower_is_better  for EarlyStopping and search; an accuracy is better where it is higher
    format           how a value is written: ".2%" for shares, ".4g" for other numbers

    >>> from slopes.train import Metric
    >>> distance = Metric("distance", lambda outputs, targets: ((outputs - targets) ** 2).sum(axis=1) ** 0.5, lower_is_better=True)
    >>> distance.text(0.123456)
    '0.1235'
    """

    name: str
    function: MetricFunction | None = None
    lower_is_better: bool = False
    format: str = ".4g"

    @property
    def is_share(self) -> bool:
        """Whether values are shares of a whole, written as per cent."""
        return self.format.endswith("%")

    def text(self, value: float) -> str:
        """A value as it is shown."""
        return format(value, self.format)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.function is None:
            raise ArgumentError(f"the metric {self.name!r} has no function", repair=f"give one: Metric({self.name!r}, function)")
        return self.function(outputs, targets)


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """1 where the largest of `outputs` along axis 1 is at the target's class, else 0.

    outputs (N, classes, ...) of any float dtype, targets (N, ...) integers -> (N, ...) bool.
    """
    return F.argmax(outputs, axis=1) == targets


def token_accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """1 where the largest of `outputs` along the last axis is at the target's class, else 0; filling, labelled -100, is never right.

    outputs (..., classes) of any float dtype, targets (...) integers -> (...) bool: the classes of sequences, as in
    nn.token_cross_entropy.
    """
    return F.argmax(outputs, axis=-1) == targets


def binary_accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """1 where a logit's sign agrees with its target of 0 or 1, else 0; both of one shape (N, ...) -> (N, ...) bool."""
    return (outputs > 0) == (targets > 0.5)


def absolute_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """|outputs - targets|, both of one shape (N, ...) -> (N, ...)."""
    return F.abs(outputs - targets)


LOSS = Metric("loss", lower_is_better=True)
METRICS = {metric.name: metric for metric in (
    Metric("accuracy", accuracy, format=".2%"), Metric("token_accuracy", token_accuracy, format=".2%"),
    Metric("binary_accuracy", binary_accuracy, format=".2%"), Metric("absolute_error", absolute_error, lower_is_better=True))}

MetricLike = str | Metric | MetricFunction


def find_metrics(metrics: Iterable[MetricLike] | MetricLike | None, labelled: bool) -> dict[str, Metric]:
    """The metrics by name; None means accuracy where targets are class labels (`labelled`), and nothing otherwise."""
    if metrics is None:
        metrics = ("accuracy",) if labelled else ()
    listed = [metrics] if isinstance(metrics, str) or callable(metrics) else metrics
    return {metric.name: metric for metric in map(find_metric, listed)}


def metric_of(name: str, metrics: Mapping[str, Metric]) -> Metric:
    """The metric that a figure of a run belongs to: one of these `metrics`, the loss, a known one, or a plain
    number."""
    return metrics.get(name) or ({"loss": LOSS} | METRICS).get(name) or Metric(name)


def find_metric(metric: MetricLike) -> Metric:
    """A metric given by name, as a Metric, or as a function of (outputs, targets)."""
    if isinstance(metric, Metric):
        return metric
    if callable(metric):
        return Metric(getattr(metric, "__name__", type(metric).__name__), metric)
    if metric not in METRICS:
        near = difflib.get_close_matches(str(metric), METRICS, n=1)
        raise ArgumentError(f"no metric is called {metric!r}", why=f"known: {', '.join(METRICS)}; or a function",
                            repair=f"did you mean {near[0]!r}?" if near else "")
    return METRICS[metric]


def is_labelled(targets: Any) -> bool:
    """Whether targets are class labels: integers."""
    return np.issubdtype(np.asarray(targets).dtype, np.integer)


def sum_over_examples(values: Tensor) -> Tensor:
    """The sum over examples of each example's mean: exact integers when there is one truth per example."""
    if values.dtype == np.bool_:
        values = F.astype(values, np.int32 if values.ndim == 1 else np.float32)
    return F.sum(F.mean(values, axis=tuple(range(1, values.ndim))) if values.ndim > 1 else values)


def sum_of_counted(values: Tensor, targets: Tensor, ignored: Iterable[int]) -> tuple[Tensor, Tensor]:
    """The sum of the values whose target is no ignored label, and how many there are: float32, exact up to 2^24."""
    counted = functools.reduce(operator.and_, (targets != label for label in ignored))
    return F.sum(F.where(counted, F.astype(values, np.float32), 0.0)), F.sum(F.astype(counted, np.float32))
