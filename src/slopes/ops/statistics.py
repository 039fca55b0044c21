"""Averages, spreads and softmax: reductions composed so that no intermediate value overflows."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..graph.build import build, constant
from ..graph.composite import composed
from ..graph.dtype import default_float, is_inexact
from ..graph.shape import normalize_axes

X = Any  # a Node or a Tensor
Axis = int | Iterable[int] | None


def reduce(name: str, x: X, axis: Axis = None, keepdims: bool = False) -> X:
    """The reduction `name` (sum, prod, max, min, any, all) over axes counted from either end; None means all."""
    axes = normalize_axes(axis, x.ndim, name)
    result = build(name, x, axes=axes)
    return build("reshape", result, shape=kept_as_ones(x, axes)) if keepdims else result


def kept_as_ones(x: X, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if i in axes else n for i, n in enumerate(x.shape))


def as_float(x: X) -> X:
    """x itself when it is of a float or complex type, else as float32."""
    return x if is_inexact(x.dtype) else build("cast", x, dtype=default_float)


@composed(1)
def mean(x: X, axis: Axis = None, keepdims: bool = False) -> X:
    """sum(x) / n over some axes; integers are averaged as float32; NaN over no elements."""
    x = as_float(x)
    axes = normalize_axes(axis, x.ndim, "mean")
    return reduce("sum", x, axes, keepdims) / prod(x.shape[i] for i in axes)


@composed(1)
def var(x: X, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> X:
    """sum((x - mean)^2) / (n - correction) over some axes: the mean first, so that nothing cancels."""
    x = as_float(x)
    axes = normalize_axes(axis, x.ndim, "var")
    if not isinstance(correction, (int, float)):
        raise ArgumentError(f"var: the correction is {correction!r}", why="it says how many fewer elements to divide by",
                            repair="give a Python number, such as correction=1")
    centred = x - mean(x, axes, keepdims=True)
    return reduce("sum", centred * centred, axes, keepdims) / max(prod(x.shape[i] for i in axes) - correction, 0)


@composed(1)
def std(x: X, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> X:
    """The square root of var, with slope 0 where all elements are equal."""
    return root_of_squares(var(x, axis, correction, keepdims))


def root_of_squares(total: X) -> X:
    """The square root of a sum of squares; where all of them are 0 its slope by each is taken as 0, the middle of -1 and 1."""
    return of_positive("sqrt", total)


def of_positive(name: str, x: X, *args: Any) -> X:
    """The function `name` of x where x is not 0, and 0 with slope 0 where it is; no derivative of the function at 0 is ever asked for."""
    zero, one = constant(0, x.dtype), constant(1, x.dtype)
    nothing = build("equal", x, zero)
    return build("where", nothing, zero, build(name, build("where", nothing, one, x), *args))


@composed(1)
def logsumexp(x: X, axis: Axis = None, keepdims: bool = False) -> X:
    """log(sum(exp(x))), shifted by the largest so that no exponential overflows; -inf (with slope 0) where all are -inf, or none."""
    x = as_float(x)
    axes = normalize_axes(axis, x.ndim, "logsumexp")
    if nothing_along(x, axes, "logsumexp"):
        return build("log", reduce("sum", x, axes, keepdims))
    zero, one = constant(0, x.dtype), constant(1, x.dtype)
    top = build("stop_gradient", reduce("max", x, axes, keepdims=True))
    top = build("where", build("isfinite", top), top, zero)
    total = reduce("sum", build("exp", x - top), axes, keepdims=True)
    none = build("equal", total, zero)
    result = build("where", none, constant(-np.inf, x.dtype), build("log", build("where", none, one, total)) + top)
    return result if keepdims else build("reshape", result, shape=without(x, axes))


def without(x: X, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(x.shape) if i not in axes)


def nothing_along(x: X, axes: Axis, name: str) -> bool:
    """Whether there are no elements along these axes."""
    return any(x.shape[i] == 0 for i in normalize_axes(axes, x.ndim, name))


def shifted(x: X, axis: Axis, name: str) -> X:
    """x minus its largest element, which changes no softmax: its slope is left out for that reason. Nothing has no largest element."""
    if nothing_along(x, axis, name):
        return x
    return x - build("stop_gradient", reduce("max", x, axis, keepdims=True))


@composed(1)
def softmax(x: X, axis: Axis = -1) -> X:
    """exp(x) / sum(exp(x)) along an axis: positive numbers that sum to 1, for logits of any size."""
    weights = build("exp", shifted(as_float(x), axis, "softmax"))
    return weights / reduce("sum", weights, axis, keepdims=True)


@composed(1)
def log_softmax(x: X, axis: Axis = -1) -> X:
    """x - log(sum(exp(x))) along an axis: the logarithm of softmax, exact where softmax underflows to 0."""
    low = shifted(as_float(x), axis, "log_softmax")
    return low - build("log", reduce("sum", build("exp", low), axis, keepdims=True))
