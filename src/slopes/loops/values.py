"""LLVM values and how they are spelt: types, constants, and the reference under which a value is used."""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np

BOOL, INT32, INT64, FLOAT32, FLOAT64 = (np.dtype(name) for name in ("bool", "int32", "int64", "float32", "float64"))
SCALAR = {"float32": "float", "float64": "double", "bool": "i1",
          **{f"{sign}int{bits}": f"i{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}}


class Value:
    """One LLVM value: its text, the type of an element, and how many elements it holds (1: a scalar)."""

    __slots__ = ("dtype", "lanes", "literal", "ref")

    def __init__(self, ref: str, dtype: np.dtype, lanes: int = 1, literal: object = None) -> None:
        self.ref, self.dtype, self.lanes, self.literal = ref, dtype, lanes, literal


@lru_cache(maxsize=1024)
def type_text(dtype: np.dtype, lanes: int = 1) -> str:
    """The type of a scalar or vector as LLVM spells it."""
    scalar = SCALAR[dtype.name]
    return scalar if lanes == 1 else f"<{lanes} x {scalar}>"


@lru_cache(maxsize=64)
def suffix_text(dtype: np.dtype) -> str:
    """The type as the names of LLVM's intrinsics spell it: f32, i64 ..."""
    return SCALAR[dtype.name].replace("float", "f32").replace("double", "f64")


def memory_dtype(dtype: np.dtype) -> np.dtype:
    """The type in which a value is stored: a truth value takes one byte."""
    return np.dtype("uint8") if dtype == BOOL else dtype


def literal_text(value: object, dtype: np.dtype) -> str:
    """A constant of this type as LLVM spells it."""
    if dtype == BOOL:
        return "true" if value else "false"
    if dtype.kind == "f":
        return float_text(struct.pack(">d", value), dtype)
    return str(int(value))  # type: ignore[call-overload]


@lru_cache(maxsize=4096)
def float_text(double: bytes, dtype: np.dtype) -> str:
    """A number, given by the bytes of a double (which tell -0 from 0), rounded to a type and written as LLVM wants it."""
    with np.errstate(over="ignore"):
        exact = float(dtype.type(struct.unpack(">d", double)[0]))
    return f"0x{struct.unpack('>Q', struct.pack('>d', exact))[0]:016X}"
