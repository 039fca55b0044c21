"""Functions that rearrange elements: reshape, transpose, concatenate, split, repeat, pad."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..graph.dtype import is_complex
from ..graph.shape import broadcast_shapes, check_dimensions
from ..ops import composite
from ..tensor import Tensor, asarray, perform, tensor

__all__ = [
    "broadcast_arrays", "broadcast_to", "concat", "diagonal", "expand_dims", "flatten", "flip", "moveaxis", "pad", "permute_dims",
    "repeat", "reshape", "roll", "split", "squeeze", "stack", "tile", "unstack",
]

Axis = int | tuple[int, ...]


def all_tensors(xs: Sequence[Any]) -> list[Tensor]:
    return [asarray(x) for x in xs]


def reshape(x: Any, shape: Sequence[int], copy: bool | None = None) -> Tensor:
    """Reshape x in row-major order; one size may be -1 and is inferred. Raises ShapeError if the number of elements differs.

    >>> sl.reshape(sl.arange(6), (2, -1))
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    return asarray(x).reshape(shape)


def flatten(x: Any, start: int = 0) -> Tensor:
    """Merge the axes from `start` on into one; start=1 keeps the batch axis. Raises ShapeError for an axis that does not exist.

    >>> sl.flatten(sl.zeros((2, 3, 4)), start=1).shape
    (2, 12)
    """
    return asarray(x).flatten(start)


