"""Questions about data types and shapes: what a type holds, how types promote, how shapes broadcast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError, DTypeError
from ..graph import shape as shapes
from ..graph.dtype import DType, as_dtype, is_inexact, is_integer, promote, scalar_dtype
from ..tensor import Tensor

__all__ = ["broadcast_shapes", "can_cast", "finfo", "iinfo", "isdtype", "result_type"]

KINDS = {"bool": "b", "signed integer": "i", "unsigned integer": "u", "integral": "iu", "real floating": "f", "complex floating": "c",
         "numeric": "iufc"}


@dataclass(frozen=True)
class FloatInfo:
    """The limits of a float type: bits, eps (1 + eps is the next number after 1), max, min, smallest_normal, dtype; Python numbers."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@dataclass(frozen=True)
class IntegerInfo:
    """The limits of an integer type: bits, max, min, dtype; Python numbers."""

    bits: int
    max: int
    min: int
    dtype: DType


def dtype_of(x: Any) -> DType:
    """The type of a tensor, or the type itself."""
    return x.dtype if isinstance(x, Tensor) else as_dtype(x)


def finfo(type: Any) -> FloatInfo:
    """The limits of a float type, or of the type of a tensor; of a complex type those of its parts. DTypeError for others.

    >>> sl.finfo("float32").eps
    1.1920928955078125e-07
    """
    dtype = dtype_of(type)
    if not is_inexact(dtype):
        raise DTypeError(f"finfo: {dtype} is no float type", repair="iinfo has the limits of integers")
    info = np.finfo(dtype)
    return FloatInfo(int(info.bits), float(info.eps), float(info.max), float(info.min), float(info.smallest_normal), np.dtype(info.dtype))


def iinfo(type: Any) -> IntegerInfo:
    """The limits of an integer type, or of the type of a tensor. DTypeError for others.

    >>> sl.iinfo("int8").max
    127
    """
    dtype = dtype_of(type)
    if not is_integer(dtype):
        raise DTypeError(f"iinfo: {dtype} is no integer type", repair="finfo has the limits of floats")
    info = np.iinfo(dtype)
    return IntegerInfo(int(info.bits), int(info.max), int(info.min), dtype)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a type is of a kind: a type itself, one of "bool", "signed integer", "unsigned integer", "integral", "real floating",
    "complex floating" and "numeric", or one of a tuple of these. Raises ArgumentError for another kind.

    >>> sl.isdtype(sl.float32, ("integral", "real floating"))
    True
    """
    dtype = as_dtype(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(dtype, part) for part in kind)
    if isinstance(kind, str):
        if kind not in KINDS:
            raise ArgumentError(f"isdtype: no kind is called {kind!r}", repair=f"there are {', '.join(KINDS)}")
        return dtype.kind in KINDS[kind]
    return dtype == as_dtype(kind)


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The type in which tensors, types and Python numbers meet; numbers take a type of their kind from the others.

    Raises ArgumentError without any tensor or type, DTypeError for types that do not meet.

    >>> sl.result_type(sl.int32, sl.float32), sl.result_type(sl.ones(2, "float64"), 1)
    (dtype('float32'), dtype('float64'))
    """
    numbers = [part for part in arrays_and_dtypes if isinstance(part, (bool, int, float, complex)) and not isinstance(part, np.generic)]
    types = [dtype_of(part) for part in arrays_and_dtypes if not any(part is scalar for scalar in numbers)]
    if not types:
        raise ArgumentError("result_type: there is no tensor and no type", why="a number takes its type from those",
                            repair="pass at least one tensor or dtype")
    common = promote(*types)
    return promote(common, *(scalar_dtype(scalar, common) for scalar in numbers))


def can_cast(x: Any, to: Any) -> bool:
    """Whether the type of a tensor, or a type, promotes to another one: no value of it is lost, but for the rounding of integers.

    >>> sl.can_cast("int32", "int64"), sl.can_cast("float64", "float32")
    (True, False)
    """
    source, target = dtype_of(x), as_dtype(to)
    try:
        return promote(source, target) == target
    except DTypeError:
        return False


def broadcast_shapes(*shapes_to_join: Any) -> tuple[int, ...]:
    """The shape to which tensors of these shapes broadcast. Raises ShapeError where they do not.

    >>> sl.broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    return shapes.broadcast_shapes("broadcast_shapes", [tuple(shape) for shape in shapes_to_join])
