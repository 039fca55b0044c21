"""Functions that create tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import aligned_empty
from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph.dtype import DType, as_dtype, bool_, default_float, exists_in, float64, is_complex, is_inexact, is_integer, scalar_dtype
from ..graph.shape import check_dimensions
from ..modes import mode
from ..ops import composite
from ..standard import check_device
from ..tensor import Tensor, asarray, from_array, perform, tensor
from .elementwise import floor

__all__ = [
    "arange", "asarray", "diag", "empty", "empty_like", "eye", "full", "full_like", "linspace", "meshgrid", "ones", "ones_like", "tensor",
    "tril", "triu", "zeros", "zeros_like",
]

Sizes = int | Sequence[int]


def sizes(shape: Sizes, name: str) -> tuple[int, ...]:
    return check_dimensions(tuple(shape) if hasattr(shape, "__iter__") else (shape,), name)


def fill(shape: tuple[int, ...], value: Any, dtype: DType, requires_grad: bool = False) -> Tensor:
    """A tensor filled with one value: an array, or while tracing an expanded constant."""
    if mode.trace is None:
        array = aligned_empty(shape, dtype)
        array.fill(value)
        result = from_array(array)
    else:
        result = perform("expand", (tensor(value, dtype),), {"shape": shape})
    if requires_grad:
        result.requires_grad = True
    return result


def full(shape: Sizes, value: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """A tensor filled with one value; the default dtype is that of the value (Python floats: float32).

    A fraction is truncated for an integer dtype. Raises DTypeError for other objects than numbers, ArgumentError for a value that
    the dtype cannot represent.

    >>> sl.full((2, 2), 7)
    tensor([[7, 7],
            [7, 7]])
    """
    check_device("full", device)
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
    """The integer part of a value; ArgumentError if the dtype cannot represent it."""
    if not math.isfinite(value) or not exists_in(int(value), dtype):
        raise ArgumentError(f"full: {value} does not fit into {dtype}",
                            why=f"it holds {np.iinfo(dtype).min} to {np.iinfo(dtype).max}", repair="name a type that holds it: dtype=...")
    return int(value)


def zeros(shape: Sizes, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """A tensor of zeros, by default float32.

    >>> sl.zeros((1, 3))
    tensor([[0., 0., 0.]])
    """
    check_device("zeros", device)
    return fill(sizes(shape, "zeros"), 0, default_float if dtype is None else as_dtype(dtype), requires_grad)


def ones(shape: Sizes, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """A tensor of ones, by default float32.

    >>> sl.ones(2, dtype="int32")
    tensor([1, 1], dtype=int32)
    """
    check_device("ones", device)
    return fill(sizes(shape, "ones"), 1, default_float if dtype is None else as_dtype(dtype), requires_grad)


def empty(shape: Sizes, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor to be assigned later. Its elements are 0, so that results are reproducible.

    >>> sl.empty((2, 3)).shape
    (2, 3)
    """
    return zeros(shape, dtype, device=device)


