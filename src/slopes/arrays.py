"""Convert data to arrays for tensors; allocate aligned memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .errors import ArgumentError, DTypeError, ShapeError, TooLargeError
from .graph.dtype import DType, as_dtype, cast_hint, complex64, default_float, masked_error
from .graph.shape import Shape
from .machine.buffer import available_memory

SMALL = 64  # bytes: smaller arrays do not benefit from alignment
LARGEST_POOLED = 256  # bytes: larger results are made one by one, as one that is kept would keep a large block
SLAB, ALIGNMENT = 64, 16  # arrays per slab, and the alignment of each in bytes
MAX_AXES = 64  # axes that an array may have: lists nested deeper are none
LARGE = 1 << 28  # bytes: the free memory is checked before larger allocations only


def to_array(data: Any, dtype: DType | None, copy: bool | None) -> np.ndarray:
    """Convert data to a NumPy array of a supported dtype."""
    if hasattr(data, "_shared"):  # a tensor
        data = data._shared()
    elif hasattr(data, "__dlpack__") and not isinstance(data, (np.ndarray, np.generic)):
        data = np.from_dlpack(data)
    if isinstance(data, (np.ndarray, np.generic)):
        target = as_dtype(data.dtype.newbyteorder("=")) if dtype is None else dtype
        check_convertible(data, target)
    else:
        data = from_python(data)
        target = dtype or python_dtype(data)
        check_convertible(data, target)
        check_range(data, target)
        copy = None if copy is False else copy
    if data.dtype.kind == "c" and target.kind != "c":
        raise DTypeError(f"complex numbers do not become {target}", why="their imaginary parts would be lost",
                         repair="take real parts, or absolute values, first")
    try:
        return np.array(data, dtype=target, copy=copy)
    except MemoryError as error:
        raise too_large(data.shape, target, data.size * target.itemsize, available_memory()) from error
    except ValueError as error:
        raise ArgumentError(f"an array of type {data.dtype} cannot become a tensor of type {target} without a copy",
                            repair="leave copy=None to copy where needed") from error


def check_convertible(data: Any, target: DType) -> None:
    """Numbers become numbers; what has a mask, an imaginary part or is no number is not silently made one."""
    if isinstance(data, np.ma.MaskedArray):
        raise masked_error(f"a masked array of shape {data.shape}")
    if data.dtype.kind not in "biufc":
        raise DTypeError(f"an array of type {data.dtype} does not become {target}", why="its elements are no numbers",
                         repair=cast_hint(data.dtype))
    if data.dtype.kind == "c" and target.kind != "c":
        raise DTypeError(f"an array of type {data.dtype} does not become {target}", why="the imaginary part would be lost silently",
                         repair="take x.real, x.imag or abs(x)")


def check_range(data: np.ndarray, target: DType) -> None:
    """Python's whole numbers must fit into the type that is asked for: they do not wrap around."""
    if target.kind not in "iu" or data.dtype.kind not in "iu" or not data.size:
        return
    low, high, limits = int(data.min()), int(data.max()), np.iinfo(target)
    if low < limits.min or high > limits.max:
        raise ArgumentError(f"{low if low < limits.min else high} does not fit into {target}",
                            why=f"it holds {limits.min} to {limits.max}", repair="take a wider type, such as int64")


def from_python(data: Any) -> np.ndarray:
    """The array of nested Python data, as NumPy sees it."""
    if isinstance(data, (list, tuple)) and holds(data, np.ma.MaskedArray):
        raise masked_error("a list of masked arrays")
    try:
        array = np.array(data)
    except ValueError as error:
        raise ShapeError("the lists do not have one shape: " + str(error).split(". ")[-1],
                         why="all rows of a tensor have the same length", repair="pad the shorter ones") from error
    if array.dtype.kind not in "biufc":
        raise DTypeError(f"{shorten(data)} of type {type(data).__name__} is no number and no array of numbers",
                         repair="turn words and categories into numbers first")
    return array


def python_dtype(array: np.ndarray) -> DType:
    """The dtype for Python data: floats become the default float, ints and bools keep theirs."""
    return {"f": default_float, "c": complex64}.get(array.dtype.kind) or as_dtype(array.dtype)


def holds(data: list | tuple, kind: type, depth: int = 1) -> bool:
    """Whether nested lists and tuples contain an object of this kind, up to the maximal number of axes."""
    types = set(map(type, data))  # a long list of numbers has few types
    if any(issubclass(item, kind) for item in types):
        return True
    if depth >= MAX_AXES or not any(issubclass(item, (list, tuple)) for item in types):
        return False
    return any(isinstance(item, (list, tuple)) and holds(item, kind, depth + 1) for item in data)


def shorten(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 40 else text[:37] + "..."


def aligned_empty(shape: Shape, dtype: Any) -> np.ndarray:
    """An uninitialised C-contiguous array that starts on a 64-byte boundary (a cache line, and the widest vector), if it holds one."""
    dtype = np.dtype(dtype)
    count = math.prod(shape) * dtype.itemsize
    if count < SMALL:
        return np.empty(shape, dtype)
    check_memory(count, tuple(shape), dtype)
    try:
        raw = np.empty(count + 64, np.uint8)
    except (MemoryError, ValueError, OverflowError) as error:  # the last two for more than any address
        raise too_large(tuple(shape), dtype, count, available_memory()) from error
    start = -address_of(raw) % 64
    return raw[start:start + count].view(dtype).reshape(shape)


class Shelf:
    """A pool of uninitialised output arrays of one shape and dtype, with addresses. Small arrays are allocated in slabs."""

    def __init__(self, shape: Shape, dtype: Any) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.nbytes = math.prod(shape) * self.dtype.itemsize
        self.ready: list[tuple[np.ndarray, int]] = []

    def fresh(self) -> tuple[np.ndarray, int]:
        """A new array, if none is `ready`."""
        if self.nbytes > LARGEST_POOLED:
            array = aligned_empty(self.shape, self.dtype)
            return array, address_of(array)
        stride = -(-max(self.nbytes, 1) // ALIGNMENT) * ALIGNMENT
        block = aligned_empty((SLAB, stride // self.dtype.itemsize), self.dtype)
        rows = block[:, :math.prod(self.shape)].reshape(SLAB, *self.shape)
        first = address_of(block)
        self.ready += [(rows[i, ...], first + stride * i) for i in range(SLAB)]
        return self.ready.pop()


def check_memory(count: int, shape: Shape, dtype: DType, made_by: str = "") -> None:
    """TooLargeError for more bytes than are free: systems that overcommit memory would kill the process."""
    if count < LARGE:
        return
    free = available_memory()
    if free is not None and count > free:
        raise too_large(shape, dtype, count, free, made_by)


def too_large(shape: Shape, dtype: DType, count: int, free: int | None, made_by: str = "") -> TooLargeError:
    have = ", which the system refuses" if free is None or count <= free else f", but {free / 2**30:,.1f} GiB are free"
    who = f"{made_by}: " if made_by else ""
    return TooLargeError(f"{who}an array of shape {shape} and type {dtype} needs {count / 2**30:,.1f} GiB{have}",
                         repair="look for a size that is too large, or work in smaller batches")


def address_of(array: np.ndarray) -> int:
    """The address of an array's first element."""
    return array.__array_interface__["data"][0]


def memory_of(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
