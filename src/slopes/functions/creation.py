"""Functions that make tensors from nothing but sizes and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph.dtype import DType, as_dtype, default_float, exists_in, float64, is_complex, is_inexact, is_integer, scalar_dtype
from ..graph.shape import check_dimensions
from ..ops import composite
from ..tensor import Tensor, aligned_empty, asarray, from_array, mode, perform, tensor
from .elementwise import floor

__all__ = [
    "arange", "asarray", "empty", "eye", "full", "full_like", "linspace", "meshgrid", "ones", "ones_like", "tensor", "tril",
    "triu", "zeros", "zeros_like",
]

Sizes = int | Sequence[int]


def sizes(shape: Sizes, name: str) -> tuple[int, ...]:
    return check_dimensions(tuple(shape) if hasattr(shape, "__iter__") else (shape,), name)


def fill(shape: tuple[int, ...], value: Any, dtype: DType, requires_grad: bool = False) -> Tensor:
    """One number everywhere: an array, or while tracing an expanded constant."""
    if mode.trace is None:
        array = aligned_empty(shape, dtype)
        array.fill(value)
        result = from_array(array)
    else:
        result = perform("expand", (tensor(value, dtype),), {"shape": shape})
    if requires_grad:
        result.requires_grad = True
    return result


def full(shape: Sizes, value: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with one number everywhere; by default of the number's own type (Python floats: float32).

    A fraction becomes an integer type by losing what is behind the point. Raises DTypeError for what is no number, ArgumentError for a
    number that the type does not hold.

    >>> sl.full((2, 2), 7)
    tensor([[7, 7],
            [7, 7]])
    """
    if isinstance(value, Tensor):
        return value.astype(value.dtype if dtype is None else dtype).broadcast_to(sizes(shape, "full"))
    value = value.item() if isinstance(value, np.ndarray) and not value.ndim else value
    own = scalar_dtype(value, None)
    target = own if dtype is None else as_dtype(dtype)
    if is_complex(own) and not is_complex(target):
        raise DTypeError(f"full: {value} does not become {target}", why="the imaginary part would be lost silently",
                         repair='name a complex type: dtype="complex64"')
    return fill(sizes(shape, "full"), to_integer(value, target) if is_integer(target) else value, target, requires_grad)


def to_integer(value: Any, dtype: DType) -> int:
    """The whole part of a number, which an integer type must hold."""
    if not math.isfinite(value) or not exists_in(int(value), dtype):
        raise ArgumentError(f"full: {value} does not fit into {dtype}",
                            why=f"it holds {np.iinfo(dtype).min} to {np.iinfo(dtype).max}", repair="name a type that holds it: dtype=...")
    return int(value)


