"""bfloat16: the upper half of a float32, with 8 bits of precision. Kept in 16 bits, computed in 32."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DTypeError
from ..graph.dtype import DType, float32, uint16, uint32
from ..graph.node import Node
from ..graph.shape import Shape
from .elementwise import Elementwise

HALF, LOWER, QUIET = 0x7FFF, 0xFFFF, 0x7FC00000


class Bits(Elementwise, abstract=True):
    """An operation on numbers of one type that gives numbers of one type."""

    accepts = ""  # no kind as a whole
    taken: DType = float32
    given: DType = float32

    @classmethod
    def operand_dtype(cls, dtype: DType) -> DType:
        if dtype != cls.taken:
            raise DTypeError(f"{cls.name}: {dtype} is no {cls.taken}", why=f"it takes numbers of type {cls.taken}",
                             repair=f"cast first: x.astype(sl.{cls.taken})")
        return dtype

    @classmethod
    def rule(cls, *args: Node, **params: Any) -> tuple[Shape, DType]:
        cls.operand_dtype(args[0].dtype)
        return args[0].shape, cls.given


class RoundBfloat16(Bits):
    "The nearest bfloat16, the even one of two; NaN for NaN. The gradient passes as if nothing were rounded"
    preserves_zero = True
    monotonic = 1
    cost = 6

    def meaning(xp, x): return rounded(x)
    def pullback(g, y, x): return (g,)
    def emit(b, x): return b.bitcast(rounded_bits(b, x, keep_low=False), float32)


class Bfloat16Bits(Bits):
    "The nearest bfloat16, the even one of two, as its 16 bits"
    given = uint16
    cost = 6

    def meaning(xp, x): return (rounded(x).view(np.uint32) >> np.uint32(16)).astype(np.uint16)

    def emit(b, x):
        bits = rounded_bits(b, x, keep_low=True)
        return b.cast(b.shr(bits, b.const(16, like=bits)), uint16)


class Bfloat16Value(Bits):
    "The float32 whose upper half these bits are"
    taken = uint16
    cost = 0
    domain = (0, 0x7F7F)

    def meaning(xp, x): return np.asarray(x.astype(np.uint32) << np.uint32(16)).view(np.float32)

    def emit(b, x):
        wide = b.cast(x, uint32)
        return b.bitcast(b.shl(wide, b.const(16, like=wide)), float32)


def rounded(x: np.ndarray) -> np.ndarray:
    """The nearest bfloat16, as float32."""
    bits = np.ascontiguousarray(x).view(np.uint32).reshape(x.shape)
    near = (bits + (np.uint32(HALF) + (bits >> np.uint32(16) & np.uint32(1)))) & np.uint32(~LOWER & 0xFFFFFFFF)
    return np.asarray(np.where(np.isnan(x), np.uint32(QUIET), near)).view(np.float32)


def rounded_bits(b: Any, x: Any, keep_low: bool) -> Any:
    """The bits of a float32, rounded in their upper half; the lower half is 0 unless it does not matter."""
    bits = b.bitcast(x, uint32)
    odd = b.bit_and(b.shr(bits, b.const(16, like=bits)), b.const(1, like=bits))
    near = b.add(bits, b.add(odd, b.const(HALF, like=bits)))
    if not keep_low:
        near = b.bit_and(near, b.const(~LOWER & 0xFFFFFFFF, like=bits))
    return b.select(b.compare("!=", x, x), b.const(QUIET, like=bits), near)
