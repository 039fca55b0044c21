"""Random bits as a pure function of a key and a counter, and random numbers as functions of such bits.

A key is two uint32 scalars; `start` is the first counter, a uint32 scalar. Bits of different counters (or keys) are independent; the
same key and counter give the same bits everywhere. A number is made from one or several words of 32 bits; element i of a draw of n
uses the counters start + i, start + n + i, and so on, one for each word.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Any

from ..errors import ArgumentError, DTypeError
from ..graph.build import build
from ..graph.dtype import DType, float32, float64, int64, uint32, uint64
from ..graph.shape import Shape
from ..graph.shape import size as size_of

X = Any  # a Node or a Tensor
ONE_WORD = 1 << 16  # up to this many elements, 32 random bits decide an order: equal bits are rare


def bits(key0: X, key1: X, start: X, shape: Shape) -> X:
    """32 random bits (uint32) per element; element i, in row-major order, uses counter start + i."""
    counter = build("iota", size=size_of(shape), dtype=uint32)
    return build("random_bits", key0, key1, build("reshape", build("add", counter, start), shape=shape))


def words(key0: X, key1: X, start: X, shape: Shape, count: int) -> list[X]:
    """`count` arrays of 32 random bits (uint32); each uses the counters after those of the one before."""
    return [bits(key0, key1, further(start, i * size_of(shape)) if i else start, shape) for i in range(count)]


def further(start: X, by: int) -> X:
    """The counter `by` numbers later, modulo 2^32."""
    return start + by % (1 << 32)


def uniform_words(dtype: DType) -> int:
    """The number of 32-bit words for a uniform number of this type."""
    if dtype not in (float32, float64):
        raise DTypeError(f"random numbers of type {dtype} do not exist", repair="draw float32 or float64, then cast")
    return 1 if dtype == float32 else 2


def whole(words: Sequence[X], dtype: DType) -> X:
    """A whole number below 2^24 (float32) or 2^53 (float64), in the float type, which holds it exactly."""
    if uniform_words(dtype) == 1:
        return build("cast", words[0] >> 8, dtype=dtype)
    return build("cast", words[0] >> 5, dtype=dtype) * float(1 << 26) + build("cast", words[1] >> 6, dtype=dtype)


def unit(dtype: DType) -> float:
    return 2.0 ** -(24 if uniform_words(dtype) == 1 else 53)


def uniform_from(words: Sequence[X], dtype: DType) -> X:
    """Numbers in [0, 1), all multiples of 2^-24 (float32) or 2^-53 (float64), from `uniform_words(dtype)` words."""
    return whole(words, dtype) * unit(dtype)


def normal_words(dtype: DType) -> int:
    return 2 * uniform_words(dtype)


def normal_from(words: Sequence[X], dtype: DType) -> X:
    """Standard normal numbers sqrt(-2 log u) cos(2 pi v), u in (0, 1] (Box, Muller 1958), from `normal_words(dtype)` words."""
    half = uniform_words(dtype)
    u, v = (whole(words[:half], dtype) + 1) * unit(dtype), uniform_from(words[half:], dtype)
    return build("sqrt", build("log", u) * -2.0) * build("cos", v * (2 * pi))


def check_range(low: int, high: int) -> None:
    """ArgumentError unless integers can be drawn from low to high - 1."""
    if not 0 < high - low <= 1 << 32:
        raise ArgumentError(f"integers: there are {high - low} numbers from {low} to {high - 1}",
                            why="a range has 1 to 2^32 numbers")


def integers_from(word: X, low: int, high: int) -> X:
    """Whole numbers low .. high - 1 (int64), each equally likely up to (high - low) / 2^32, from one word."""
    scaled = build("cast", word, dtype=uint64) * (high - low)
    return build("cast", scaled >> 32, dtype=int64) + low


def order_words(n: int) -> int:
    """The number of words that decide the order of n elements."""
    return 1 if n <= ONE_WORD else 2


def order_from(words: Sequence[X]) -> X:
    """One random number of 32 or 64 bits for each element: sorting them shuffles the elements."""
    if len(words) == 1:
        return words[0]
    return (build("cast", words[0], dtype=uint64) << 32) | build("cast", words[1], dtype=uint64)
