"""Random numbers as pure functions of a key and a counter: each states how many counters it uses up.

A key is two uint32 scalars; `start` is the first counter, a uint32 scalar. Numbers drawn from different counters (or keys) are
independent; the same key and counter give the same numbers everywhere.
"""

from __future__ import annotations

from math import pi
from typing import Any

from ..errors import ArgumentError, DTypeError
from ..graph.build import build
from ..graph.dtype import DType, default_float, float32, float64, int64, uint32, uint64
from ..graph.shape import Shape
from ..graph.shape import size as size_of

X = Any  # a Node or a Tensor
ONE_WORD = 1 << 16  # up to this many elements, 32 random bits decide an order: equal bits are rare


def bits(key0: X, key1: X, start: X, shape: Shape) -> X:
    """32 random bits (uint32) per element; element i, in row-major order, uses counter start + i."""
    counter = build("iota", size=size_of(shape), dtype=uint32)
    return build("random_bits", key0, key1, build("reshape", build("add", counter, start), shape=shape))


def further(start: X, by: int) -> X:
    """The counter `by` numbers later, modulo 2^32."""
    return start + by % (1 << 32)


def words(dtype: DType) -> int:
    """The number of 32-bit words for a uniform number of this type."""
    if dtype not in (float32, float64):
        raise DTypeError(f"random numbers of type {dtype} do not exist", repair="draw float32 or float64, then cast")
    return 1 if dtype == float32 else 2


def whole(key0: X, key1: X, start: X, shape: Shape, dtype: DType, total: int) -> X:
    """A whole number below 2^24 (float32) or 2^53 (float64), in the float type, which holds it exactly.

    These may be a part of a draw of `total` elements: the second words follow the first words of the whole draw.
    """
    if words(dtype) == 1:
        return build("cast", bits(key0, key1, start, shape) >> 8, dtype=dtype)
    high = build("cast", bits(key0, key1, start, shape) >> 5, dtype=dtype)
    low = build("cast", bits(key0, key1, further(start, total), shape) >> 6, dtype=dtype)
    return high * float(1 << 26) + low


def unit(dtype: DType) -> float:
    return 2.0 ** -(24 if words(dtype) == 1 else 53)


def uniform(key0: X, key1: X, start: X, shape: Shape, dtype: DType = default_float, total: int | None = None) -> X:
    """Numbers in [0, 1), all multiples of 2^-24 (float32) or 2^-53 (float64); uses uniform_counters(shape, dtype) counters.

    With `total`, a part of a draw of `total` elements: its numbers from counter `start` on.
    """
    return whole(key0, key1, start, shape, dtype, size_of(shape) if total is None else total) * unit(dtype)


def uniform_counters(shape: Shape, dtype: DType = default_float) -> int:
    return size_of(shape) * words(dtype)


def normal(key0: X, key1: X, start: X, shape: Shape, dtype: DType = default_float, total: int | None = None) -> X:
    """Standard normal numbers sqrt(-2 log u) cos(2 pi v), u in (0, 1] (Box, Muller 1958); uses normal_counters(shape, dtype).

    With `total`, a part of a draw of `total` elements: its numbers from counter `start` on.
    """
    total = size_of(shape) if total is None else total
    u = (whole(key0, key1, start, shape, dtype, total) + 1) * unit(dtype)
    v = uniform(key0, key1, further(start, total * words(dtype)), shape, dtype, total)
    return build("sqrt", build("log", u) * -2.0) * build("cos", v * (2 * pi))


def normal_counters(shape: Shape, dtype: DType = default_float) -> int:
    return 2 * uniform_counters(shape, dtype)


def bernoulli(key0: X, key1: X, start: X, probability: X, shape: Shape) -> X:
    """True with a probability (a number, or a tensor that broadcasts to shape); uses bernoulli_counters(shape)."""
    return build("less", uniform(key0, key1, start, shape), probability)


def bernoulli_counters(shape: Shape) -> int:
    return uniform_counters(shape)


def integers(key0: X, key1: X, start: X, low: int, high: int, shape: Shape) -> X:
    """Whole numbers low .. high - 1 (int64), each equally likely up to (high - low) / 2^32; uses integer_counters(shape)."""
    if not 0 < high - low <= 1 << 32:
        raise ArgumentError(f"integers: there are {high - low} numbers from {low} to {high - 1}",
                            why="a range has 1 to 2^32 numbers")
    scaled = build("cast", bits(key0, key1, start, shape), dtype=uint64) * (high - low)
    return build("cast", scaled >> 32, dtype=int64) + low


def integer_counters(shape: Shape) -> int:
    return size_of(shape)


def permutation(key0: X, key1: X, start: X, n: int) -> X:
    """0 .. n - 1 in random order (int64): the order that sorts random bits; uses permutation_counters(n)."""
    order = bits(key0, key1, start, (n,))
    if n > ONE_WORD:
        low = bits(key0, key1, further(start, n), (n,))
        order = (build("cast", order, dtype=uint64) << 32) | build("cast", low, dtype=uint64)
    return build("argsort", order, axis=0, descending=False)


def permutation_counters(n: int) -> int:
    return n if n <= ONE_WORD else 2 * n
