"""Pad rows of different lengths to one array, and masks of the real elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, DTypeError, ShapeError
from ..files.arrays import cast
from ..functions import arange
from ..graph.dtype import is_integer
from ..tensor import Tensor, asarray


class Padded(NamedTuple):
    """Rows padded to one length: values (N, T, ...) and the original lengths (N,) int64."""

    values: np.ndarray
    lengths: np.ndarray


def pad(rows: Sequence[Any], value: float = 0, length: int | None = None, truncate: bool = False, side: str = "right") -> Padded:
    """Rows (T_i, ...) of different lengths as one array (N, T, ...), padded with `value`, and their lengths (N,).

    T is `length`, by default that of the longest row. Longer rows are an error, unless `truncate` is True. `side` is the side of the
    padding. Rows of integers become int64, others float32. Empty rows are allowed: they are all padding, with length 0. Raises
    ArgumentError without rows, ShapeError for a row that is too long and for rows whose other axes differ, DTypeError for rows
    that are not numeric.

    >>> from slopes import text
    >>> text.pad([[5, 6, 7], [8], []])
    Padded(values=array([[5, 6, 7],
           [8, 0, 0],
           [0, 0, 0]]), lengths=array([3, 1, 0]))
    """
    if side not in ("left", "right"):
        raise ArgumentError(f"pad: side is {side!r}", why="the filling goes left or right")
    arrays = as_rows(rows)
    longest = max(len(row) for row in arrays) if length is None else length
    fits = [row[:longest] if truncate else row for row in arrays]
    too_long = next((index for index, row in enumerate(fits) if len(row) > longest), None)
    if too_long is not None:
        raise ShapeError(f"pad: row {too_long} holds {len(fits[too_long])} elements, more than length={longest}",
                         repair="leave length= out, or cut with truncate=True")
    values = np.full((len(fits), longest, *fits[0].shape[1:]), value, fits[0].dtype)
    for index, row in enumerate(fits):
        values[index, slice(len(row)) if side == "right" else slice(longest - len(row), None)] = row
    return Padded(values, np.array([len(row) for row in fits], np.int64))


def as_rows(rows: Sequence[Any]) -> list[np.ndarray]:
    """The rows as arrays of one dtype, int64 or float32, with equal sizes of all axes but the first."""
    arrays = [np.asarray(row) for row in rows]
    if not arrays:
        raise ArgumentError("pad: there is no row", repair="give at least one; an empty row is one")
    full = [row for row in arrays if row.size]
    kinds = {row.dtype.kind for row in full}
    if kinds - set("biuf"):
        raise DTypeError(f"pad: rows of {next(row.dtype for row in full if row.dtype.kind not in 'biuf')}", why="numbers are padded",
                         repair="encode tokens first: vocabulary.encode(tokens)")
    dtype = np.dtype("float32" if "f" in kinds else "int64")
    shape = full[0].shape[1:] if full else arrays[0].shape[1:]
    for index, row in enumerate(arrays):
        if not row.ndim or (row.size and row.shape[1:] != shape):
            raise ShapeError(f"pad: row {index} is of shape {row.shape}", why=f"rows may differ in their first axis only: (T, {shape})",
                             repair="wrap single numbers in a list")
    return [cast(row, dtype) if row.size else np.empty((len(row) if row.ndim > 1 else 0, *shape), dtype) for row in arrays]


def mask(lengths: Any, longest: int) -> Tensor:
    """True for real elements, False for padding on the right: mask[n, t] = t < lengths[n].

    lengths (...,) integers -> (..., longest) bool. Works compiled. Attention layers need the opposite, the keys to hide: `~mask`.
    Raises DTypeError unless lengths are integers.

    >>> from slopes import text
    >>> text.mask([2, 0], 3)
    tensor([[ True,  True, False],
            [False, False, False]])
    """
    lengths = asarray(lengths)
    if not is_integer(lengths.dtype):
        raise DTypeError(f"mask: lengths are {lengths.dtype}", why="a length is a whole number", repair="lengths.astype(sl.int64)")
    return arange(longest) < lengths[..., None]
