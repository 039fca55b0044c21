"""PyTorch's linear algebra in `torch`: products with sums, determinants, inverses, factorizations."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import functions as F
from .. import linalg
from ..errors import ShapeError
from .functions import function
from .sides import lifted


class Svd(NamedTuple):
    """What torch.svd returns: x = U diag(S) V^T."""

    U: Any
    S: Any
    V: Any


@function
def addmv(input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta x + alpha M v; in slopes: the same with sl.matmul."""
    return beta * input + alpha * F.matmul(mat, vec)


@function
def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta x + alpha times the sum of products; in slopes: sl.sum(sl.matmul(a, b), axis=0)."""
    return beta * input + alpha * F.sum(F.matmul(batch1, batch2), axis=0)


@function
def addr(input: Any, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta x + alpha u v^T; in slopes: the same with sl.outer."""
    return beta * input + alpha * F.outer(vec1, vec2)


@function
def inner(input: Any, other: Any) -> Any:
    """The sums of products along the last axes; in slopes: sl.tensordot(x, y, ((-1,), (-1,)))."""
    if not input.shape or not other.shape:
        return input * other
    return F.tensordot(input, other, axes=((len(input.shape) - 1,), (len(other.shape) - 1,)))


@function
def kron(input: Any, other: Any) -> Any:
    """The Kronecker product of matrices; in slopes: x[:, None, :, None] * y[None, :, None, :], reshaped."""
    if len(input.shape) != 2 or len(other.shape) != 2:
        raise ShapeError(f"kron: x is {tuple(input.shape)} and y {tuple(other.shape)}", why="both are matrices")
    product = F.reshape(input, (input.shape[0], 1, input.shape[1], 1)) * F.reshape(other, (1, other.shape[0], 1, other.shape[1]))
    return F.reshape(product, (input.shape[0] * other.shape[0], input.shape[1] * other.shape[1]))


@function
def cross(input: Any, other: Any, dim: int | None = None) -> Any:
    """The vector product along an axis of 3, by default the first one; in slopes: sl.linalg.cross."""
    axes = [axis for axis, size in enumerate(input.shape) if size == 3]
    if dim is None and not axes:
        raise ShapeError(f"cross: no axis of {tuple(input.shape)} has 3 elements")
    return linalg.cross(input, other, axis=axes[0] if dim is None else dim)


@function
def cdist(x1: Any, x2: Any, p: float = 2.0) -> Any:
    """The p-norm of x_i - y_j for all pairs of rows; in slopes: sl.vector_norm(x[:, None] - y[None], axis=-1, ord=p)."""
    return F.vector_norm(F.expand_dims(x1, -2) - F.expand_dims(x2, -3), axis=-1, ord=p)


@function
def logdet(input: Any) -> Any:
    """log det X, NaN where it is negative; in slopes: sl.linalg.slogdet."""
    sign, logarithm = linalg.slogdet(input)
    return F.where(sign > 0, logarithm, F.where(sign < 0, float("nan"), logarithm))


@function
def svd(input: Any, some: bool = True) -> Svd:
    """X = U diag(S) V^T; in slopes: sl.linalg.svd, which gives V^T."""
    u, s, vh = linalg.svd(input, full_matrices=not some)
    return Svd(u, s, F.matrix_transpose(vh))


@function
def qr(input: Any, some: bool = True) -> Any:
    """X = Q R; in slopes: sl.linalg.qr."""
    return linalg.qr(input, "reduced" if some else "complete")


@function
def trace(input: Any) -> Any:
    """The sum of the diagonal of a matrix; in slopes: sl.linalg.trace."""
    return linalg.trace(input)


det, inverse, pinverse, slogdet, matrix_power = (
    lifted(getattr(linalg, name)) for name in ("det", "inv", "pinv", "slogdet", "matrix_power"))
ger, vdot = lifted(F.outer), lifted(F.vecdot)

METHODS = ("addmv", "addbmm", "addr", "inner", "kron", "cross", "logdet", "svd", "qr", "trace", "det", "inverse", "pinverse", "slogdet",
           "matrix_power", "ger", "vdot")
NAMES = (*METHODS, "cdist")
