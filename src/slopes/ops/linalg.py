"""Linear algebra of square matrices and factorizations, by LAPACK: computed eagerly, with derivatives of any order.

A factorization has several results, an operation has one: it gives them flattened, one behind the other, and `unpack` takes them apart.

Sources of the derivatives: Giles, "An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation", 2008; Townsend, "Differentiating the singular value decomposition", 2016; Golub and Pereyra, "The differentiation of
pseudo-inverses and nonlinear least squares problems whose variables separate", 1973; Murray, "Differentiation of the Cholesky
decomposition", 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

from ..errors import ArgumentError, DTypeError, GradientError, ShapeError
from ..graph.build import build, constant
from ..graph.dtype import float32, float64
from ..graph.node import Node, Operation
from ..graph.shape import Shape
from .arrange import expand_dims, matrix_transpose, part, unstack
from .move import with_batch
from .products import matmul
from .samples import positive_definite, real


class LinearAlgebra(Operation, abstract=True):
    """An operation on the last two axes of its arguments; axes before them are stacks of matrices."""

    kind = "linalg"
    types = (float32, float64)
    eager_only = "LAPACK computes it, for which compiled programs have no call"

    @classmethod
    def batch(cls, nodes: Sequence[Node], batched: Sequence[bool], **params: Any) -> Node:
        """One more axis of the stack, for all arguments."""
        return build(cls.name, *with_batch(nodes, batched), **params)


def check_matrices(name: str, x: Node, square: bool = True) -> None:
    """The last two axes are matrices of a float type, square ones unless told otherwise."""
    if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]):
        raise ShapeError(f"{name}: x of shape {x.shape} is no {'square ' if square else ''}matrix",
                         why=f"it takes {'(..., n, n)' if square else '(..., m, n)'}: a matrix, or a stack of them")
    if x.dtype not in (float32, float64):
        raise DTypeError(f"{name} has no meaning for {x.dtype}", why="it is defined for float32 and float64",
                         repair="cast first: x.astype('float32')")


def lapack(name: str, routine: Any, *arrays: np.ndarray, **options: Any) -> Any:
    """What a routine of numpy.linalg gives; its error in slopes' words."""
    try:
        return routine(*arrays, **options)
    except np.linalg.LinAlgError as error:
        raise ArgumentError(f"{name}: LAPACK came to no result: {error}", why=REASONS.get(name, ""),
                            repair=REPAIRS.get(name, "look for NaN and infinite elements")) from None


REASONS = {"cholesky": "only a positive definite matrix is L L^T with a positive diagonal of L",
           "solve": "a matrix whose determinant is 0 has no inverse"}
REPAIRS = {"cholesky": "add a small multiple of the identity: x + 1e-6 * sl.eye(n)",
           "solve": "use sl.linalg.pinv, or add a small multiple of the identity: x + 1e-6 * sl.eye(n)"}


# Parts of a packed result


def pack(xp: Any, parts: Sequence[Any], stack: Shape) -> Any:
    """The parts flattened, one behind the other, behind the axes of the stack."""
    return xp.concat([xp.reshape(part, (*stack, prod(part.shape[len(stack):]))) for part in parts], axis=-1)


def packed(stack: Shape, shapes: Sequence[Shape]) -> Shape:
    """The shape of `pack`."""
    return (*stack, sum(map(prod, shapes)))


def unpack(x: Any, shapes: Sequence[Shape]) -> list[Any]:
    """The parts of a packed result (a node or a tensor), in their shapes."""
    ends = list(accumulate(map(prod, shapes)))
    return [build("reshape", part(x, x.ndim - 1, end - prod(shape), end), shape=(*x.shape[:-1], *shape))
            for end, shape in zip(ends, shapes)]


# Small matrices of constants


def per_element(function: Any, x: Node, n: int) -> Node:
    """An n x n matrix of constants in the type of x, made by a function of the indices of row and column."""
    rows, columns = np.indices((n, n))
    return constant(np.asarray(function(rows, columns), x.dtype))


def identity_matrices(x: Node) -> Node:
    """The identity, for each matrix of x."""
    return build("expand", per_element(lambda i, j: i == j, x, x.shape[-1]), shape=x.shape)


def transpose_times(x: Node, y: Node) -> Node:
    """x^T y."""
    return matmul(matrix_transpose(x), y)


def times_transpose(x: Node, y: Node) -> Node:
    """x y^T."""
    return matmul(x, matrix_transpose(y))


def symmetric(x: Node) -> Node:
    """(x + x^T) / 2."""
    return (x + matrix_transpose(x)) * constant(0.5, x.dtype)


def reciprocal_or_zero(x: Node) -> Node:
    """1 / x, and 0 where x is 0."""
    none = build("equal", x, constant(0, x.dtype))
    safe = build("where", none, constant(1, x.dtype), x)
    return build("where", none, constant(0, x.dtype), build("divide", constant(1, x.dtype), safe))


# Square matrices


