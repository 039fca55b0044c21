"""Reductions: sums, means, extremes, softmax, cumulative sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..constraint import NATURAL, check
from ..errors import ArgumentError, ShapeError
from ..graph.dtype import accumulator, as_dtype, bool_, default_float, is_complex, is_inexact
from ..graph.shape import normalize_axis
from ..ops import composite
from ..tensor import Tensor, asarray, perform
from .elementwise import isclose, isnan

__all__ = [
    "all", "allclose", "any", "argmax", "argmin", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff",
    "log_softmax", "logsumexp", "max", "mean", "median", "min", "prod", "quantile", "softmax", "std", "sum", "var",
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


def as_real(x: Any) -> Tensor:
    """Real numbers as they are; of complex ones, whether each is not 0."""
    x = asarray(x)
    return x != 0 if is_complex(x.dtype) else x


def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether all elements over `axis` are true (numbers: not 0); true over no elements.

    >>> sl.all([True, False])
    tensor(False)
    """
    return reduce("all", as_real(x), axis, keepdims)


def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether any element over `axis` is true (numbers: not 0); false over no elements.

    >>> sl.any([True, False])
    tensor(True)
    """
    return reduce("any", as_real(x), axis, keepdims)


def count_nonzero(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The number of nonzero elements over `axis`, as int64.

    >>> sl.count_nonzero([0, 3, 0, 5])
    tensor(2)
    """
    return reduce("sum", as_real(x).astype(bool), axis, keepdims)


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


def cumulative_sum(x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Tensor:
    """Cumulative sums along `axis` (optional for 1-d tensors): y_i = x_0 + ... + x_i; with include_initial after a first 0.

    Integers are added as int64 or uint64. With `dtype`, elements are cast to it first, and it is the dtype of the result.

    >>> sl.cumulative_sum([1, 2, 3])
    tensor([1, 3, 6])
    """
    x = cast(x, dtype)
    axis = only_axis("cumulative_sum", x, axis)
    totals = cast(perform("cumulative_sum", (x,), {"axis": axis}), dtype)
    return pad_start(totals, axis, 1, 0) if include_initial else totals


def cumulative_prod(x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Tensor:
    """Cumulative products along `axis` (optional for 1-d tensors): y_i = x_0 x_1 ... x_i; with include_initial after a first 1.

    Integers are multiplied as int64 or uint64. With `dtype`, elements are cast to it first, and it is the dtype of the result. Computed
    in log2(n) rounds, each of which doubles the number of factors; the gradient is exact at zeros, too.

    >>> sl.cumulative_prod([1, 2, 3, 4])
    tensor([ 1,  2,  6, 24])
    """
    x = cast(x, dtype)
    axis = only_axis("cumulative_prod", x, axis)
    products = x.astype(accumulator(x.dtype))
    span = 1
    while span < x.shape[axis]:
        earlier = products[(slice(None),) * axis + (slice(None, -span),)]
        products, span = products * pad_start(earlier, axis, span, 1), 2 * span
    products = cast(products, dtype)
    return pad_start(products, axis, 1, 1) if include_initial else products


def only_axis(name: str, x: Tensor, axis: int | None) -> int:
    """The axis counted from 0, which only 1-d tensors may leave out."""
    return normalize_axis(0 if axis is None and x.ndim == 1 else axis, x.ndim, name)  # type: ignore[arg-type]


def pad_start(x: Tensor, axis: int, count: int, value: int) -> Tensor:
    """x with `count` elements of one value before it along an axis."""
    widths = tuple((count if i == axis else 0, 0) for i in range(x.ndim))
    return perform("pad", (x,), {"widths": widths, "value": value})


def diff(x: Any, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Tensor:
    """The differences x_(i+1) - x_i along an axis, n times; `prepend` and `append` are joined to x first. Of bool: whether they differ.

    x (..., size, ...) -> (..., size - n, ...). Raises ArgumentError for n below 0, ShapeError for tensors that do not fit.

    >>> sl.diff([1, 4, 9, 16])
    tensor([3, 5, 7])
    """
    check("diff", {"n": NATURAL}, {"n": n})
    x = asarray(x)
    axis = only_axis("diff", x, axis)
    parts = [asarray(part) for part in (prepend, x, append) if part is not None]
    x = composite.concat(parts, axis) if len(parts) > 1 else x
    for _ in range(n):
        after, before = (x[(slice(None),) * axis + (part,)] for part in (slice(1, None), slice(None, -1)))
        x = after != before if x.dtype == bool_ else after - before
    return x


def quantile(x: Any, q: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The values below which shares q (from 0 to 1) of the elements over `axis` (None: of all) lie, interpolated linearly.

    x (..., n, ...) and a number q -> (..., ...), with keepdims (..., 1, ...); of several q (k,) along a new first axis. The gradient goes
    to the two neighbours in the sorted order. NaN if an element is NaN. Raises ArgumentError for a q outside 0 to 1, ShapeError over
    no elements.

    >>> sl.quantile([1., 2., 3., 4.], 0.5)
    tensor(2.5)
    """
    x = asarray(x)
    x = x if is_inexact(x.dtype) else x.astype(default_float)
    shares = np.asarray(q, np.float64)
    if not ((shares >= 0) & (shares <= 1)).all() or shares.ndim > 1:
        raise ArgumentError(f"quantile: q={q!r:.60}", why="q is a share of the elements, or a list of them",
                            repair="take numbers from 0 to 1")
    shape = tuple(1 if axis is None or i == normalize_axis(axis, x.ndim, "quantile") else n for i, n in enumerate(x.shape))
    ordered = composite.sort(x.flatten() if axis is None else composite.moveaxis(x, axis, -1), -1, False)
    count = ordered.shape[-1]
    if not count:
        raise ShapeError("quantile: there are no elements", why="no element lies in the middle of none", repair="leave out empty tensors")
    positions = shares * (count - 1)
    low = np.floor(positions).astype(np.int64)
    high, weight = np.minimum(low + 1, count - 1), (positions - low).astype(x.dtype)
    below, above = (perform("take", (ordered, asarray(index)), {"axis": ordered.ndim - 1}) for index in (low, high))
    result = composite.where(asarray(weight == 0), below, below + (above - below) * asarray(weight))
    missing = isnan(ordered[..., -1:] if shares.ndim else ordered[..., -1])  # NaN is sorted to the end
    result = composite.where(missing, math.nan, result)
    if shares.ndim:
        result = composite.moveaxis(result, -1, 0)
    return result.reshape((*shares.shape, *shape)) if keepdims else result


def median(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The middle of the sorted elements over `axis` (None: of all), the mean of two where their number is even; see `quantile`.

    >>> sl.median([[3., 1., 2.], [5., 9., 7.]], axis=1)
    tensor([2., 7.])
    """
    return quantile(x, 0.5, axis, keepdims)


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
