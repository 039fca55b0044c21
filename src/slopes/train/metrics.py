"""What is measured besides the loss: each metric gives one number per example, so that its mean over a data set is exact."""

from __future__ import annotations

import difflib
import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import functions as F
from ..errors import ArgumentError
from ..tensor import Tensor

Metric = Callable[[Tensor, Tensor], Tensor]


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


METRICS: dict[str, Metric] = {each.__name__: each for each in (accuracy, token_accuracy, binary_accuracy, absolute_error)}


def find_metrics(wanted: Iterable[str | Metric] | str | None, labelled: bool) -> dict[str, Metric]:
    """The metrics by name; None means accuracy where targets are class labels (`labelled`), and nothing otherwise."""
    if wanted is None:
        wanted = ("accuracy",) if labelled else ()
    return dict(named(each) for each in ([wanted] if isinstance(wanted, str) or callable(wanted) else wanted))


def named(metric: str | Metric) -> tuple[str, Metric]:
    """(name, function) of a metric given by name or as a function of (outputs, targets)."""
    if callable(metric):
        return getattr(metric, "__name__", type(metric).__name__), metric
    if metric not in METRICS:
        near = difflib.get_close_matches(str(metric), METRICS, n=1)
        raise ArgumentError(f"no metric is called {metric!r}", why=f"known: {', '.join(METRICS)}; or a function",
                            repair=f"did you mean {near[0]!r}?" if near else "")
    return metric, METRICS[metric]


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