class Solve(LinearAlgebra):
    """a^-1 b for a (..., n, n) and b (..., n, k), by an LU decomposition with pivots."""

    def rule(a, b):
        check_matrices("solve", a)
        check_matrices("solve", b, square=False)
        if a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2] or a.dtype != b.dtype:
            raise ShapeError(f"solve: a {a.shape} and b {b.shape} do not fit", why="it takes (..., n, n) and (..., n, k)")
        return b.shape, b.dtype

    def meaning(xp, a, b): return xp.linalg.solve(a, b)
    def compute(a, b): return lapack("solve", np.linalg.solve, a, b)

    def pullback(g, y, a, b):
        right = build("solve", matrix_transpose(a), g)
        return -times_transpose(right, y), right

    @staticmethod
    def samples():
        yield [positive_definite(3, 3), real(3, 2)], {}
        yield [positive_definite(2, 2, 2), real(2, 2, 1)], {}


def inverse(x: Node) -> Node:
    """x^-1."""
    return build("solve", x, identity_matrices(x))


class Determinant(LinearAlgebra):
    """The determinant of x (..., n, n); its derivative needs x^-1."""

    def rule(x):
        check_matrices("determinant", x)
        return x.shape[:-2], x.dtype

    def meaning(xp, x): return xp.linalg.det(x)
    def pullback(g, y, x): return (scale(g * y, matrix_transpose(inverse(x))),)

    @staticmethod
    def samples():
        yield [positive_definite(3, 3)], {}
        yield [positive_definite(2, 2, 2)], {}


class SignedLogDeterminant(LinearAlgebra):
    """The sign of the determinant of x (..., n, n), -1, 0 or 1, and log |det x|, on a last axis of two.

    The logarithm neither overflows nor underflows; it is minus infinity for a singular matrix. The sign has no gradient.
    """

    def rule(x):
        check_matrices("signed_log_determinant", x)
        return (*x.shape[:-2], 2), x.dtype

    def meaning(xp, x): return xp.stack([*xp.linalg.slogdet(x)], axis=-1)

    def pullback(g, y, x):
        _, of_log = unstack(g, -1)
        return (scale(of_log, matrix_transpose(inverse(x))),)

    @staticmethod
    def samples():
        yield [positive_definite(3, 3)], {}
        yield [positive_definite(2, 2, 2)], {}


def scale(factors: Node, x: Node) -> Node:
    """Each matrix of a stack multiplied by its own number."""
    return expand_dims(expand_dims(factors, -1), -1) * x


class Cholesky(LinearAlgebra):
    """The lower triangular L with L L^T = (x + x^T) / 2, for a positive definite matrix."""

    def rule(x):
        check_matrices("cholesky", x)
        return x.shape, x.dtype

    def meaning(xp, x): return xp.linalg.cholesky((x + xp.linalg.matrix_transpose(x)) / 2)
    def compute(x): return lapack("cholesky", np.linalg.cholesky, (x + np.swapaxes(x, -1, -2)) / 2)

    def pullback(g, y, x):
        lower = per_element(lambda i, j: (i > j) + (i == j) / 2, y, y.shape[-1])
        inner = build("solve", matrix_transpose(y), lower * transpose_times(y, g))
        return (symmetric(build("solve", matrix_transpose(y), matrix_transpose(inner))),)

    @staticmethod
    def samples():
        yield [positive_definite(3, 3)], {}
        yield [positive_definite(2, 2, 2)], {}


# Factorizations


class Qr(LinearAlgebra):
    """Q with orthonormal columns and the upper triangular R of x (..., m, n) = Q R, packed; `complete`: Q is m x m."""

    def rule(x, complete):
        check_matrices("qr", x, square=False)
        return packed(x.shape[:-2], qr_shapes(x.shape, complete)), x.dtype

    def meaning(xp, x, complete):
        return pack(xp, xp.linalg.qr(x, mode="complete" if complete else "reduced"), x.shape[:-2])

    def pullback(g, y, x, complete):
        shapes = qr_shapes(x.shape, complete)
        (q, r), (gq, gr) = unpack(y, shapes), unpack(g, shapes)
        if q.shape[-1] != x.shape[-1]:
            raise GradientError(f"qr: the factors of x {x.shape} have no derivative" + (" in mode 'complete'" if complete else ""),
                                why="it is defined for as many columns of Q as x has columns",
                                repair="use mode='reduced', for matrices with at least as many rows as columns")
        inner = times_transpose(r, gr) - transpose_times(gq, q)
        lower, below = (per_element(test, x, x.shape[-1]) for test in (lambda i, j: i >= j, lambda i, j: i > j))
        both = lower * inner + matrix_transpose(below * inner)
        return (matrix_transpose(build("solve", r, matrix_transpose(gq + matmul(q, both)))),)

    @staticmethod
    def samples():
        yield [real(4, 2)], {"complete": False}
        yield [positive_definite(2, 3, 3)], {"complete": True}


