"""Contract: sums of products over named axes; every matrix product, convolution and bilinear form is one."""

from __future__ import annotations

from math import prod
from typing import Any

from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph.dtype import ALL, bool_, promote
from ..graph.node import Node
from ..graph.operation import Operation, build
from ..graph.shape import Shape
from .move import cast_to
from .samples import real

Labels = tuple[int, ...]
WIDE = 32  # from this many columns on, a small product per leading element beats one large product and a transposition


class Contract(Operation):
    """out[...] = sum of a[...] * b[...], each axis named by a label; labels in both that `out` lacks are summed over.

    Labels are whole numbers, different within an operand; a label of only one operand must be in `out`.
    """

    kind = "contract"
    kernel = "contract"
    types = tuple(dtype for dtype in ALL if dtype != bool_)

    @classmethod
    def make(cls, a: Node, b: Node, *, a_axes: Labels, b_axes: Labels, out_axes: Labels) -> Node:  # type: ignore[override]
        dtype = promote(a.dtype, b.dtype)
        return super().make(cast_to(a, dtype), cast_to(b, dtype), a_axes=a_axes, b_axes=b_axes, out_axes=out_axes)

    def meaning(xp, a, b, a_axes, b_axes, out_axes):
        shared = [label for label in a_axes if label in b_axes]
        summed = [label for label in shared if label not in out_axes]
        if not summed:
            return aligned(xp, a, a_axes, out_axes) * aligned(xp, b, b_axes, out_axes)
        return product(xp, a, b, list(a_axes), list(b_axes), list(out_axes), summed)

    def rule(a, b, a_axes, b_axes, out_axes):
        for name, x, axes in (("a", a, a_axes), ("b", b, b_axes)):
            if len(axes) != x.ndim or len(set(axes)) < x.ndim:
                raise ShapeError(f"contract: labels {axes} do not name each axis of {name} {x.shape} once")
        sizes = dict(zip(a_axes, a.shape))
        for label, n in zip(b_axes, b.shape):
            if sizes.setdefault(label, n) != n:
                raise ShapeError(f"contract: a {a.shape} and b {b.shape} do not fit: axis {a_axes.index(label)} of a has "
                                 f"size {sizes[label]}, axis {b_axes.index(label)} of b has size {n}",
                                 why="the two axes are multiplied with each other element by element")
        if len(set(out_axes)) < len(out_axes) or set(out_axes) - set(sizes):
            raise ArgumentError(f"contract: output labels {out_axes} must be different and from {a_axes} or {b_axes}")
        if set(sizes) - set(out_axes) - (set(a_axes) & set(b_axes)):
            raise ArgumentError(f"contract: a label of {a_axes} and {b_axes} is in one of them only and not in {out_axes}",
                                repair="sum that operand over the axis first")
        if bool_ in (a.dtype, b.dtype):
            raise DTypeError("contract: bool is no number to sum products of", repair="cast first: x.astype(slopes.float32)")
        return tuple(sizes[label] for label in out_axes), promote(a.dtype, b.dtype)

    def pullback(g, y, a, b, a_axes, b_axes, out_axes):
        return (build("contract", g, b, a_axes=out_axes, b_axes=b_axes, out_axes=a_axes),
                build("contract", g, a, a_axes=out_axes, b_axes=a_axes, out_axes=b_axes))

    def batch(nodes, batched, a_axes, b_axes, out_axes):
        new = (max((*a_axes, *b_axes), default=-1) + 1,)
        a_axes, b_axes = (new * is_batched + axes for is_batched, axes in zip(batched, (a_axes, b_axes)))
        return build("contract", *nodes, a_axes=a_axes, b_axes=b_axes, out_axes=new + out_axes)

    @staticmethod
    def samples():
        yield [real(3, 5), real(5, 2)], {"a_axes": (0, 1), "b_axes": (1, 2), "out_axes": (0, 2)}
        yield [real(2, 3, 5), real(2, 4, 5)], {"a_axes": (0, 1, 2), "b_axes": (0, 3, 2), "out_axes": (0, 3, 1)}
        yield [real(7), real(7)], {"a_axes": (0,), "b_axes": (0,), "out_axes": ()}
        yield [real(3), real(4)], {"a_axes": (0,), "b_axes": (1,), "out_axes": (1, 0)}
        yield [real(3, 1), real(1, 3)], {"a_axes": (0, 1), "b_axes": (1, 0), "out_axes": (0,)}
        yield [real(2, 3, 7, 5), real(4, 3, 5)], {"a_axes": (0, 1, 2, 3), "b_axes": (4, 1, 3), "out_axes": (0, 4, 2)}
        yield [real(2, 3, 36, 2), real(4, 3, 2)], {"a_axes": (0, 1, 2, 3), "b_axes": (4, 1, 3), "out_axes": (0, 4, 2)}
        yield [real(2, 3), real(2, 3)], {"a_axes": (0, 1), "b_axes": (0, 1), "out_axes": (1, 0)}
        yield [real(0, 3), real(3, 2)], {"a_axes": (0, 1), "b_axes": (1, 2), "out_axes": (0, 2)}
        yield [real(2, 0), real(0, 3)], {"a_axes": (0, 1), "b_axes": (1, 2), "out_axes": (0, 2)}


