"""Metrics of classes: accuracies, counts of right and wrong predictions, and how far probabilities are from the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import functions as F
from ..errors import ArgumentError
from ..tensor import Tensor
from .metric import Finish, Metric, Ratio


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
