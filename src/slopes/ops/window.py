"""Windows: the overlapping view behind convolution and pooling, and its adjoint that adds overlaps up."""

from __future__ import annotations

import itertools
from math import prod
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..graph.build import build
from ..graph.node import Operation
from ..graph.shape import window_count
from .move import Move, added, padded
from .reduce import add_up, zero
from .samples import real

Sizes = tuple[int, ...]


def counts_of(name: str, lengths: Sizes, axes: Sizes, size: Sizes, stride: Sizes, dilation: Sizes) -> Sizes:
    """How many windows fit on each axis; at least one must."""
    counts = tuple(map(window_count, lengths, size, stride, dilation))
    for n, axis, length, k, d in zip(counts, axes, lengths, size, dilation):
        if n == 0:
            spread = f" spread by dilation {d} over {d * (k - 1) + 1}" if d > 1 else ""
            raise ShapeError(f"{name}: axis {axis} of size {length} is shorter than the window of {k}{spread}",
                             why="not one window fits", repair="take a smaller window, or pad the axis")
    return counts


def check(name: str, rank: int, axes: Sizes, size: Sizes, stride: Sizes, dilation: Sizes) -> None:
    """One size, stride and dilation, all positive, for each of some different axes."""
    if not len(axes) == len(size) == len(stride) == len(dilation):
        raise ArgumentError(f"{name}: axes {axes}, size {size}, stride {stride}, dilation {dilation} differ in length",
                            why="each windowed axis takes one of each")
    if len(set(axes)) < len(axes) or any(not 0 <= axis < rank for axis in axes):
        raise ShapeError(f"{name}: axes {axes} are not different axes of a tensor of {rank} axes")
    for what, values in (("size", size), ("stride", stride), ("dilation", dilation)):
        if any(n < 1 for n in values):
            raise ArgumentError(f"{name}: {what} {values} must be 1 or more on each axis")


def replace(shape: tuple, axes: Sizes, sizes: tuple) -> tuple:
    """The shape (or any tuple with an entry per axis) with new entries on some axes."""
    new = dict(zip(axes, sizes))
    return tuple(new.get(axis, n) for axis, n in enumerate(shape))


class Window(Move):
    """All windows along some axes: the axes become counts of windows, and the axes inside a window follow at the end.

    result[..., i, ..., k] = x[..., i * stride + k * dilation, ...]
    """

    view = overlaps = same_numbers = True

    def meaning(xp, x, axes, size, stride, dilation):
        for axis, k, s, d in zip(axes, size, stride, dilation):
            n = window_count(x.shape[axis], k, s, d)
            positions = xp.reshape(xp.arange(n), (n, 1)) * s + xp.arange(k) * d
            chosen = xp.take(x, xp.reshape(positions, (-1,)), axis=axis)
            x = xp.moveaxis(xp.reshape(chosen, (*x.shape[:axis], n, k, *x.shape[axis + 1:])), axis + 1, -1)
        return x

    def compute(x, axes, size, stride, dilation):
        counts = tuple(window_count(x.shape[axis], *ksd) for axis, *ksd in zip(axes, size, stride, dilation))
        inner = tuple(x.strides[axis] * d for axis, d in zip(axes, dilation))
        outer = replace(x.strides, axes, tuple(x.strides[axis] * s for axis, s in zip(axes, stride)))
        return np.lib.stride_tricks.as_strided(x, replace(x.shape, axes, counts) + size, outer + inner, writeable=False)

    def xla(x, array, axes, size, stride, dilation):
        for axis, k, s, d in zip(axes, size, stride, dilation):
            n = window_count(array.shape[axis], k, s, d)
            if k <= n:  # slices of all windows at one offset, or of one window at all offsets: whichever are fewer
                parts = [x.lax.slice_in_dim(array, i * d, i * d + (n - 1) * s + 1, s, axis) for i in range(k)]
                array = x.np.stack(parts, axis=-1)
            else:
                parts = [x.lax.slice_in_dim(array, i * s, i * s + (k - 1) * d + 1, d, axis) for i in range(n)]
                array = x.np.moveaxis(x.np.stack(parts, axis=axis), axis + 1, -1)
        return array

    def rule(x, axes, size, stride, dilation):
        check("window", x.ndim, axes, size, stride, dilation)
        counts = counts_of("window", tuple(x.shape[axis] for axis in axes), axes, size, stride, dilation)
        return replace(x.shape, axes, counts) + size, x.dtype

    def pullback(g, y, x, axes, **params):
        return (build("unwindow", g, axes=axes, **params, lengths=tuple(x.shape[axis] for axis in axes)),)

    def batch(nodes, batched, axes, **params):
        return build("window", nodes[0], axes=tuple(axis + 1 for axis in axes), **params)

    def lower(read, index, node):
        p, position = node.params, list(index[:node.args[0].ndim])
        for axis, inner, s, d in zip(p["axes"], index[len(position):], p["stride"], p["dilation"]):
            position[axis] = position[axis] * s + inner * d
        return read(node.args[0], tuple(position))

    def repeats(node):
        return True

    @staticmethod
    def samples():
        yield [real(7)], {"axes": (0,), "size": (3,), "stride": (1,), "dilation": (1,)}
        yield [real(2, 5, 6)], {"axes": (1, 2), "size": (2, 3), "stride": (2, 1), "dilation": (1, 2)}
        yield [real(6, 2)], {"axes": (0,), "size": (2,), "stride": (2,), "dilation": (1,)}
        yield [real(8, 1)], {"axes": (0,), "size": (2,), "stride": (3,), "dilation": (1,)}
        yield [real(4, 5)], {"axes": (1, 0), "size": (1, 4), "stride": (2, 1), "dilation": (1, 1)}
        yield [real(0, 4)], {"axes": (1,), "size": (2,), "stride": (1,), "dilation": (2,)}


