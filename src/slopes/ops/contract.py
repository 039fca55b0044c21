"""Contract: sums of products over named axes; every matrix product, convolution and bilinear form is one."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph.build import build
from ..graph.dtype import ALL, bool_, promote
from ..graph.node import Node, Operation
from ..graph.shape import Shape
from .elementwise import convert
from .reduce import add_up, zero
from .samples import real

Labels = tuple[int, ...]
WIDE = 32  # from this many columns on, a small product per leading element beats one large product and a transposition


class Contract(Operation):
    """out[...] = sum of a[...] * b[...], each axis named by a label; labels in both that `out` lacks are summed over.

    Labels are whole numbers, different within an operand; a label of only one operand must be in `out`.
    """

    kind = kernel = "contract"
    cost = 20
    epilogue = True
    inline_limit = 2  # while an operand is packed
    identity, combine = staticmethod(zero), staticmethod(add_up)
    types = tuple(dtype for dtype in ALL if dtype != bool_)

    @classmethod
    def make(cls, a: Node, b: Node, *, a_axes: Labels, b_axes: Labels, out_axes: Labels) -> Node:  # type: ignore[override]
        dtype = promote(a.dtype, b.dtype)
        return super().make(convert(a, dtype), convert(b, dtype), a_axes=a_axes, b_axes=b_axes, out_axes=out_axes)

    def meaning(xp, a, b, a_axes, b_axes, out_axes):
        if set(out_axes).issuperset(a_axes) and set(out_axes).issuperset(b_axes):  # nothing is summed
            return aligned(xp, a, a_axes, out_axes) * aligned(xp, b, b_axes, out_axes)
        how = matrices(a.shape, b.shape, (0,) * a.ndim, (0,) * b.ndim, a_axes, b_axes, out_axes)
        left, right = (b, a) if how.exchanged else (a, b)
        result = xp.matmul(how.left.in_terms_of(xp, left), how.right.in_terms_of(xp, right))
        return xp.permute_dims(xp.reshape(result, how.shape), how.order)

    def compute(a, b, a_axes, b_axes, out_axes):
        if set(out_axes).issuperset(a_axes) and set(out_axes).issuperset(b_axes):
            return aligned(np, a, a_axes, out_axes) * aligned(np, b, b_axes, out_axes)
        return product(a, b, a_axes, b_axes, out_axes)

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
    order = tuple(axes.index(label) for label in out if label in axes)
    return xp.reshape(xp.permute_dims(x, order), tuple(x.shape[axes.index(label)] if label in axes else 1 for label in out))


def product(a: np.ndarray, b: np.ndarray, a_axes: Labels, b_axes: Labels, out_axes: Labels) -> np.ndarray:
    """The contraction as (batched) matrix products, for which the array library has fast code."""
    how = matrices(a.shape, b.shape, a.strides, b.strides, a_axes, b_axes, out_axes)
    left, right = (b, a) if how.exchanged else (a, b)
    return np.matmul(how.left.of(left), how.right.of(right)).reshape(how.shape).transpose(how.order)


class Matrix(NamedTuple):
    """An operand as one matrix per batch element: its axes put in order, flattened, and the matrices transposed or not."""

    order: Labels
    shape: Shape
    transposed: bool

    def in_terms_of(self, xp: Any, x: Any) -> Any:
        flat = xp.reshape(xp.permute_dims(x, self.order), self.shape)
        return xp.matrix_transpose(flat) if self.transposed else flat

    def of(self, x: np.ndarray) -> np.ndarray:
        flat = x.transpose(self.order).reshape(self.shape)
        return flat.swapaxes(-1, -2) if self.transposed else flat


class Matrices(NamedTuple):
    """A contraction as a product of two matrices: of b and a when exchanged; the result's shape, and then the order of its axes."""

    exchanged: bool
    left: Matrix
    right: Matrix
    shape: Shape
    order: Labels


class Axes(NamedTuple):
    """The labels of an operand's axes, and of each its size and the distance of neighbours in memory."""

    labels: Labels
    sizes: dict[int, int]
    strides: dict[int, int]

    def matrix(self, batch: Labels, rows: Labels, columns: Labels) -> Matrix:
        """This operand as matrices of these labels; where elements must be copied, along the axis on which they lie closest."""
        transposed = bool(rows and columns) and self.closeness(rows[-1]) < self.closeness(columns[-1])
        first, second = (columns, rows) if transposed else (rows, columns)
        heads = (self.size(batch),) if batch else ()
        return Matrix(tuple(map(self.labels.index, batch + first + second)), (*heads, self.size(first), self.size(second)), transposed)

    def closeness(self, label: int) -> tuple[int, int]:
        return self.strides[label], -self.sizes[label]

    def size(self, labels: Labels) -> int:
        return prod(self.sizes[label] for label in labels)

    def ends(self, summed: Labels) -> tuple[Labels, Labels]:
        """The labels before and after those that are summed, if these stand together; else none."""
        positions = [i for i, label in enumerate(self.labels) if label in summed]
        first, last = positions[0], positions[-1]
        return (self.labels[:first], self.labels[last + 1:]) if last - first + 1 == len(positions) else ((), ())


@lru_cache(maxsize=4096)
def matrices(a: Shape, b: Shape, a_strides: Shape, b_strides: Shape, a_axes: Labels, b_axes: Labels, out: Labels) -> Matrices:
    """The way for operands of these shapes and strides.

    Without a label that batches: where the result has axes of one operand around those of the other one, a stack of products
    comes out in order. Where it comes out of order anyway, as gradients of windows do, and the summed axes of an operand stand
    in its middle, what stands before them (the examples) is laid innermost: whoever adds up windows then adds long rows.
    """
    x, y = (Axes(labels, dict(zip(labels, shape)), dict(zip(labels, strides)))
            for labels, shape, strides in ((a_axes, a, a_strides), (b_axes, b, b_strides)))
    sizes = x.sizes | y.sizes
    summed = tuple(label for label in a_axes if label in b_axes and label not in out)
    batch = tuple(label for label in out if label in a_axes and label in b_axes)
    for exchanged, one, other in ((True, x, y), (False, y, x)) if not batch else ():
        rows = tuple(label for label in out if label in other.labels)
        lead, columns = around(out, rows)
        if rows and lead and one.size(columns) >= WIDE:
            return Matrices(exchanged, other.matrix((), rows, summed), one.matrix(lead, summed, columns),
                            tuple(sizes[label] for label in out), tuple(range(len(out))))
        lead, columns = one.ends(summed)
        if rows and lead and columns and around(out, rows) == ((), ()):
            order = rows + columns + lead
            return Matrices(exchanged, other.matrix((), rows, summed), one.matrix((), summed, columns + lead),
                            tuple(sizes[label] for label in order), tuple(map(order.index, out)))
    rows = tuple(label for label in out if label in a_axes and label not in batch)
    columns = tuple(label for label in out if label in b_axes and label not in batch)
    order = batch + rows + columns
    return Matrices(False, x.matrix(batch, rows, summed), y.matrix(batch, summed, columns),
                    tuple(sizes[label] for label in order), tuple(map(order.index, out)))


def around(out: Labels, rows: Labels) -> tuple[Labels, Labels]:
    """The labels of `out` before and after `rows`, if these stand together; else none."""
    first = out.index(rows[0]) if rows else 0
    return (out[:first], out[first + len(rows):]) if out[first:first + len(rows)] == rows else ((), ())
