"""The metrics that fit and evaluate know by name, measured beside the loss."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import functions as F
from ..errors import ArgumentError
from ..tensor import Tensor
from .class_metrics import accuracy, binary_accuracy, brier, class_counts, over_classes, token_accuracy, top_k_accuracy
from .metric import Metric, MetricFunction, quotient


def absolute_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """|outputs - targets|, both of one shape (N, ...) -> (N, ...)."""
    return F.abs(outputs - targets)


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """(outputs - targets)^2, both of one shape (N, ...) -> (N, ...)."""
    return F.square(outputs - targets)


LOSS = Metric("loss", lower_is_better=True)
METRICS = {metric.name: metric for metric in (
    Metric("accuracy", accuracy, format=".2%"), Metric("token_accuracy", token_accuracy, format=".2%"),
    Metric("binary_accuracy", binary_accuracy, format=".2%"), top_k_accuracy(5),
    Metric("precision", class_counts, format=".2%", finish=over_classes(lambda right, predicted, true: (right, predicted))),
    Metric("recall", class_counts, format=".2%", finish=over_classes(lambda right, predicted, true: (right, true))),
    Metric("f1", class_counts, format=".2%", finish=over_classes(lambda right, predicted, true: (2 * right, predicted + true))),
    Metric("absolute_error", absolute_error, lower_is_better=True), Metric("squared_error", squared_error, lower_is_better=True),
    Metric("rmse", squared_error, lower_is_better=True, finish=lambda total, count: quotient(total, count) ** 0.5),
    Metric("brier", brier, lower_is_better=True))}

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
