"""PyTorch's functions that write at indices into a copy, and that look elements up."""

from __future__ import annotations

from typing import Any

from .. import functions as F
from ..errors import ArgumentError
from ..graph.shape import normalize_axis
from .functions import function


@function
def scatter(input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None) -> Any:
    """x with src at the indices of an axis; in slopes: sl.put_along_axis."""
    source = value if src is None else src
    source = source if hasattr(source, "shape") else F.full(index.shape, source, dtype=input.dtype)
    return F.put_along_axis(input, index, part_of(source, index), axis=dim)


@function
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """x plus src at the indices of an axis; in slopes: sl.add_along_axis."""
    return F.add_along_axis(input, index, part_of(src, index), axis=dim)


def part_of(source: Any, index: Any) -> Any:
    """The elements of a source that have an index."""
    return source if source.shape == index.shape else source[tuple(slice(size) for size in index.shape)]


@function
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
    """x plus alpha source[i] at index[i] of an axis; in slopes: sl.add_along_axis."""
    return F.add_along_axis(input, along(index, source, dim), source if alpha == 1 else alpha * source, axis=dim)


@function
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """x with source[i] at index[i] of an axis; in slopes: sl.put_along_axis."""
    return F.put_along_axis(input, along(index, source, dim), source, axis=dim)


@function
def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """x with a value at the indices of an axis; in slopes: sl.put_along_axis."""
    axis = normalize_axis(dim, len(input.shape), "index_fill")
    source = F.full((*input.shape[:axis], index.shape[0], *input.shape[axis + 1:]), value, dtype=input.dtype)
    return F.put_along_axis(input, along(index, source, dim), source, axis=dim)


def along(index: Any, source: Any, dim: int) -> Any:
    """Indices of an axis in the shape of the source."""
    axis = normalize_axis(dim, len(source.shape), "index")
    shape = [-1 if i == axis else 1 for i in range(len(source.shape))]
    return F.broadcast_to(F.reshape(index, tuple(shape)), source.shape)


@function
def take(input: Any, index: Any) -> Any:
    """The elements at indices of the flattened tensor; in slopes: sl.take(sl.reshape(x, (-1,)), index)."""
    return F.take(F.reshape(input, (-1,)), index, axis=0)


@function
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """The elements at the indices along an axis; in slopes: sl.take_along_axis."""
    return take(input, F.reshape(indices, (-1,))) if dim is None else F.take_along_axis(input, indices, axis=dim)


@function
def argwhere(input: Any) -> Any:
    """The indices of the elements that are not 0, one a row; in slopes: sl.stack(sl.nonzero(x), axis=1)."""
    return F.stack(list(F.nonzero(input)), axis=1)


@function
def isin(elements: Any, test_elements: Any, *, invert: bool = False) -> Any:
    """Whether each element is one of others; in slopes: sl.isin."""
    return F.isin(elements, test_elements, invert)


@function
def searchsorted(sorted_sequence: Any, input: Any, *, right: bool = False, side: str | None = None) -> Any:
    """Where elements belong in an ascending sequence; in slopes: sl.searchsorted."""
    if len(sorted_sequence.shape) > 1:
        raise ArgumentError("searchsorted: the sequence has several axes", why="only one sequence is searched at a time",
                            repair="search each row in a loop")
    return F.searchsorted(sorted_sequence, input, side or ("right" if right else "left"))


@function
def bucketize(input: Any, boundaries: Any, *, right: bool = False) -> Any:
    """The number of boundaries below x, with right=True also those that equal it; in slopes: sl.searchsorted."""
    return F.searchsorted(boundaries, input, "right" if right else "left")


METHODS = ("scatter", "scatter_add", "index_add", "index_copy", "index_fill", "take", "take_along_dim", "argwhere")
NAMES = (*METHODS, "isin", "searchsorted", "bucketize")
