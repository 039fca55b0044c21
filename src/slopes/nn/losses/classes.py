"""Losses of classes: cross-entropy, negative log likelihood and margins between scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as F
from ...constraint import check
from ...errors import ArgumentError, OutOfRangeError, ShapeError
from ...graph.build import build
from ...graph.composite import composed
from ...graph.dtype import is_float
from ...ops import composite
from ...tensor import Tensor, asarray
from ..means import mean_loss, note_ignored
from ..where import known_value
from .labels import class_scores
from .reduction import CONSTRAINTS, in_nn, reduce, weigh


@in_nn
def cross_entropy(input: Any, target: Any, weight: Any = None, ignore_index: int | None = None, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Tensor:
    """loss_i = -log softmax(input_i)[target_i]: the negative log likelihood of the correct class.

    input: logits (N, C) or (N, C, ...), floats; target: labels (N,) or (N, ...), integers in 0..C-1. The result is a scalar, or with
    reduction="none" has the target's shape. `weight` (C,) weights classes; "mean" then divides by the sum of the weights.
    label_smoothing e mixes e / C of every class into the target (Szegedy et al., 2016). Examples with the label `ignore_index`
    are ignored: neither value nor gradient depends on their logits. If all are ignored, the mean is nan, as in PyTorch, and its
    gradient 0. A term with weight or target probability 0 is 0, even if its logit is -inf.
    Computed from shifted logits: no overflow for logits of 1e4.
    Float targets of the logits' shape are class probabilities, as from mixup: loss_i = -sum_c p_ic log softmax(input_i)[c], times
    weight_c if there are weights; "mean" divides by the number of examples.
    Raises DTypeError for labels of another dtype, ShapeError for shapes that do not match and for the mean of an empty batch (nan
    in PyTorch), OutOfRangeError for labels outside 0..C-1.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.cross_entropy(sl.zeros((2, 10)), sl.tensor([3, 7]))), 6)  # log 10
    2.302585
    """
    check("cross_entropy", CONSTRAINTS["cross_entropy"],
          {"reduction": reduction, "label_smoothing": label_smoothing, "ignore_index": ignore_index})
    logits, labels = asarray(input), asarray(target)
    if is_float(labels.dtype) and labels.ndim > 1 and labels.shape == logits.shape:
        return soft_class_loss(logits, labels, reduction, weight, label_smoothing, ignore_index)
    logits, labels = class_scores("cross_entropy", logits, labels, ignore_index)
    log_probabilities = composite.log_softmax(logits, axis=1)
    return class_loss("cross_entropy", log_probabilities, labels, reduction, weight, label_smoothing, ignore_index)


@in_nn
def token_cross_entropy(input: Any, target: Any, label_smoothing: float = 0.0, ignore_index: int | None = -100) -> Tensor:
    """The mean of cross_entropy over the tokens of sequences, with classes on the last axis; padding, labelled -100, is ignored.

    input: logits (..., C), such as (N, T, C) of a language model, floats; target: labels (...), integers in 0..C-1 or `ignore_index`.
    For whole sequences with one label each, logits are (N, C). If all are ignored, the mean is nan, as in PyTorch; `fit` refuses such
    batches.
    Errors as in cross_entropy.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.token_cross_entropy(sl.zeros((2, 3, 10)), sl.tensor([[1, 2, -100], [3, -100, -100]]))), 6)  # log 10
    2.302585
    """
    logits, labels = asarray(input), asarray(target)
    if logits.ndim < 2 or labels.shape != logits.shape[:-1]:
        raise ShapeError(f"token_cross_entropy: outputs have shape {tuple(logits.shape)}, labels {tuple(labels.shape)}",
                         why="the last axis of the outputs is the class axis, and there is one label for each index of the others",
                         repair="if the classes are axis 1, use nn.cross_entropy")
    return cross_entropy(logits.reshape((-1, logits.shape[-1])), labels.reshape((-1,)), label_smoothing=label_smoothing,
                         ignore_index=ignore_index)


@in_nn
def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int | None = None, reduction: str = "mean") -> Tensor:
    """loss_i = -input_i[target_i]: cross_entropy for log probabilities, such as the output of LogSoftmax.

    Shapes, options and errors as in cross_entropy.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.nll_loss(sl.tensor([[-0.5, -1.0]]), sl.tensor([1])))
    1.0
    """
    check("nll_loss", CONSTRAINTS["nll_loss"], {"reduction": reduction, "ignore_index": ignore_index})
    log_probabilities, labels = class_scores("nll_loss", input, target, ignore_index)
    return class_loss("nll_loss", log_probabilities, labels, reduction, weight, 0.0, ignore_index)


@in_nn
def log_likelihood(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """log softmax(input_i)[target_i] = -cross_entropy: the objective to maximize by gradient ascent.

    Shapes and errors as in cross_entropy.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.log_likelihood(sl.zeros((2, 10)), sl.tensor([3, 7]))), 6)
    -2.302585
    """
    check("log_likelihood", CONSTRAINTS["log_likelihood"], {"reduction": reduction})
    logits, labels = class_scores("log_likelihood", input, target, None)
    return -class_loss("log_likelihood", composite.log_softmax(logits, axis=1), labels, reduction, None, 0.0, None)


@in_nn
def hinge_loss(input: Any, target: Any, reduction: str = "mean", margin: float = 1.0) -> Tensor:
    """loss_i = sum over j != y of max(0, s_j - s_y + margin), s = input_i, y = target_i: zero if the correct class leads by the margin.

    input: scores (N, C), target: labels (N,). multi_margin_loss is this divided by C. Errors as in cross_entropy.
    Source: Weston and Watkins, "Support vector machines for multi-class pattern recognition", 1999.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.hinge_loss(sl.tensor([[-2.85, 0.86, 0.28]]), sl.tensor([2]))), 2)
    1.58
    """
    check("hinge_loss", CONSTRAINTS["hinge_loss"], {"reduction": reduction, "margin": margin})
    scores, labels = class_scores("hinge_loss", input, target, None)
    indices = with_class_axis(labels)
    margins = composite.relu(scores - build("take_along_axis", scores, indices, axis=1) + margin)
    return reduce(margins.sum(axis=1) - margin, reduction)  # the term of the correct class is the margin


@in_nn
def multi_margin_loss(input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean") -> Tensor:
    """loss_i = sum over j != y of max(0, margin - s_y + s_j)^p / C, s = input_i, y = target_i, times weight_y if there are weights.

    input: scores (N, C), floats; target: labels (N,), integers in 0..C-1. p is 1 or 2; weight: (C,). Errors as in cross_entropy.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.multi_margin_loss(sl.tensor([[0.1, 0.2, 0.4, 0.8]]), sl.tensor([3]))), 3)
    0.325
    """
    check("multi_margin_loss", CONSTRAINTS["multi_margin_loss"], {"p": p, "margin": margin, "reduction": reduction})
    scores, labels = class_scores("multi_margin_loss", input, target, None)
    own = build("take_along_axis", scores, with_class_axis(labels), axis=1)
    margins = composite.relu(scores - own + margin)
    others = F.arange(scores.shape[1]).reshape((1, -1) + (1,) * (scores.ndim - 2)) != with_class_axis(labels)
    losses = build("where", others, margins if p == 1 else margins * margins, 0)
    if weight is not None:
        weight = class_weight("multi_margin_loss", weight, scores.shape[1], scores)
        losses = losses * build("take", weight, with_class_axis(labels), axis=0)
    return reduce(losses.sum(axis=1) / scores.shape[1], reduction)


def class_loss(owner: str, log_probabilities: Tensor, labels: Tensor, reduction: str, weight: Any, smoothing: float,
               ignore_index: int | None) -> Tensor:
    """The weighted negative log likelihood of labels, shared by cross_entropy and nll_loss."""
    classes = log_probabilities.shape[1]
    note_ignored(ignore_index)
    counted = None if ignore_index is None else labels != ignore_index
    valid = labels if counted is None else build("where", counted, labels, labels - labels)
    weight = None if weight is None else class_weight(owner, weight, classes, log_probabilities)
    shares = example_weight(weight, valid, counted, log_probabilities)
    losses = label_losses(log_probabilities, valid)
    if weight is not None:
        losses = weigh(losses, build("take", weight, valid, axis=0))
    if smoothing:
        losses = losses * (1 - smoothing) + smoothing_loss(log_probabilities, weight) * (smoothing / classes)
    if counted is not None:
        losses = build("where", counted, losses, 0)
    return mean_loss(losses, shares) if reduction == "mean" and shares is not None else reduce(losses, reduction)


def soft_class_loss(logits: Tensor, shares: Tensor, reduction: str, weight: Any, smoothing: float, ignore_index: int | None) -> Tensor:
    """cross_entropy for class probabilities as targets."""
    if ignore_index is not None:
        raise ArgumentError("cross_entropy: ignore_index needs integer labels, but these are probabilities",
                            why="probabilities contain no index", repair="omit ignore_index, and remove such examples")
    check_probabilities(known_value(shares))
    log_probabilities = composite.log_softmax(logits, axis=1)
    targets = shares.astype(log_probabilities.dtype)
    if smoothing:
        targets = targets * (1 - smoothing) + smoothing / logits.shape[1]
    if weight is not None:
        weight = class_weight("cross_entropy", weight, logits.shape[1], log_probabilities)
        targets = targets * weight.reshape((1, -1) + (1,) * (logits.ndim - 2))
    return reduce(-weigh(log_probabilities, targets).sum(axis=1), reduction)


def check_probabilities(values: np.ndarray | None) -> None:
    """OutOfRangeError unless class probabilities, if known, are at least 0 and sum to 1 along axis 1."""
    if values is None or not values.size:
        return
    sums = values.sum(axis=1)
    if (values >= 0).all() and (np.abs(sums - 1) < 1e-2).all():
        return
    problem = f"one is {values.min()}" if not values.min() >= 0 else f"one sum is {sums.ravel()[np.abs(sums - 1).argmax()]:.4g}"
    raise OutOfRangeError("cross_entropy: the labels are floats of the outputs' shape, but not class probabilities",
                          why=f"{problem}; along axis 1 they must be at least 0 and sum to 1",
                          repair="for regression, use nn.mse_loss; for classes, pass integers of shape (N,)")


def example_weight(weight: Tensor | None, labels: Tensor, counted: Tensor | None, like: Tensor) -> Tensor | None:
    """The weight of each example in a mean; None if all are equal."""
    shares = None if weight is None else build("take", weight, labels, axis=0)
    if counted is None:
        return shares
    counts = counted.astype(like.dtype)
    return counts if shares is None else shares * counts


def smoothing_loss(log_probabilities: Tensor, weight: Tensor | None) -> Tensor:
    """The sum over classes of the (weighted) negative log probabilities."""
    if weight is not None:
        log_probabilities = weigh(log_probabilities, weight.reshape((1, -1) + (1,) * (log_probabilities.ndim - 2)))
    return -log_probabilities.sum(axis=1)


def class_weight(owner: str, weight: Any, classes: int, like: Tensor) -> Tensor:
    weight = asarray(weight).astype(like.dtype)
    if weight.shape != (classes,):
        raise ShapeError(f"{owner}: weight has shape {weight.shape}, but there are {classes} classes",
                         repair=f"pass one weight per class: shape ({classes},)")
    return weight


def with_class_axis(labels: Tensor) -> Tensor:
    return labels.reshape((labels.shape[0], 1, *labels.shape[1:]))


@composed(2)
def label_losses(log_probabilities: Any, labels: Any) -> Any:
    """The negative log probability of each example's label."""
    indices = build("reshape", labels, shape=(labels.shape[0], 1, *labels.shape[1:]))
    return -build("reshape", build("take_along_axis", log_probabilities, indices, axis=1), shape=labels.shape)
