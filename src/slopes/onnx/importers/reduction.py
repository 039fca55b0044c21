"""Reductions, cumulative sums, and what is normalised over an axis."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ... import functions as f
from ...tensor import Tensor
from ..call import Call
from ..operators import operator
from ..values import axes_of, integers


def reduced_axes(call: Call, x: Tensor, axes: np.ndarray | None) -> tuple[int, ...]:
    """The axes of a reduction, from an input or an attribute; all by default."""
    chosen = call["axes"] if axes is None else integers(axes)
    if not chosen:
        return () if call["noop_with_empty_axes"] else tuple(range(x.ndim))
    return axes_of(chosen, x.ndim)


def reduction(function: Any, call: Call, x: Tensor, axes: np.ndarray | None = None) -> Tensor:
    return function(x, axis=reduced_axes(call, x, axes), keepdims=bool(call["keepdims"]))


def in_own_type(function: Any, x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    """A reduction whose result has the type of x."""
    return function(x, axis=axis, keepdims=keepdims).astype(x.dtype)


def total(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    return in_own_type(f.sum, x, axis, keepdims)


def mean(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    return in_own_type(f.mean, x, axis, keepdims)


def sum_of_squares(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    return total(x * x, axis, keepdims)


def log_sum(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    return f.log(f.sum(x, axis=axis, keepdims=keepdims)).astype(x.dtype)


def log_sum_exp(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    if not axis:
        return x
    return f.logsumexp(x, axis=axis, keepdims=keepdims) if x.size else f.log(total(f.exp(x), axis, keepdims))


def norm1(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    return total(f.abs(x), axis, keepdims)


def norm2(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    return f.sqrt(f.sum(x * x, axis=axis, keepdims=keepdims)).astype(x.dtype)


def product(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    return in_own_type(f.prod, x, axis, keepdims)


def extreme(function: Any, logical: Any, worst: str, x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    """The largest or smallest element; that of none is the worst value of the type."""
    if not axis:
        return x
    if x.dtype.kind == "b":
        return logical(x, axis=axis, keepdims=keepdims)
    if x.size:
        return function(x, axis=axis, keepdims=keepdims)
    sign = -1 if worst == "min" else 1
    value = sign * np.inf if x.dtype.kind == "f" else getattr(np.iinfo(x.dtype), worst)
    return f.full([1 if i in axis else n for i, n in enumerate(x.shape) if keepdims or i not in axis], value, x.dtype)


REDUCTIONS = {
    "ReduceSum": total, "ReduceMean": mean, "ReduceSumSquare": sum_of_squares, "ReduceLogSum": log_sum, "ReduceLogSumExp": log_sum_exp,
    "ReduceL1": norm1, "ReduceL2": norm2, "ReduceProd": product,
    "ReduceMax": functools.partial(extreme, f.max, f.any, "min"), "ReduceMin": functools.partial(extreme, f.min, f.all, "max"),
}
for name, function in REDUCTIONS.items():
    operator(name, known=(1,))(functools.partial(reduction, function))


def index_of(function: Any, call: Call, x: Tensor) -> Tensor:
    """The index of the largest or smallest element: the first, or the last, among equals."""
    axis, keepdims = call.axis(x.ndim), bool(call["keepdims"])
    if not call["select_last_index"]:
        return function(x, axis=axis, keepdims=keepdims)
    return x.shape[axis] - 1 - function(f.flip(x, axis=axis), axis=axis, keepdims=keepdims)


operator("ArgMax")(functools.partial(index_of, f.argmax))
operator("ArgMin")(functools.partial(index_of, f.argmin))


def cumulative(function: Any, start: int, call: Call, x: Tensor, axis: np.ndarray) -> Tensor:
    """Running totals along an axis, from either end; an exclusive one leaves the element itself out."""
    (axis_index,) = axes_of(integers(axis), x.ndim)
    x = f.flip(x, axis=axis_index) if call["reverse"] else x
    if call["exclusive"]:
        x = shifted(x, axis_index, start)
    y = function(x, axis=axis_index).astype(x.dtype)
    return f.flip(y, axis=axis_index) if call["reverse"] else y


def shifted(x: Tensor, axis: int, start: int) -> Tensor:
    """x moved by one along an axis; its first element is `start`."""
    widths = [(1, 0) if i == axis else (0, 0) for i in range(x.ndim)]
    return f.pad(x, widths, start)[(*[slice(None)] * axis, slice(0, x.shape[axis]))]


operator("CumSum", known=(1,))(functools.partial(cumulative, f.cumulative_sum, 0))
operator("CumProd", known=(1,))(functools.partial(cumulative, f.cumulative_prod, 1))


def from_axis_on(function: Any, call: Call, x: Tensor) -> Tensor:
    """Before operator set 13: over all axes from one on, as if they were one."""
    axis = call.axis(x.ndim) if x.ndim else 0
    rows = int(np.prod(x.shape[:axis]))
    return function(x.reshape((rows, -1 if x.size else 0))).reshape(x.shape)


def over_axis(function: Any, call: Call, x: Tensor) -> Tensor:
    return function(x, axis=call["axis"]) if x.size else x


def hardmax(x: Tensor, axis: int = -1) -> Tensor:
    """1 at the first largest element, 0 elsewhere."""
    first = f.argmax(x, axis=axis, keepdims=True)
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    return (f.arange(x.shape[axis]).reshape(shape) == first).astype(x.dtype)


for name, function in (("Softmax", f.softmax), ("LogSoftmax", f.log_softmax), ("Hardmax", hardmax)):
    operator(name)(functools.partial(from_axis_on, function))
    operator(name, since=13)(functools.partial(over_axis, function))
