"""The metrics that fit and evaluate know by name, measured beside the loss."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import functions as F
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from .class_metrics import (
    CLASS_METRICS,
    accuracy,
    binary_accuracy,
    brier,
    calibration_counts,
    calibration_error,
    confusion_counts,
    token_accuracy,
    top_k_accuracy,
)
from .metric import LossMetric, Metric, MetricFunction, Ratio, ScoreMetric, TableMetric, quotient
from .rank_metrics import average_precision, ranked, roc_auc

ROUNDING = 1e-14  # of sums in float64, relative to their largest part


def absolute_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """|outputs - targets|, both of one shape (N, ...) -> (N, ...)."""
    return F.abs(outputs - targets)


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """(outputs - targets)^2, both of one shape (N, ...) -> (N, ...)."""
    return F.square(outputs - targets)


def squared_deviations(outputs: Tensor, targets: Tensor) -> Ratio:
    """The sums of R2 for each output: totals (N, 2, ...): the squared errors, the squared targets; weights (N, 2, ...): targets, 1.

    Both of one shape (N, ...). In float64: the squares of targets far from 0 hide how little these vary.
    """
    if outputs.shape != targets.shape:
        raise ShapeError(f"r2: outputs have shape {tuple(outputs.shape)}, targets {tuple(targets.shape)}",
                         why="each output is compared with its own number", repair="for classes, use metrics such as accuracy or f1")
    outputs, targets = F.astype(outputs, np.float64), F.astype(targets, np.float64)
    return Ratio(F.stack([F.square(outputs - targets), F.square(targets)], axis=1), F.stack([targets, F.ones_like(targets)], axis=1))


def r2(totals: np.ndarray, weights: np.ndarray) -> float:
    """1 - (sum of squared errors) / (sum of squared distances of the targets from their mean), the mean over the outputs.

    nan where no target varies, as of one example. As in scikit-learn, one output of several whose targets are all equal has 1 if there
    is no error, else 0.
    """
    errors, squares, sums, count = *totals, *weights
    spread = squares - sums * sums / np.where(count > 0, count, 1)
    varies = spread > ROUNDING * squares
    if not varies.any():
        return math.nan
    return float(np.where(varies, 1 - errors / np.where(varies, spread, 1), np.where(errors > 0, 0.0, 1.0)).mean())


LOSS = Metric("loss", lower_is_better=True)
METRICS = {metric.name: metric for metric in (
    Metric("accuracy", accuracy, format=".2%"), Metric("token_accuracy", token_accuracy, format=".2%"),
    Metric("binary_accuracy", binary_accuracy, format=".2%"), top_k_accuracy(5), *CLASS_METRICS,
    Metric("absolute_error", absolute_error, lower_is_better=True), Metric("squared_error", squared_error, lower_is_better=True),
    Metric("rmse", squared_error, lower_is_better=True, finish=lambda total, count: quotient(total, count) ** 0.5),
    Metric("r2", squared_deviations, finish=r2, undefined="it compares with the variance of the targets, which do not vary"),
    Metric("brier", brier, lower_is_better=True),
    Metric("calibration_error", calibration_counts, lower_is_better=True, finish=calibration_error),
    LossMetric("perplexity", lower_is_better=True, finish=lambda loss, count: float(np.exp(quotient(loss, count)))),
    ScoreMetric("roc_auc", score=ranked(roc_auc), undefined="it compares examples of one class with others, and there are no others"),
    ScoreMetric("average_precision", score=ranked(average_precision), undefined="there is no example of the class to be detected"),
    TableMetric("confusion", confusion_counts))}

MetricLike = str | Metric | MetricFunction


def find_metrics(metrics: Iterable[MetricLike] | MetricLike | None, labelled: bool) -> dict[str, Metric]:
    """The metrics by name; None means accuracy where targets are class labels (`labelled`), and nothing otherwise."""
    if metrics is None:
        metrics = ("accuracy",) if labelled else ()
    listed = [metrics] if isinstance(metrics, str) or callable(metrics) else metrics
    return {metric.name: metric for metric in map(find_metric, listed)}


def without_ranks(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """The metrics whose figure follows from sums or from the loss."""
    return {name: metric for name, metric in metrics.items() if not isinstance(metric, ScoreMetric)}


def check_for_training(metrics: Mapping[str, Metric], validated: bool) -> None:
    """A training has one number per epoch for each metric, and figures of a ranking only where there are validation data."""
    for name, metric in metrics.items():
        if isinstance(metric, TableMetric):
            raise ArgumentError(f"fit: the metric {name!r} is an array", why="a history has one number for each epoch",
                                repair=f"measure it afterwards: sl.evaluate(net, data, metrics={name!r})")
        if isinstance(metric, ScoreMetric) and not validated:
            raise ArgumentError(f"fit: the metric {name!r} needs validation data",
                                why="it compares all examples with each other, and while the net learns each batch has other weights",
                                repair=f"give fit validation=..., or measure it afterwards: sl.evaluate(net, data, metrics={name!r})")


def metric_of(name: str, metrics: Mapping[str, Metric]) -> Metric:
    """The metric that a figure of a run belongs to: one of these `metrics`, the loss, a known one, or a plain number.

    A figure of one of several validation sets is called SET/METRIC.
    """
    known = {"loss": LOSS} | METRICS | dict(metrics)
    return known.get(name) or known.get(name.partition("/")[2]) or Metric(name)


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
