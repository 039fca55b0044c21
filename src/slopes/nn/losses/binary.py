"""Losses of answers yes or no: binary cross-entropy, and margins of several labels of one example."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as F
from ...constraint import check
from ...errors import DTypeError, OutOfRangeError, ShapeError
from ...graph.build import build
from ...graph.dtype import is_integer
from ...ops import composite
from ...ops.activations import decay
from ...tensor import Tensor, asarray
from ..where import known_value
from .reduction import CONSTRAINTS, in_nn, reduce, same_shape, weigh

LEAST_LOG = -100.0  # of a probability, PyTorch's: the loss of a certain answer that is wrong is 100


@in_nn
def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """loss = -(t log p + (1 - t) log(1 - p)) of probabilities p = input and targets t, both from 0 to 1; logarithms are at least -100.

    input and target: the same shape. `weight` multiplies each element's loss (it broadcasts). Where a logarithm is cut off, its
    derivative is 0. For training take binary_cross_entropy_with_logits without a sigmoid layer, which is more accurate.
    Raises ShapeError when the shapes differ and OutOfRangeError for inputs outside of 0..1.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.binary_cross_entropy(sl.tensor([0.5, 0.0]), sl.tensor([1.0, 1.0]), reduction="none").numpy().round(4).tolist()
    [0.6930999755859375, 100.0]
    """
    check("binary_cross_entropy", CONSTRAINTS["binary_cross_entropy"], {"reduction": reduction})
    p, t = same_shape("binary_cross_entropy", input, target)
    values = known_value(p)
    if values is not None and not ((values >= 0) & (values <= 1)).all():
        raise OutOfRangeError(f"binary_cross_entropy: inputs are from {values.min():g} to {values.max():g}, not from 0 to 1",
                              why="it takes probabilities", repair="for logits, use nn.binary_cross_entropy_with_logits")
    losses = -(t * bounded_log(p) + (1 - t) * bounded_log(1 - p))
    return reduce(losses if weight is None else losses * asarray(weight), reduction)


def bounded_log(p: Tensor) -> Tensor:
    """max(log p, -100), also at 0, with the derivative 0 where it is cut off."""
    positive = p > 0
    return build("where", positive, build("maximum", build("log", build("where", positive, p, 1.0)), LEAST_LOG), LEAST_LOG)


@in_nn
def binary_cross_entropy_with_logits(input: Any, target: Any, weight: Any = None, reduction: str = "mean",
                                     pos_weight: Any = None) -> Tensor:
    """loss = -(t log s + (1 - t) log(1 - s)) with s = sigmoid(x), x = input, t = target, computed as softplus(x) - t x: no overflow.

    input and target: the same shape, targets from 0 to 1. `weight` multiplies each element's loss (it broadcasts); `pos_weight`
    multiplies the term of positive targets. A term with weight 0 is 0, even if it is infinite: the loss of an infinite logit is 0
    if it agrees with its target (nan in PyTorch), otherwise inf. Raises ShapeError when the shapes differ.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.binary_cross_entropy_with_logits(sl.tensor([0.0, 0.0]), sl.tensor([0.0, 1.0]))), 6)  # log 2
    0.693147
    """
    check("binary_cross_entropy_with_logits", CONSTRAINTS["binary_cross_entropy_with_logits"], {"reduction": reduction})
    x, t = same_shape("binary_cross_entropy_with_logits", input, target)
    if pos_weight is None:
        losses = weigh(x, composite.where(x < 0, -t, 1 - t)) + build("log1p", decay(x))
    else:
        losses = weigh(x, 1 - t) + weigh(composite.softplus(-x), 1 + (asarray(pos_weight) - 1) * t)
    return reduce(losses if weight is None else weigh(losses, asarray(weight)), reduction)


@in_nn
def soft_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """loss = log(1 + exp(-t x)) of scores x = input and targets t, -1 or 1, elementwise.

    input and target: the same shape. Raises ShapeError when the shapes differ.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.soft_margin_loss(sl.tensor([0.0, 0.0]), sl.tensor([-1.0, 1.0]))), 6)  # log 2
    0.693147
    """
    check("soft_margin_loss", CONSTRAINTS["soft_margin_loss"], {"reduction": reduction})
    x, t = same_shape("soft_margin_loss", input, target)
    return reduce(composite.softplus(-t * x), reduction)


@in_nn
def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """loss_i = -mean_c (t_ic log s_ic + (1 - t_ic) log(1 - s_ic)), s = sigmoid(input): the mean over the classes of one example.

    input: logits (N, C) or (..., C); target: the same shape, 0 or 1; weight: (C,), of classes. The result of reduction="none" is (N,).
    Raises ShapeError when the shapes differ.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.multilabel_soft_margin_loss(sl.zeros((2, 3)), sl.ones((2, 3)), reduction="none").numpy().round(4).tolist()
    [0.6930999755859375, 0.6930999755859375]
    """
    check("multilabel_soft_margin_loss", CONSTRAINTS["multilabel_soft_margin_loss"], {"reduction": reduction})
    x, t = same_shape("multilabel_soft_margin_loss", input, target)
    losses = weigh(composite.softplus(-x), t) + weigh(composite.softplus(x), 1 - t)
    if weight is not None:
        losses = losses * asarray(weight)
    return reduce(losses.mean(axis=-1), reduction)


@in_nn
def multilabel_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """loss_i = sum over labels j and other classes k of max(0, 1 - s_j + s_k) / C: every label should lead every other class by 1.

    input: scores s (N, C) or (C,), floats; target: of the same shape, integers: the labels of each example first, then -1; what follows
    the first -1 is ignored. Raises ShapeError when the shapes differ, DTypeError for targets that are no integers and OutOfRangeError
    for labels of C or more.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.multilabel_margin_loss(sl.tensor([[0.1, 0.2, 0.4, 0.8]]), sl.tensor([[3, 0, -1, 1]]))), 2)
    0.85
    """
    check("multilabel_margin_loss", CONSTRAINTS["multilabel_margin_loss"], {"reduction": reduction})
    scores, labels = asarray(input), asarray(target)
    check_label_lists(scores, labels)
    classes = scores.shape[-1]
    listed = F.cumulative_sum((labels < 0).astype(np.int64), axis=-1) == 0
    own = build("where", listed, labels, 0)
    marked = (F.expand_dims(own, axis=-1) == F.arange(classes)) & F.expand_dims(listed, axis=-1)  # (..., position, class)
    others = ~marked.any(axis=-2)
    leads = F.expand_dims(F.take_along_axis(scores, own, axis=-1), axis=-1) - F.expand_dims(scores, axis=-2)
    counted = F.expand_dims(listed, axis=-1) & F.expand_dims(others, axis=-2)
    return reduce(build("where", counted, composite.relu(1 - leads), 0).sum(axis=(-2, -1)) / classes, reduction)


def check_label_lists(scores: Tensor, labels: Tensor) -> None:
    """Errors for lists of labels that do not fit the scores."""
    owner = "multilabel_margin_loss"
    if labels.shape != scores.shape or not scores.ndim:
        raise ShapeError(f"{owner}: input has shape {tuple(scores.shape)}, target {tuple(labels.shape)}",
                         why="the labels of an example fill a row as long as that of its scores", repair="fill the rows up with -1")
    if not is_integer(labels.dtype) or labels.dtype.kind != "i":
        raise DTypeError(f"{owner}: target is {labels.dtype}", why="it holds indices of classes, and -1 after them",
                         repair="target.astype(slopes.int64)")
    values = known_value(labels)
    if values is not None and values.size and values.max() >= scores.shape[-1]:
        raise OutOfRangeError(f"{owner}: a label is {values.max()}, but there are {scores.shape[-1]} classes, from 0 on")
