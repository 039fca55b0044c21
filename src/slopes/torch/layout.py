"""PyTorch's functions of shapes: joining, splitting, turning, diagonals, index grids."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import functions as F
from ..graph.dtype import int64
from ..graph.shape import normalize_axis
from .functions import function, sizes, split, transpose


@function
def ravel(input: Any) -> Any:
    """All elements along one axis; in slopes: sl.reshape(x, (-1,))."""
    return F.reshape(input, (-1,))


@function
def reshape_as(input: Any, other: Any) -> Any:
    """The elements in the shape of another tensor; in slopes: sl.reshape(x, y.shape)."""
    return F.reshape(input, other.shape)


@function
def broadcast_to(input: Any, size: Any) -> Any:
    """The tensor repeated to a shape; in slopes: sl.broadcast_to."""
    return F.broadcast_to(input, sizes((size,)))


@function
def broadcast_tensors(*tensors: Any) -> tuple:
    """The tensors in their common shape; in slopes: sl.broadcast_arrays."""
    return tuple(F.broadcast_arrays(*tensors))


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The common shape; in slopes: sl.broadcast_shapes."""
    return F.broadcast_shapes(*map(tuple, shapes))


@function
def atleast_1d(*tensors: Any) -> Any:
    """With at least one axis; in slopes: sl.reshape."""
    return with_axes(tensors, 1)


@function
def atleast_2d(*tensors: Any) -> Any:
    """With at least two axes, new ones first; in slopes: sl.reshape."""
    return with_axes(tensors, 2)


@function
def atleast_3d(*tensors: Any) -> Any:
    """With at least three axes, the third one last; in slopes: sl.reshape."""
    return with_axes(tensors, 3)


def with_axes(tensors: Any, count: int) -> Any:
    """One tensor, or a tuple of those of a list or several arguments."""
    listed = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    shaped = tuple(F.reshape(x, shape_with_axes(tuple(x.shape), count)) for x in listed)
    return shaped[0] if len(tensors) == 1 and listed is tensors else shaped


def shape_with_axes(shape: tuple[int, ...], count: int) -> tuple[int, ...]:
    if count == 3 and 0 < len(shape) < 3:
        return (*((1,) * (2 - len(shape))), *shape, 1)
    return (*((1,) * (count - len(shape))), *shape)


@function
def column_stack(tensors: Sequence[Any]) -> Any:
    """Vectors as columns, and matrices, side by side; in slopes: sl.concat(..., axis=1)."""
    return F.concat([F.reshape(x, (-1, 1)) if len(x.shape) < 2 else x for x in tensors], axis=1)


@function
def dstack(tensors: Sequence[Any]) -> Any:
    """Joined along the third axis; in slopes: sl.concat(..., axis=2)."""
    return F.concat([with_axes((x,), 3) for x in tensors], axis=2)


@function
def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> tuple:
    """Parts that end before these indices, or as many parts, the first ones longer by 1; in slopes: sl.split."""
    length = input.shape[dim]
    if isinstance(indices_or_sections, int):
        short, longer = divmod(length, indices_or_sections)
        return split(input, [short + (i < longer) for i in range(indices_or_sections)], dim)
    ends = [min(length, i if i >= 0 else length + i) for i in indices_or_sections]
    bounds = list(itertools.accumulate([0, *ends, length], max))
    return split(input, [stop - start for start, stop in itertools.pairwise(bounds)], dim)


@function
def hsplit(input: Any, indices_or_sections: Any) -> tuple:
    """`tensor_split` along axis 1, of vectors along axis 0; in slopes: sl.split."""
    return tensor_split(input, indices_or_sections, 0 if len(input.shape) == 1 else 1)


@function
def vsplit(input: Any, indices_or_sections: Any) -> tuple:
    """`tensor_split` along axis 0; in slopes: sl.split."""
    return tensor_split(input, indices_or_sections, 0)


@function
def dsplit(input: Any, indices_or_sections: Any) -> tuple:
    """`tensor_split` along axis 2; in slopes: sl.split."""
    return tensor_split(input, indices_or_sections, 2)


@function
def select(input: Any, dim: int, index: int) -> Any:
    """The slice at an index of an axis; in slopes: x[:, index]."""
    return input[(*(slice(None),) * normalize_axis(dim, len(input.shape), "select"), index)]


@function
def unfold(input: Any, dimension: int, size: int, step: int) -> Any:
    """Windows of an axis, their elements along a new last axis; in slopes: sl.take with indices of windows."""
    axis = normalize_axis(dimension, len(input.shape), "unfold")
    starts = np.arange(0, input.shape[axis] - size + 1, step)
    windows = F.take(input, F.asarray((starts[:, None] + np.arange(size)).reshape(-1)), axis=axis)
    split_axes = F.reshape(windows, (*input.shape[:axis], len(starts), size, *input.shape[axis + 1:]))
    return F.moveaxis(split_axes, axis + 1, -1)