def empty_like(x: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor to be assigned later, with the shape and (by default) the dtype of x. Its elements are 0.

    >>> sl.empty_like([1, 2]).shape
    (2,)
    """
    return zeros_like(x, dtype, device)


def full_like(x: Any, value: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor filled with one value, with the shape and (by default) the dtype of x. ArgumentError if the dtype cannot represent it.

    >>> sl.full_like([1., 2.], 3)
    tensor([3., 3.])
    """
    x = asarray(x)
    fixed = dtype is None and not is_inexact(x.dtype) and isinstance(value, (int, float, np.integer, np.floating))
    if fixed and not exists_in(value, x.dtype):
        raise ArgumentError(f"full_like: the value {value} does not exist in {x.dtype}", repair="name a type that holds it: dtype=...")
    return full(x.shape, value, x.dtype if dtype is None else dtype, device=device)


def zeros_like(x: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros with the shape and (by default) the dtype of x.

    >>> sl.zeros_like([1, 2])
    tensor([0, 0])
    """
    return full_like(x, 0, dtype, device)


def ones_like(x: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones with the shape and (by default) the dtype of x.

    >>> sl.ones_like([1, 2])
    tensor([1, 1])
    """
    return full_like(x, 1, dtype, device)


def arange(start: float, stop: float | None = None, step: float = 1, dtype: Any = None, device: Any = None) -> Tensor:
    """start, start + step, ... up to but excluding stop (one argument: from 0). int64 for integers, otherwise float32.

    Element i is start + i step: exact if all three are integers (1.0 is one) and the dtype is an integer one; otherwise computed in
    float64 and rounded once to `dtype` (to integers: toward 0). Raises ArgumentError for a step of 0, for arguments that are not
    finite numbers, and for values that an integer dtype cannot represent.

    >>> sl.arange(5)
    tensor([0, 1, 2, 3, 4])
    >>> sl.arange(1, 0, -0.25)
    tensor([1.  , 0.75, 0.5 , 0.25])
    """
    check_device("arange", device)
    start, stop = (0, start) if stop is None else (start, stop)
    start, stop, step = check_finite_numbers("arange", start=start, stop=stop, step=step)
    if step == 0:
        raise ArgumentError("arange: the step is 0", repair="pass a positive or negative step")
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
    """The arguments of a sequence as Python numbers; ArgumentError unless they are finite and known while tracing."""
    for argument, value in values.items():
        if not isinstance(value, (int, float, np.integer, np.floating)) or not math.isfinite(value):
            raise ArgumentError(f"{name}: {argument}={value!r} is not a finite number", why="the number of elements depends on it",
                                repair=f"pass a Python number: the shape of {name} must be known when a function is traced")
    return [value.item() if isinstance(value, np.generic) else value for value in values.values()]


def check_ends(name: str, dtype: DType, *ends: float) -> None:
    """ArgumentError unless an integer dtype represents the first and the last value, and so all between."""
    for value in ends:
        if is_integer(dtype) and not exists_in(int(value), dtype):
            raise ArgumentError(f"{name}: {value} does not fit into {dtype}",
                                why=f"it holds {np.iinfo(dtype).min} to {np.iinfo(dtype).max}", repair="take a wider type: dtype=sl.int64")


def arithmetic_sequence(count: int, dtype: DType, start: float, step: float) -> Tensor:
    """start + i step, computed in this dtype; integer overflow of intermediate results wraps around and cancels."""
    index = perform("iota", (), {"size": count, "dtype": dtype})
    if count < 2:
        return index + start if count and start else index
    index = index if step == 1 else index * wrap_integer(step, dtype)
    return index if start == 0 else index + wrap_integer(start, dtype)


def wrap_integer(value: float, dtype: DType) -> float:
    """The value modulo the size of an integer dtype."""
    if not is_integer(dtype):
        return value
    size, low = 1 << 8 * dtype.itemsize, int(np.iinfo(dtype).min)
    return (int(value) - low) % size + low


def linspace(start: float, stop: float, num: int, dtype: Any = None, endpoint: bool = True, device: Any = None) -> Tensor:
    """`num` evenly spaced values from start to stop, which is included unless endpoint=False; float32 by default.

    Computed in float64 from both ends, so that the last value is exactly stop, and rounded once to `dtype` (to integers: down, as in
    NumPy, and exactly if start and stop are integers). For floats, the ends may be 0-d tensors, which have gradients.
    Raises ArgumentError for ends that are not finite numbers or that an integer dtype cannot represent.

    >>> sl.linspace(0, 1, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    >>> sl.linspace(0, 9, 4, dtype="int64")
    tensor([0, 3, 6, 9])
    """
    check_device("linspace", device)
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
    """floor(start + i (stop - start) / parts), exactly; the step is split into integer part and remainder to avoid overflow."""
    whole, rest = divmod(stop - start, parts)
    index = perform("iota", (), {"size": num, "dtype": np.dtype("uint64")})
    result = index * wrap_integer(whole, np.dtype("uint64")) + index * rest // parts
    return result + wrap_integer(start, np.dtype("uint64"))


def eye(rows: int, columns: int | None = None, k: int = 0, dtype: Any = None, device: Any = None) -> Tensor:
    """The identity matrix, or a matrix with ones on the k-th diagonal (k > 0 above the main one).

    >>> sl.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_device("eye", device)
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


def diag(x: Any, k: int = 0) -> Tensor:
    """The matrix with x (n,) on its k-th diagonal and zeros elsewhere; of a matrix (..., m, n) its k-th diagonal.

    >>> sl.diag([1., 2.], k=1)
    tensor([[0., 1., 0.],
            [0., 0., 2.],
            [0., 0., 0.]])
    >>> sl.diag([[1, 2], [3, 4]])
    tensor([1, 4])
    """
    x = asarray(x)
    if x.ndim == 1:
        n, above = x.shape[0] + abs(k), max(0, k)
        row = composite.concat([zeros(above, dtype=x.dtype), x, zeros(n - above - x.shape[0], dtype=x.dtype)])
        return composite.where(eye(n, k=k, dtype=bool_), row, 0)
    if x.ndim == 0:
        raise ShapeError("diag: a 0-d tensor has no diagonal", why="it takes (n,) or (..., m, n)")
    return composite.diagonal(diagonal_block(x, k))


def diagonal_block(x: Tensor, k: int) -> Tensor:
    """The largest square part of matrices whose diagonal is their k-th one."""
    m, n = x.shape[-2:]
    row, column = max(0, -k), max(0, k)
    length = max(0, min(m - row, n - column))
    return x[..., min(row, m):min(row, m) + length, min(column, n):min(column, n) + length]


def meshgrid(*axes: Any, indexing: str = "xy") -> list[Tensor]:
    """The coordinates of a grid: one tensor per axis, all of the grid's shape; "xy" swaps the first two axes, "ij" does not.

    >>> x, y = sl.meshgrid(sl.arange(3), sl.arange(2))
    >>> x
    tensor([[0, 1, 2],
            [0, 1, 2]])
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f"meshgrid: indexing={indexing!r} is not known", repair='choose "xy" or "ij"')
    lines = [asarray(values) for values in axes]
    if any(line.ndim > 1 for line in lines):
        raise ShapeError(f"meshgrid: axes of shapes {[line.shape for line in lines]}", why="each axis must be 1-d")
    order = list(range(len(lines)))
    if indexing == "xy" and len(lines) > 1:
        order[:2] = [1, 0]
    shape = [0] * len(lines)
    for line, axis in zip(lines, order):
        shape[axis] = line.size
    return [line.reshape([line.size if i == axis else 1 for i in range(len(lines))]).broadcast_to(shape)
            for line, axis in zip(lines, order)]
