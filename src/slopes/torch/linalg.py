"""`torch.linalg`: slopes' linear algebra with PyTorch's arguments."""

from __future__ import annotations

from typing import Any

from .. import functions as F
from .. import linalg as core
from .functions import Dim, as_axes, function
from .sides import lifted


@function
def vector_norm(x: Any, ord: float = 2, dim: Dim = None, keepdim: bool = False) -> Any:
    """(sum |x|^p)^(1/p); in slopes: sl.vector_norm."""
    return F.vector_norm(x, axis=as_axes(dim), keepdims=keepdim, ord=ord)


@function
def matrix_norm(A: Any, ord: Any = "fro", dim: tuple[int, int] = (-2, -1), keepdim: bool = False) -> Any:
    """The norm of matrices; in slopes: sl.linalg.matrix_norm."""
    norms = core.matrix_norm(F.moveaxis(A, tuple(dim), (-2, -1)), ord=ord)
    if not keepdim:
        return norms
    axes = {axis % len(A.shape) for axis in dim}
    return F.reshape(norms, tuple(1 if i in axes else size for i, size in enumerate(A.shape)))


@function
def norm(A: Any, ord: Any = None, dim: Dim = None, keepdim: bool = False) -> Any:
    """The norm of a vector or matrix, of all elements without ord; in slopes: sl.vector_norm, sl.linalg.matrix_norm."""
    axes = as_axes(dim)
    if ord is not None and (isinstance(ord, str) or (axes is None and len(A.shape) == 2) or (isinstance(axes, tuple) and len(axes) == 2)):
        return matrix_norm(A, ord, (-2, -1) if axes is None else axes, keepdim)
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim)


@function
def cross(input: Any, other: Any, *, dim: int = -1) -> Any:
    """The vector product along an axis; in slopes: sl.linalg.cross."""
    return core.cross(input, other, axis=dim)


@function
def vecdot(x: Any, y: Any, *, dim: int = -1) -> Any:
    """The sums of products along an axis; in slopes: sl.vecdot."""
    return F.vecdot(x, y, axis=dim)


@function
def diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonals of matrices; in slopes: sl.linalg.diagonal."""
    return core.diagonal(F.moveaxis(A, (dim1, dim2), (-2, -1)), offset)


@function
def multi_dot(tensors: Any) -> Any:
    """The product of matrices, from left to right; in slopes: sl.matmul."""
    product = tensors[0]
    for matrix in tensors[1:]:
        product = F.matmul(product, matrix)
    return product


cholesky, det, eig, eigvals, inv, matmul, matrix_power, matrix_rank, pinv, qr, slogdet, solve, svd, svdvals = (
    lifted(getattr(core, name)) for name in ("cholesky", "det", "eig", "eigvals", "inv", "matmul", "matrix_power", "matrix_rank", "pinv",
                                             "qr", "slogdet", "solve", "svd", "svdvals"))


@function
def eigh(A: Any, UPLO: str = "L") -> Any:
    """Eigenvalues and eigenvectors of symmetric matrices, of which one triangle is read; in slopes: sl.linalg.eigh."""
    return core.eigh(symmetric(A, UPLO))


@function
def eigvalsh(A: Any, UPLO: str = "L") -> Any:
    """Eigenvalues of symmetric matrices, of which one triangle is read; in slopes: sl.linalg.eigvalsh."""
    return core.eigvalsh(symmetric(A, UPLO))


def symmetric(A: Any, triangle: str) -> Any:
    """The symmetric matrix that has this triangle."""
    own = F.tril(A) if triangle == "L" else F.triu(A)
    return own + F.matrix_transpose(F.tril(A, k=-1) if triangle == "L" else F.triu(A, k=1))


NAMES = ("vector_norm", "matrix_norm", "norm", "cross", "vecdot", "diagonal", "multi_dot", "cholesky", "det", "eig", "eigvals", "inv",
         "matmul", "matrix_power", "matrix_rank", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "eigh", "eigvalsh")


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch.linalg.{name} is not in slopes.torch; in slopes: sl.linalg has {', '.join(core.__all__)}")
