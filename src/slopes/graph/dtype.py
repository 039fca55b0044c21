"""The data types of tensors, and how they promote (Python array API, extended: an integer array meets a float array as a float)."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from ..errors import DTypeError

DType = np.dtype

float32, float64 = np.dtype("float32"), np.dtype("float64")
int8, int16, int32, int64 = (np.dtype(f"int{bits}") for bits in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64))
bool_ = np.dtype("bool")
complex64, complex128 = np.dtype("complex64"), np.dtype("complex128")

default_float, default_int = float32, int64
NATIVE = (float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool_)
ALL = (*NATIVE, complex64, complex128)


def as_dtype(dtype: object) -> DType:
    """The slopes data type named by a string, NumPy type or Python type; Python's float and int mean the defaults."""
    if dtype is float:
        return default_float
    if dtype is int:
        return default_int
    try:
        known = np.dtype(dtype).newbyteorder("=")  # type: ignore[call-overload]
    except (TypeError, ValueError, DeprecationWarning):
        known = None
    if known is None or known not in ALL:  # NumPy takes None for float64
        types = "the types are " + ", ".join(t.name for t in ALL)
        if isinstance(dtype, np.dtype):  # that of an array
            raise DTypeError(f"{dtype!r} is not a data type of slopes", why=types, repair=cast_hint(dtype))
        raise DTypeError(f"{dtype!r} is not a data type of slopes", repair=types)
    return known


def cast_hint(dtype: DType) -> str:
    """How an array of a type that slopes lacks becomes a tensor."""
    native = dtype.newbyteorder("=")
    near = {"f": float32 if dtype.itemsize < 4 else float64, "c": complex128}.get(dtype.kind)
    cast = native if native in ALL else near
    return "turn words, dates and objects into numbers first" if cast is None else f"cast the array first: x.astype(np.{cast.name})"


def plain(array: np.ndarray) -> np.ndarray:
    """The array in this machine's byte order. Raises DTypeError for a masked array: a tensor has no place for the mask."""
    if isinstance(array, np.ma.MaskedArray):
        raise masked_error(f"a masked array of shape {array.shape}")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def masked_error(what: str) -> DTypeError:
    return DTypeError(f"{what} cannot become a tensor", why="a tensor has no mask: the numbers that it hides would be computed with",
                      repair="fill it first: x.filled(0); np.ma.getmaskarray(x) is the mask, for sl.where")


def in_namespace(xp: Any, dtype: DType) -> Any:
    """The data type of this name in an array namespace."""
    return getattr(xp, dtype.name)


def is_float(dtype: DType) -> bool:
    return dtype.kind == "f"


def is_integer(dtype: DType) -> bool:
    return dtype.kind in "iu"


def is_complex(dtype: DType) -> bool:
    return dtype.kind == "c"


def is_inexact(dtype: DType) -> bool:
    return dtype.kind in "fc"


@cache
def promote(*dtypes: DType) -> DType:
    """The type in which arrays of these types meet."""
    result = dtypes[0]
    for dtype in dtypes[1:]:
        result = _promote_two(result, dtype)
    return result


def _promote_two(a: DType, b: DType) -> DType:
    if a == b:
        return as_dtype(a)
    for low, high in ((a, b), (b, a)):
        if low == bool_:
            return high
        if is_integer(low) and is_inexact(high):
            return high
    if {a, b} & {uint64} and {a.kind, b.kind} == {"i", "u"}:
        raise DTypeError(f"{a} and {b} have no common type", why="no integer type holds all values of both",
                         repair="cast one of them: x.astype(slopes.int64)")
    return np.promote_types(as_dtype(a), as_dtype(b))


def scalar_dtype(value: object, beside: DType | None) -> DType:
    """The type that a Python scalar takes beside an array of type `beside` (array API: the array decides within its kind)."""
    if isinstance(value, (bool, np.bool_)):
        return beside if beside is not None else bool_
    if isinstance(value, (int, np.integer)):
        return beside if beside is not None and beside != bool_ else default_int
    if isinstance(value, (float, np.floating)):
        return beside if beside is not None and is_inexact(beside) else default_float
    if isinstance(value, (complex, np.complexfloating)):
        return complex128 if beside in (float64, complex128) else complex64
    raise DTypeError(f"{value!r} of type {type(value).__name__} is no number and no tensor")


def exists_in(value: Any, dtype: DType) -> bool:
    """Whether an integer type holds just this number; every whole number is true or false."""
    if not math.isfinite(value) or value != int(value):
        return False
    return dtype == bool_ or bool(np.iinfo(dtype).min <= value <= np.iinfo(dtype).max)


def accumulator(dtype: DType) -> DType:
    """The type of a sum or product (array API: at least the default integer for integers)."""
    if dtype == bool_ or dtype.kind == "i":
        return int64
    return uint64 if dtype.kind == "u" else dtype
