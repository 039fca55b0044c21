"""Random bits from a compiled program: a single one for all draws, as bits depend on nothing but key and counter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ..costs import DRAW_BLOCK
from ..graph.build import variable
from ..graph.dtype import uint32
from ..ops.sampling import bits
from .buffer import aligned_bytes
from .engine import addresses
from .native import Native, compile_graph


@lru_cache(maxsize=1)
def program() -> Native:
    """The program whose arguments are key0, key1, the first counter and DRAW_BLOCK words of bits."""
    key0, key1, start = inputs = [variable((), uint32) for _ in range(3)]
    return compile_graph([bits(key0, key1, start, (DRAW_BLOCK,))], [None], keep=inputs)


class Bits:
    """`count` rows of DRAW_BLOCK words of random bits with one key, filled again and again."""

    def __init__(self, key: Sequence[int], count: int) -> None:
        self.native = program()
        self.key, self.starts = np.array(key, np.uint32), np.zeros(count, np.uint32)
        self.words = aligned_bytes(4 * DRAW_BLOCK * count).view(np.uint32).reshape(count, DRAW_BLOCK)
        self.table = addresses([self.key[:1], self.key[1:], self.starts, self.words])
        self.strides = np.array([0, 0, self.starts.itemsize, self.words.strides[0]], np.int64)

    def fill(self, starts: Sequence[int]) -> None:
        """Let each row have the bits of the counters from its start on, modulo 2^32."""
        self.starts[:] = [start % (1 << 32) for start in starts]
        self.native.program.run(self.table.ctypes.data, self.strides.ctypes.data, len(starts))
