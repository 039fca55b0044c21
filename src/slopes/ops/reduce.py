"""Reductions: axes vanish into a sum, product, extreme or running total."""

from __future__ import annotations

import functools
import typing
from math import prod

import numpy as np

from ..errors import DTypeError, ShapeError
from ..graph.build import build, constant
from ..graph.dtype import DType, accumulator, bool_, float32, float64, int64, is_complex, is_float, uint8
from ..graph.node import Node, Operation
from ..graph.shape import Shape
from .elementwise import convert
from .move import flip_axes
from .samples import real

Axes = tuple[int, ...]


class Reduce(Operation, abstract=True):
    """Some axes (a rising tuple) vanish: the elements along them are combined one by one, starting from `identity`."""

    kind = kernel = "reduce"
    cost = 12
    reads_once = epilogue = True
    examples: tuple[tuple[Shape, Axes], ...] = (
        ((2, 3, 4), (1,)), ((5,), (0,)), ((3, 1, 2), (0, 2)), ((1, 3), (0,)), ((2, 3), ()), ((7, 5), (0, 1)),
        ((0, 3), (1,)), ((0, 3), (0,)),
    )

    @classmethod
    def rule(cls, x, axes):
        check_axes(cls.name, x, axes)
        return kept(x.shape, axes), x.dtype

    @classmethod
    def batch(cls, nodes, batched, axes):
        return cls.make(nodes[0], axes=tuple(axis + 1 for axis in axes))

    @classmethod
    def samples(cls):
        for shape, axes in cls.examples:
            yield [real(*shape)], {"axes": axes}


def check_axes(name: str, x: Node, axes: Axes) -> None:
    """The axes exist and rise."""
    if any(not 0 <= axis < x.ndim for axis in axes) or list(axes) != sorted(set(axes)):
        raise ShapeError(f"{name}: axes {axes} are not rising axes of a tensor of shape {x.shape}")


def kept(shape: Shape, axes: Axes) -> Shape:
    """The sizes of the axes that stay."""
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)


def respread(y: Node, x: Node, axes: Axes) -> Node:
    """A reduction's result repeated over the axes that vanished."""
    ones = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
    return build("expand", build("reshape", y, shape=ones), shape=x.shape)


class Total(Reduce, abstract=True):
    """Sums and products: integers and bool are taken in the widest type of their kind."""

    @classmethod
    def make(cls, x: Node, *, axes: Axes) -> Node:  # type: ignore[override]
        return super().make(convert(x, accumulator(x.dtype)), axes=axes)

    @classmethod
    def rule(cls, x, axes):
        check_axes(cls.name, x, axes)
        return kept(x.shape, axes), accumulator(x.dtype)


CHUNK = 128  # float32 numbers that may be added in float32 one after another


def zero(dtype: DType) -> np.generic:
    """The value that a sum starts from."""
    return dtype.type(0)


def add_up(b: typing.Any, acc: typing.Any, x: typing.Any) -> typing.Any:
    """A sum takes in one more value."""
    return b.accumulate(acc, x)


class Sum(Total):
    """The sum over some axes; 0 over none.

    Of float32 the error is at most about 2 CHUNK eps of the sum of magnitudes, for any number of terms: sums of more than
    CHUNK terms are carried on in float64.
    """

    def meaning(xp, x, axes):
        if x.dtype == xp.float32 and prod(x.shape[axis] for axis in axes) > CHUNK:
            return xp.astype(xp.sum(x, axis=axes, dtype=xp.float64), x.dtype)
        return xp.sum(x, axis=axes, dtype=x.dtype)

    def compute(x, axes):
        if x.dtype == float32 and prod(x.shape[axis] for axis in axes) > CHUNK:
            return np.sum(x, axis=axes, dtype=float64).astype(float32)
        return np.sum(x, axis=axes, dtype=x.dtype)

    def pullback(g, y, x, axes):
        return (respread(g, x, axes),)

    def linear(node):
        return True

    def identity(dtype):
        return zero(dtype)

    def combine(b, acc, x):
        return add_up(b, acc, x)


class Prod(Total):
    """The product over some axes; 1 over none.

    The derivative multiplies all others, through products from the left and from the right, so that zeros need no special case.
    """

    def meaning(xp, x, axes):
        return xp.prod(x, axis=axes, dtype=x.dtype)

    def pullback(g, y, x, axes):
        order = (*(axis for axis in range(x.ndim) if axis not in axes), *axes)
        moved = build("permute", x, axes=order)
        flat = build("reshape", moved, shape=(*y.shape, prod(x.shape[axis] for axis in axes)))
        others = build("reshape", product_of_others(flat), shape=moved.shape)
        return (respread(g, x, axes) * build("permute", others, axes=tuple(order.index(axis) for axis in range(x.ndim))),)

    def identity(dtype):
        return dtype.type(1)

    def combine(b, acc, x):
        return b.mul(acc, x)


