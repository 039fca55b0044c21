"""Mix: small matrices of known numbers applied along some axes; the changes of coordinates in which a convolution is cheap."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph.build import build
from ..graph.dtype import float32, float64, is_float
from ..graph.node import Operation
from .samples import real

Matrix = tuple[tuple[float, ...], ...]


class Mix(Operation):
    """y = permute(M x, order), or permute(M x M^T, order): a matrix M along one or two `axes`, then the axes in another order.

    Of a column of n numbers along an axis, M (m, n) makes m. In compiled code M is written out number by number.
    """

    kind = kernel = "mix"
    inline_limit = 4  # each result of a column reads all of it, once
    types = (float32, float64)

    def meaning(xp, x, matrix, axes, order):
        m = xp.asarray(matrix, dtype=x.dtype)
        for axis in axes:
            x = xp.moveaxis(xp.tensordot(m, x, axes=((1,), (axis,))), 0, axis)
        return xp.permute_dims(x, order)

    def compute(x, matrix, axes, order):
        return np.ascontiguousarray(Mix.meaning(np, x, matrix, axes, order))

    def rule(x, matrix, axes, order):
        check(x, matrix, axes, order)
        shape = tuple(len(matrix) if axis in axes else n for axis, n in enumerate(x.shape))
        return tuple(shape[axis] for axis in order), x.dtype

    def pullback(g, y, x, matrix, axes, order):
        back = tuple(order.index(axis) for axis in range(x.ndim))
        return (build("mix", g, matrix=tuple(zip(*matrix)), axes=tuple(order.index(axis) for axis in axes), order=back),)

    def batch(nodes, batched, matrix, axes, order):
        return build("mix", nodes[0], matrix=matrix, axes=tuple(axis + 1 for axis in axes), order=(0, *(axis + 1 for axis in order)))

    def linear(node):
        return True

    @staticmethod
    def samples():
        yield [real(3, 5)], {"matrix": ((1.0, 0.5, -1.0), (0.0, 2.0, 0.0)), "axes": (0,), "order": (0, 1)}
        yield [real(2, 3, 2, 4)], {"matrix": ((1.0, -1.0), (0.25, 0.0), (3.0, 1.0)), "axes": (0, 2), "order": (1, 3, 0, 2)}
        yield [real(2, 2, 17)], {"matrix": ((1.0, 1.0), (1.0, -1.0)), "axes": (1, 0), "order": (2, 1, 0)}
        yield [real(2, 0)], {"matrix": ((1.0, 1.0),), "axes": (0,), "order": (1, 0)}


def check(x: Any, matrix: Matrix, axes: tuple[int, ...], order: tuple[int, ...]) -> None:
    """A matrix as wide as each of its axes is long, and an order of all axes."""
    if not is_float(x.dtype):
        raise DTypeError(f"mix: {x.dtype} has no fractions, which the matrix may make", repair="cast first: x.astype(slopes.float32)")
    every = list(range(x.ndim))
    if len(axes) not in (1, 2) or len(set(axes)) < len(axes) or not set(axes) <= set(every) or sorted(order) != every:
        raise ArgumentError(f"mix: axes {axes} and order {order} do not fit a tensor of {x.ndim} axes",
                            repair="name one or two axes, and every axis once in the order")
    wrong = [axis for axis in axes if {x.shape[axis]} != {len(row) for row in matrix}]
    if wrong or not prod(map(len, matrix)):
        raise ShapeError(f"mix: a matrix with rows of {sorted({len(row) for row in matrix})} numbers, axes {axes} of a tensor of {x.shape}",
                         why="each row is multiplied with a column along an axis")