def zeros(shape: Sizes, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros, float32 unless `dtype` says otherwise.

    >>> sl.zeros((1, 3))
    tensor([[0., 0., 0.]])
    """
    return fill(sizes(shape, "zeros"), 0, default_float if dtype is None else as_dtype(dtype), requires_grad)


def ones(shape: Sizes, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones, float32 unless `dtype` says otherwise.

    >>> sl.ones(2, dtype="int32")
    tensor([1, 1], dtype=int32)
    """
    return fill(sizes(shape, "ones"), 1, default_float if dtype is None else as_dtype(dtype), requires_grad)


def empty(shape: Sizes, dtype: Any = None) -> Tensor:
    """A tensor to be assigned later. Its elements are 0, so that nothing depends on what memory held before.

    >>> sl.empty((2, 3)).shape
    (2, 3)
    """
    return zeros(shape, dtype)


def full_like(x: Any, value: Any, dtype: Any = None) -> Tensor:
    """One number everywhere, in the shape and (by default) the type of x. Raises ArgumentError for one that this type does not hold.

    >>> sl.full_like([1., 2.], 3)
    tensor([3., 3.])
    """
    x = asarray(x)
    fixed = dtype is None and not is_inexact(x.dtype) and isinstance(value, (int, float, np.integer, np.floating))
    if fixed and not exists_in(value, x.dtype):
        raise ArgumentError(f"full_like: the value {value} does not exist in {x.dtype}", repair="name a type that holds it: dtype=...")
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

    Element i is start + i step: exactly, where all three are whole numbers (1.0 is one) and the type is an integer one; else computed in
    float64 and rounded once to `dtype` (to integers: toward 0). Raises ArgumentError for a step of 0, for what is no finite number, and
    for numbers that an integer type does not hold.

    >>> sl.arange(5)
    tensor([0, 1, 2, 3, 4])
    >>> sl.arange(1, 0, -0.25)
    tensor([1.  , 0.75, 0.5 , 0.25])
    """
    start, stop = (0, start) if stop is None else (start, stop)
    start, stop, step = check_finite_numbers("arange", start=start, stop=stop, step=step)
    if step == 0:
        raise ArgumentError("arange: the step is 0", repair="give a step above or below 0")
    exact = are_integers(start, stop, step)
    kind = as_dtype(dtype) if dtype is not None else as_dtype(int if exact else float)
    if is_integer(kind) and are_whole(start, stop, step):
        span = range(int(start), int(stop), int(step))
        check_ends("arange", kind, *span[:1], *span[-1:])
        return arithmetic_sequence(len(span), kind, int(start), int(step))
    count = len(range(int(start), int(stop), int(step))) if exact else max(0, math.ceil((stop - start) / step))
    check_ends("arange", kind, *(start, start + (count - 1) * step)[:2 * count])
    return arithmetic_sequence(count, float64, start, step).astype(kind)


def are_integers(*values: Any) -> bool:
    return all(isinstance(value, int) for value in values)


def are_whole(*values: float) -> bool:
    return all(value == int(value) for value in values)


def check_finite_numbers(name: str, **values: Any) -> list[Any]:
    """The ends and the distance of numbers in a row as Python's numbers; they must be finite, and known now."""
    for argument, value in values.items():
        if not isinstance(value, (int, float, np.integer, np.floating)) or not math.isfinite(value):
            raise ArgumentError(f"{name}: {argument}={value!r} is no finite number", why="the number of elements follows from it",
                                repair=f"give a Python number; {name} counts when the program is written, not when it runs")
    return [value.item() if isinstance(value, np.generic) else value for value in values.values()]


def check_ends(name: str, dtype: DType, *ends: float) -> None:
    """An integer type holds the first and the last number, and so all between."""
    for value in ends:
        if is_integer(dtype) and not exists_in(int(value), dtype):
            raise ArgumentError(f"{name}: {value} does not fit into {dtype}",
                                why=f"it holds {np.iinfo(dtype).min} to {np.iinfo(dtype).max}", repair="take a wider type: dtype=sl.int64")


def arithmetic_sequence(count: int, dtype: DType, start: float, step: float) -> Tensor:
    """start + i step, computed in this type; where a factor alone does not fit into an integer type, sums that wrap still end right."""
    index = perform("iota", (), {"size": count, "dtype": dtype})
    if count < 2:
        return index + start if count and start else index
    index = index if step == 1 else index * wrap_integer(step, dtype)
    return index if start == 0 else index + wrap_integer(start, dtype)


def wrap_integer(value: float, dtype: DType) -> float:
    """The number of an integer type that equals a whole number modulo the type's size."""
    if not is_integer(dtype):
        return value
    size, low = 1 << 8 * dtype.itemsize, int(np.iinfo(dtype).min)
    return (int(value) - low) % size + low


def linspace(start: float, stop: float, num: int, dtype: Any = None, endpoint: bool = True) -> Tensor:
    """`num` numbers at equal distances from start to stop, which is included unless endpoint=False; float32 by default.

    Computed in float64 from both ends, so that the last number is exactly stop, and rounded once to `dtype`; to integers downwards, as
    in NumPy, and exactly where start and stop are whole numbers. The ends of floats may be 0-d tensors, and have gradients then.
    Raises ArgumentError for ends that are no finite numbers or that an integer type does not hold.

    >>> sl.linspace(0, 1, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    >>> sl.linspace(0, 9, 4, dtype="int64")
    tensor([0, 3, 6, 9])
    """
    kind = default_float if dtype is None else as_dtype(dtype)
    (num,) = check_dimensions((num,), "linspace")
    parts = max(num - 1 if endpoint else num, 1)
    if not is_integer(kind) and any(isinstance(end, Tensor) and end.shape == () for end in (start, stop)):
        return linspace_floats(asarray(start, dtype=float64), asarray(stop, dtype=float64), num, parts).astype(kind)
    start, stop = check_finite_numbers("linspace", start=start, stop=stop)
    check_ends("linspace", kind, *(math.floor(start), math.floor(stop))[:2 * num])
    if is_integer(kind) and are_whole(start, stop):
        return linspace_integers(int(start), int(stop), num, parts).astype(kind)
    points = linspace_floats(start, stop, num, parts)
    return floor(points).astype(kind) if is_integer(kind) else points.astype(kind)


def linspace_floats(start: Any, stop: Any, num: int, parts: int) -> Tensor:
    """start + i (stop - start) / parts in float64, counted from the nearer end."""
    steps = perform("iota", (), {"size": num, "dtype": float64})
    step = stop / parts - start / parts
    lower = start + steps * step
    return composite.where(steps * 2 < parts, lower, stop - (parts - steps) * step) if num > 1 else lower


def linspace_integers(start: int, stop: int, num: int, parts: int) -> Tensor:
    """floor(start + i (stop - start) / parts), exactly: the whole part of the step by itself, so that no product is too large."""
    whole, rest = divmod(stop - start, parts)
    index = perform("iota", (), {"size": num, "dtype": np.dtype("uint64")})
    result = index * wrap_integer(whole, np.dtype("uint64")) + index * rest // parts
    return result + wrap_integer(start, np.dtype("uint64"))


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
    lines = [asarray(values) for values in axes]
    if any(line.ndim > 1 for line in lines):
        raise ShapeError(f"meshgrid: axes of shapes {[line.shape for line in lines]}", why="each axis is a list of numbers, 1-d")
    order = list(range(len(lines)))
    if indexing == "xy" and len(lines) > 1:
        order[:2] = [1, 0]
    shape = [0] * len(lines)
    for line, axis in zip(lines, order):
        shape[axis] = line.size
    return [line.reshape([line.size if i == axis else 1 for i in range(len(lines))]).broadcast_to(shape)
            for line, axis in zip(lines, order)]
