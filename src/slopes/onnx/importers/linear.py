"""Matrix products."""

from __future__ import annotations

from ... import functions as f
from ...tensor import Tensor
from ..call import Call
from ..operators import operator


@operator("MatMul")
def matmul(call: Call, x: Tensor, y: Tensor) -> Tensor:
    return f.matmul(x, y)


@operator("Gemm")
def gemm(call: Call, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """alpha a' b' + beta c, where a' and b' may be transposed."""
    a = a.permute_dims((1, 0)) if call["transA"] else a
    b = b.permute_dims((1, 0)) if call["transB"] else b
    y = scaled(a @ b, call["alpha"])
    return y if c is None else y + scaled(c, call["beta"])


def scaled(x: Tensor, factor: float) -> Tensor:
    """x times a factor, which is 1 in most networks."""
    return x if factor == 1 else (x * factor).astype(x.dtype)


@operator("Einsum")
def einsum(call: Call, *xs: Tensor) -> Tensor:
    return f.einsum(call["equation"].replace(" ", ""), *xs)


@operator("Det")
def determinant(call: Call, x: Tensor) -> Tensor:
    """By elimination of one column after another, with the largest pivot."""
    result = f.ones(x.shape[:-2], x.dtype)
    for size in range(x.shape[-1], 0, -1):
        row = f.argmax(f.abs(x[..., 0]), axis=-1, keepdims=True)  # (..., 1)
        pivot_row = f.take_along_axis(x, f.broadcast_to(row[..., None], (*x.shape[:-2], 1, size)), axis=-2)  # (..., 1, size)
        first = f.arange(size).reshape((size, 1)) == row[..., None]
        rows = f.where(first, x[..., :1, :], x)  # the first row stands where the pivot was
        pivot = pivot_row[..., 0, 0]
        result = result * f.where(row[..., 0] == 0, pivot, -pivot)
        factor = rows[..., 1:, :1] / f.where(pivot == 0, 1, pivot)[..., None, None]
        x = rows[..., 1:, 1:] - factor * pivot_row[..., :, 1:]
    return result
