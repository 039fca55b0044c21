"""Contract: sums of products over named axes; every matrix product, convolution and bilinear form is one."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

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
        if set(out_axes).issuperset(a_axes) and set(out_axes).issuperset(b_axes):  # nothing is summed
            return aligned(xp, a, a_axes, out_axes) * aligned(xp, b, b_axes, out_axes)
        return product(xp, a, b, a_axes, b_axes, out_axes)

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


def product(xp: Any, a: Any, b: Any, a_axes: Labels, b_axes: Labels, out_axes: Labels) -> Any:
    """The contraction as (batched) matrix products, for which the array library has fast code."""
    how = matrices(a.shape, b.shape, a_axes, b_axes, out_axes)
    left, right = (b, a) if how.exchanged else (a, b)
    result = xp.matmul(left.transpose(how.left_order).reshape(how.left_shape), right.transpose(how.right_order).reshape(how.right_shape))
    return result.reshape(how.shape).transpose(how.order)


class Matrices(NamedTuple):
    """How a contraction becomes one (batched) matrix product: each operand's axes put in order and flattened, the result's unfolded."""

    exchanged: bool  # b is the left matrix
    left_order: Labels
    left_shape: Shape
    right_order: Labels
    right_shape: Shape
    shape: Shape
    order: Labels


@lru_cache(maxsize=4096)
def matrices(a: Shape, b: Shape, a_axes: Labels, b_axes: Labels, out: Labels) -> Matrices:
    """The way for operands of these shapes."""
    sizes = dict(zip(a_axes + b_axes, a + b))
    summed = tuple(label for label in a_axes if label in b_axes and label not in out)
    batch = tuple(label for label in out if label in a_axes and label in b_axes)
    for exchanged, x_axes, y_axes in ((True, a_axes, b_axes), (False, b_axes, a_axes)):
        lead, rows, columns = split(out, x_axes, y_axes)
        if not batch and rows and prod(sizes[label] for label in columns) >= WIDE:
            return Matrices(exchanged, *matrix(y_axes, sizes, (), rows, summed), *matrix(x_axes, sizes, lead, summed, columns),
                            tuple(sizes[label] for label in out), tuple(range(len(out))))
    rows = tuple(label for label in out if label in a_axes and label not in batch)
    columns = tuple(label for label in out if label in b_axes and label not in batch)
    found = batch + rows + columns
    return Matrices(False, *matrix(a_axes, sizes, batch, rows, summed), *matrix(b_axes, sizes, batch, summed, columns),
                    tuple(sizes[label] for label in found), tuple(found.index(label) for label in out))


def split(out: Labels, x_axes: Labels, y_axes: Labels) -> tuple[Labels, Labels, Labels]:
    """`out` as (labels of x, all labels of y, labels of x), if it has that form: then x leads and no transposition is needed."""
    ours = [label in x_axes for label in out]
    if False not in ours:
        return (), (), ()
    begin = ours.index(False)
    end = len(ours) - ours[::-1].index(False)
    if any(ours[begin:end]) or begin == 0:
        return (), (), ()
    return out[:begin], out[begin:end], out[end:]


def matrix(axes: Labels, sizes: dict[int, int], batch: Labels, rows: Labels, columns: Labels) -> tuple[Labels, Shape]:
    """The order of an operand's axes and its shape as one matrix per batch element, each group of labels flattened to one axis."""
    heads = (size_of(sizes, batch),) if batch else ()
    return (tuple(axes.index(label) for label in batch + rows + columns), (*heads, size_of(sizes, rows), size_of(sizes, columns)))


def size_of(sizes: dict[int, int], labels: Labels) -> int:
    return prod(sizes[label] for label in labels)
