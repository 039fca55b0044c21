"""Metrics, measured beside the loss from sums over examples, so that the figure of a data set does not depend on its batches."""

from __future__ import annotations

import difflib
import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .. import functions as F
from ..errors import ArgumentError
from ..tensor import Tensor


class Ratio(NamedTuple):
    """A metric that is a ratio of sums: totals (M, ...) and weights (M, ...), each summed over the first axis.

    M counts examples, or targets where an example has several. A metric with a sum for each class has a second axis for them.
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


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """(outputs - targets)^2, both of one shape (N, ...) -> (N, ...)."""
    return F.square(outputs - targets)


def brier(outputs: Tensor, targets: Tensor) -> Tensor:
    """The squared distance between the probabilities and the truth: sum over classes of (softmax(outputs) - [class is target])^2.

    outputs (N, classes, ...) of logits, targets (N, ...) integers -> (N, ...), from 0 to 2. Of logits (N, ...) with targets of 0 or 1
    in the same shape: 2 (sigmoid(outputs) - targets)^2, which is the same for two classes.
    Source: Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78, 1950.
    """
    if outputs.ndim == targets.ndim:
        return 2 * F.square(F.sigmoid(outputs) - targets)
    truth = F.astype(is_class(targets, outputs.shape[1]), outputs.dtype)
    return F.sum(F.square(F.softmax(outputs, 1) - truth), axis=1)


def is_class(labels: Tensor, classes: int) -> Tensor:
    """Whether each label (N, ...) is each class -> (N, classes, ...); a label that is none, such as an ignored one, is nowhere."""
    return F.expand_dims(labels, 1) == F.reshape(F.arange(classes), (-1, *[1] * (labels.ndim - 1)))


def top_k_accuracy(k: int) -> Metric:
    """The metric `top<k>_accuracy`: 1 where fewer than `k` classes have a larger output than the target's class, else 0.

    Its function takes outputs (N, classes, ...) and integer targets (N, ...). Raises ArgumentError for k < 1.

    >>> import numpy as np, slopes as sl
    >>> outputs = sl.tensor(np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], np.float32))
    >>> sl.train.top_k_accuracy(2)(outputs, sl.tensor([1, 2])).tolist()
    [True, False]
    """
    if k < 1:
        raise ArgumentError(f"top_k_accuracy: k is {k}", why="the target is to be among the k largest outputs",
                            repair="take k of at least 1")

    def among_largest(outputs: Tensor, targets: Tensor) -> Tensor:
        of_target = F.sum(F.where(is_class(targets, outputs.shape[1]), outputs, 0), axis=1, keepdims=True)
        larger = F.logical_not(outputs <= of_target)  # also where one is NaN: a net that diverged is never right
        return F.sum(F.astype(larger, np.int32), axis=1) < k

    return Metric(f"top{k}_accuracy", among_largest, format=".2%")


def class_counts(outputs: Tensor, targets: Tensor) -> Ratio:
    """For each class how often it was predicted and right, how often it was predicted, and how often it was the target.

    outputs (N, classes, ...) and integer targets (N, ...) -> totals (M, 2, classes): right twice; weights (M, 2, classes): predicted,
    target. Logits (N, ...) with targets of 0 or 1 in the same shape count the class 1 alone.
    """
    if outputs.ndim == targets.ndim:
        predicted, true = (F.astype(F.reshape(values, (-1, 1)), np.float32) for values in (outputs > 0, targets > 0.5))
    else:
        both = F.argmax(outputs, axis=1), targets
        predicted, true = (F.astype(is_class(F.reshape(labels, (-1,)), outputs.shape[1]), np.float32) for labels in both)
    right = predicted * true
    return Ratio(F.stack([right, right], axis=1), F.stack([predicted, true], axis=1))


def over_classes(score: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Finish:
    """The mean over the classes that occur, as target or as prediction, of a score (above, below) of their counts; 0 where below is 0."""
    def finish(totals: np.ndarray, weights: np.ndarray) -> float:
        occurs = weights.sum(axis=0) > 0
        above, below = score(totals[0][occurs], weights[0][occurs], weights[1][occurs])
        return float(np.divide(above, below, out=np.zeros(len(above)), where=below > 0).mean()) if len(above) else 0.0

    return finish


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
    totals, weights = (F.astype(part, np.float32) for part in ratio)
    if ignored and totals.shape[0] == targets.size:
        counted = F.reshape(is_counted(targets, ignored), (-1,))
        totals, weights = (F.where(F.reshape(counted, (-1, *[1] * (part.ndim - 1))), part, 0.0) for part in (totals, weights))
    return F.sum(totals, axis=0), F.sum(weights, axis=0)


def is_counted(targets: Tensor, ignored: Iterable[int]) -> Tensor:
    """Whether each target is no ignored label."""
    return functools.reduce(operator.and_, (targets != label for label in ignored))