def spread(xp: Any, x: Any, axis: int, step: int) -> Any:
    """x with step - 1 zeros between neighbours on an axis."""
    before, n, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1:]
    if step == 1:
        return x
    gaps = xp.zeros((*before, n, step - 1, *after), dtype=x.dtype)
    joined = xp.reshape(xp.concat((xp.expand_dims(x, axis=axis + 1), gaps), axis=axis + 1), (*before, n * step, *after))
    return joined[(*(slice(None),) * axis, slice(0, (n - 1) * step + 1), ...)]


class Unwindow(Operation):
    """Windows put back where they came from, overlaps added: the adjoint of window.

    `lengths` are the sizes of the windowed axes of the result. `lower` is right when `disjoint(node)`; otherwise a kernel adds.
    """

    kind = "index"
    kernel = "unwindow"
    epilogue = True
    identity, combine = staticmethod(zero), staticmethod(add_up)

    def meaning(xp, g, axes, size, stride, dilation, lengths):
        result = xp.zeros(replace(g.shape[:g.ndim - len(axes)], axes, lengths), dtype=g.dtype)
        for at in itertools.product(*map(range, size)):
            term = g[(..., *at)]
            for axis, k, s, d, length in zip(axes, at, stride, dilation, lengths):
                term = spread(xp, term, axis, s)
                term = padded(xp, term, [(k * d, length - k * d - term.shape[axis]) if i == axis else (0, 0)
                                         for i in range(term.ndim)], 0)
            result = added(xp, result, term)
        return result

    def compute(g, axes, size, stride, dilation, lengths):
        rank, counts = g.ndim - len(axes), tuple(g.shape[axis] for axis in axes)
        if prod(counts) < prod(size):  # position = i * stride + k * dilation is symmetric: go through whichever are fewer
            inner = replace(tuple(range(rank)), axes, tuple(range(rank, g.ndim)))
            g, counts, size, stride, dilation = np.transpose(g, inner + axes), size, counts, dilation, stride
        shape = replace(g.shape[:rank], axes, lengths)
        result = np.zeros_like(g[(..., *(0,) * len(axes))], shape=shape)
        for at in itertools.product(*map(range, size)):
            ranges = tuple(slice(k * d, k * d + (n - 1) * s + 1, s) for k, n, s, d in zip(at, counts, stride, dilation))
            result[replace((slice(None),) * rank, axes, ranges)] += g[(..., *at)]
        return np.ascontiguousarray(result)  # it was laid out as g is, to be added to in long rows

    def rule(g, axes, size, stride, dilation, lengths):
        rank = g.ndim - len(axes)
        check("unwindow", rank, axes, size, stride, dilation)
        counts = counts_of("unwindow", lengths, axes, size, stride, dilation)
        if g.shape != replace(g.shape[:rank], axes, counts) + size:
            raise ShapeError(f"unwindow: shape {g.shape} is not that of windows {size} on axes {axes} of lengths {lengths}",
                             why=f"there are {counts} windows of {size}")
        return replace(g.shape[:rank], axes, lengths), g.dtype

    def pullback(h, y, g, lengths, **params):
        return (build("window", h, **params),)

    def batch(nodes, batched, axes, **params):
        return build("unwindow", nodes[0], axes=tuple(axis + 1 for axis in axes), **params)

    def disjoint(node):
        p = node.params
        return all(s > d * (k - 1) or n == 1 for s, d, k, n in
                   zip(p["stride"], p["dilation"], p["size"], (node.args[0].shape[axis] for axis in p["axes"])))

    def linear(node):
        return True

    def lower(read, index, node):
        source, p, outer, inner, inside = node.args[0], node.params, list(index), [], []
        for axis, k, s, d in zip(p["axes"], p["size"], p["stride"], p["dilation"]):
            n = source.shape[axis]
            window, offset = (0, index[axis]) if n == 1 else (index[axis] // s, index[axis] % s)
            outer[axis] = window
            inner.append(offset // d)
            inside += [] if n == 1 else [(window, 0, n)]
            inside += [(offset // d, 0, k)] + ([(offset % d, 0, 1)] if d > 1 else [])
        return read.select(inside, read(source, (*outer, *inner)), read.constant(0, node.dtype))

    @staticmethod
    def samples():
        yield [real(5, 3)], {"axes": (0,), "size": (3,), "stride": (1,), "dilation": (1,), "lengths": (7,)}
        yield [real(2, 2, 2, 2, 3)], {"axes": (1, 2), "size": (2, 3), "stride": (2, 1), "dilation": (1, 2), "lengths": (5, 6)}
        yield [real(3, 2, 2)], {"axes": (0,), "size": (2,), "stride": (2,), "dilation": (1,), "lengths": (7,)}
        yield [real(3, 1)], {"axes": (0,), "size": (1,), "stride": (3,), "dilation": (1,), "lengths": (9,)}
        yield [real(2, 2)], {"axes": (0,), "size": (2,), "stride": (4,), "dilation": (2,), "lengths": (8,)}
        yield [real(1, 4)], {"axes": (0,), "size": (4,), "stride": (1,), "dilation": (2,), "lengths": (7,)}
        yield [real(0, 3, 2)], {"axes": (1,), "size": (2,), "stride": (1,), "dilation": (1,), "lengths": (4,)}
