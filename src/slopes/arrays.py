"""Arrays for tensors: of anything that can be one, in a data type of slopes, and aligned memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .errors import ArgumentError, DTypeError, ShapeError, TooLargeError
from .graph.dtype import DType, as_dtype, cast_hint, complex64, default_float, masked_error
from .graph.shape import Shape
from .machine.buffer import available_memory

SMALL = 64  # bytes: what is smaller gains nothing from being aligned
SHELVED = 256  # bytes: larger results are made one by one, as one that is kept would keep a large block
STOCK, SPACING = 64, 16  # how many arrays a block holds, and by what their distance in bytes is divisible
DEEPEST = 64  # axes that an array may have: lists nested deeper are none
LARGE = 1 << 28  # bytes: for smaller arrays the system is not asked how much memory is free


def to_array(data: Any, dtype: DType | None, copy: bool | None) -> np.ndarray:
    """The NumPy array of anything that can be one, of a data type of slopes."""
    if hasattr(data, "_shared"):  # a tensor
        data = data._shared()
    elif hasattr(data, "__dlpack__") and not isinstance(data, (np.ndarray, np.generic)):
        data = np.from_dlpack(data)
    if isinstance(data, (np.ndarray, np.generic)):
        wanted = as_dtype(data.dtype.newbyteorder("=")) if dtype is None else dtype
        check_convertible(data, wanted)
    else:
        data = from_python(data)
        wanted = dtype or python_dtype(data)
        check_convertible(data, wanted)
        check_range(data, wanted)
        copy = None if copy is False else copy
    if data.dtype.kind == "c" and wanted.kind != "c":
        raise DTypeError(f"complex numbers do not become {wanted}", why="their imaginary parts would be lost",
                         repair="take real parts, or absolute values, first")
    try:
        return np.array(data, dtype=wanted, copy=copy)
    except MemoryError as error:
        raise too_large(data.shape, wanted, data.size * wanted.itemsize, available_memory()) from error
    except ValueError as error:
        raise ArgumentError(f"an array of type {data.dtype} cannot become a tensor of type {wanted} without a copy",
                            repair="leave copy=None to copy where needed") from error


def check_convertible(data: Any, wanted: DType) -> None:
    """Numbers become numbers; what has a mask, an imaginary part or is no number is not silently made one."""
    if isinstance(data, np.ma.MaskedArray):
        raise masked_error(f"a masked array of shape {data.shape}")
    if data.dtype.kind not in "biufc":
        raise DTypeError(f"an array of type {data.dtype} does not become {wanted}", why="its elements are no numbers",
                         repair=cast_hint(data.dtype))
    if data.dtype.kind == "c" and wanted.kind != "c":
        raise DTypeError(f"an array of type {data.dtype} does not become {wanted}", why="the imaginary part would be lost silently",
                         repair="take x.real, x.imag or abs(x)")


def check_range(data: np.ndarray, wanted: DType) -> None:
    """Python's whole numbers must fit into the type that is asked for: they do not wrap around."""
    if wanted.kind not in "iu" or data.dtype.kind not in "iu" or not data.size:
        return
    low, high, limits = int(data.min()), int(data.max()), np.iinfo(wanted)
    if low < limits.min or high > limits.max:
        raise ArgumentError(f"{low if low < limits.min else high} does not fit into {wanted}",
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
    """Python's floats become the default float; ints and bools are already what they should be."""
    return {"f": default_float, "c": complex64}.get(array.dtype.kind) or as_dtype(array.dtype)


def holds(data: list | tuple, kind: type, depth: int = 1) -> bool:
    """Whether nested lists and tuples hold an object of this kind, as deep as an array may have axes."""
    types = set(map(type, data))  # numbers, in their thousands, have few types
    if any(issubclass(each, kind) for each in types):
        return True
    if depth >= DEEPEST or not any(issubclass(each, (list, tuple)) for each in types):
        return False
    return any(isinstance(each, (list, tuple)) and holds(each, kind, depth + 1) for each in data)


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
    """Uninitialised arrays of one shape and type, each with its address. Small ones are cut from blocks, many at a time."""

    def __init__(self, shape: Shape, dtype: Any) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.nbytes = math.prod(shape) * self.dtype.itemsize
        self.ready: list[tuple[np.ndarray, int]] = []

    def fresh(self) -> tuple[np.ndarray, int]:
        """An array that nobody else has, when none is ready: take it from `ready` otherwise."""
        if self.nbytes > SHELVED:
            array = aligned_empty(self.shape, self.dtype)
            return array, address_of(array)
        apart = -(-max(self.nbytes, 1) // SPACING) * SPACING
        block = aligned_empty((STOCK, apart // self.dtype.itemsize), self.dtype)
        rows = block[:, :math.prod(self.shape)].reshape(STOCK, *self.shape)
        first = address_of(block)
        self.ready += [(rows[number, ...], first + apart * number) for number in range(STOCK)]
        return self.ready.pop()


def check_memory(count: int, shape: Shape, dtype: DType, made_by: str = "") -> None:
    """Refuse `count` bytes that this machine or container has not got: systems that promise more than they have kill the process."""
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