@function
def fliplr(input: Any) -> Any:
    """Axis 1 reversed; in slopes: sl.flip(x, axis=1)."""
    return F.flip(input, axis=1)


@function
def flipud(input: Any) -> Any:
    """Axis 0 reversed; in slopes: sl.flip(x, axis=0)."""
    return F.flip(input, axis=0)


@function
def rot90(input: Any, k: int = 1, dims: Sequence[int] = (0, 1)) -> Any:
    """Turned by 90 degrees k times, from the first axis to the second; in slopes: sl.flip and sl.moveaxis."""
    first, second = dims
    if k % 2 == 0:
        return input if k % 4 == 0 else F.flip(input, axis=(first, second))
    return F.flip(transpose(input, first, second), axis=first if k % 4 == 1 else second)


@function
def diag(input: Any, diagonal: int = 0) -> Any:
    """A matrix with this diagonal, or the diagonal of a matrix; in slopes: sl.diag."""
    return F.diag(input, k=diagonal)


@function
def diagflat(input: Any, offset: int = 0) -> Any:
    """A matrix whose diagonal has all elements; in slopes: sl.diag(sl.reshape(x, (-1,)))."""
    return F.diag(F.reshape(input, (-1,)), k=offset)


@function
def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Matrices with these diagonals on two new axes; in slopes: x[..., None] * sl.eye(n)."""
    length = input.shape[-1]
    before, after = max(offset, 0), max(-offset, 0)
    matrix = F.expand_dims(input, -1) * F.eye(length, dtype=input.dtype)
    widths = [(0, 0)] * (len(input.shape) - 1) + [(after, before), (before, after)]
    axes = tuple(normalize_axis(dim, len(input.shape) + 1, "diag_embed") for dim in (dim1, dim2))
    return F.moveaxis(F.pad(matrix, widths), (-2, -1), axes)


@function
def block_diag(*tensors: Any) -> Any:
    """A matrix with these matrices along its diagonal; in slopes: sl.pad and sl.concat."""
    blocks = [with_axes((x,), 2) for x in tensors]
    width, start, rows = sum(x.shape[1] for x in blocks), 0, []
    for x in blocks:
        rows.append(F.pad(x, [(0, 0), (start, width - start - x.shape[1])]))
        start += x.shape[1]
    return F.concat(rows, axis=0)


@function
def cartesian_prod(*tensors: Any) -> Any:
    """All combinations of elements, one a row; in slopes: sl.meshgrid(..., indexing="ij")."""
    if len(tensors) == 1:
        return tensors[0]
    return F.stack([F.reshape(x, (-1,)) for x in F.meshgrid(*tensors, indexing="ij")], axis=1)


@function
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """All choices of r elements, one a row; in slopes: sl.take with the indices of itertools.combinations."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    indices = np.array(list(choose(range(input.shape[0]), r)), np.int64).reshape(-1, r)
    return F.take(input, F.asarray(indices), axis=0)


@function
def tril_indices(row: int, col: int, offset: int = 0) -> Any:
    """Rows and columns of the elements on and below a diagonal; in slopes: numpy.tril_indices."""
    return F.asarray(np.stack(np.tril_indices(row, offset, col)).astype(int64))


@function
def triu_indices(row: int, col: int, offset: int = 0) -> Any:
    """Rows and columns of the elements on and above a diagonal; in slopes: numpy.triu_indices."""
    return F.asarray(np.stack(np.triu_indices(row, offset, col)).astype(int64))


@function
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Rows of powers of x; in slopes: x[..., None] ** sl.arange(n)."""
    count = x.shape[0] if N is None else N
    powers = F.pow(F.expand_dims(x, -1), F.arange(count, dtype=x.dtype))
    return powers if increasing else F.flip(powers, axis=1)


@function
def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """x[i + 1] - x[i], n times; in slopes: sl.diff."""
    return F.diff(input, axis=dim, n=n, prepend=prepend, append=append)


def is_same_size(input: Any, other: Any) -> bool:
    """Whether the shapes are equal; in slopes: x.shape == y.shape."""
    return bool(input.shape == other.shape)


def numel(input: Any) -> int:
    """The number of elements; in slopes: x.size."""
    return int(np.prod(input.shape))


METHODS = ("ravel", "reshape_as", "broadcast_to", "tensor_split", "hsplit", "vsplit", "dsplit", "select", "unfold", "fliplr", "flipud",
           "rot90", "diag", "diagflat", "diag_embed", "diff")
NAMES = (*(name for name in METHODS if name not in ("reshape_as", "unfold")), "broadcast_tensors", "broadcast_shapes", "atleast_1d",
         "atleast_2d", "atleast_3d", "column_stack", "dstack", "block_diag", "cartesian_prod", "combinations", "tril_indices",
         "triu_indices", "vander", "numel", "is_same_size")
