"""Functions that make tensors from nothing but sizes and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..graph.dtype import DType, as_dtype, default_float, is_integer, scalar_dtype
from ..graph.shape import check_dimensions
from ..ops import composite
from ..tensor import Tensor, aligned_empty, asarray, from_array, mode, perform, tensor

__all__ = [
    "arange", "asarray", "empty", "eye", "full", "full_like", "linspace", "meshgrid", "ones", "ones_like", "tensor", "tril",
    "triu", "zeros", "zeros_like",
]

Sizes = int | Sequence[int]


def sizes(shape: Sizes, name: str) -> tuple[int, ...]:
    return check_dimensions((shape,) if isinstance(shape, (int, np.integer)) else tuple(shape), name)


def filled(shape: tuple[int, ...], value: Any, dtype: DType, requires_grad: bool = False) -> Tensor:
    """One number everywhere: an array, or while tracing an expanded constant."""
    if mode.trace is None:
        array = aligned_empty(shape, dtype)
        array.fill(value)
        made = from_array(array)
    else:
        made = perform("expand", (tensor(value, dtype),), {"shape": shape})
    if requires_grad:
        made.requires_grad = True
    return made


def full(shape: Sizes, value: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with one number everywhere; by default of the number's own type (Python floats: float32).

    >>> sl.full((2, 2), 7)
    tensor([[7, 7],
            [7, 7]])
    """
    if isinstance(value, Tensor):
        return value.astype(value.dtype if dtype is None else dtype).broadcast_to(sizes(shape, "full"))
    return filled(sizes(shape, "full"), value, scalar_dtype(value, None) if dtype is None else as_dtype(dtype), requires_grad)


def zeros(shape: Sizes, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros, float32 unless `dtype` says otherwise.

    >>> sl.zeros((1, 3))
    tensor([[0., 0., 0.]])
    """
    return filled(sizes(shape, "zeros"), 0, default_float if dtype is None else as_dtype(dtype), requires_grad)


def ones(shape: Sizes, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones, float32 unless `dtype` says otherwise.

    >>> sl.ones(2, dtype="int32")
    tensor([1, 1], dtype=int32)
    """
    return filled(sizes(shape, "ones"), 1, default_float if dtype is None else as_dtype(dtype), requires_grad)


def empty(shape: Sizes, dtype: Any = None) -> Tensor:
    """A tensor to be assigned later. Its elements are 0, so that nothing depends on what memory held before.

    >>> sl.empty((2, 3)).shape
    (2, 3)
    """
    return zeros(shape, dtype)


def full_like(x: Any, value: Any, dtype: Any = None) -> Tensor:
    """One number everywhere, in the shape and (by default) the type of x.

    >>> sl.full_like([1., 2.], 3)
    tensor([3., 3.])
    """
    x = asarray(x)
    return full(x.shape, value, x.dtype if dtype is None else dtype)


def zeros_like(x: Any, dtype: Any = None) -> Tensor:
    """Zeros in the shape and (by default) the type of x.

    >>> sl.zeros_like([1, 2])
    tensor([0, 0])
    """
    return full_like(x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Tensor:
    """Ones in the shape and (by default) the type of x.

    >>> sl.ones_like([1, 2])
    tensor([1, 1])
    """
    return full_like(x, 1, dtype)


def arange(start: float, stop: float | None = None, step: float = 1, dtype: Any = None) -> Tensor:
    """start, start + step, ... before stop (one argument: 0, 1, ... before it). int64 for whole numbers, float32 otherwise.

    Raises ArgumentError for a step of 0. Element i is start + i step, computed in the result's type.

    >>> sl.arange(5)
    tensor([0, 1, 2, 3, 4])
    >>> sl.arange(1, 0, -0.25)
    tensor([1.  , 0.75, 0.5 , 0.25])
    """
    start, stop = (0, start) if stop is None else (start, stop)
    if step == 0:
        raise ArgumentError("arange: the step is 0", repair="give a step above or below 0")
    whole = all(isinstance(each, (int, np.integer)) for each in (start, stop, step))
    kind = as_dtype(dtype) if dtype is not None else as_dtype(int if whole else float)
    count = len(range(start, stop, step)) if whole else max(0, math.ceil((stop - start) / step))  # type: ignore[call-overload]
    if is_integer(kind) and not whole:
        return counted(count, default_float, start, step).astype(kind)
    return counted(count, kind, start, step)


def counted(count: int, dtype: DType, start: float, step: float) -> Tensor:
    numbers = perform("iota", (), {"size": count, "dtype": dtype})
    numbers = numbers if step == 1 else numbers * step
    return numbers if start == 0 else numbers + start


def linspace(start: float, stop: float, num: int, dtype: Any = None, endpoint: bool = True) -> Tensor:
    """`num` numbers at equal distances from start to stop, which is included unless endpoint=False; float32 by default.

    Computed from both ends, so that the last number is exactly stop.

    >>> sl.linspace(0, 1, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    kind = default_float if dtype is None else as_dtype(dtype)
    (num,) = check_dimensions((num,), "linspace")
    parts = max(num - 1 if endpoint else num, 1)
    steps = perform("iota", (), {"size": num, "dtype": kind})
    step = (stop - start) / parts
    upper = stop - (parts - steps) * step
    return composite.where(steps * 2 < parts, start + steps * step, upper) if num > 1 else steps + start


def eye(rows: int, columns: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """The identity matrix, or a matrix with ones on the k-th diagonal (k > 0 above the main one).

    >>> sl.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    rows, columns = check_dimensions((rows, rows if columns is None else columns), "eye")
    down = perform("iota", (), {"size": rows, "dtype": np.dtype("int64")}).reshape(rows, 1) + k
    across = perform("iota", (), {"size": columns, "dtype": np.dtype("int64")})
    return (down == across).astype(default_float if dtype is None else dtype)


def tril(x: Any, k: int = 0) -> Tensor:
    """x with zeros above the k-th diagonal of its last two axes. Raises ShapeError for fewer than two axes.

    >>> sl.tril(sl.ones((2, 2)))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return composite.tril(asarray(x), k)


def triu(x: Any, k: int = 0) -> Tensor:
    """x with zeros below the k-th diagonal of its last two axes. Raises ShapeError for fewer than two axes.

    >>> sl.triu(sl.ones((2, 2)))
    tensor([[1., 1.],
            [0., 1.]])
    """
    return composite.triu(asarray(x), k)


def meshgrid(*axes: Any, indexing: str = "xy") -> list[Tensor]:
    """The coordinates of a grid: one tensor per axis, all of the grid's shape; "xy" exchanges the first two axes, "ij" does not.

    >>> x, y = sl.meshgrid(sl.arange(3), sl.arange(2))
    >>> x
    tensor([[0, 1, 2],
            [0, 1, 2]])
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f"meshgrid: indexing={indexing!r} is not known", repair='choose "xy" or "ij"')
    lines = [asarray(each) for each in axes]
    if any(line.ndim > 1 for line in lines):
        raise ShapeError(f"meshgrid: axes of shapes {[line.shape for line in lines]}", why="each axis is a list of numbers, 1-d")
    places = list(range(len(lines)))
    if indexing == "xy" and len(lines) > 1:
        places[:2] = [1, 0]
    shape = [0] * len(lines)
    for line, place in zip(lines, places):
        shape[place] = line.size
    return [line.reshape([line.size if i == place else 1 for i in range(len(lines))]).broadcast_to(shape)
            for line, place in zip(lines, places)]
