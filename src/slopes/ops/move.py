"""Moves: operations that change the positions of elements, never their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..graph.build import build
from ..graph.dtype import exists_in, is_inexact, promote
from ..graph.node import Node, Operation
from ..graph.shape import Shape, check_dimensions, reshape_shape, slice_count, strides_of
from .elementwise import convert
from .samples import real


class Move(Operation, abstract=True):
    """Each element of the result is an element of an argument, or a fixed fill value."""

    kind = "move"

    def linear(node):
        return True

    def shows_argument(node):
        return len(node.args) == 1


def batch_size(nodes: Sequence[Node], batched: Sequence[bool]) -> int:
    """The size of the leading batch axis of the arguments that have one."""
    return next(node.shape[0] for node, is_batched in zip(nodes, batched) if is_batched)


def with_batch(nodes: Sequence[Node], batched: Sequence[bool]) -> list[Node]:
    """All arguments with a leading batch axis: those without one are repeated (without a copy)."""
    n = batch_size(nodes, batched)
    return [node if is_batched else build("expand", node, shape=(n, *node.shape)) for node, is_batched in zip(nodes, batched)]


def move_axis(x: Node, source: int, target: int) -> Node:
    """x with one axis moved to another position, the others in their order."""
    order = [axis for axis in range(x.ndim) if axis != source]
    order.insert(target, source)
    return build("permute", x, axes=tuple(order))


def flip_axes(x: Node, axes: Sequence[int]) -> Node:
    """x read backwards along some axes."""
    back = [axis in axes for axis in range(x.ndim)]
    return build("slice", x, start=tuple(n - 1 if b else 0 for n, b in zip(x.shape, back)),
                 stop=tuple(-1 if b else n for n, b in zip(x.shape, back)), step=tuple(-1 if b else 1 for b in back))


class Reshape(Move):
    """The same elements in row-major order under another shape."""
    cost = 1
    view = reads_once = keeps_order = same_numbers = True


    @classmethod
    def make(cls, x: Node, *, shape: Shape) -> Node:  # type: ignore[override]
        shape = reshape_shape(x.shape, shape)
        return x if shape == x.shape else super().make(x, shape=shape)

    def meaning(xp, x, shape):
        return xp.reshape(x, shape)

    def compute(x, shape):
        return x.reshape(shape)

    def rule(x, shape):
        return reshape_shape(x.shape, shape), x.dtype

    def pullback(g, y, x, shape):
        return (build("reshape", g, shape=x.shape),)

    def batch(nodes, batched, shape):
        return build("reshape", nodes[0], shape=(nodes[0].shape[0], *shape))

    def lower(read, index, node):
        """Axes that the reshape leaves as they are keep their index, also where it lies outside (what is read there is not used)."""
        source = node.args[0]
        source_index = [0] * source.ndim
        for old, new in regrouped(source.shape, node.shape):
            shape = tuple(source.shape[axis] for axis in old)
            position = sum(index[axis] * stride for axis, stride in zip(new, strides_of(tuple(node.shape[axis] for axis in new))))
            for k, (axis, n, stride) in enumerate(zip(old, shape, strides_of(shape))):
                source_index[axis] = position // stride % n if k else position // stride
        return read(source, tuple(source_index))

    @staticmethod
    def samples():
        yield [real(2, 3, 4)], {"shape": (4, 6)}
        yield [real(6)], {"shape": (2, 1, 3)}
        yield [real(1, 1)], {"shape": ()}
        yield [real()], {"shape": (1,)}
        yield [real(0, 3)], {"shape": (5, 0)}


class Permute(Move):
    """The axes in another order: axis i of the result is axis axes[i] of x."""
    cost = 2
    view = reads_once = same_numbers = True


    @classmethod
    def make(cls, x: Node, *, axes: tuple[int, ...]) -> Node:  # type: ignore[override]
        return x if axes == tuple(range(x.ndim)) else super().make(x, axes=axes)

    def meaning(xp, x, axes):
        return xp.permute_dims(x, axes)

    def compute(x, axes):
        return x.transpose(axes)

    def rule(x, axes):
        if sorted(axes) != list(range(x.ndim)):
            raise ShapeError(f"permute: {axes} is no order of the axes of a tensor of shape {x.shape}",
                             why="every axis must be named exactly once", repair=f"the axes are {tuple(range(x.ndim))}")
        return tuple(x.shape[axis] for axis in axes), x.dtype

    def pullback(g, y, x, axes):
        return (build("permute", g, axes=tuple(axes.index(axis) for axis in range(len(axes)))),)

    def batch(nodes, batched, axes):
        return build("permute", nodes[0], axes=(0, *(axis + 1 for axis in axes)))

    def lower(read, index, node):
        axes = node.params["axes"]
        return read(node.args[0], tuple(index[axes.index(axis)] for axis in range(len(axes))))

    @staticmethod
    def samples():
        yield [real(2, 3, 4)], {"axes": (2, 0, 1)}
        yield [real(3, 1)], {"axes": (1, 0)}
        yield [real(2, 0)], {"axes": (1, 0)}


class Expand(Move):
    """Broadcasting, as its own node: axes of size 1 are repeated, new axes appear in front."""
    cost = 2
    view = broadcasts = same_numbers = True


    @classmethod
    def make(cls, x: Node, *, shape: Shape) -> Node:  # type: ignore[override]
        return x if shape == x.shape else super().make(x, shape=shape)

    def meaning(xp, x, shape):
        return xp.broadcast_to(x, shape)

    def rule(x, shape):
        shape = check_dimensions(shape, "expand")
        beside = shape[len(shape) - x.ndim:]
        if x.ndim > len(shape) or any(n not in (1, m) for n, m in zip(x.shape, beside)):
            raise ShapeError(f"expand: shape {x.shape} does not broadcast to {shape}",
                             why="counted from the last axis, each size must be 1 or already the wanted one",
                             repair="reshape first, so that the axes to repeat have size 1")
        return shape, x.dtype

    def pullback(g, y, x, shape):
        new = len(shape) - x.ndim
        repeated = tuple(axis for axis in range(len(shape)) if axis < new or x.shape[axis - new] != shape[axis])
        return (build("reshape", build("sum", g, axes=repeated), shape=x.shape),)

    def batch(nodes, batched, shape):
        n, *own = nodes[0].shape
        return build("expand", build("reshape", nodes[0], shape=(n, *[1] * (len(shape) - len(own)), *own)), shape=(n, *shape))

    def lower(read, index, node):
        source = node.args[0]
        beside = index[len(index) - source.ndim:]
        return read(source, tuple(0 if n == 1 else i for i, n in zip(beside, source.shape)))

    def repeats(node):
        return node.size > node.args[0].size

    @staticmethod
    def samples():
        yield [real(3)], {"shape": (2, 3)}
        yield [real(2, 1, 3)], {"shape": (4, 2, 5, 3)}
        yield [real()], {"shape": (2, 2)}
        yield [real(1, 3)], {"shape": (0, 3)}


def added(xp: Any, x: Any, y: Any) -> Any:
    """x + y; of truth values, whether either is true."""
    return xp.logical_or(x, y) if x.dtype == xp.bool else x + y


def padded(xp: Any, x: Any, widths: Sequence[tuple[int, int]], value: float) -> Any:
    """x with rows of a value before and after each axis."""
    for axis, (low, high) in enumerate(widths):
        before, after = (xp.full((*x.shape[:axis], n, *x.shape[axis + 1:]), value, dtype=x.dtype) for n in (low, high))
        x = xp.concat((before, x, after), axis=axis)
    return x


class Pad(Move):
    """Rows of a fixed value before and after each axis."""
    cost = 2
    reads_once = buffered_if_reread = True


    @classmethod
    def make(cls, x: Node, *, widths: tuple[tuple[int, int], ...], value: float = 0) -> Node:  # type: ignore[override]
        if len(widths) == x.ndim and not any(low or high for low, high in widths):
            return x
        return super().make(x, widths=widths, value=value)

    def meaning(xp, x, widths, value):
        return padded(xp, x, widths, value)

    def compute(x, widths, value):
        return np.pad(x, widths, constant_values=value) if x.ndim else x

    def rule(x, widths, value):
        if len(widths) != x.ndim:
            raise ShapeError(f"pad: {len(widths)} pairs of widths for a tensor of shape {x.shape}",
                             why="each axis takes one pair (before, after)",
                             repair=f"give {x.ndim} pairs, (0, 0) for axes to leave alone")
        if any(low < 0 or high < 0 for low, high in widths):
            raise ShapeError(f"pad: widths {widths} hold a negative number", why="padding only adds",
                             repair="cut with a slice instead")
        if not is_inexact(x.dtype) and not exists_in(value, x.dtype):
            raise ArgumentError(f"pad: the value {value} does not exist in {x.dtype}", repair="cast x to a float type first")
        return tuple(low + n + high for n, (low, high) in zip(x.shape, widths)), x.dtype

    def pullback(g, y, x, widths, value):
        return (build("slice", g, start=tuple(low for low, _ in widths),
                      stop=tuple(low + n for n, (low, _) in zip(x.shape, widths)), step=(1,) * x.ndim),)

    def batch(nodes, batched, widths, value):
        return build("pad", nodes[0], widths=((0, 0), *widths), value=value)

    def lower(read, index, node):
        source, widths = node.args[0], node.params["widths"]
        inside = [(i, low, low + n) for i, n, (low, high) in zip(index, source.shape, widths) if low or high]
        shifted = tuple(i - low for i, (low, _) in zip(index, widths))
        return read.select(inside, read(source, shifted), read.constant(node.params["value"], node.dtype))

    def linear(node):
        return node.params["value"] == 0

    @staticmethod
    def samples():
        yield [real(3, 2)], {"widths": ((1, 2), (0, 3)), "value": 0}
        yield [real(5)], {"widths": ((2, 0),), "value": 1}
        yield [real(0, 2)], {"widths": ((1, 1), (0, 0)), "value": 0}
        yield [real(2, 1, 3)], {"widths": ((0, 0), (1, 1), (2, 1)), "value": 3}


class Slice(Move):
    """Every step-th element from start to before stop, on each axis; range(start, stop, step) lists the positions read."""
    cost = 2
    view = same_numbers = True


    @classmethod
    def make(cls, x: Node, *, start: tuple[int, ...], stop: tuple[int, ...], step: tuple[int, ...]) -> Node:  # type: ignore[override]
        if start == (0,) * x.ndim and stop == x.shape and step == (1,) * x.ndim:
            return x
        return super().make(x, start=start, stop=stop, step=step)

    def meaning(xp, x, start, stop, step):
        return x[tuple(slice(a, None if b < 0 else b, s) for a, b, s in zip(start, stop, step))]

    def rule(x, start, stop, step):
        if not len(start) == len(stop) == len(step) == x.ndim:
            raise ShapeError(f"slice: start {start}, stop {stop} and step {step} do not name each axis of shape {x.shape} once")
        for axis, (n, a, b, s) in enumerate(zip(x.shape, start, stop, step)):
            if s == 0:
                raise ArgumentError(f"slice: the step along axis {axis} is 0", repair="steps are 1 or more, or -1 or less")
            picked = range(a, b, s)
            if picked and not (0 <= picked[0] < n and 0 <= picked[-1] < n):
                raise ShapeError(f"slice: {a}:{b}:{s} leaves axis {axis} of size {n}",
                                 repair="normalise it first, as in range(n)[a:b:s]")
        return tuple(map(slice_count, start, stop, step)), x.dtype

    def pullback(g, y, x, start, stop, step):
        backward = [axis for axis in range(x.ndim) if step[axis] < 0]
        lowest = [a + (n - 1) * s if s < 0 else a for a, n, s in zip(start, y.shape, step)]
        spaced = space(flip_axes(g, backward), [abs(s) for s in step])
        widths = [(low, n - low - m) if m else (0, n) for low, n, m in zip(lowest, x.shape, spaced.shape)]
        return (build("pad", spaced, widths=tuple(widths), value=0),)

    def batch(nodes, batched, start, stop, step):
        return build("slice", nodes[0], start=(0, *start), stop=(nodes[0].shape[0], *stop), step=(1, *step))

    def lower(read, index, node):
        start, step = node.params["start"], node.params["step"]
        return read(node.args[0], tuple(i * s + a for i, a, s in zip(index, start, step)))

    @staticmethod
    def samples():
        yield [real(5, 4)], {"start": (1, 0), "stop": (4, 4), "step": (1, 2)}
        yield [real(7)], {"start": (6,), "stop": (-1,), "step": (-1,)}
        yield [real(8, 3)], {"start": (6, 2), "stop": (0, 0), "step": (-3, -1)}
        yield [real(9, 1)], {"start": (2, 0), "stop": (9, 1), "step": (3, 1)}
        yield [real(4)], {"start": (2,), "stop": (2,), "step": (1,)}


def space(x: Node, steps: Sequence[int]) -> Node:
    """x with steps - 1 zeros between neighbours: windows of one element, put back at a distance."""
    axes = tuple(axis for axis, step in enumerate(steps) if step > 1 and x.shape[axis] > 1)
    if not axes:
        return x
    return build("unwindow", build("reshape", x, shape=x.shape + (1,) * len(axes)), axes=axes, size=(1,) * len(axes),
                 stride=tuple(steps[axis] for axis in axes), dilation=(1,) * len(axes),
                 lengths=tuple((x.shape[axis] - 1) * steps[axis] + 1 for axis in axes))


class Concat(Move):
    """Tensors one after another along an axis."""
    cost = 2
    reads_once = buffered_if_reread = joins = True


    @classmethod
    def make(cls, *xs: Node, axis: int) -> Node:  # type: ignore[override]
        if len(xs) == 1 and 0 <= axis < xs[0].ndim:
            return xs[0]
        return super().make(*(convert(x, promote(*(one.dtype for one in xs))) for x in xs), axis=axis)

    def meaning(xp, *xs, axis):
        return xp.concat(xs, axis=axis)

    def rule(*xs, axis):
        if not xs:
            raise ArgumentError("concat: there is no tensor to join", repair="give at least one")
        first = xs[0].shape
        if not 0 <= axis < len(first):
            raise ShapeError(f"concat: axis {axis} does not exist in a tensor of shape {first}",
                             repair="to join along a new axis, use stack")
        for position, x in enumerate(xs):
            if without(x.shape, axis) != without(first, axis) or x.ndim != len(first):
                raise ShapeError(f"concat: on axis {axis}, tensor {position} of shape {x.shape} does not fit tensor 0 of {first}",
                                 why="all sizes except the one of the joined axis must be equal")
        return (*first[:axis], sum(x.shape[axis] for x in xs), *first[axis + 1:]), promote(*(x.dtype for x in xs))

    def pullback(g, y, *xs, axis):
        ends = [sum(x.shape[axis] for x in xs[:i + 1]) for i in range(len(xs))]
        return tuple(between(g, axis, end - x.shape[axis], end) for x, end in zip(xs, ends))

    def batch(nodes, batched, axis):
        return build("concat", *with_batch(nodes, batched), axis=axis + 1)

    def lower(read, index, node):
        axis, end, result = node.params["axis"], 0, read.constant(0, node.dtype)
        for x in node.args:
            begin, end = end, end + x.shape[axis]
            position = index[axis] - begin if end > begin + 1 else 0  # a part of one element is read there whatever the index says
            own = (*index[:axis], position, *index[axis + 1:])
            result = read.select([(index[axis], begin, end)], read(x, own), result)
        return result

    def inline_cost(node):
        return 3 * len(node.args)

    @staticmethod
    def samples():
        yield [real(2, 3), real(2, 1)], {"axis": 1}
        yield [real(3), real(0), real(4)], {"axis": 0}
        yield [real(1, 2, 2), real(2, 2, 2), real(1, 2, 2)], {"axis": 0}


def regrouped(old: Shape, new: Shape) -> list[tuple[list[int], list[int]]]:
    """The axes of two shapes of equal size in the smallest groups of equal size, without axes of one element."""
    axes = [[axis for axis, n in enumerate(shape) if n != 1] for shape in (old, new)]
    groups: list[tuple[list[int], list[int]]] = []
    left, right = 1, 1  # sizes of the groups so far
    for axis in axes[0]:
        if left == right:
            groups.append(([], []))
        groups[-1][0].append(axis)
        left *= old[axis]
        while right < left and axes[1]:
            groups[-1][1].append(axes[1].pop(0))
            right *= new[groups[-1][1][-1]]
    return groups


def without(shape: Shape, axis: int) -> Shape:
    """The shape with one axis left out."""
    return shape[:axis] + shape[axis + 1:]


def between(x: Node, axis: int, begin: int, end: int) -> Node:
    """The elements begin .. end - 1 along one axis."""
    start = tuple(begin if i == axis else 0 for i in range(x.ndim))
    stop = tuple(end if i == axis else n for i, n in enumerate(x.shape))
    return build("slice", x, start=start, stop=stop, step=(1,) * x.ndim)