def qr_shapes(shape: Shape, complete: bool) -> list[Shape]:
    """The shapes of Q and R."""
    m, n = shape[-2:]
    k = m if complete else min(m, n)
    return [(m, k), (k, n)]


class Eigh(LinearAlgebra):
    """The eigenvalues of (x + x^T) / 2 in ascending order and its eigenvectors as columns, packed.

    Eigenvectors of equal eigenvalues are not unique: there is no derivative by the turning of one into the other.
    """

    def rule(x):
        check_matrices("eigh", x)
        n = x.shape[-1]
        return packed(x.shape[:-2], [(n,), (n, n)]), x.dtype

    def meaning(xp, x): return pack(xp, xp.linalg.eigh((x + xp.linalg.matrix_transpose(x)) / 2), x.shape[:-2])
    def compute(x): return pack(np, lapack("eigh", np.linalg.eigh, (x + np.swapaxes(x, -1, -2)) / 2), x.shape[:-2])

    def pullback(g, y, x):
        shapes = [(x.shape[-1],), x.shape[-2:]]
        (values, vectors), (g_values, g_vectors) = unpack(y, shapes), unpack(g, shapes)
        gaps = expand_dims(values, -2) - expand_dims(values, -1)
        inner = on_diagonal(g_values) + reciprocal_or_zero(gaps) * transpose_times(vectors, g_vectors)
        return (symmetric(times_transpose(matmul(vectors, inner), vectors)),)

    @staticmethod
    def samples():
        yield [positive_definite(3, 3)], {}
        yield [positive_definite(2, 2, 2)], {}


def on_diagonal(x: Node) -> Node:
    """The diagonal matrices of vectors (..., n)."""
    n = x.shape[-1]
    return expand_dims(x, -1) * per_element(lambda i, j: i == j, x, n)


class Svd(LinearAlgebra):
    """U, the singular values in descending order and V^T of x (..., m, n) = U diag(S) V^T, packed; `full`: U and V are square.

    Vectors of equal singular values are not unique: there is no derivative by the turning of one into the other.
    """

    def rule(x, full):
        check_matrices("svd", x, square=False)
        return packed(x.shape[:-2], svd_shapes(x.shape, full)), x.dtype

    def meaning(xp, x, full): return pack(xp, xp.linalg.svd(x, full_matrices=full), x.shape[:-2])
    def compute(x, full): return pack(np, lapack("svd", np.linalg.svd, x, full_matrices=full), x.shape[:-2])

    def pullback(g, y, x, full):
        m, n = x.shape[-2:]
        if full and m != n:
            raise GradientError(f"svd: the factors of x {x.shape} with full_matrices=True have no derivative",
                                why="the columns beyond the smaller side are not unique", repair="use full_matrices=False")
        shapes = svd_shapes(x.shape, full)
        (u, s, vt), (gu, gs, gvt) = unpack(y, shapes), unpack(g, shapes)
        v, gv, row, column = matrix_transpose(vt), matrix_transpose(gvt), expand_dims(s, -2), expand_dims(s, -1)
        gaps = reciprocal_or_zero(row * row - column * column)
        turning_u, turning_v = transpose_times(u, gu), transpose_times(v, gv)
        inner = (turning_u - matrix_transpose(turning_u)) * gaps * row + column * (turning_v - matrix_transpose(turning_v)) * gaps
        total = matmul(matmul(u, inner + on_diagonal(gs)), vt)
        if m > n:
            total = total + matmul((gu - matmul(u, turning_u)) / row, vt)
        if n > m:
            total = total + matmul(u, matrix_transpose((gv - matmul(v, turning_v)) / row))
        return (total,)

    @staticmethod
    def samples():
        yield [real(4, 2)], {"full": False}
        yield [real(2, 2, 3)], {"full": False}
        yield [positive_definite(3, 3)], {"full": True}


def svd_shapes(shape: Shape, full: bool) -> list[Shape]:
    """The shapes of U, S and V^T."""
    m, n = shape[-2:]
    k = min(m, n)
    return [(m, m if full else k), (k,), (n if full else k, n)]


class Pinv(LinearAlgebra):
    """The pseudo-inverse of x (..., m, n); singular values up to `rtol` times the largest count as 0."""

    def rule(x, rtol):
        check_matrices("pinv", x, square=False)
        return (*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype

    def meaning(xp, x, rtol): return xp.linalg.pinv(x, rtol=rtol)
    def compute(x, rtol): return lapack("pinv", np.linalg.pinv, x, rtol=rtol)

    def pullback(g, y, x, rtol):
        gt, yt = matrix_transpose(g), matrix_transpose(y)
        rows = matmul(gt, times_transpose(y, y))
        columns = matmul(matmul(yt, y), gt)
        return (rows - matmul(matmul(x, y), rows) + columns - matmul(columns, matmul(y, x)) - matmul(matmul(yt, g), yt),)

    @staticmethod
    def samples():
        yield [real(4, 2)], {"rtol": 1e-5}
        yield [positive_definite(2, 3, 3)], {"rtol": 1e-5}
