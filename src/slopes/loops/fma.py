"""x y + z rounded once, on processors with the instruction and without it."""

from __future__ import annotations

from .builder import Builder
from .values import FLOAT32, FLOAT64, Value


def fma(b: Builder, x: Value, y: Value, z: Value) -> Value:
    """x y + z, rounded once; in float64 without the instruction, at most about one ulp off."""
    x, y, z = b.match(x, y, z)
    if b.fused:
        return b.intrinsic("fma", x.dtype, [x, y, z])
    if x.dtype == FLOAT32:  # the product of two floats is exact in float64
        x, y, z = (b.cast(operand, FLOAT64) for operand in (x, y, z))
        return b.cast(b.add(b.mul(x, y), z), FLOAT32)
    return _fma_of_halves(b, x, y, z)


def _fma_of_halves(b: Builder, x: Value, y: Value, z: Value) -> Value:
    """x y + z in float64 with the rounding errors of both steps added (Dekker 1971, Knuth)."""
    product = b.binary("fmul", x, y)  # without `contract`: LLVM must fuse none of these operations with another
    (high_x, low_x), (high_y, low_y) = _halves(b, x), _halves(b, y)
    rest = b.binary("fsub", b.binary("fmul", high_x, high_y), product)
    for one, other in ((high_x, low_y), (low_x, high_y), (low_x, low_y)):
        rest = b.binary("fadd", rest, b.binary("fmul", one, other))
    total = b.binary("fadd", product, z)
    back = b.binary("fsub", total, product)
    error = b.binary("fadd", b.binary("fsub", product, b.binary("fsub", total, back)), b.binary("fsub", z, back))
    exact = b.binary("fadd", total, b.binary("fadd", error, rest))
    largest = b.max(b.max(b.abs(x), b.abs(y)), b.abs(total))
    return b.select(b.compare("<", largest, b.const(2.0**990, like=largest)), exact, total)  # else the halves overflow


def _halves(b: Builder, x: Value) -> tuple[Value, Value]:
    """x as a sum of two numbers of half the digits, whose products are exact."""
    scaled = b.binary("fmul", x, b.const(134217729.0, like=x))
    high = b.binary("fsub", scaled, b.binary("fsub", scaled, x))
    return high, b.binary("fsub", x, high)
