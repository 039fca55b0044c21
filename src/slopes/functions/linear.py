"""Linear algebra: products of matrices, vectors and tensors, norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..graph.shape import normalize_axis
from ..ops import composite
from ..tensor import Tensor, asarray
from .elementwise import conj

__all__ = ["einsum", "matmul", "matrix_transpose", "outer", "tensordot", "vecdot", "vector_norm"]


def matmul(x: Any, y: Any) -> Tensor:
    """The matrix product (..., n, k) (..., k, m) -> (..., n, m); leading axes broadcast, 1-d tensors are vectors.

    Raises ShapeError if the inner sizes differ, with the transposition that would match.

    >>> sl.matmul([[1., 2.], [3., 4.]], [1., 1.])
    tensor([3., 7.])
    """
    return composite.matmul(asarray(x), asarray(y))


def einsum(pattern: str, *operands: Any) -> Tensor:
    """Einstein summation: letters name axes, letters missing in the result are summed over; "..." are broadcast axes.

    >>> sl.einsum("ij,jk->ik", [[1., 2.]], [[3.], [4.]])
    tensor([[11.]])
    >>> sl.einsum("ii->i", [[1, 2], [3, 4]])
    tensor([1, 4])
    """
    return composite.einsum(pattern, *map(asarray, operands))


def tensordot(x: Any, y: Any, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor:
    """Products summed over the last n axes of x and the first n of y, or over two lists of axes.

    >>> sl.tensordot([[1., 2.], [3., 4.]], [[1., 0.], [0., 1.]])
    tensor(5.)
    """
    return composite.tensordot(asarray(x), asarray(y), axes)


def vecdot(x: Any, y: Any, axis: int = -1) -> Tensor:
    """The dot product of vectors along `axis` (counted from the end), the others broadcast; complex x are conjugated.

    >>> sl.vecdot([[1., 2.], [3., 4.]], [1., 1.])
    tensor([3., 7.])
    """
    x, y = asarray(x), asarray(y)
    if not x.ndim or not y.ndim or x.shape[axis] != y.shape[axis]:
        raise ShapeError(f"vecdot: x {x.shape} and y {y.shape} do not hold vectors of one length along axis {axis}",
                         repair="name the axis that both share with axis=, or transpose one of them")
    x, y = (composite.moveaxis(operand, normalize_axis(axis, operand.ndim, "vecdot"), -1) for operand in (x, y))
    return composite.einsum("...i,...i->...", conj(x), y)


def outer(x: Any, y: Any) -> Tensor:
    """Every product of an element of x (n,) and one of y (m,): (n, m). Raises ShapeError unless both are 1-d.

    >>> sl.outer([1., 2.], [3., 4.])
    tensor([[3., 4.],
            [6., 8.]])
    """
    x, y = asarray(x), asarray(y)
    if x.ndim != 1 or y.ndim != 1:
        raise ShapeError(f"outer: x {x.shape} and y {y.shape} are not two vectors", repair="flatten them first: x.flatten()")
    return composite.einsum("i,j->ij", x, y)


def matrix_transpose(x: Any) -> Tensor:
    """Swap the last two axes. Raises ShapeError for fewer than two axes.

    >>> sl.matrix_transpose([[1, 2], [3, 4]])
    tensor([[1, 3],
            [2, 4]])
    """
    return composite.matrix_transpose(asarray(x))


def vector_norm(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """(sum |x|^ord)^(1/ord) over `axis`; ord = 0 counts nonzero elements, inf and -inf are the largest and the smallest |x|.

    ord is any number; with a negative one the norm is 0 if any element is 0. The gradient of a zero norm is 0, as in PyTorch, and so
    is the gradient with respect to a zero element and that of ord = 0; equal extremes share the gradient. Powers beyond the range of
    x's dtype overflow, or underflow to 0.
    Raises ArgumentError for an ord that is not a number, ShapeError for an infinite or negative ord over no elements.

    >>> sl.vector_norm([3., 4.])
    tensor(5.)
    >>> sl.grad(lambda x: sl.vector_norm(x, axis=1).sum())(sl.tensor([[3., 4.], [0., 0.]]))
    tensor([[0.6, 0.8],
            [0. , 0. ]])
    """
    if isinstance(ord, bool) or not isinstance(ord, (int, float, np.number)) or ord != ord:
        raise ArgumentError(f"vector_norm: ord={ord!r} is not the order of a norm", repair="choose 2, 1, inf or another number")
    x = composite.as_float(asarray(x))
    if (ord < 0 or ord == math.inf) and composite.nothing_along(x, axis, "vector_norm"):
        raise ShapeError(f"vector_norm: ord={ord} over no elements of a tensor of shape {x.shape}",
                         why="no elements have no extreme", repair="check the size first")
    size = abs(x)
    ord = float(ord)
    if abs(ord) == math.inf:
        return composite.reduce("max" if ord > 0 else "min", size, axis, keepdims)
    if ord == 0:
        return composite.reduce("sum", (x != 0).astype(size.dtype), axis, keepdims)
    if ord == 1:
        return composite.reduce("sum", size, axis, keepdims)
    if ord == 2:
        return composite.root_of_squares(composite.reduce("sum", size * size, axis, keepdims))
    return power_norm(size, axis, keepdims, ord)


def power_norm(size: Tensor, axis: int | tuple[int, ...] | None, keepdims: bool, ord: float) -> Tensor:
    """(sum size^ord)^(1/ord), of sizes >= 0; the derivative with respect to a zero size is 0."""
    if ord > 0:
        powers = composite.of_positive("pow", size, ord) if ord < 1 else size ** ord
        return composite.of_positive("pow", composite.reduce("sum", powers, axis, keepdims), 1 / ord)
    none = size == 0
    powers = composite.where(none, math.inf, composite.where(none, 1, size) ** ord)
    return composite.reduce("sum", powers, axis, keepdims) ** (1 / ord)
