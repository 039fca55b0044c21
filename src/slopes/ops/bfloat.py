"""bfloat16: the upper half of a float32, with 8 bits of precision. Kept in 16 bits, computed in 32."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DTypeError
from ..graph.dtype import DType, float32, uint16, uint32
from ..graph.node import Node
from ..graph.shape import Shape
from .elementwise import Elementwise

HALF, QUIET = 0x7FFF, 0x7FC0  # half a unit of the last place, less one; the upper half of a NaN


class Bits(Elementwise, abstract=True):
    """An operation on numbers of one type that gives numbers of one type."""

    accepts = ""  # no kind as a whole
    beyond_standard = "it has no way to see the bits of a float"
    taken: DType = float32
    result_dtype: DType = float32

    @classmethod
    def operand_dtype(cls, dtype: DType) -> DType:
        if dtype != cls.taken:
            raise DTypeError(f"{cls.name}: {dtype} is no {cls.taken}", why=f"it takes numbers of type {cls.taken}",
                             repair=f"cast first: x.astype(sl.{cls.taken})")
        return dtype

    @classmethod
    def rule(cls, *args: Node, **params: Any) -> tuple[Shape, DType]:
        cls.operand_dtype(args[0].dtype)
        return args[0].shape, cls.result_dtype


class Bfloat16Bits(Bits):
    "The nearest bfloat16, the even one of two, as its 16 bits; NaN for NaN"
    result_dtype = uint16
    cost = 6
    buffered = True

    def meaning(xp, x):
        bits = np.ascontiguousarray(x).view(np.uint32).reshape(x.shape)
        odd = bits >> np.uint32(16) & np.uint32(1)
        return np.where(np.isnan(x), np.uint32(QUIET), (bits + (np.uint32(HALF) + odd)) >> np.uint32(16)).astype(np.uint16)

    def xla(x, array):
        rounded = x.lax.bitcast_convert_type(array.astype(x.np.bfloat16), x.np.uint16)
        return x.np.where(x.np.isnan(array), x.np.uint16(QUIET), rounded)

    def emit(b, x):
        bits = b.bitcast(x, uint32)
        sixteen = b.const(16, like=bits)
        odd = b.bit_and(b.shr(bits, sixteen), b.const(1, like=bits))
        near = b.shr(b.add(bits, b.add(odd, b.const(HALF, like=bits))), sixteen)
        return b.cast(b.select(b.compare("!=", x, x), b.const(QUIET, like=bits), near), uint16)


class Bfloat16Value(Bits):
    "The float32 whose upper half these bits are"
    taken = uint16
    cost = 0
    domain = (0, 0x7F7F)

    def meaning(xp, x): return np.asarray(x.astype(np.uint32) << np.uint32(16)).view(np.float32)
    def xla(x, array): return x.lax.bitcast_convert_type(array, x.np.bfloat16).astype(x.np.float32)

    def emit(b, x):
        wide = b.cast(x, uint32)
        return b.bitcast(b.shl(wide, b.const(16, like=wide)), float32)


class RoundBfloat16(Bits):
    "The nearest bfloat16 as float32. The gradient passes as if nothing were rounded"
    cost = 6

    def meaning(xp, x): return Bfloat16Value.compute(Bfloat16Bits.compute(x))
    def xla(x, array): return x.lax.reduce_precision(array, exponent_bits=8, mantissa_bits=7)
    def pullback(g, y, x): return (g,)
    def emit(b, x): return Bfloat16Value.emit(b, Bfloat16Bits.emit(b, x))
