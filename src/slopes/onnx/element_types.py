"""The element types of ONNX tensors, and the data types that hold them here."""

from __future__ import annotations

import numpy as np

from ..graph.dtype import DType, bool_, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64

FLOAT, UINT8, INT8, UINT16, INT16, INT32, INT64, STRING, BOOL, FLOAT16, DOUBLE, UINT32, UINT64 = range(1, 14)
BFLOAT16 = 16
NAMES = {FLOAT: "float", UINT8: "uint8", INT8: "int8", UINT16: "uint16", INT16: "int16", INT32: "int32", INT64: "int64",
         STRING: "string", BOOL: "bool", FLOAT16: "float16", DOUBLE: "double", UINT32: "uint32", UINT64: "uint64", 14: "complex64",
         15: "complex128", BFLOAT16: "bfloat16", 17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz",
         21: "uint4", 22: "int4", 23: "float4e2m1", 24: "float8e8m0", 25: "uint2", 26: "int2"}
DTYPES = {FLOAT: float32, UINT8: uint8, INT8: int8, UINT16: uint16, INT16: int16, INT32: int32, INT64: int64, BOOL: bool_,
          DOUBLE: float64, UINT32: uint32, UINT64: uint64,
          FLOAT16: float32, BFLOAT16: float32}  # half precision is computed in single precision
CODES = {dtype: code for code, dtype in DTYPES.items() if code not in (FLOAT16, BFLOAT16)}
STORED = {FLOAT16: np.dtype("<f2"), BFLOAT16: np.dtype("<u2")}  # in raw bytes, where that is not the data type itself


def name_of(code: int) -> str:
    """The name of an element type.

    >>> name_of(1), name_of(99)
    ('float', 'type 99')
    """
    return NAMES.get(code, f"type {code}")


def stored_dtype(code: int) -> DType:
    """The type of the elements in raw bytes: little-endian."""
    return STORED.get(code, DTYPES[code].newbyteorder("<"))


def widen(array: np.ndarray, code: int) -> np.ndarray:
    """Stored elements in the data type that holds them here; bfloat16 is the upper half of a float32."""
    if code == BFLOAT16:
        return (array.astype(np.uint32) << 16).view(float32)
    return array.astype(DTYPES[code])
