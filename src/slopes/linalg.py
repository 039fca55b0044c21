"""Linear algebra: solving, inverting and factorizing matrices, the extension of this name of the Python array API.

Matrices are the last two axes, axes before them are stacks of matrices. Everything here is computed eagerly, by LAPACK, and has
derivatives of any order, but for `eig` and `eigvals`, which are complex; compiled functions refuse what LAPACK computes.

>>> from slopes import linalg
>>> linalg.solve([[2., 0.], [0., 4.]], [1., 1.])
tensor([0.5 , 0.25])
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .errors import ArgumentError, ShapeError
from .functions.creation import diag
from .functions.linear import matmul, matrix_transpose, outer, tensordot, vecdot, vector_norm
from .graph.shape import broadcast_shapes, normalize_axis
from .ops import composite
from .ops.linalg import lapack, qr_shapes, svd_shapes, unpack
from .tensor import Tensor, asarray, from_array, perform

__all__ = ["EigResult", "EighResult", "QRResult", "SVDResult", "SlogdetResult", "cholesky", "cross", "det", "diagonal", "eig", "eigh",
           "eigvals", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv",
           "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm"]


class EigResult(NamedTuple):
    """Complex eigenvalues (..., n), and the eigenvectors as the columns of (..., n, n)."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class EighResult(NamedTuple):
    """Eigenvalues (..., n) in ascending order, and the eigenvectors as the columns of (..., n, n)."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class QRResult(NamedTuple):
    """Q (..., m, k) with orthonormal columns and the upper triangular R (..., k, n)."""

    Q: Tensor
    R: Tensor


class SVDResult(NamedTuple):
    """U (..., m, k), the singular values S (..., k) in descending order, V^T (..., k, n)."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class SlogdetResult(NamedTuple):
    """The sign of the determinant and the logarithm of its magnitude."""

    sign: Tensor
    logabsdet: Tensor


def matrices(x: Any, name: str) -> Tensor:
    """x as a tensor of floats with at least two axes."""
    x = composite.as_float(asarray(x))
    if x.ndim < 2:
        raise ShapeError(f"{name}: x of shape {x.shape} is no matrix", why="it takes (..., m, n): a matrix, or a stack of them")
    return x


def spread(x: Tensor, stack: tuple[int, ...]) -> Tensor:
    """The matrices of x repeated for a larger stack."""
    return x if x.shape[:-2] == stack else perform("expand", (x,), {"shape": (*stack, *x.shape[-2:])})


def solve(x1: Any, x2: Any) -> Tensor:
    """The x with x1 x = x2, for x1 (..., n, n) and x2 (..., n, k), or (n,) for one right-hand side; stacks broadcast.

    Raises ArgumentError for a singular x1, ShapeError for shapes that do not fit.

    >>> sl.linalg.solve([[2., 1.], [1., 3.]], [3., 5.])
    tensor([0.8, 1.4])
    """
    a, b = (composite.as_float(asarray(x)) for x in (x1, x2))
    a, b = (x.astype(np.result_type(a.dtype, b.dtype)) for x in (a, b))
    if b.ndim == 1:
        return composite.squeeze(solve(a, composite.expand_dims(b, 1)), -1)
    a, b = matrices(a, "solve"), matrices(b, "solve")
    stack = broadcast_shapes("solve", [a.shape[:-2], b.shape[:-2]])
    return perform("solve", (spread(a, stack), spread(b, stack)), {})


