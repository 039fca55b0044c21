"""PyTorch's statistics: spreads with their means, ranks, histograms, covariances, areas."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import functions as F
from ..errors import ArgumentError
from . import functions
from .functions import Dim, Extremes, as_axes, function


class Range(NamedTuple):
    """What aminmax returns."""

    min: Any
    max: Any


@function
def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False) -> Range:
    """The smallest and the largest element; in slopes: sl.min, sl.max."""
    return Range(F.min(input, axis=dim, keepdims=keepdim), F.max(input, axis=dim, keepdims=keepdim))


@function
def var_mean(input: Any, dim: Dim = None, unbiased: bool = True, keepdim: bool = False, *, correction: float | None = None) -> tuple:
    """(sum (x - mean)^2 / (n - 1), mean); in slopes: sl.var(x, correction=1), sl.mean(x)."""
    dim, correction = functions.spread_arguments(dim, unbiased, correction)
    return F.var(input, axis=as_axes(dim), correction=correction, keepdims=keepdim), F.mean(input, axis=as_axes(dim), keepdims=keepdim)


@function
def std_mean(input: Any, dim: Dim = None, unbiased: bool = True, keepdim: bool = False, *, correction: float | None = None) -> tuple:
    """(the root of the variance, mean); in slopes: sl.std(x, correction=1), sl.mean(x)."""
    variance, mean = var_mean(input, dim, unbiased, keepdim, correction=correction)
    return F.sqrt(variance), mean


@function
def count_nonzero(input: Any, dim: Dim = None) -> Any:
    """The number of elements that are not 0; in slopes: sl.count_nonzero."""
    return F.count_nonzero(input, axis=as_axes(dim))


@function
def nansum(input: Any, dim: Dim = None, keepdim: bool = False) -> Any:
    """The sum of the elements that are not NaN; in slopes: sl.sum(sl.where(sl.isnan(x), 0, x))."""
    return F.sum(F.where(F.isnan(input), 0, input), axis=as_axes(dim), keepdims=keepdim)


@function
def nanmean(input: Any, dim: Dim = None, keepdim: bool = False) -> Any:
    """The mean of the elements that are not NaN; in slopes: the sum of them divided by sl.count_nonzero(~sl.isnan(x))."""
    count = F.count_nonzero(~F.isnan(input), axis=as_axes(dim), keepdims=keepdim)
    return nansum(input, dim, keepdim) / F.astype(count, input.dtype)


@function
def median(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The element of rank (n - 1) // 2, with an axis also its index; in slopes, sl.median is the mean of both middle elements."""
    if dim is None:
        count = int(np.prod(input.shape))
        return F.sort(F.reshape(input, (-1,)))[(count - 1) // 2]
    return kthvalue(input, (input.shape[dim] + 1) // 2, dim, keepdim)


@function
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Extremes:
    """The k-th smallest element, counted from 1, and its index; in slopes: sl.argsort, sl.take_along_axis."""
    if not 1 <= k <= input.shape[dim]:
        raise ArgumentError(f"kthvalue: k={k} for an axis of {input.shape[dim]}", why="ranks are counted from 1")
    indices = F.take(F.argsort(input, axis=dim), F.asarray([k - 1]), axis=dim)
    values = F.take_along_axis(input, indices, axis=dim)
    return Extremes(values, indices) if keepdim else Extremes(F.squeeze(values, dim), F.squeeze(indices, dim))


@function
def quantile(input: Any, q: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The element of rank q (n - 1), interpolated linearly; in slopes: sl.quantile."""
    return F.quantile(input, q, axis=dim, keepdims=keepdim)


@function
def cummax(input: Any, dim: int) -> Extremes:
    """The largest element so far and its index, the last of equal ones; eager only; in slopes: sl.scan with sl.maximum."""
    return running(input, np.maximum, dim)


@function
def cummin(input: Any, dim: int) -> Extremes:
    """The smallest element so far and its index, the last of equal ones; eager only; in slopes: sl.scan with sl.minimum."""
    return running(input, np.minimum, dim)


def running(input: Any, of_two: np.ufunc, dim: int) -> Extremes:
    """The extreme elements so far, through which gradients flow, and their indices."""
    values = input.detach().numpy()
    extreme = (values == of_two.accumulate(values, axis=dim)) | np.isnan(values)
    steps = np.arange(values.shape[dim]).reshape([-1 if axis == dim % values.ndim else 1 for axis in range(values.ndim)])
    indices = F.asarray(np.maximum.accumulate(np.where(extreme, steps, 0), axis=dim))
    return Extremes(F.take_along_axis(input, indices, axis=dim), indices)


@function
def logcumsumexp(input: Any, dim: int) -> Any:
    """log of the cumulative sum of exp(x); in slopes: sl.log(sl.cumulative_sum(sl.exp(x - m))) + m, m the maximum."""
    largest = F.max(input, axis=dim, keepdims=True).detach()
    return F.log(F.cumulative_sum(F.exp(input - largest), axis=dim)) + largest


@function
def histc(input: Any, bins: int = 100, min: Any = 0, max: Any = 0) -> Any:
    """Counts of elements in bins of equal width from min to max (both 0: of the elements); eager only; in slopes: numpy.histogram."""
    values = input.detach().numpy()
    limits = (values.min(), values.max()) if min == max == 0 else (min, max)
    return F.asarray(np.histogram(values, bins, limits)[0].astype(values.dtype))


@function
def cov(input: Any, *, correction: int = 1) -> Any:
    """X X^T / (n - correction) of rows from which their means are subtracted; in slopes: sl.matmul of the centred rows."""
    rows = F.reshape(input, (-1, input.shape[-1]))
    centred = rows - F.mean(rows, axis=1, keepdims=True)
    matrix = F.matmul(centred, F.matrix_transpose(centred)) / (rows.shape[1] - correction)
    return matrix if len(input.shape) > 1 else F.reshape(matrix, ())


@function
def corrcoef(input: Any) -> Any:
    """The covariances divided by the standard deviations of both rows; in slopes: the covariance matrix and its diagonal."""
    matrix = cov(input)
    if not matrix.shape:
        return matrix / matrix
    deviations = F.sqrt(F.diagonal(matrix))
    return F.clip(matrix / F.outer(deviations, deviations), -1, 1)


@function
def dist(input: Any, other: Any, p: float = 2) -> Any:
    """The p-norm of x - y; in slopes: sl.vector_norm(x - y, ord=p)."""
    return F.vector_norm(F.reshape(input - other, (-1,)), ord=p)


@function
def trapezoid(y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Any:
    """The sum of (y_i + y_(i+1)) / 2 times the width; in slopes: sums of slices times sl.diff(x)."""
    return F.sum(areas(y, x, dx, dim), axis=dim)


@function
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Any:
    """The cumulative sums of which `trapezoid` is the last; in slopes: sl.cumulative_sum of them."""
    return F.cumulative_sum(areas(y, x, dx, dim), axis=dim)


def areas(y: Any, x: Any, dx: float, dim: int) -> Any:
    """The areas under the lines between neighbours."""
    before, after = F.moveaxis(y, dim, -1)[..., :-1], F.moveaxis(y, dim, -1)[..., 1:]
    widths = dx if x is None else F.diff(x) if len(x.shape) == 1 else F.moveaxis(F.diff(x, axis=dim), dim, -1)
    return F.moveaxis((before + after) / 2 * widths, -1, dim)


trapz = trapezoid
METHODS = ("aminmax", "count_nonzero", "nansum", "nanmean", "median", "kthvalue", "quantile", "cummax", "cummin", "logcumsumexp", "histc",
           "cov", "corrcoef", "dist")
NAMES = (*METHODS, "var_mean", "std_mean", "trapezoid", "cumulative_trapezoid", "trapz")
