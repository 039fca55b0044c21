"""Metrics of classes: accuracies, counts of right and wrong predictions, and how far probabilities are from the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .. import functions as F
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from .metric import Finish, Metric, Ratio, quotient


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
    check_classes(outputs, targets)
    if outputs.ndim == targets.ndim:
        predicted, true = (F.astype(F.reshape(values, (-1, 1)), np.float32) for values in (outputs > 0, targets > 0.5))
    else:
        predicted, true = (F.astype(of_class, np.float32) for of_class in predicted_and_true(outputs, targets))
    right = predicted * true
    return Ratio(F.stack([right, right], axis=1), F.stack([predicted, true], axis=1))


def predicted_and_true(outputs: Tensor, targets: Tensor) -> list[Tensor]:
    """Whether each class (M, classes) is predicted, and whether it is the target."""
    labels = F.argmax(outputs, axis=1), targets
    return [is_class(F.reshape(part, (-1,)), outputs.shape[1]) for part in labels]


def check_classes(outputs: Tensor, targets: Tensor) -> None:
    """Outputs (N, classes, ...) for targets (N, ...), or logits in the shape of the targets."""
    of_classes = outputs.ndim == targets.ndim + 1 and (outputs.shape[0], *outputs.shape[2:]) == targets.shape
    if of_classes or outputs.shape == targets.shape:
        return
    last = outputs.shape[:-1] == targets.shape
    raise ShapeError(f"a metric of classes: outputs have shape {tuple(outputs.shape)}, targets {tuple(targets.shape)}",
                     why="axis 1 of the outputs has the classes, or each target has one logit",
                     repair="classes of sequences lie along the last axis: use token_accuracy, or move it, F.moveaxis(outputs, -1, 1), in "
                     "a metric of your own" if last else "give the net one output for each class")


def probabilities(outputs: Tensor, targets: Tensor) -> Tensor:
    """The probability (M, classes) of each class; of logits in the shape of the targets, of the classes 0 and 1."""
    check_classes(outputs, targets)
    if outputs.ndim == targets.ndim:
        share = F.sigmoid(F.reshape(outputs, (-1,)))
        return F.stack([1 - share, share], axis=1)
    return F.reshape(F.moveaxis(F.softmax(outputs, 1), 1, -1), (-1, outputs.shape[1]))


# The figures of counts

Counts = tuple[np.ndarray, np.ndarray, np.ndarray]  # by class: right, predicted, targets
SCORES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "precision": lambda right, predicted, true: (right, predicted),
    "recall": lambda right, predicted, true: (right, true),
    "f1": lambda right, predicted, true: (2 * right, predicted + true)}


def scores_of(name: str, counts: Counts) -> np.ndarray:
    """Precision, recall or F1 of each class; 0 where the divisor is 0."""
    above, below = SCORES[name](*counts)
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)


def macro(name: str, counts: Counts) -> float:
    """The mean over the classes that occur, as target or as prediction."""
    occurs = (counts[1] > 0) | (counts[2] > 0)
    return float(scores_of(name, counts)[occurs].mean()) if occurs.any() else 0.0


def micro(name: str, counts: Counts) -> float:
    """The figure of the counts of all classes together."""
    right, predicted, true = (counts[i].sum(keepdims=True) for i in range(3))
    return float(scores_of(name, (right, predicted, true))[0])


def weighted(name: str, counts: Counts) -> float:
    """The mean over the classes, weighted by how often each is the target."""
    return quotient((scores_of(name, counts) * counts[2]).sum(), counts[2].sum())


def class_metric(name: str, average: str, mean: Callable[[str, Counts], float]) -> Metric:
    """Precision, recall or F1, averaged over the classes."""
    return Metric(f"{name}{average}", class_counts, format=".2%", finish=lambda totals, weights: mean(name, (totals[0], *weights)))


CLASS_METRICS = [class_metric(name, average, mean) for average, mean in (("", macro), ("_micro", micro), ("_weighted", weighted))
                 for name in SCORES]


def per_class(name: str, classes: int | Sequence[str]) -> list[Metric]:
    """The metrics `f1[0]`, `f1[1]`, ... or `f1[cat]`, `f1[dog]`, ...: precision, recall or F1 of each class by itself.

    name is "precision", "recall" or "f1"; classes is their number or their names. A class that never occurs has 0. Raises ArgumentError
    for another name, for no class, and, when measured, for more classes than the net has.

    >>> import numpy as np, slopes as sl
    >>> outputs, labels = np.eye(3, dtype=np.float32)[[0, 1, 1, 2]], np.array([0, 1, 2, 2])
    >>> result = sl.evaluate(sl.nn.Identity(), outputs, labels, metrics=sl.train.per_class("recall", ["a", "b", "c"]))
    >>> result["recall[b]"], result["recall[c]"]
    (1.0, 0.5)
    """
    names = [str(i) for i in range(classes)] if isinstance(classes, int) else list(classes)
    if name not in SCORES or not names:
        what = f"{name!r} is no score of a class" if name not in SCORES else "there is no class"
        raise ArgumentError(f"per_class: {what}", why=f"it takes {', '.join(SCORES)}, and the classes, by number or names",
                            repair='for example per_class("f1", data.classes)')

    def finish(label: int) -> Finish:
        def score(totals: np.ndarray, weights: np.ndarray) -> float:
            if len(names) > totals.shape[-1] + (totals.shape[-1] == 1):
                raise ArgumentError(f"per_class: {len(names)} classes, but the net has {totals.shape[-1]} outputs",
                                    repair="name each class of the net once, in the order of its outputs")
            index = 0 if totals.shape[-1] == 1 else label
            return float(scores_of(name, (totals[0], *weights))[index])

        return score

    return [Metric(f"{name}[{label}]", class_counts, format=".2%", finish=finish(i)) for i, label in enumerate(names)]


# Calibration and confusion

BINS = 15  # as in the source


def calibration_counts(outputs: Tensor, targets: Tensor) -> Ratio:
    """For each of 15 bins of confidence, the probability of the predicted class: its sum, and how often the prediction is right.

    outputs and targets as in class_counts -> totals (M, 2, 15): confidence, right; weights (M, 2, 15): how many, twice.
    """
    shares = probabilities(outputs, targets)
    confidence = F.max(shares, axis=1, keepdims=True)
    right = F.expand_dims(F.argmax(shares, axis=1) == F.astype(F.reshape(targets, (-1,)), np.int64), 1)
    bins = F.clip(F.astype(F.ceil(confidence * BINS), np.int64) - 1, 0, BINS - 1)
    inside = F.astype(bins == F.arange(BINS), np.float32)
    return Ratio(F.stack([inside * confidence, inside * F.astype(right, np.float32)], axis=1), F.stack([inside, inside], axis=1))


def calibration_error(totals: np.ndarray, weights: np.ndarray) -> float:
    """sum over bins of (share of the examples) |mean confidence - accuracy|: the expected calibration error.

    Source: Guo et al., "On calibration of modern neural networks", 2017.
    """
    return quotient(np.abs(totals[0] - totals[1]).sum(), weights[0].sum())


def confusion_counts(outputs: Tensor, targets: Tensor) -> Ratio:
    """How often class i is the target and class j the prediction: totals and weights (M, classes, classes) are both this.

    outputs and targets as in class_counts; logits have the classes 0 and 1.
    """
    check_classes(outputs, targets)
    if outputs.ndim == targets.ndim:
        labels = [F.astype(F.reshape(part, (-1,)), np.int64) for part in (outputs > 0, targets > 0.5)]
        predicted, true = (is_class(part, 2) for part in labels)
    else:
        predicted, true = predicted_and_true(outputs, targets)
    pairs = F.astype(F.expand_dims(true, 2) & F.expand_dims(predicted, 1), np.float32)
    return Ratio(pairs, pairs)