def aligned(xp: Any, x: Any, axes: Labels, out: Labels) -> Any:
    """x with its axes in the order of `out`, and axes of size 1 where it has none."""
    order = [axes.index(label) for label in out if label in axes]
    return xp.reshape(xp.transpose(x, order), [x.shape[axes.index(label)] if label in axes else 1 for label in out])


def product(xp: Any, a: Any, b: Any, a_axes: list[int], b_axes: list[int], out: list[int], summed: list[int]) -> Any:
    """The contraction as (batched) matrix products, for which the array library has fast code."""
    batch = [label for label in out if label in a_axes and label in b_axes]
    for x, y, x_axes, y_axes in ((a, b, a_axes, b_axes), (b, a, b_axes, a_axes)):
        lead, rows, columns = split(out, x_axes, y_axes)
        if not batch and rows and size_of(x, x_axes, columns) >= WIDE:
            left, right = matrix(xp, y, y_axes, [], rows, summed), matrix(xp, x, x_axes, lead, summed, columns)
            shape = shape_of(x, x_axes, lead) + shape_of(y, y_axes, rows) + shape_of(x, x_axes, columns)
            return xp.reshape(xp.matmul(left, right), shape)
    rows = [label for label in out if label in a_axes and label not in batch]
    columns = [label for label in out if label in b_axes and label not in batch]
    result = xp.matmul(matrix(xp, a, a_axes, batch, rows, summed), matrix(xp, b, b_axes, batch, summed, columns))
    result = xp.reshape(result, shape_of(a, a_axes, batch + rows) + shape_of(b, b_axes, columns))
    found = batch + rows + columns
    return xp.transpose(result, [found.index(label) for label in out])


def split(out: list[int], x_axes: list[int], y_axes: list[int]) -> tuple[list[int], list[int], list[int]]:
    """`out` as (labels of x, all labels of y, labels of x), if it has that form: then x leads and no transposition is needed."""
    ours = [label in x_axes for label in out]
    if False not in ours:
        return [], [], []
    begin = ours.index(False)
    end = len(ours) - ours[::-1].index(False)
    if any(ours[begin:end]) or begin == 0:
        return [], [], []
    return out[:begin], out[begin:end], out[end:]


def matrix(xp: Any, x: Any, axes: list[int], batch: list[int], rows: list[int], columns: list[int]) -> Any:
    """x as one matrix per batch element, each group of labels flattened to one axis."""
    moved = xp.transpose(x, [axes.index(label) for label in batch + rows + columns])
    heads = [size_of(x, axes, batch)] if batch else []
    return xp.reshape(moved, (*heads, size_of(x, axes, rows), size_of(x, axes, columns)))


def shape_of(x: Any, axes: list[int], labels: list[int]) -> Shape:
    return tuple(x.shape[axes.index(label)] for label in labels)


def size_of(x: Any, axes: list[int], labels: list[int]) -> int:
    return prod(shape_of(x, axes, labels))
