"""Selecting and sorting elements: take, sort, top_k, one_hot, nonzero, searchsorted."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph.dtype import as_dtype, default_float, is_float, is_inexact
from ..graph.shape import normalize_axis
from ..ops import composite
from ..ops.index import check_lines
from ..tensor import Tensor, asarray, from_array, perform
from .data_types import result_type
from .elementwise import isnan

__all__ = ["add_along_axis", "argsort", "nonzero", "one_hot", "put_along_axis", "searchsorted", "sort", "take", "take_along_axis", "top_k"]


def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The elements at `indices` along an axis: a table lookup. The axis is optional for 1-d tensors.

    x (..., n, ...), indices (...) integers from 0 to n - 1 -> the axes of indices replace `axis`.
    Raises OutOfRangeError for an index out of range, also in compiled code; DTypeError unless indices are integers.

    >>> sl.take([10., 20., 30.], [2, 0])
    tensor([30., 10.])
    """
    x = asarray(x)
    axis = 0 if axis is None and x.ndim == 1 else axis
    return perform("take", (x, asarray(indices)), {"axis": normalize_axis(axis, x.ndim, "take")})  # type: ignore[arg-type]


def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Tensor:
    """result[..., i, ...] = x[..., indices[..., i, ...], ...]: every slice along the axis has its own indices.

    x and indices have equal shapes except along `axis`. Raises ShapeError and OutOfRangeError.

    >>> sl.take_along_axis([[1., 2.], [3., 4.]], [[1], [0]], axis=1)
    tensor([[2.],
            [3.]])
    """
    x = asarray(x)
    return perform("take_along_axis", (x, asarray(indices)), {"axis": normalize_axis(axis, x.ndim, "take_along_axis")})


def add_along_axis(x: Any, indices: Any, values: Any, axis: int = -1) -> Tensor:
    """x with values[..., i, ...] added to x[..., indices[..., i, ...], ...]; values for one element are all added.

    indices and values have equal shapes, and that of x except along `axis`. Raises ShapeError and OutOfRangeError.

    >>> sl.add_along_axis([[1., 2., 3.]], [[0, 2, 0]], [[10., 20., 30.]])
    tensor([[41.,  2., 23.]])
    """
    x, indices = asarray(x), asarray(indices)
    values, axis = asarray(values, dtype=x.dtype), normalize_axis(axis, x.ndim, "add_along_axis")
    check_lines("add_along_axis", x, indices, axis)
    return x + perform("put_along_axis", (indices, values), {"axis": axis, "size": x.shape[axis]})


def put_along_axis(x: Any, indices: Any, values: Any, axis: int = -1) -> Tensor:
    """x with x[..., indices[..., i, ...], ...] replaced by values[..., i, ...]; of several values for one element the mean.

    indices and values have equal shapes, and that of x except along `axis`. Raises ShapeError and OutOfRangeError, DTypeError for x that
    is not of a float type.

    >>> sl.put_along_axis([[1., 2., 3.]], [[0, 2]], [[10., 20.]])
    tensor([[10.,  2., 20.]])
    """
    x, indices = asarray(x), asarray(indices)
    if not is_float(x.dtype):
        raise DTypeError(f"put_along_axis has no meaning for {x.dtype}", why="it is defined for floats",
                         repair="cast first: x.astype('float32')")
    counts, total = (add_along_axis(x * 0, indices, part, axis) for part in (asarray(values, dtype=x.dtype) * 0 + 1, values))
    return composite.where(counts == 0, x, total / composite.where(counts == 0, 1.0, counts))


def one_hot(labels: Any, classes: int, dtype: Any = None) -> Tensor:
    """One-hot encoding along a new last axis: labels (...) -> (..., classes).

    Raises OutOfRangeError for a label outside 0 .. classes - 1, DTypeError unless labels are integers.

    >>> sl.one_hot([0, 2], 3)
    tensor([[1., 0., 0.],
            [0., 0., 1.]])
    """
    return composite.one_hot(asarray(labels), classes, default_float if dtype is None else as_dtype(dtype))


def argsort(x: Any, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The indices that sort x in ascending (or descending) order along an axis; always stable, and NaN counts as largest.

    >>> sl.argsort([3., 1., 2.])
    tensor([1, 2, 0])
    """
    return composite.argsort(asarray(x), axis, descending)


def sort(x: Any, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """x sorted in ascending (or descending) order along an axis, always stable; the gradient follows the elements.

    >>> sl.sort([3., 1., 2.])
    tensor([1., 2., 3.])
    """
    return composite.sort(asarray(x), axis, descending)


def top_k(x: Any, k: int, axis: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest (or smallest) elements along an axis in order, and their indices; stable for equal elements.

    >>> sl.top_k([1., 5., 3.], 2)
    (tensor([5., 3.]), tensor([1, 2]))
    """
    return composite.top_k(asarray(x), k, axis, largest)


def nonzero(x: Any) -> tuple[Tensor, ...]:
    """The indices of nonzero elements, one tensor per axis.

    Raises TraceError while compiling, because the size depends on values, and ShapeError for a 0-d tensor.

    >>> sl.nonzero([0, 3, 0, 5])
    (tensor([1, 3]),)
    """
    x = asarray(x)
    if not x.ndim:
        raise ShapeError("nonzero: a 0-d tensor has no axes", repair="use x.reshape(1), or bool(x)")
    return tuple(map(from_array, np.nonzero(x._known("nonzero"))))


def searchsorted(x: Any, values: Any, side: str = "left", sorter: Any = None) -> Tensor:
    """For each value, the index in the ascending x (n,) where it would be inserted; side="right": after equal elements.

    `sorter` are the indices that sort x, where it is not ascending (`argsort`).

    Computed as the sum of x < value (or x <= value) over x. NaN counts as largest, as in `sort`. Raises ArgumentError
    for another side.

    >>> sl.searchsorted([1., 2., 3.], [2., 5.])
    tensor([1, 3])
    """
    if side not in ("left", "right"):
        raise ArgumentError(f"searchsorted: side={side!r} is not known", repair='choose "left" or "right"')
    x = asarray(x) if sorter is None else take(x, sorter, 0)
    values = beside(x, values)[..., None]
    below = x < values if side == "left" else x <= values
    if is_inexact(values.dtype):
        below = below | (isnan(values) & ~isnan(x) if side == "left" else isnan(values))
    return below.sum(axis=-1)


def beside(x: Any, values: Any) -> Tensor:
    """Values as a tensor; a Python number takes the type of x, as in arithmetic."""
    weak = isinstance(values, (int, float)) and not isinstance(values, bool) and isinstance(x, Tensor)
    return asarray(values, result_type(x, values)) if weak else asarray(values)