def permute_dims(x: Any, axes: int | Sequence[int]) -> Tensor:
    """Permute the axes: axis i of the result is axis axes[i] of x. Raises ShapeError unless `axes` is a permutation.

    >>> sl.permute_dims(sl.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return composite.permute_dims(asarray(x), (axes,) if isinstance(axes, int) else axes)


def moveaxis(x: Any, source: Axis, destination: Axis) -> Tensor:
    """Move axes from positions `source` to `destination`; the others keep their order. Raises ShapeError for duplicate positions.

    >>> sl.moveaxis(sl.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return composite.moveaxis(asarray(x), source, destination)


def expand_dims(x: Any, axis: int = 0) -> Tensor:
    """Insert an axis of size 1 at position `axis`.

    >>> sl.expand_dims([1., 2.], -1).shape
    (2, 1)
    """
    return composite.expand_dims(asarray(x), axis)


def squeeze(x: Any, axis: Axis | None = None) -> Tensor:
    """Remove axes of size 1: those in `axis`, or all. Raises ShapeError for an axis of another size.

    >>> sl.squeeze(sl.zeros((1, 3, 1)), 0).shape
    (3, 1)
    """
    return asarray(x).squeeze(axis)


def broadcast_to(x: Any, shape: Sequence[int]) -> Tensor:
    """Broadcast x to a shape: repeat axes of size 1 and insert axes in front. Raises ShapeError if the shapes do not match.

    >>> sl.broadcast_to([1., 2.], (2, 2))
    tensor([[1., 2.],
            [1., 2.]])
    """
    return asarray(x).broadcast_to(tuple(shape) if hasattr(shape, "__iter__") else (shape,))


def broadcast_arrays(*xs: Any) -> list[Tensor]:
    """Broadcast all tensors to their common shape.

    >>> [x.shape for x in sl.broadcast_arrays([[1.], [2.]], [1., 2., 3.])]
    [(2, 3), (2, 3)]
    """
    tensors = all_tensors(xs)
    shape = broadcast_shapes("broadcast_arrays", [x.shape for x in tensors]) if tensors else ()
    return [x.broadcast_to(shape) for x in tensors]


def concat(xs: Sequence[Any], axis: int | None = 0) -> Tensor:
    """Concatenate tensors along an axis (None: flatten them first). Raises ShapeError unless all other sizes are equal.

    >>> sl.concat([[1., 2.], [3.]])
    tensor([1., 2., 3.])
    """
    return composite.concat(some_tensors(xs, "concat"), axis)


def stack(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """Stack tensors of equal shape along a new axis.

    >>> sl.stack([[1., 2.], [3., 4.]], axis=1)
    tensor([[1., 3.],
            [2., 4.]])
    """
    return composite.stack(some_tensors(xs, "stack"), axis)


def some_tensors(xs: Sequence[Any], name: str) -> list[Tensor]:
    tensors = all_tensors(xs)
    if not tensors:
        raise ArgumentError(f"{name}: there is no tensor to join", repair="give at least one")
    return tensors


def unstack(x: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices of x along an axis, as a tuple of tensors without that axis.

    >>> sl.unstack([[1, 2], [3, 4]])
    (tensor([1, 2]), tensor([3, 4]))
    """
    return composite.unstack(asarray(x), axis)


def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """Split x along an axis into equal parts, or into parts of these sizes. Raises ShapeError unless they add up.

    >>> sl.split(sl.arange(5), [2, 3])
    (tensor([0, 1]), tensor([2, 3, 4]))
    """
    return composite.split(asarray(x), sections, axis)


def flip(x: Any, axis: Axis | None = None) -> Tensor:
    """Reverse the order of the elements along axes (None: all).

    >>> sl.flip([1, 2, 3])
    tensor([3, 2, 1])
    """
    return composite.flip(asarray(x), axis)


def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """Shift the elements along axes by `shift`; elements beyond the end re-enter at the start.

    >>> sl.roll([1, 2, 3], 1)
    tensor([3, 1, 2])
    """
    return composite.roll(asarray(x), shift, axis)


def tile(x: Any, repetitions: Sequence[int]) -> Tensor:
    """Repeat the whole tensor along each axis.

    >>> sl.tile([1, 2], (2,))
    tensor([1, 2, 1, 2])
    """
    return composite.tile(asarray(x), repetitions)


def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Tensor:
    """Repeat each element: a number of times, or one number per element (axis None: of the flattened tensor).

    >>> sl.repeat([1, 2], 2)
    tensor([1, 1, 2, 2])
    """
    return composite.repeat(asarray(x), repeats, axis)


def diagonal(x: Any, first: int = -2, second: int = -1) -> Tensor:
    """The diagonal of two axes of equal size, as a new last axis.

    >>> sl.diagonal([[1, 2], [3, 4]])
    tensor([1, 4])
    """
    return composite.diagonal(asarray(x), first, second)


def pad(x: Any, widths: int | Sequence[Any], value: Any = 0) -> Tensor:
    """Pad each axis with a constant; `widths` is a number, a pair (before, after), or one pair per axis.

    `value` is a number or a 0-d tensor, which gets a gradient. Raises ArgumentError for other widths or values, ShapeError unless
    there is one pair per axis.

    >>> sl.pad([1., 2.], (1, 2))
    tensor([0., 1., 2., 0., 0.])
    """
    x, pairs = asarray(x), as_pairs(widths)
    widths = pairs * x.ndim if len(pairs) == 1 else pairs
    check_dimensions([abs(low) + n + abs(high) for n, (low, high) in zip(x.shape, widths)], "pad")
    if isinstance(value, Tensor):
        if value.ndim:
            raise ShapeError(f"pad: a value of shape {value.shape}", why="all new elements have one value", repair="give one number")
        inside = perform("pad", (perform("expand", (tensor(True),), {"shape": x.shape}),), {"widths": widths, "value": False})
        return composite.where(inside, perform("pad", (x,), {"widths": widths, "value": 0}), value.astype(x.dtype))
    complex_number = isinstance(value, (complex, np.complexfloating)) and not isinstance(value, float)
    if not isinstance(value, (bool, int, float, complex, np.number)) or (complex_number and not is_complex(x.dtype)):
        raise ArgumentError(f"pad: the value {value!r} is no number of type {x.dtype}", repair="give a real number or a 0-d tensor")
    return perform("pad", (x,), {"widths": widths, "value": value})


def as_pairs(widths: Any) -> tuple[tuple[int, int], ...]:
    """One pair (before, after) for all axes, or one for each."""
    try:
        if hasattr(widths, "__index__"):
            return ((index(widths), index(widths)),)
        if len(widths) == 2 and all(hasattr(width, "__index__") for width in widths):
            return ((index(widths[0]), index(widths[1])),)
        return tuple((index(low), index(high)) for low, high in widths)
    except (TypeError, ValueError, KeyError) as error:
        raise ArgumentError(f"pad: the widths are {widths!r}", why="they say how many elements each axis gets before and after",
                            repair="give a whole number, a pair of them, or a pair per axis: ((0, 1), (2, 2))") from error
