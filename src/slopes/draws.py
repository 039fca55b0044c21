"""Large draws of random numbers outside of compiled functions: bits from a compiled program, numbers from NumPy, in blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arrays import aligned_empty
from .extras import on_demand
from .graph.build import variable
from .graph.dtype import uint32
from .graph.shape import Shape, size
from .machine.replay import Replay

BITS = "slopes.machine.bits"  # loaded for the first large draw
LARGE = 1 << 18  # numbers from which on it pays to load the program, 10 ms, or to compile it once, 200 ms

Numbers = Callable[[Sequence[Any]], Any]  # random numbers from arrays of 32 random bits, as nodes or tensors


def draw_blocks(numbers: Numbers, words: int, key: Sequence[int], shape: Shape) -> np.ndarray:
    """The array numbers(bits) of this shape, each number from `words` words of bits; the same as without a program.

    Element i's word j has counter i + j * (all elements).
    """
    bits, total = on_demand(BITS).Bits(key, words), size(shape)
    block = bits.words.shape[1]
    inputs = [variable((block,), uint32) for _ in range(words)]
    root = numbers(inputs)
    replay, result = Replay([root], inputs), aligned_empty(shape, root.dtype)
    row, rows = result.reshape(-1), list(bits.words)
    for first in range(0, total, block):
        bits.fill([first + j * total for j in range(words)])
        row[first:first + block] = replay.run(rows)[0][:total - first]
    return result