def inv(x: Any) -> Tensor:
    """The inverse of x (..., n, n). Raises ArgumentError for a singular matrix. `solve(x, b)` is faster and more exact than `inv(x) @ b`.

    >>> sl.linalg.inv([[2., 0.], [0., 4.]])
    tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    x = matrices(x, "inv")
    return solve(x, np.eye(x.shape[-1], dtype=x.dtype))


def det(x: Any) -> Tensor:
    """The determinant of x (..., n, n); its derivative, det(x) x^-T, needs x to have an inverse.

    >>> sl.linalg.det([[1., 2.], [3., 4.]])
    tensor(-2.)
    """
    return perform("determinant", (matrices(x, "det"),), {})


def slogdet(x: Any) -> SlogdetResult:
    """(sign, log |det x|) of x (..., n, n), for determinants beyond the range of floats; (0, -inf) for a singular matrix.

    >>> sl.linalg.slogdet(1e-30 * sl.eye(3)).sign
    tensor(1.)
    """
    x = matrices(x, "slogdet")
    return SlogdetResult(*composite.unstack(perform("signed_log_determinant", (x,), {}), -1))


def cholesky(x: Any, upper: bool = False) -> Tensor:
    """The lower triangular L with L L^T = x, for a positive definite x (..., n, n); `upper`: the U with U^T U = x.

    Only the symmetric part (x + x^T) / 2 counts. Raises ArgumentError for a matrix that is not positive definite.

    >>> sl.linalg.cholesky([[4., 2.], [2., 5.]])
    tensor([[2., 0.],
            [1., 2.]])
    """
    lower = perform("cholesky", (matrices(x, "cholesky"),), {})
    return matrix_transpose(lower) if upper else lower


def qr(x: Any, mode: str = "reduced") -> QRResult:
    """(Q, R) with x = Q R, for x (..., m, n): k = min(m, n) columns of Q, or m in mode "complete".

    There is a derivative where Q has n columns. Raises ArgumentError for another mode, GradientError where there is no derivative.

    >>> sl.abs(sl.linalg.qr([[3., 0.], [4., 5.]]).R)
    tensor([[5., 4.],
            [0., 3.]])
    """
    if mode not in ("reduced", "complete"):
        raise ArgumentError(f"qr: there is no mode {mode!r}", repair="choose 'reduced' or 'complete'")
    x = matrices(x, "qr")
    complete = mode == "complete"
    return QRResult(*unpack(perform("qr", (x,), {"complete": complete}), qr_shapes(x.shape, complete)))


def eigh(x: Any) -> EighResult:
    """(eigenvalues, eigenvectors) of a symmetric x (..., n, n): x V = V diag(values), values in ascending order.

    Only the symmetric part (x + x^T) / 2 counts. Vectors of equal eigenvalues have no derivative by the turning of one into the other.

    >>> sl.linalg.eigh([[2., 0.], [0., 1.]]).eigenvalues
    tensor([1., 2.])
    """
    x = matrices(x, "eigh")
    return EighResult(*unpack(perform("eigh", (x,), {}), [(x.shape[-1],), x.shape[-2:]]))


def eigvalsh(x: Any) -> Tensor:
    """The eigenvalues of a symmetric x (..., n, n) in ascending order: those of `eigh`.

    >>> sl.linalg.eigvalsh([[2., 1.], [1., 2.]])
    tensor([1., 3.])
    """
    return eigh(x).eigenvalues


def eig(x: Any) -> EigResult:
    """(eigenvalues, eigenvectors) of any x (..., n, n), complex and in no order; no derivative.

    >>> sl.linalg.eig([[0., 1.], [-1., 0.]]).eigenvalues
    tensor([0.+1.j, 0.-1.j], dtype=complex64)
    """
    values, vectors = lapack("eig", np.linalg.eig, matrices(x, "eig")._known("eig"))
    kind = np.result_type(values.dtype, np.complex64)
    return EigResult(from_array(np.asarray(values, kind)), from_array(np.asarray(vectors, kind)))


def eigvals(x: Any) -> Tensor:
    """The eigenvalues of any x (..., n, n), complex and in no order: those of `eig`; no derivative.

    >>> sl.linalg.eigvals([[2., 0.], [0., 1.]])
    tensor([2.+0.j, 1.+0.j], dtype=complex64)
    """
    return eig(x).eigenvalues


def svd(x: Any, full_matrices: bool = True) -> SVDResult:
    """(U, S, V^T) with x = U diag(S) V^T, for x (..., m, n); without `full_matrices` min(m, n) columns of U and rows of V^T.

    There are derivatives with full_matrices=False, and of square matrices; vectors of equal singular values have none by the turning
    of one into the other. Raises GradientError where there is no derivative.

    >>> sl.linalg.svd([[3., 0.], [0., 4.]]).S
    tensor([4., 3.])
    """
    x, full = matrices(x, "svd"), bool(full_matrices)
    return SVDResult(*unpack(perform("svd", (x,), {"full": full}), svd_shapes(x.shape, full)))


def svdvals(x: Any) -> Tensor:
    """The singular values of x (..., m, n) in descending order.

    >>> sl.linalg.svdvals([[3., 0.], [0., 4.]])
    tensor([4., 3.])
    """
    return svd(x, full_matrices=False).S


def pinv(x: Any, rtol: float | None = None) -> Tensor:
    """The pseudo-inverse of x (..., m, n), (..., n, m): what `inv` is for matrices of any shape and rank.

    Singular values up to `rtol` times the largest count as 0; by default max(m, n) times the precision of the type.

    >>> sl.linalg.pinv([[2., 0.], [0., 0.]])
    tensor([[0.5, 0. ],
            [0. , 0. ]])
    """
    x = matrices(x, "pinv")
    return perform("pinv", (x,), {"rtol": tolerance(x, rtol)})


def matrix_rank(x: Any, rtol: float | None = None) -> Tensor:
    """How many singular values of x (..., m, n) are above `rtol` times the largest, int64; by default as `pinv`.

    >>> sl.linalg.matrix_rank([[1., 2.], [2., 4.]])
    tensor(1)
    """
    x = matrices(x, "matrix_rank")
    if 0 in x.shape[-2:]:
        return from_array(np.zeros(x.shape[:-2], np.int64))
    values = svdvals(x)
    return composite.reduce("sum", (values > values[..., :1] * tolerance(x, rtol)).astype("int64"), -1)


def tolerance(x: Tensor, rtol: float | None) -> float:
    """The share of the largest singular value below which others count as 0."""
    return max(x.shape[-2:]) * float(np.finfo(x.dtype).eps) if rtol is None else float(rtol)


def matrix_power(x: Any, n: int) -> Tensor:
    """x multiplied n times by itself, for x (..., k, k); a negative n multiplies the inverse, n = 0 gives the identity.

    >>> sl.linalg.matrix_power([[1., 1.], [0., 1.]], 5)
    tensor([[1., 5.],
            [0., 1.]])
    """
    x = asarray(x)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"matrix_power: x of shape {x.shape} is no square matrix", why="it takes (..., n, n)")
    if n < 0:
        return matrix_power(inv(x), -n)
    if n == 0:
        return spread(asarray(np.eye(x.shape[-1], dtype=x.dtype)), x.shape[:-2])
    half = matrix_power(x, n // 2) if n > 1 else None
    if half is None:
        return x
    return matmul(matmul(half, half), x) if n % 2 else matmul(half, half)


def matrix_norm(x: Any, keepdims: bool = False, ord: float | str | None = "fro") -> Tensor:
    """A norm of each matrix of x (..., m, n), by `ord`.

    "fro": the root of the sum of squares; "nuc": the sum of the singular values; 2 and -2: the largest and the smallest of them;
    1 and -1: the largest and the smallest sum of |x| over a column; inf and -inf: over a row. Raises ArgumentError for another ord.

    >>> sl.linalg.matrix_norm([[3., 0.], [0., 4.]]), sl.linalg.matrix_norm([[3., 0.], [0., 4.]], ord="nuc")
    (tensor(5.), tensor(7.))
    """
    x = matrices(x, "matrix_norm")
    if ord in ("fro", None):
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord not in (1, -1, 2, -2, math.inf, -math.inf, "nuc"):
        raise ArgumentError(f"matrix_norm: ord={ord!r} is not the order of a norm of matrices",
                            repair="choose 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    if ord == "nuc":
        sizes = composite.reduce("sum", svdvals(x), -1)
    else:
        assert ord is not None and not isinstance(ord, str)
        lines = svdvals(x) if abs(ord) == 2 else composite.reduce("sum", abs(x), -2 if abs(ord) == 1 else -1)
        sizes = composite.reduce("max" if ord > 0 else "min", lines, -1)
    return composite.expand_dims(composite.expand_dims(sizes, -1), -1) if keepdims else sizes


def cross(x1: Any, x2: Any, axis: int = -1) -> Tensor:
    """The cross product of vectors of three elements along `axis` (counted from the end), the others broadcast.

    >>> sl.linalg.cross([1., 0., 0.], [0., 1., 0.])
    tensor([0., 0., 1.])
    """
    x, y = asarray(x1), asarray(x2)
    for operand in (x, y):
        if not operand.ndim or operand.shape[normalize_axis(axis, operand.ndim, "cross")] != 3:
            raise ShapeError(f"cross: x {x.shape} and y {y.shape} do not hold vectors of three elements along axis {axis}",
                             repair="name their axis with axis=")
    x, y = (composite.moveaxis(operand, axis, -1) for operand in (x, y))
    (a, b, c), (d, e, f) = (composite.unstack(operand, -1) for operand in (x, y))
    return composite.moveaxis(composite.stack([b * f - c * e, c * d - a * f, a * e - b * d], -1), -1, axis)


def diagonal(x: Any, offset: int = 0) -> Tensor:
    """The elements x[..., i, i + offset] of matrices (..., m, n), as a last axis.

    >>> sl.linalg.diagonal([[1, 2], [3, 4]], offset=1)
    tensor([2])
    """
    x = asarray(x)
    if x.ndim < 2:
        raise ShapeError(f"diagonal: x of shape {x.shape} is no matrix", why="it takes (..., m, n): a matrix, or a stack of them")
    return diag(x, offset)


def trace(x: Any, offset: int = 0, dtype: Any = None) -> Tensor:
    """The sum of a diagonal of matrices (..., m, n), in `dtype` (default: that of `sl.sum`).

    >>> sl.linalg.trace([[1, 2], [3, 4]])
    tensor(5)
    """
    total = composite.reduce("sum", diagonal(x, offset), -1)
    return total if dtype is None else total.astype(dtype)
