"""Shape arithmetic, and its errors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import index

from ..errors import ArgumentError, ShapeError

Shape = tuple[int, ...]
MOST_ELEMENTS = 1 << 60


def size(shape: Sequence[int]) -> int:
    return math.prod(shape)


def strides_of(shape: Iterable[int]) -> tuple[int, ...]:
    """The distance between neighbours along each axis when elements are counted in row-major order."""
    result, step = [], 1
    for n in reversed(list(shape)):
        result.append(step)
        step *= n
    return tuple(reversed(result))


def broadcast_shapes(operation: str, shapes: Sequence[Shape]) -> Shape:
    """The common shape of operands: sizes are equal, or one of them is 1, counted from the last axis."""
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    rank = max(map(len, shapes))
    result = []
    for axis in range(-rank, 0):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        if len(sizes) > 1:
            raise _broadcast_error(operation, shapes, axis)
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


def _broadcast_error(operation: str, shapes: Sequence[Shape], axis: int) -> ShapeError:
    names = " and ".join(str(shape) for shape in shapes)
    sizes = " against ".join(str(shape[axis]) for shape in shapes if len(shape) >= -axis)
    repair = ""
    if len(shapes) == 2:
        long, short = sorted(shapes, key=len, reverse=True)
        if len(short) == 1 and short[0] == long[0] and len(long) > 1:
            repair = f"to line it up with axis 0, give it trailing axes: x.reshape({short[0]}{', 1' * (len(long) - 1)})"
    return ShapeError(f"{operation}: shapes {names} do not broadcast on axis {axis} ({sizes})",
                      why="sizes must be equal, or one of them 1, counted from the last axis", repair=repair)


def normalize_axis(axis: int, rank: int, operation: str) -> int:
    """The axis counted from the front."""
    position = whole(axis)
    if position is None:
        raise ArgumentError(f"{operation}: an axis is a whole number, not {axis!r}",
                            repair=f"axes run from {-rank} to {rank - 1}" if rank else "a 0-d tensor has no axes")
    if not -rank <= position < rank:
        raise ShapeError(f"{operation}: axis {position} does not exist in a tensor of {rank} axes",
                         repair=f"axes run from {-rank} to {rank - 1}" if rank else "a 0-d tensor has no axes")
    return position % rank


def whole(value: object) -> int | None:
    """A whole number as Python's; None for anything else, also for True and for arrays of several numbers."""
    try:
        return None if isinstance(value, bool) else index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def normalize_axes(axis: int | Iterable[int] | None, rank: int, operation: str) -> tuple[int, ...]:
    """The axes in rising order; None means all."""
    if axis is None:
        return tuple(range(rank))
    if type(axis) is int and -rank <= axis < rank:
        return (axis % rank,)
    axes = list(axis) if isinstance(axis, Iterable) else [axis]
    rising = sorted(normalize_axis(i, rank, operation) for i in axes)
    if len(set(rising)) < len(rising):
        raise ShapeError(f"{operation}: an axis is named twice in {tuple(axes)}",
                         why=f"counted from either end, in a tensor of {rank} axes", repair="name each axis once")
    return tuple(rising)


def check_dimensions(shape: Sequence[int], operation: str) -> Shape:
    """The shape as a tuple of non-negative whole numbers."""
    sizes = [whole(n) for n in shape]
    if any(n is None or n < 0 for n in sizes):
        raise ShapeError(f"{operation}: {tuple(shape)} is no shape", why="sizes are whole numbers, 0 or more",
                         repair="compute sizes with //, and give -1 to reshape only")
    dimensions = tuple(n for n in sizes if n is not None)
    if math.prod(n for n in dimensions if n) >= MOST_ELEMENTS:
        raise ShapeError(f"{operation}: no array of shape {dimensions} exists", why="it would have more elements than memory has addresses",
                         repair="look for a size that is too large")
    return dimensions


def reshape_shape(old: Shape, new: Sequence[int]) -> Shape:
    """The new shape with -1 filled in; it must hold as many elements as the old one."""
    holes = [axis for axis, n in enumerate(new) if n == -1]
    known = size([n for n in new if n != -1])
    if len(holes) > 1:
        raise ShapeError(f"reshape: {tuple(new)} has more than one -1", why="-1 stands for the one size that follows from the others",
                         repair="give all sizes but one")
    if holes and known and size(old) % known == 0:
        new = [size(old) // known if n == -1 else n for n in new]
    shape = tuple(new)
    if -1 in shape or size(shape) != size(old):
        raise ShapeError(f"reshape: a tensor of shape {old} ({size(old)} elements) cannot become {shape}",
                         why="the number of elements must stay the same", repair=reshape_hint(old, new))
    return check_dimensions(shape, "reshape")


def reshape_hint(old: Shape, new: Sequence[int]) -> str:
    """A repair: a size that would fit the number of elements, if changing one axis is enough."""
    if any(whole(n) is None for n in new):
        return "sizes are whole numbers; one of them may be -1"
    for axis in reversed(range(len(new))):
        rest = size([n for k, n in enumerate(new) if k != axis])
        if rest > 0 and size(old) % rest == 0:
            fitting = tuple(size(old) // rest if k == axis else n for k, n in enumerate(new))
            return f"with {fitting[axis]} for axis {axis} it would fit: {fitting}"
    return f"the sizes must multiply to {size(old)}; one of them may be -1"


def window_count(length: int, window: int, stride: int, dilation: int) -> int:
    """How many windows fit: floor((length - dilation * (window - 1) - 1) / stride) + 1, at least 0."""
    return max(0, (length - dilation * (window - 1) - 1) // stride + 1)


def slice_count(start: int, stop: int, step: int) -> int:
    return len(range(start, stop, step))
