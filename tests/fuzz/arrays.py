"""Text of input arrays: every type, odd and empty sizes, memory in any order, and numbers at which functions are special."""

from __future__ import annotations

from math import prod

import numpy as np

SIZES = (0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33)
LIMIT = 2000  # elements of an input
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
LAYOUTS = ("plain", "plain", "plain", "reversed", "transposed", "strided", "broadcast", "unaligned", "columns")
SPECIAL = "[0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 1e30, -1e30, 1e-30, 3.0]"


def sizes(rng: np.random.Generator, rank: int, least: int = 0, limit: int = LIMIT) -> tuple[int, ...]:
    """A random shape, not too large."""
    while True:
        found = tuple(int(rng.choice(SIZES)) for _ in range(rank))
        if prod(found) <= limit and min(found, default=1) >= least:
            return found


def array_text(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, special: bool = False) -> str:
    """An expression for an array of this shape and type; `dtype` may be the name `real`."""
    layout = str(rng.choice(LAYOUTS))
    if layout == "reversed" and shape:
        return values_text(rng, shape, dtype, special) + "[::-1]"
    if layout == "transposed" and len(shape) > 1:
        return values_text(rng, shape[::-1], dtype, special) + ".T"
    if layout == "columns" and len(shape) > 1:
        return f"np.asfortranarray({values_text(rng, shape, dtype, special)})"
    if layout == "strided" and shape:
        return values_text(rng, (*shape[:-1], 3 * shape[-1]), dtype, special) + "[..., 1::3]"
    if layout == "broadcast" and shape and shape[0] > 1:
        return f"np.broadcast_to({values_text(rng, (1, *shape[1:]), dtype, special)}, {shape})"
    if layout == "unaligned":
        return f"unaligned({values_text(rng, shape, dtype, special)})"
    return values_text(rng, shape, dtype, special)


def values_text(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, special: bool) -> str:
    """The array with its elements side by side."""
    drawn = f"np.random.default_rng({int(rng.integers(10**6))})"
    typed = dtype if dtype == "real" else repr(dtype)
    if dtype == "bool":
        return f"{drawn}.integers(0, 2, {shape}).astype(bool)"
    if dtype in INTEGERS:
        return f"{drawn}.integers({0 if dtype[0] == 'u' else -4}, 6, {shape}).astype({typed})"
    if special:
        return f"{drawn}.choice({SPECIAL}, {shape}).astype({typed})"
    kind = rng.random()
    if kind < 0.15:  # ties, and zeros
        return f"{drawn}.integers(-2, 3, {shape}).astype({typed})"
    return f"{drawn}.normal(size={shape}).round(2).astype({typed})"


def literal_text(array: np.ndarray, dtype: str) -> str:
    """The very array, as text."""
    typed = dtype if dtype == "real" else repr(dtype)
    return f"np.array({array.ravel().tolist()}, {typed}).reshape({array.shape})"