def product_of_others(x: Node) -> Node:
    """Along the last axis, the product of all elements but this one, in 4 log2 n operations."""
    last = (x.ndim - 1,)
    return products_before(x) * flip_axes(products_before(flip_axes(x, last)), last)


def products_before(x: Node) -> Node:
    """Along the last axis, the product of all earlier elements: products over spans that double."""
    result, reach = shift(x, 1), 1
    while reach < x.shape[-1]:
        result, reach = result * shift(result, reach), reach * 2
    return result


def shift(x: Node, by: int) -> Node:
    """x moved towards the end of the last axis, ones coming in."""
    n, rest = x.shape[-1], x.shape[:-1]
    by = min(by, n)
    cut = build("slice", x, start=(0,) * x.ndim, stop=(*rest, n - by), step=(1,) * x.ndim)
    return build("pad", cut, widths=(*((0, 0),) * len(rest), (by, 0)), value=1)


class Extreme(Reduce, abstract=True):
    """The largest or smallest element; NaN wins. The gradient is shared equally among equals."""

    examples = tuple((shape, axes) for shape, axes in Reduce.examples if prod(shape[axis] for axis in axes))

    @classmethod
    def make(cls, x: Node, *, axes: Axes) -> Node:  # type: ignore[override]
        check_order(cls.name, x)
        check_axes(cls.name, x, axes)
        if x.size == 0 and any(x.shape[axis] == 0 for axis in axes):
            raise empty_error(cls.name, x.shape, next(axis for axis in axes if x.shape[axis] == 0))
        return super().make(x, axes=axes)

    def pullback(g, y, x, axes):
        ties = build("equal", x, respread(y, x, axes))
        count = build("maximum", build("sum", build("cast", ties, dtype=g.dtype), axes=axes), 1)
        return (build("where", ties, respread(g / count, x, axes), constant(0, g.dtype)),)


FEW = 32  # up to this many elements per result, comparing whole slices is several times faster than NumPy's reduction


def extreme(pairwise: np.ufunc, x: np.ndarray, axes: Axes) -> typing.Any:
    """The reduction; slice by slice where only a few elements meet, as in the windows of pooling."""
    sizes = [x.shape[axis] for axis in axes]
    if not x.ndim:
        return x
    if prod(sizes) > FEW or x.size < 1 << 12:
        return pairwise.reduce(x, axis=axes)
    slices = np.moveaxis(x, axes, range(len(axes)))
    return functools.reduce(pairwise, (slices[at] for at in np.ndindex(*sizes)))


def check_order(name: str, x: Node) -> None:
    if is_complex(x.dtype):
        raise DTypeError(f"{name}: {x.dtype} numbers have no order", repair="compare their absolute values: abs(x)")


def empty_error(name: str, shape: Shape, axis: int) -> ShapeError:
    return ShapeError(f"{name}: axis {axis} of shape {shape} is empty", why=f"no elements have no {name}",
                      repair="reduce a non-empty axis, or check the size first")


def lowest(dtype: DType) -> np.generic:
    """The number below or equal to all others of a type."""
    return dtype.type(False if dtype == bool_ else -np.inf if is_float(dtype) else np.iinfo(dtype).min)


def highest(dtype: DType) -> np.generic:
    """The number above or equal to all others of a type."""
    return dtype.type(True if dtype == bool_ else np.inf if is_float(dtype) else np.iinfo(dtype).max)


class Max(Extreme):
    """The largest element over some axes."""

    def untaken(y, x, axes):
        return (build("not_equal", x, respread(y, x, axes)),)

    def meaning(xp, x, axes):
        return xp.max(x, axis=axes)

    def compute(x, axes):
        return extreme(np.maximum, x, axes)

    def identity(dtype):
        return lowest(dtype)

    def combine(b, acc, x):
        return b.bit_or(acc, x) if acc.dtype == bool_ else b.max(acc, x)


class Min(Extreme):
    """The smallest element over some axes."""

    def untaken(y, x, axes):
        return (build("not_equal", x, respread(y, x, axes)),)

    def meaning(xp, x, axes):
        return xp.min(x, axis=axes)

    def compute(x, axes):
        return extreme(np.minimum, x, axes)

    def identity(dtype):
        return highest(dtype)

    def combine(b, acc, x):
        return b.bit_and(acc, x) if acc.dtype == bool_ else b.min(acc, x)


