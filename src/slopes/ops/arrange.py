"""Arrangements: stacking, splitting, flipping, rolling, repeating, masking and sorting, composed of moves and indexing."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from operator import index
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..graph.build import build, constant
from ..graph.dtype import DType, default_float, int64
from ..graph.shape import normalize_axes, normalize_axis

X = Any  # a Node or a Tensor


def part(x: X, axis: int, start: int, stop: int, step: int = 1) -> X:
    """x[start:stop:step] along one axis, everything along the others; positions as range() takes them."""
    return build("slice", x, start=tuple(start if i == axis else 0 for i in range(x.ndim)),
                 stop=tuple(stop if i == axis else n for i, n in enumerate(x.shape)),
                 step=tuple(step if i == axis else 1 for i in range(x.ndim)))


def is_single(value: Any) -> bool:
    """Whether this is one whole number; arrays and tensors of one number are, too."""
    return hasattr(value, "__index__") and not getattr(value, "ndim", 0)


def listed(value: Any, name: str) -> list[int]:
    """One whole number or several, as a list."""
    several = [value] if is_single(value) else value
    try:
        return [index(value) for value in several]
    except TypeError as error:
        raise ArgumentError(f"{name}: {value!r} is no whole number and no list of them", repair="give whole numbers") from error


def concat(xs: Sequence[X], axis: int | None = 0) -> X:
    """Tensors one after another along an axis; None joins them flattened."""
    if axis is None:
        xs, axis = [build("reshape", x, shape=(-1,)) for x in xs], 0
    return build("concat", *xs, axis=normalize_axis(axis, xs[0].ndim, "concat") if xs else 0)


def stack(xs: Sequence[X], axis: int = 0) -> X:
    """Tensors of one shape side by side along a new axis."""
    for position, x in enumerate(xs):
        if x.shape != xs[0].shape:
            raise ShapeError(f"stack: tensor {position} has shape {x.shape}, tensor 0 has {xs[0].shape}",
                             why="stacked tensors have one shape", repair="to join along an existing axis, use concat")
    return build("concat", *(expand_dims(x, axis) for x in xs), axis=normalize_axis(axis, xs[0].ndim + 1, "stack") if xs else 0)


def unstack(x: X, axis: int = 0) -> tuple[X, ...]:
    """The slices along an axis, which vanishes."""
    axis = normalize_axis(axis, x.ndim, "unstack")
    return tuple(squeeze(part(x, axis, i, i + 1), axis) for i in range(x.shape[axis]))


def split(x: X, sections: int | Sequence[int], axis: int = 0) -> tuple[X, ...]:
    """x cut along an axis into `sections` equal parts, or into parts of the given sizes."""
    axis = normalize_axis(axis, x.ndim, "split")
    n = x.shape[axis]
    sizes = listed(sections, "split")
    if is_single(sections):
        count, = sizes
        if count < 1 or n % count:
            raise ShapeError(f"split: axis {axis} of size {n} does not divide into {count} equal parts",
                             repair="give the sizes of the parts as a list")
        sizes = [n // count] * count
    if sum(sizes) != n or min(sizes, default=0) < 0:
        raise ShapeError(f"split: sizes {tuple(sizes)} add up to {sum(sizes)}, axis {axis} has {n}")
    ends = np.cumsum(sizes).tolist()
    return tuple(part(x, axis, end - size, end) for end, size in zip(ends, sizes))


def flip(x: X, axis: int | Sequence[int] | None = None) -> X:
    """x read backwards along some axes; None means all."""
    for i in normalize_axes(axis, x.ndim, "flip"):
        x = part(x, i, x.shape[i] - 1, -1, -1)
    return x


def roll(x: X, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> X:
    """Elements moved `shift` positions along an axis, those that fall off the end reappearing at the other; None rolls x flattened."""
    if axis is None:
        return build("reshape", roll(build("reshape", x, shape=(-1,)), shift, 0), shape=x.shape)
    shifts, axes = listed(shift, "roll"), listed(axis, "roll")
    shifts = shifts * len(axes) if len(shifts) == 1 else shifts
    if len(shifts) != len(axes):
        raise ArgumentError(f"roll: {len(shifts)} shifts for {len(axes)} axes", repair="give one shift, or one for each axis")
    for by, i in zip(shifts, axes):
        along = normalize_axis(i, x.ndim, "roll")
        n = x.shape[along]
        cut = n - by % n if n else 0
        x = build("concat", part(x, along, cut, n), part(x, along, 0, cut), axis=along) if 0 < cut < n else x
    return x


def tile(x: X, repetitions: int | Sequence[int]) -> X:
    """x repeated as a whole, `repetitions` times along each axis (counted from the last)."""
    counts = listed(repetitions, "tile")
    counts = [1] * (x.ndim - len(counts)) + counts
    sizes = [1] * (len(counts) - x.ndim) + list(x.shape)
    spaced = build("reshape", x, shape=tuple(n for size in sizes for n in (1, size)))
    spread = build("expand", spaced, shape=tuple(n for count, size in zip(counts, sizes) for n in (count, size)))
    return build("reshape", spread, shape=tuple(count * size for count, size in zip(counts, sizes)))


def repeat(x: X, repeats: int | Sequence[int], axis: int | None = None) -> X:
    """Each element repeated in place: a number of times for all, or one number per element along the axis."""
    if axis is None:
        x, axis = build("reshape", x, shape=(-1,)), 0
    axis = normalize_axis(axis, x.ndim, "repeat")
    n = x.shape[axis]
    counts = listed(repeats, "repeat")
    if min(counts, default=0) < 0:
        raise ShapeError(f"repeat: {min(counts)} repeats", why="an element stands there any number of times, or not at all",
                         repair="numbers of repeats are 0 or more")
    if not is_single(repeats):
        if len(counts) != n:
            raise ShapeError(f"repeat: {len(counts)} numbers of repeats for axis {axis} of size {n}")
        return build("take", x, constant(np.repeat(np.arange(n), counts)), axis=axis)
    before, after = x.shape[:axis + 1], x.shape[axis + 1:]
    spread = build("expand", build("reshape", x, shape=(*before, 1, *after)), shape=(*before, *counts, *after))
    return build("reshape", spread, shape=(*x.shape[:axis], n * counts[0], *after))


def permute_dims(x: X, axes: Sequence[int]) -> X:
    """The axes in another order: axis i of the result is axis axes[i] of x."""
    return build("permute", x, axes=tuple(normalize_axis(axis, x.ndim, "permute_dims") for axis in axes))


def moveaxis(x: X, source: int | Sequence[int], destination: int | Sequence[int]) -> X:
    """Some axes moved to other positions, the rest in their order."""
    here, there = listed(source, "moveaxis"), listed(destination, "moveaxis")
    if len(here) != len(there):
        raise ArgumentError(f"moveaxis: {len(here)} axes for {len(there)} positions", repair="give a position for each axis")
    for axes in (here, there):
        normalize_axes(axes, x.ndim, "moveaxis")  # none is named twice
    here, there = ([normalize_axis(i, x.ndim, "moveaxis") for i in axes] for axes in (here, there))
    order = [axis for axis in range(x.ndim) if axis not in here]
    for target, axis in sorted(zip(there, here)):
        order.insert(target, axis)
    return build("permute", x, axes=tuple(order))


def matrix_transpose(x: X) -> X:
    """The last two axes exchanged."""
    if x.ndim < 2:
        raise ShapeError(f"matrix_transpose: a tensor of shape {x.shape} is no matrix", why="it takes two axes or more")
    return moveaxis(x, -1, -2)


def squeeze(x: X, axis: int | Sequence[int]) -> X:
    """x without some axes of size 1."""
    axes = normalize_axes(axis, x.ndim, "squeeze")
    for i in axes:
        if x.shape[i] != 1:
            raise ShapeError(f"squeeze: axis {i} of shape {x.shape} has size {x.shape[i]}, not 1",
                             repair="only axes of size 1 vanish: reduce this one, or take one element of it")
    return build("reshape", x, shape=tuple(n for i, n in enumerate(x.shape) if i not in axes))


def expand_dims(x: X, axis: int = 0) -> X:
    """x with a new axis of size 1."""
    axis = normalize_axis(axis, x.ndim + 1, "expand_dims")
    return build("reshape", x, shape=(*x.shape[:axis], 1, *x.shape[axis:]))


def lower_mask(rows: int, columns: int, k: int = 0) -> X:
    """True on and below the k-th diagonal of a matrix."""
    down = build("reshape", build("iota", size=rows, dtype=int64), shape=(rows, 1))
    return build("greater_equal", down + k, build("iota", size=columns, dtype=int64))


def tril(x: X, k: int = 0) -> X:
    """x with zeros above the k-th diagonal of its last two axes."""
    return build("where", lower_mask(*matrix_shape(x, "tril"), k), x, constant(0, x.dtype))


def triu(x: X, k: int = 0) -> X:
    """x with zeros below the k-th diagonal of its last two axes."""
    return build("where", lower_mask(*matrix_shape(x, "triu"), k - 1), constant(0, x.dtype), x)


def matrix_shape(x: X, name: str) -> tuple[int, int]:
    if x.ndim < 2:
        raise ShapeError(f"{name}: a tensor of shape {x.shape} is no matrix", why="it takes two axes or more")
    return x.shape[-2:]


def diagonal(x: X, first: int = -2, second: int = -1) -> X:
    """The elements with equal positions on two axes, which become one axis at the end."""
    first, second = (normalize_axis(i, x.ndim, "diagonal") for i in (first, second))
    if first == second or x.shape[first] != x.shape[second]:
        raise ShapeError(f"diagonal: axes {first} and {second} of shape {x.shape} are not two axes of one size")
    rest, n = [axis for axis in range(x.ndim) if axis not in (first, second)], x.shape[first]
    moved = build("permute", x, axes=(*rest, first, second))
    flat = build("reshape", moved, shape=(*moved.shape[:-2], n * n))
    return part(flat, len(rest), 0, n * n, n + 1)


def one_hot(labels: X, classes: int, dtype: DType = default_float) -> X:
    """1 at each label's position along a new last axis, 0 elsewhere; a label outside 0 .. classes - 1 is an OutOfRangeError."""
    indices = expand_dims(labels, -1)
    ones = build("expand", constant(1, dtype), shape=indices.shape)
    return build("place_along_axis", indices, ones, axis=labels.ndim, size=classes)


