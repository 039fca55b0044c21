"""Reductions: sums, means, extremes, softmax, cumulative sums."""

from __future__ import annotations

from typing import Any

from ..graph.dtype import as_dtype
from ..graph.shape import normalize_axis
from ..ops import composite
from ..tensor import Tensor, asarray, perform
from .elementwise import isclose

__all__ = [
    "all", "allclose", "any", "argmax", "argmin", "count_nonzero", "cumulative_sum", "log_softmax", "logsumexp", "max", "mean",
    "min", "prod", "softmax", "std", "sum", "var",
]

Axis = int | tuple[int, ...] | None


def reduce(name: str, x: Any, axis: Axis, keepdims: bool) -> Tensor:
    return composite.reduce(name, asarray(x), axis, keepdims)


def cast(x: Any, dtype: Any) -> Tensor:
    """x as a tensor of `dtype`; None keeps its own."""
    return asarray(x) if dtype is None else asarray(x).astype(as_dtype(dtype))


def reduce_in_dtype(name: str, x: Any, axis: Axis, keepdims: bool, dtype: Any) -> Tensor:
    """A sum or product of elements cast to `dtype`, in that dtype; computed in the widest type of its kind, with the same wrapping."""
    return cast(reduce(name, cast(x, dtype), axis, keepdims), dtype)


def sum(x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """The sum over `axis` (an integer, a tuple, None for all), 0 over no elements; integers and bool are added as int64 or uint64.

    With `dtype`, elements are cast to it first, and it is the dtype of the result.
    x (..., n, ...) -> (..., ...), with keepdims (..., 1, ...). Raises ShapeError for an axis that does not exist.
    The error of a float32 sum is at most 256 eps (3e-5) of the sum of magnitudes, usually less than 1e-6, for any length: 128 terms
    at a time are added in float32, and their sums in float64. Means, variances and cumulative sums are equally accurate.

    >>> sl.sum([[1., 2.], [3., 4.]], axis=0)
    tensor([4., 6.])
    """
    return reduce_in_dtype("sum", x, axis, keepdims, dtype)


def prod(x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """The product over `axis` (an integer, a tuple, None for all), 1 over no elements; the gradient is exact at zeros, too.

    With `dtype`, elements are cast to it first, and it is the dtype of the result.

    >>> sl.prod([[1., 2.], [3., 4.]], axis=1)
    tensor([ 2., 12.])
    """
    return reduce_in_dtype("prod", x, axis, keepdims, dtype)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean over `axis`; integers are averaged as float32; NaN over no elements.

    >>> sl.mean([[1., 2.], [3., 4.]])
    tensor(2.5)
    """
    return composite.mean(asarray(x), axis, keepdims)


def var(x: Any, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Tensor:
    """sum((x - mean)^2) / (n - correction) over `axis`; correction=1 is the unbiased estimate from a sample.

    >>> sl.var([1., 2., 3., 4.])
    tensor(1.25)
    """
    return composite.var(asarray(x), axis, correction, keepdims)


def std(x: Any, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Tensor:
    """The square root of `var`; if all elements are equal it is 0 with gradient 0, as in PyTorch.

    >>> sl.std([1., 1., 3., 3.])
    tensor(1.)
    """
    return composite.std(asarray(x), axis, correction, keepdims)


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The maximum over `axis`; NaN propagates; equal maxima share the gradient. Raises ShapeError over no elements.

    >>> sl.max([[1., 5.], [3., 4.]], axis=0)
    tensor([3., 5.])
    """
    return reduce("max", x, axis, keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The minimum over `axis`; NaN propagates; equal minima share the gradient. Raises ShapeError over no elements.

    >>> sl.min([[1., 5.], [3., 4.]], axis=0)
    tensor([1., 4.])
    """
    return reduce("min", x, axis, keepdims)


def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether all elements over `axis` are true (numbers: not 0); true over no elements.

    >>> sl.all([True, False])
    tensor(False)
    """
    return reduce("all", x, axis, keepdims)


def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether any element over `axis` is true (numbers: not 0); false over no elements.

    >>> sl.any([True, False])
    tensor(True)
    """
    return reduce("any", x, axis, keepdims)


def count_nonzero(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The number of nonzero elements over `axis`, as int64.

    >>> sl.count_nonzero([0, 3, 0, 5])
    tensor(2)
    """
    return reduce("sum", asarray(x).astype(bool), axis, keepdims)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the maximum along `axis` (None: in the flattened tensor), the first among equals, as int64.

    >>> sl.argmax([[1., 5.], [3., 2.]], axis=1)
    tensor([1, 0])
    """
    return asarray(x).argmax(axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the minimum along `axis` (None: in the flattened tensor), the first among equals, as int64.

    >>> sl.argmin([[1., 5.], [3., 2.]], axis=1)
    tensor([0, 1])
    """
    return asarray(x).argmin(axis, keepdims)


def cumulative_sum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Cumulative sums along `axis` (optional for 1-d tensors): y_i = x_0 + ... + x_i.

    Integers are added as int64 or uint64. With `dtype`, elements are cast to it first, and it is the dtype of the result.

    >>> sl.cumulative_sum([1, 2, 3])
    tensor([1, 3, 6])
    """
    x = cast(x, dtype)
    axis = 0 if axis is None and x.ndim == 1 else axis
    totals = perform("cumulative_sum", (x,), {"axis": normalize_axis(axis, x.ndim, "cumulative_sum")})  # type: ignore[arg-type]
    return cast(totals, dtype)


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(x))) over `axis`, computed without overflow; its gradient is softmax.

    If all elements are -inf, it is -inf with gradient 0 (PyTorch: nan); over no elements it is -inf.

    >>> sl.logsumexp([1000., 0.])
    tensor(1000.)
    """
    return composite.logsumexp(asarray(x), axis, keepdims)


def softmax(x: Any, axis: int = -1) -> Tensor:
    """exp(x) / sum(exp(x)) along `axis`: positive, summing to 1, for logits of any size (Bridle 1990).

    A logit of -inf has value and gradient 0. If all logits are -inf, or one is inf, the result is nan, as in PyTorch. An empty axis
    stays empty.

    >>> sl.softmax([10000., 10000.])
    tensor([0.5, 0.5])
    """
    return composite.softmax(asarray(x), axis)


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """x - log(sum(exp(x))) along `axis`: the logarithm of softmax, accurate even where softmax underflows to 0.

    A logit of -inf stays -inf. If all logits are -inf, or one is inf, the result is nan, as in PyTorch. An empty axis stays empty.

    >>> sl.log_softmax([10000., 0.])
    tensor([     0., -10000.])
    """
    return composite.log_softmax(asarray(x), axis)


def allclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether `isclose` holds for all elements.

    >>> bool(sl.allclose([1., 2.], [1.000001, 2.]))
    True
    """
    return all(isclose(x, y, rtol, atol, equal_nan))