class MaxFirst(Max):
    """The largest element over some axes; only the first of equals (in row-major order) gets the gradient, as in pooling."""

    def untaken(y, x, axes):
        return None

    def pullback(g, y, x, axes):
        order = (*(axis for axis in range(x.ndim) if axis not in axes), *axes)
        n = prod(x.shape[axis] for axis in axes)
        moved = build("permute", x, axes=order)
        position_type = uint8 if n <= 256 else int64  # kept from the forward to the backward pass: an eighth of the memory
        winner = build("cast", build("argmax", build("reshape", moved, shape=(*y.shape, n)), axis=y.ndim), dtype=position_type)
        here = build("equal", build("iota", size=n, dtype=position_type), build("reshape", winner, shape=(*y.shape, 1)))
        spread = build("where", here, build("reshape", g, shape=(*y.shape, 1)), constant(0, g.dtype))
        back = build("reshape", spread, shape=moved.shape)
        return (build("permute", back, axes=tuple(order.index(axis) for axis in range(x.ndim))),)


class Truth(Reduce, abstract=True):
    """Reductions of truth values; numbers are true unless 0."""

    @classmethod
    def make(cls, x: Node, *, axes: Axes) -> Node:  # type: ignore[override]
        return super().make(convert(x, bool_), axes=axes)

    @classmethod
    def rule(cls, x, axes):
        check_axes(cls.name, x, axes)
        return kept(x.shape, axes), bool_

    def pullback(g, y, x, axes):
        return (None,)


class Any(Truth):
    """Whether any element is true."""

    def meaning(xp, x, axes):
        return xp.any(x, axis=axes)

    def identity(dtype):
        return dtype.type(False)

    def combine(b, acc, x):
        return b.bit_or(acc, x)


class All(Truth):
    """Whether all elements are true."""

    def meaning(xp, x, axes):
        return xp.all(x, axis=axes)

    def identity(dtype):
        return dtype.type(True)

    def combine(b, acc, x):
        return b.bit_and(acc, x)


class Position(Operation, abstract=True):
    """The position of the extreme element along an axis, as int64: the first of equals, NaN before all others."""

    kind = "reduce"
    kernel = "position"
    cost = 12
    reads_once = epilogue = True

    @classmethod
    def make(cls, x: Node, *, axis: int) -> Node:  # type: ignore[override]
        check_order(cls.name, x)
        check_axes(cls.name, x, (axis,))
        if x.shape[axis] == 0:
            raise empty_error(cls.name, x.shape, axis)
        return super().make(x, axis=axis)

    @classmethod
    def rule(cls, x, axis):
        check_axes(cls.name, x, (axis,))
        return kept(x.shape, (axis,)), int64

    def pullback(g, y, x, axis):
        return (None,)

    @classmethod
    def batch(cls, nodes, batched, axis):
        return cls.make(nodes[0], axis=axis + 1)

    @staticmethod
    def samples():
        yield [real(4, 5)], {"axis": 1}
        yield [real(4, 5, 3)], {"axis": 1}
        yield [real(7)], {"axis": 0}
        yield [real(3, 1)], {"axis": 1}
        yield [real(0, 3)], {"axis": 1}


class Argmax(Position):
    """The position of the largest element along an axis."""
    comparison = ">"


    def meaning(xp, x, axis):
        return xp.astype(xp.argmax(x, axis=axis), xp.int64)

    def compute(x, axis):
        return np.argmax(x, axis=axis).astype(int64)


class Argmin(Position):
    """The position of the smallest element along an axis."""
    comparison = "<"


    def meaning(xp, x, axis):
        return xp.astype(xp.argmin(x, axis=axis), xp.int64)

    def compute(x, axis):
        return np.argmin(x, axis=axis).astype(int64)


class CumulativeSum(Operation):
    """The running total along an axis, this element included."""

    kind = "order"
    kernel = "cumulative_sum"

    @classmethod
    def make(cls, x: Node, *, axis: int) -> Node:  # type: ignore[override]
        return super().make(convert(x, accumulator(x.dtype)), axis=axis)

    def meaning(xp, x, axis):
        if x.dtype == xp.float32:  # so that an error does not grow from step to step
            return xp.astype(xp.cumulative_sum(x, axis=axis, dtype=xp.float64), x.dtype)
        return xp.cumulative_sum(x, axis=axis, dtype=x.dtype)

    def compute(x, axis):
        return np.cumsum(x, axis=axis, dtype=float64).astype(float32) if x.dtype == float32 else np.cumsum(x, axis=axis, dtype=x.dtype)

    def rule(x, axis):
        check_axes("cumulative_sum", x, (axis,))
        return x.shape, accumulator(x.dtype)

    def pullback(g, y, x, axis):
        return (flip_axes(build("cumulative_sum", flip_axes(g, (axis,)), axis=axis), (axis,)),)

    def batch(nodes, batched, axis):
        return build("cumulative_sum", nodes[0], axis=axis + 1)

    def linear(node):
        return True

    @staticmethod
    def samples():
        yield [real(4, 5)], {"axis": 1}
        yield [real(3, 4, 2)], {"axis": 0}
        yield [real(1, 7)], {"axis": 0}
        yield [real(0, 2)], {"axis": 0}
