"""Indexing x[...], lowered to slice, reshape and take operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import from_python
from .errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError
from .graph.build import build
from .graph.dtype import plain
from .graph.shape import broadcast_shapes, size

Cut = tuple[int, int, int]  # start, stop, step of one axis, as Python's range takes them


def select(x: Any, index: Any, positions_of: Callable[[Any], list[np.ndarray]]) -> Any:
    """x[index] with NumPy semantics: integers, slices, None, ..., integer arrays and boolean masks.

    `positions_of(mask)` gives the positions at which a boolean mask is true, one array per axis of the mask.
    """
    entries = index if isinstance(index, tuple) else (index,)
    check_masks(x, entries)
    replaced = replace_masks(entries, positions_of)
    items = expand_ellipsis(x, replaced)
    cuts: list[Cut] = []
    shape: list[int] = []  # after slicing, without the integers' axes and with new axes for None
    arrays: dict[int, Any] = {}  # axis of that shape -> integer array
    for item in items:
        if item is None:
            shape.append(1)
            continue
        length = x.shape[len(cuts)]
        if is_whole(item):
            position = check_position(item, len(cuts), length)
            cuts.append((position, position + 1, 1))
            continue
        if not isinstance(item, slice):
            arrays[len(shape)] = item
        cuts.append(slice_cut(item, length) if isinstance(item, slice) else (0, length, 1))
        shape.append(len(range(*cuts[-1])))
    return take_arrays(reshape(apply_cuts(x, cuts), tuple(shape)), arrays, are_neighbours(replaced))


def check_masks(x: Any, items: tuple) -> None:
    """ShapeError unless masks have the shape of the axes that they index."""
    arrays = [from_python(item) if isinstance(item, list) else item for item in items]
    masks = [hasattr(item, "dtype") and item.dtype.kind == "b" for item in arrays]
    if not any(masks):
        return
    used = [0 if item is None or item is Ellipsis else item.ndim if mask else 1 for item, mask in zip(arrays, masks)]
    axis = 0
    for item, mask, count in zip(arrays, masks, used):
        beside = x.shape[axis:axis + count]
        if mask and tuple(item.shape) != beside:
            raise ShapeError(f"indexing: a mask of shape {tuple(item.shape)} for axes of shape {beside}, from axis {axis} on",
                             why="a mask says yes or no for each element of the axes that it chooses from",
                             repair="make it of the tensor itself: x[x > 0]")
        axis += x.ndim - sum(used) if item is Ellipsis else count


def replace_masks(items: tuple, positions_of: Callable[[Any], list[np.ndarray]]) -> list[Any]:
    """The items, with lists converted to arrays and masks to index arrays."""
    result: list[Any] = []
    for item in items:
        item = from_python(item) if isinstance(item, list) else plain(item) if isinstance(item, np.ndarray) else item
        if hasattr(item, "dtype") and not is_whole(item):
            if item.dtype.kind == "b":
                if not item.ndim:
                    raise ArgumentError("indexing: a single truth value is no index", why="a mask has at least one axis",
                                        repair="x[None] gives an axis of size 1; sl.where(condition, x, y) chooses by one condition")
                result.extend(positions_of(item))
                continue
            if item.dtype.kind not in "iu" and not (isinstance(item, np.ndarray) and not item.size):
                raise DTypeError(f"indexing: a tensor of type {item.dtype} cannot choose elements",
                                 why="indices are whole numbers", repair="cast it: indices.astype(sl.int64)")
            if isinstance(item, np.ndarray):
                item = item.astype(np.int64) if item.ndim else int(item)
        elif not (item is None or item is Ellipsis or isinstance(item, slice) or is_whole(item)):
            raise ArgumentError(f"indexing: {item!r} of type {type(item).__name__} is no index",
                                repair="an index is a whole number, a slice, None, ..., an integer tensor or a boolean mask")
        result.append(item)
    return result


def is_whole(item: Any) -> bool:
    return isinstance(item, (int, np.integer)) and not isinstance(item, bool)


def expand_ellipsis(x: Any, items: list[Any]) -> list[Any]:
    """The items with ... expanded to full slices, one per axis."""
    used = sum(item is not None and item is not Ellipsis for item in items)
    positions = [position for position, item in enumerate(items) if item is Ellipsis]
    if len(positions) > 1:
        raise ArgumentError("indexing: more than one ... in an index", repair="write the slices out: x[:, :, 0]")
    if used > x.ndim:
        raise ShapeError(f"indexing: {used} indices for a tensor of shape {x.shape}", why=f"it has {x.ndim} axes")
    position = positions[0] if positions else len(items)
    return items[:position] + [slice(None)] * (x.ndim - used) + items[position + 1:]


def check_position(item: Any, axis: int, length: int) -> int:
    """A normalized index; OutOfRangeError if it is out of range."""
    position = int(item)
    if not -length <= position < length:
        raise OutOfRangeError(f"indexing: index {position} is outside axis {axis} of size {length}",
                              why=f"indices run from {-length} to {length - 1}" if length else "the axis is empty")
    return position % length


def slice_cut(item: slice, length: int) -> Cut:
    """(start, stop, step) of a slice of this axis, clipped as in Python."""
    if item.step is not None and item.step == 0:
        raise ArgumentError("indexing: the step of a slice is 0", repair="steps are 1 or more, or -1 or less")
    try:
        start, stop, step = item.indices(length)
    except TypeError as error:
        raise ArgumentError(f"indexing: {item!r} is no slice of positions",
                            repair="its ends and its step are whole numbers, or left out") from error
    return (start, stop, step) if len(range(start, stop, step)) else (0, 0, 1)


def apply_cuts(x: Any, cuts: list[Cut]) -> Any:
    if all(bounds == (0, length, 1) for bounds, length in zip(cuts, x.shape)):
        return x
    start, stop, step = zip(*cuts)
    return build("slice", x, start=start, stop=stop, step=step)


def are_neighbours(items: list[Any]) -> bool:
    """Whether arrays and integers are adjacent: integers count as arrays next to one, as in NumPy."""
    chosen = [i for i, item in enumerate(items) if is_whole(item) or hasattr(item, "dtype")]
    return not chosen or chosen == list(range(chosen[0], chosen[-1] + 1))


def reshape(x: Any, shape: tuple[int, ...]) -> Any:
    return x if x.shape == shape else build("reshape", x, shape=shape)


def take_arrays(x: Any, arrays: dict[int, Any], neighbours: bool) -> Any:
    """Index axes with integer arrays, which are broadcast against each other.

    As in NumPy, the resulting axes replace those of adjacent arrays, and come first otherwise.
    """
    if not arrays:
        return x
    axes = list(arrays)
    position = axes[0] if neighbours else 0
    wrapped = [from_front(arrays[axis], x.shape[axis], axis) for axis in axes]
    lengths = [x.shape[axis] for axis in axes]
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    moved = build("permute", x, axes=(*rest[:position], *axes, *rest[position:]))
    if len(axes) == 1:
        return build("take", moved, wrapped[0], axis=position)
    flat = build("reshape", moved, shape=(*moved.shape[:position], size(lengths), *moved.shape[position + len(axes):]))
    return build("take", flat, join_indices(wrapped, lengths), axis=position)


def join_indices(arrays: list[Any], lengths: list[int]) -> Any:
    """Indices on several axes as flat indices on the merged axis."""
    shape = broadcast_shapes("indexing", [array.shape for array in arrays])
    arrays = [inside(array, length) for array, length in zip(arrays, lengths)]
    total = arrays[0]
    for array, length in zip(arrays[1:], lengths[1:]):
        total = total * length + array
    if total.shape == shape:
        return total
    return np.broadcast_to(total, shape) if isinstance(total, np.ndarray) else build("expand", total, shape=shape)


def inside(indices: Any, length: int) -> Any:
    """The same indices with a bounds check: on the merged axis an invalid index could hit an existing element."""
    if isinstance(indices, np.ndarray):
        return indices
    return build("take", build("iota", size=length, dtype=np.dtype("int64")), indices, axis=0)


def from_front(indices: Any, length: int, axis: int) -> Any:
    """Normalize negative indices, which count from the end."""
    if isinstance(indices, np.ndarray):
        check_inside(indices, length, axis)
        return np.where(indices < 0, indices + length, indices)
    if indices.dtype.kind == "u":
        return build("cast", indices, dtype=np.dtype("int64"))
    indices = build("cast", indices, dtype=np.dtype("int64"))
    return build("where", indices < 0, indices + length, indices)


def check_inside(indices: np.ndarray, length: int, axis: int) -> None:
    if indices.size and not (-length <= indices.min() and indices.max() < length):
        outside = indices[(indices < -length) | (indices >= length)].reshape(-1)[0]
        raise OutOfRangeError(f"indexing: index {outside} is outside axis {axis} of size {length}",
                              why=f"indices run from {-length} to {length - 1}" if length else "the axis is empty")
