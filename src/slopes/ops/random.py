"""Counter-based random bits: a pure function of a key and a counter, the same eagerly and compiled, in any order."""

from __future__ import annotations

from typing import Any

from ..errors import DTypeError
from ..graph.dtype import uint32
from ..graph.node import Node
from .elementwise import Elementwise

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = 0x1BD11BDA
ROUNDS = 20


class NumpyBits:
    """The three operations of the cipher on arrays of uint32, under the names that the native builder gives them."""

    def __init__(self, xp: Any) -> None:
        self.add, self.bit_xor = xp.add, xp.bitwise_xor
        self.xp = xp

    def const(self, value: int, like: Any) -> Any:
        return self.xp.asarray(value, dtype=like.dtype)

    def rotate_left(self, x: Any, count: int) -> Any:
        high = self.xp.bitwise_left_shift(x, self.const(count, x))
        return self.xp.bitwise_or(high, self.xp.bitwise_right_shift(x, self.const(32 - count, x)))


def threefry(b: Any, key: tuple[Any, Any], counter: tuple[Any, Any]) -> tuple[Any, Any]:
    """Threefry-2x32 with 20 rounds: two words of key and two of counter to two words of bits.

    `b` offers add, bit_xor, rotate_left and const on 32-bit words. The words are in the order of Random123's ctr.v[0], ctr.v[1].
    Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
    """
    keys = (*key, b.bit_xor(b.bit_xor(*key), b.const(PARITY, like=key[0])))
    x, y = b.add(counter[0], keys[0]), b.add(counter[1], keys[1])
    for turn in range(ROUNDS):
        x = b.add(x, y)
        y = b.bit_xor(b.rotate_left(y, ROTATIONS[turn % 8]), x)
        if turn % 4 == 3:
            step = turn // 4 + 1
            x = b.add(x, keys[step % 3])
            y = b.add(b.add(y, keys[(step + 1) % 3]), b.const(step, like=y))
    return x, y


class RandomBits(Elementwise):
    """The first output word of threefry2x32-20 with key (key0, key1) and counter words (counter, 0); all are uint32."""

    accepts = "u"
    domain = (0, 2**31)
    cost = 80

    @classmethod
    def meet(cls, args: tuple[Node, ...]) -> tuple[Node, ...]:
        if any(arg.dtype != uint32 for arg in args):
            seen = ", ".join(arg.dtype.name for arg in args)
            raise DTypeError(f"random_bits: key and counter are {seen}", why="all three must be uint32",
                             repair="cast: x.astype('uint32')")
        return args

    def meaning(xp, key0, key1, counter):
        return threefry(NumpyBits(xp), (key0, key1), (counter, xp.zeros_like(counter)))[0]

    def emit(b, key0, key1, counter):
        return threefry(b, (key0, key1), (counter, b.const(0, like=counter)))[0]
