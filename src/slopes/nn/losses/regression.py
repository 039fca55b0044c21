"""Losses of numbers: squared and absolute differences, and negative log likelihoods of distributions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...constraint import check
from ...errors import OutOfRangeError, ShapeError
from ...graph.build import build
from ...tensor import Tensor, asarray
from ..where import known_value
from .reduction import CONSTRAINTS, element_weight, in_nn, reduce, reduce_weighted, same_shape, weigh


@in_nn
def mse_loss(input: Any, target: Any, reduction: str = "mean", weight: Any = None) -> Tensor:
    """loss = (input - target)^2, by default its mean over all elements; reduction="sum" is the squared distance.

    input and target: the same shape. `weight`, of that shape, multiplies each element's loss; "mean" then divides by the sum of the
    weights. Raises ShapeError when the shapes differ: nothing is broadcast.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.mse_loss(sl.tensor([1.0, 2.0]), sl.tensor([3.0, 2.0])))
    2.0
    """
    check("mse_loss", CONSTRAINTS["mse_loss"], {"reduction": reduction})
    x, t = same_shape("mse_loss", input, target)
    difference = x - t
    return reduce_weighted("mse_loss", difference * difference, weight, reduction)


@in_nn
def squared_loss(input: Any, target: Any) -> Tensor:
    """loss = sum of (input - target)^2 over all elements (textbooks often use half of it).

    input and target: the same shape. Raises ShapeError when the shapes differ.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.squared_loss(sl.tensor([1.0, 2.0]), sl.tensor([3.0, 2.0])))
    4.0
    """
    x, t = same_shape("squared_loss", input, target)
    difference = x - t
    return (difference * difference).sum()


@in_nn
def l1_loss(input: Any, target: Any, reduction: str = "mean", weight: Any = None) -> Tensor:
    """loss = |input - target|; the gradient at 0 is 0. `weight` and errors as in mse_loss.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.l1_loss(sl.tensor([1.0, 2.0]), sl.tensor([3.0, 2.0])))
    1.0
    """
    check("l1_loss", CONSTRAINTS["l1_loss"], {"reduction": reduction})
    x, t = same_shape("l1_loss", input, target)
    return reduce_weighted("l1_loss", abs(x - t), weight, reduction)


@in_nn
def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Tensor:
    """loss = d^2 / 2 where d = |input - target| <= delta, otherwise delta (d - delta / 2): quadratic near 0, then linear.

    `weight`, of the same shape, multiplies each element's loss; "mean" divides by the number of elements, as in PyTorch.
    Raises ShapeError when the shapes differ. Source: Huber, "Robust estimation of a location parameter", 1964.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.huber_loss(sl.tensor([1.0, 3.0]), sl.tensor([0.0, 0.0]), reduction="none").numpy().tolist()
    [0.5, 2.5]
    """
    check("huber_loss", CONSTRAINTS["huber_loss"], {"reduction": reduction, "delta": delta})
    x, t = same_shape("huber_loss", input, target)
    losses = huber(abs(x - t), delta)
    return reduce(losses if weight is None else weigh(losses, element_weight("huber_loss", weight, losses)), reduction)


def huber(distance: Tensor, delta: float) -> Tensor:
    """distance^2 / 2 up to delta, then delta (distance - delta / 2)."""
    near = build("minimum", distance, delta)
    return near * (distance - near * 0.5)


@in_nn
def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """loss = d^2 / (2 beta) where d = |input - target| < beta, otherwise d - beta / 2: huber_loss(delta=beta) / beta; l1_loss at beta=0.

    input and target: the same shape. Raises ShapeError when the shapes differ. Source: Girshick, "Fast R-CNN", 2015.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.smooth_l1_loss(sl.tensor([1.0, 3.0]), sl.tensor([0.0, 0.0]), reduction="none", beta=2.0).numpy().tolist()
    [0.25, 2.0]
    """
    check("smooth_l1_loss", CONSTRAINTS["smooth_l1_loss"], {"reduction": reduction, "beta": beta})
    x, t = same_shape("smooth_l1_loss", input, target)
    distance = abs(x - t)
    return reduce(huber(distance, beta) / beta if beta else distance, reduction)


@in_nn
def poisson_nll_loss(input: Any, target: Any, log_input: bool = True, full: bool = False, eps: float = 1e-8,
                     reduction: str = "mean") -> Tensor:
    """loss = rate - t log rate, the negative log likelihood of counts t = target under a Poisson distribution, without log t!.

    input: log rate, or with log_input=False the rate, whose logarithm is log(rate + eps); target: the same shape, at least 0.
    full=True adds Stirling's approximation of log t!, t log t - t + log(2 pi t) / 2, where t > 1. Raises ShapeError when the shapes
    differ.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.poisson_nll_loss(sl.tensor([0.0]), sl.tensor([2.0])))
    1.0
    """
    check("poisson_nll_loss", CONSTRAINTS["poisson_nll_loss"], {"log_input": log_input, "full": full, "eps": eps, "reduction": reduction})
    x, t = same_shape("poisson_nll_loss", input, target)
    losses = build("exp", x) - t * x if log_input else x - t * build("log", x + eps)
    if full:
        large = t > 1
        count = build("where", large, t, 1.0)
        losses = losses + build("where", large, count * build("log", count) - count + 0.5 * build("log", 2 * math.pi * count), 0.0)
    return reduce(losses, reduction)


@in_nn
def gaussian_nll_loss(input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> Tensor:
    """loss = (log v + (input - target)^2 / v) / 2 with v = max(var, eps): the negative log likelihood under a normal distribution.

    input: the mean; target: the same shape; var: the variance, a number, or of that shape, or of one that lacks the last axis or has
    one element in one axis. full=True adds log(2 pi) / 2. The derivative for var is that for v, also where var < eps.
    Raises ShapeError for shapes that do not fit and OutOfRangeError for a negative variance. Source: Nix and Weigend, "Estimating the
    mean and variance of the target probability distribution", 1994.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.gaussian_nll_loss(sl.tensor([1.0]), sl.tensor([3.0]), sl.tensor([1.0])))
    2.0
    """
    check("gaussian_nll_loss", CONSTRAINTS["gaussian_nll_loss"], {"full": full, "eps": eps, "reduction": reduction})
    x, t = same_shape("gaussian_nll_loss", input, target)
    variance = variances(x, var)
    variance = variance + build("stop_gradient", build("maximum", variance, eps) - variance)
    losses = 0.5 * (build("log", variance) + (x - t) * (x - t) / variance)
    return reduce(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


def variances(x: Tensor, var: Any) -> Tensor:
    """The variances as a tensor that broadcasts to x."""
    variance = asarray(np.asarray(var, x.dtype) if isinstance(var, (int, float)) else var).astype(x.dtype)
    values = known_value(variance)
    if values is not None and (values < 0).any():
        raise OutOfRangeError(f"gaussian_nll_loss: a variance is {values.min():g}", why="a variance is not negative",
                              repair="let the net give its logarithm, or softplus of its outputs: nn.softplus(outputs)")
    if variance.shape == x.shape[:-1] and x.ndim:
        return variance.reshape((*variance.shape, 1))
    shared = [n for n, size in zip(variance.shape, x.shape) if n != size]
    if variance.ndim and (variance.ndim != x.ndim or shared not in ([], [1])):
        raise ShapeError(f"gaussian_nll_loss: var has shape {tuple(variance.shape)}, input {tuple(x.shape)}",
                         why="each element has a variance, or those along one axis share it",
                         repair=f"pass variances of shape {tuple(x.shape)} or {(*tuple(x.shape)[:-1], 1)}")
    return variance


@in_nn
def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """loss = t (log t - log p): the Kullback-Leibler divergence of targets t from outputs p, elementwise; 0 where t = 0,
    even if log p is -inf.

    input: log p; target: t, or log t with log_target=True; same shape. reduction="batchmean" sums and divides by
    the batch size: the divergence itself. Raises ShapeError when the shapes differ.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> half = sl.tensor([[0.5, 0.5]])
    >>> float(nn.kl_div(sl.log(half), half, reduction="batchmean"))
    0.0
    """
    check("kl_div", CONSTRAINTS["kl_div"], {"reduction": reduction, "log_target": log_target})
    x, t = same_shape("kl_div", input, target)
    if log_target:
        losses = weigh(t - x, build("exp", t))
    else:
        positive = t > 0
        losses = build("where", positive, t * build("log", build("where", positive, t, t * 0 + 1)), t * 0) - weigh(x, t)
    return losses.sum() / x.shape[0] if reduction == "batchmean" else reduce(losses, reduction)