def argsort(x: X, axis: int = -1, descending: bool = False) -> X:
    """The positions that sort x along an axis; equals keep their order."""
    return build("argsort", x, axis=normalize_axis(axis, x.ndim, "argsort"), descending=descending)


def sort(x: X, axis: int = -1, descending: bool = False) -> X:
    """x in rising (or falling) order along an axis; NaN counts as largest."""
    order = argsort(x, axis, descending)
    return build("take_along_axis", x, order, axis=normalize_axis(axis, x.ndim, "sort"))


def top_k(x: X, k: int, axis: int = -1, largest: bool = True) -> tuple[X, X]:
    """The k largest (or smallest) elements along an axis in order, and their positions; of equals, the first come first."""
    axis = normalize_axis(axis, x.ndim, "top_k")
    if not hasattr(k, "__index__") or not 0 <= k <= x.shape[axis]:
        raise ArgumentError(f"top_k: k={k} of axis {axis} with size {x.shape[axis]}",
                            repair=f"choose k from 0 to {x.shape[axis]}")
    indices = part(argsort(x, axis, descending=largest), axis, 0, k)
    return build("take_along_axis", x, indices, axis=axis), indices


def flatten(x: X, start: int = 1) -> X:
    """Axes from `start` on joined into one."""
    return build("reshape", x, shape=(*x.shape[:start], prod(x.shape[start:])))
