"""PyTorch's functions of tensors, over those of the core: `dim` for axis, `keepdim`, PyTorch's defaults and results."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from .. import functions as F
from .. import linalg
from ..errors import ArgumentError, ShapeError
from ..graph.dtype import is_inexact
from ..graph.shape import normalize_axis
from .sides import lifted

NUMPY_NAMES = ("axis", "dim"), ("keepdims", "keepdim")

Dim = int | tuple[int, ...] | None


class Extremes(NamedTuple):
    """What max(x, dim), sort and topk return."""

    values: Any
    indices: Any


def function(core: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the window; NumPy's names of arguments are accepted too, as in PyTorch."""
    call = lifted(core)

    @wraps(core)
    def named(*args: Any, **options: Any) -> Any:
        for numpy_name, name in NUMPY_NAMES:
            if numpy_name in options:
                options[name] = options.pop(numpy_name)
        return call(*args, **options)

    return named


# Reductions


@function
def sum(input: Any, dim: Dim = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """The sum of elements; in slopes: sl.sum."""
    return F.sum(input if dtype is None else F.astype(input, dtype), axis=as_axes(dim), keepdims=keepdim)


@function
def mean(input: Any, dim: Dim = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """sum / n, of floats; in slopes: sl.mean."""
    if dtype is None and not is_inexact(input.dtype):
        raise ArgumentError(f"mean: the elements are {input.dtype}", why="PyTorch's mean is of floats", repair="write x.float().mean()")
    return F.mean(input if dtype is None else F.astype(input, dtype), axis=as_axes(dim), keepdims=keepdim)


@function
def prod(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The product of elements; in slopes: sl.prod."""
    return F.prod(input, axis=dim, keepdims=keepdim)


@function
def var(input: Any, dim: Dim = None, unbiased: bool = True, keepdim: bool = False, *, correction: float | None = None) -> Any:
    """sum (x - mean)^2 / (n - 1), with unbiased=False / n; in slopes: sl.var(x, correction=1)."""
    dim, correction = spread_arguments(dim, unbiased, correction)
    return F.var(input, axis=as_axes(dim), correction=correction, keepdims=keepdim)


@function
def std(input: Any, dim: Dim = None, unbiased: bool = True, keepdim: bool = False, *, correction: float | None = None) -> Any:
    """The root of the variance; in slopes: sl.std(x, correction=1)."""
    dim, correction = spread_arguments(dim, unbiased, correction)
    return F.std(input, axis=as_axes(dim), correction=correction, keepdims=keepdim)


def spread_arguments(dim: Any, unbiased: bool, correction: float | None) -> tuple[Any, float]:
    """(dim, correction): PyTorch also takes `unbiased` as the first argument."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return dim, float(unbiased) if correction is None else correction


@function
def max(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element, along an axis also its index, or the larger of two tensors; in slopes: sl.max, sl.argmax, sl.maximum."""
    return extreme(F.max, F.argmax, F.maximum, input, dim if other is None else other, keepdim)


@function
def min(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element, along an axis also its index, or the smaller of two tensors; in slopes: sl.min, sl.argmin, sl.minimum."""
    return extreme(F.min, F.argmin, F.minimum, input, dim if other is None else other, keepdim)


def extreme(whole: Any, position: Any, of_two: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    if dim is None:
        return whole(input)
    if hasattr(dim, "shape"):
        return of_two(input, dim)
    indices = position(input, axis=dim, keepdims=True)
    values = F.take_along_axis(input, indices, axis=dim)
    return Extremes(values, indices) if keepdim else Extremes(F.squeeze(values, dim), F.squeeze(indices, dim))


@function
def amax(input: Any, dim: Dim = None, keepdim: bool = False) -> Any:
    """The largest element; in slopes: sl.max."""
    return F.max(input, axis=as_axes(dim), keepdims=keepdim)


@function
def amin(input: Any, dim: Dim = None, keepdim: bool = False) -> Any:
    """The smallest element; in slopes: sl.min."""
    return F.min(input, axis=as_axes(dim), keepdims=keepdim)


@function
def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The index of the largest element; in slopes: sl.argmax."""
    return F.argmax(input, axis=dim, keepdims=keepdim)


@function
def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The index of the smallest element; in slopes: sl.argmin."""
    return F.argmin(input, axis=dim, keepdims=keepdim)


@function
def all(input: Any, dim: Dim = None, keepdim: bool = False) -> Any:
    """Whether all elements are true; in slopes: sl.all."""
    return F.all(input, axis=as_axes(dim), keepdims=keepdim)


@function
def any(input: Any, dim: Dim = None, keepdim: bool = False) -> Any:
    """Whether an element is true; in slopes: sl.any."""
    return F.any(input, axis=as_axes(dim), keepdims=keepdim)


@function
def logsumexp(input: Any, dim: Dim, keepdim: bool = False) -> Any:
    """log sum exp(x); in slopes: sl.logsumexp."""
    return F.logsumexp(input, axis=as_axes(dim), keepdims=keepdim)


@function
def norm(input: Any, p: Any = 2, dim: Dim = None, keepdim: bool = False) -> Any:
    """(sum |x|^p)^(1/p) of the elements; in slopes: sl.vector_norm."""
    return F.vector_norm(input, axis=as_axes(dim), keepdims=keepdim, ord=2 if p == "fro" else p)


@function
def cumsum(input: Any, dim: int) -> Any:
    """The sums of the elements so far; in slopes: sl.cumulative_sum."""
    return F.cumulative_sum(input, axis=dim)


@function
def cumprod(input: Any, dim: int) -> Any:
    """The products of the elements so far; in slopes: sl.cumulative_prod."""
    return F.cumulative_prod(input, axis=dim)


@function
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Extremes:
    """The k largest elements and their indices; in slopes: sl.top_k."""
    return Extremes(*F.top_k(input, k, axis=dim, largest=largest))


@function
def sort(input: Any, dim: int = -1, descending: bool = False) -> Extremes:
    """The elements in ascending order and their indices; in slopes: sl.sort, sl.argsort."""
    indices = F.argsort(input, axis=dim, descending=descending)
    return Extremes(F.take_along_axis(input, indices, axis=dim), indices)


@function
def argsort(input: Any, dim: int = -1, descending: bool = False) -> Any:
    """The indices that sort an axis; in slopes: sl.argsort."""
    return F.argsort(input, axis=dim, descending=descending)


def as_axes(dim: Any) -> Any:
    return tuple(dim) if isinstance(dim, list) else dim


# Shapes


@function
def reshape(input: Any, *shape: Any) -> Any:
    """The elements in another shape, one size of which may be -1; in slopes: sl.reshape."""
    return F.reshape(input, sizes(shape))


@function
def view(input: Any, *shape: Any) -> Any:
    """The same as `reshape`: memory is shared where this is possible; in slopes: sl.reshape."""
    return F.reshape(input, sizes(shape))


def sizes(shape: tuple) -> tuple[int, ...]:
    """Sizes that were passed as integers, or as one tuple or list; those that are tensors are integers too."""
    items = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    return tuple(int(size) for size in items)


@function
def view_as(input: Any, other: Any) -> Any:
    """The elements in the shape of another tensor; in slopes: sl.reshape(x, y.shape)."""
    return F.reshape(input, other.shape)


@function
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Some neighbouring axes as one; in slopes: sl.reshape."""
    start, end = (normalize_axis(dim, len(input.shape) or 1, "flatten") for dim in (start_dim, end_dim))
    return F.reshape(input, (*input.shape[:start], math.prod(input.shape[start : end + 1]), *input.shape[end + 1 :]))


@function
def unflatten(input: Any, dim: int, sizes: Sequence[int]) -> Any:
    """An axis as several; in slopes: sl.reshape."""
    dim = normalize_axis(dim, len(input.shape), "unflatten")
    return F.reshape(input, (*input.shape[:dim], *sizes, *input.shape[dim + 1 :]))


@function
def permute(input: Any, *dims: Any) -> Any:
    """The axes in another order; in slopes: sl.permute_dims."""
    return F.permute_dims(input, sizes(dims))


@function
def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Two axes exchanged; in slopes: sl.permute_dims."""
    axes = list(range(len(input.shape)))
    first, second = (normalize_axis(dim, len(axes), "transpose") for dim in (dim0, dim1))
    axes[first], axes[second] = second, first
    return F.permute_dims(input, tuple(axes))


@function
def t(input: Any) -> Any:
    """The transpose of a matrix; vectors stay as they are; in slopes: x.T."""
    return input if len(input.shape) < 2 else input.T


@function
def movedim(input: Any, source: int, destination: int) -> Any:
    """Axes at another position; in slopes: sl.moveaxis."""
    return F.moveaxis(input, source, destination)


@function
def unsqueeze(input: Any, dim: int) -> Any:
    """A new axis of size 1; in slopes: sl.expand_dims."""
    return F.expand_dims(input, dim)


@function
def squeeze(input: Any, dim: Any = None) -> Any:
    """Without axes of size 1; in slopes: sl.squeeze."""
    axes = range(len(input.shape)) if dim is None else [normalize_axis(dim, len(input.shape), "squeeze")] if isinstance(dim, int) else dim
    return F.squeeze(input, tuple(axis for axis in axes if input.shape[axis] == 1))


@function
def expand(input: Any, *shape: Any) -> Any:
    """Repeated along axes of size 1; -1 keeps a size; in slopes: sl.broadcast_to."""
    targets = sizes(shape)
    known = (1,) * (len(targets) - len(input.shape)) + tuple(input.shape)
    return F.broadcast_to(input, tuple(old if new == -1 else new for new, old in zip(targets, known)))


@function
def expand_as(input: Any, other: Any) -> Any:
    """Repeated to the shape of another tensor; in slopes: sl.broadcast_to(x, y.shape)."""
    return F.broadcast_to(input, other.shape)


@function
def repeat(input: Any, *repeats: Any) -> Any:
    """Copies side by side, a number for each axis; in slopes: sl.tile."""
    return F.tile(input, sizes(repeats))


@function
def tile(input: Any, dims: Sequence[int]) -> Any:
    """Copies side by side, a number for each axis; in slopes: sl.tile."""
    return F.tile(input, tuple(dims))


@function
def repeat_interleave(input: Any, repeats: int, dim: int | None = None) -> Any:
    """Each element several times; in slopes: sl.repeat."""
    return F.repeat(input, repeats, axis=dim)


@function
def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors joined along an axis; in slopes: sl.concat."""
    return F.concat(list(tensors), axis=dim)


@function
def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors joined along a new axis; in slopes: sl.stack."""
    return F.stack(list(tensors), axis=dim)


@function
def hstack(tensors: Sequence[Any]) -> Any:
    """Tensors joined along axis 1, vectors along axis 0; in slopes: sl.concat."""
    return F.concat(list(tensors), axis=0 if len(tensors[0].shape) == 1 else 1)


@function
def vstack(tensors: Sequence[Any]) -> Any:
    """Tensors joined along axis 0, vectors as rows; in slopes: sl.concat."""
    return F.concat([F.expand_dims(x, 0) if len(x.shape) == 1 else x for x in tensors], axis=0)


@function
def split(tensor: Any, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple:
    """Parts of this size, the last one smaller, or of these sizes."""
    length = tensor.shape[dim]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        parts = [size] * (length // size) + [length % size] * (length % size > 0)
    else:
        parts = list(split_size_or_sections)
    if np.sum(parts) != length:
        raise ShapeError(f"split: the parts {parts} do not add up to the {length} of axis {dim}")
    ends = np.cumsum([0, *parts]).tolist()
    front = (slice(None),) * normalize_axis(dim, len(tensor.shape), "split")
    return tuple(tensor[(*front, slice(start, stop))] for start, stop in itertools.pairwise(ends))


@function
def chunk(input: Any, chunks: int, dim: int = 0) -> tuple:
    """At most this many parts of equal size, the last one smaller."""
    return split(input, -(-input.shape[dim] // chunks) or 1, dim)


@function
def unbind(input: Any, dim: int = 0) -> tuple:
    """The slices along an axis; in slopes: sl.unstack."""
    return tuple(F.unstack(input, axis=dim))


@function
def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """Some neighbouring elements of an axis; in slopes: x[:, start:start + length]."""
    return input[(*(slice(None),) * normalize_axis(dim, len(input.shape), "narrow"), slice(start, start + length))]


@function
def flip(input: Any, dims: Any) -> Any:
    """Axes reversed; in slopes: sl.flip."""
    return F.flip(input, axis=as_axes(dims))


@function
def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """Elements moved along axes, around the end; in slopes: sl.roll."""
    return F.roll(input, shifts, axis=dims)


@function
def tril(input: Any, diagonal: int = 0) -> Any:
    """Zeros above a diagonal; in slopes: sl.tril(x, k)."""
    return F.tril(input, k=diagonal)


@function
def triu(input: Any, diagonal: int = 0) -> Any:
    """Zeros below a diagonal; in slopes: sl.triu(x, k)."""
    return F.triu(input, k=diagonal)


@function
def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal of two axes, along a new last axis; in slopes: sl.linalg.diagonal(x, offset)."""
    return linalg.diagonal(F.moveaxis(input, (dim1, dim2), (-2, -1)), offset)


@function
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple:
    """The coordinates of a grid; in slopes: sl.meshgrid."""
    return tuple(F.meshgrid(*tensors, indexing=indexing))


# Choosing elements


@function
def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """input where the condition is true, else other; of the condition alone, the indices where it is."""
    return tuple(F.nonzero(condition)) if input is None else F.where(condition, input, other)


@function
def gather(input: Any, dim: int, index: Any) -> Any:
    """The elements at indices along an axis; in slopes: sl.take_along_axis."""
    return F.take_along_axis(input, index, axis=dim)


@function
def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices at indices of an axis; in slopes: sl.take."""
    return F.take(input, index, axis=dim)


@function
def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """A value where the mask is true, else x; in slopes: sl.where(mask, value, x)."""
    return F.where(mask, value, input)


@function
def masked_select(input: Any, mask: Any) -> Any:
    """The elements where the mask is true; in slopes: x[mask]."""
    return input[mask]


@function
def nonzero(input: Any, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not 0, one a row; in slopes: sl.nonzero."""
    indices = F.nonzero(input)
    return tuple(indices) if as_tuple else F.stack(list(indices), axis=1)


@function
def bincount(input: Any, minlength: int = 0) -> Any:
    """How often each whole number occurs; eager only; in slopes: numpy.bincount."""
    return F.asarray(np.bincount(input.numpy(), minlength=minlength))


# Elements


@function
def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """x + alpha y; in slopes: x + y."""
    return F.add(input, other if alpha == 1 else F.multiply(other, alpha))


@function
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """x - alpha y; in slopes: x - y."""
    return F.subtract(input, other if alpha == 1 else F.multiply(other, alpha))


@function
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """x / y, rounded with rounding_mode "floor" or "trunc"; in slopes: x / y, sl.floor_divide."""
    if rounding_mode == "floor":
        return F.floor_divide(input, other)
    quotient = F.divide(input, other)
    return F.astype(F.trunc(quotient), input.dtype) if rounding_mode == "trunc" else quotient


@function
def clamp(input: Any, min: Any = None, max: Any = None) -> Any:
    """x limited to min .. max; in slopes: sl.clip."""
    return F.clip(input, min, max)


@function
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """x + value a b; in slopes: the same with operators."""
    return input + value * tensor1 * tensor2


@function
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """x + value a / b; in slopes: the same with operators."""
    return input + value * tensor1 / tensor2


@function
def lerp(input: Any, end: Any, weight: Any) -> Any:
    """x + weight (end - x); in slopes: sl.lerp."""
    return input + weight * (end - input)


@function
def softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """exp(x) / sum exp(x) along an axis; in slopes: sl.softmax."""
    return F.softmax(input if dtype is None else F.astype(input, dtype), axis=dim)


@function
def log_softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """x - log sum exp(x) along an axis; in slopes: sl.log_softmax."""
    return F.log_softmax(input if dtype is None else F.astype(input, dtype), axis=dim)


@function
def equal(input: Any, other: Any) -> bool:
    """Whether shapes and all elements are equal."""
    return input.shape == other.shape and bool(F.all(F.equal(input, other)))


@function
def allclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all |x - y| <= atol + rtol |y|; in slopes: sl.allclose."""
    return bool(F.allclose(input, other, rtol=rtol, atol=atol, equal_nan=equal_nan))


# Matrices


@function
def matmul(input: Any, other: Any) -> Any:
    """The product of matrices; in slopes: x @ y."""
    return F.matmul(input, other)


@function
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta x + alpha A B; in slopes: the same with sl.matmul."""
    return beta * input + alpha * F.matmul(mat1, mat2)


@function
def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta x + alpha A B of stacks of matrices; in slopes: the same with sl.matmul."""
    return beta * input + alpha * F.matmul(batch1, batch2)


@function
def dot(input: Any, tensor: Any) -> Any:
    """The sum of products of two vectors; in slopes: sl.vecdot."""
    return F.vecdot(input, tensor)


@function
def einsum(equation: str, *operands: Any) -> Any:
    """Sums of products in Einstein's notation; in slopes: sl.einsum."""
    return F.einsum(equation, *(operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands))


@function
def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Sums of products along several axes; in slopes: sl.tensordot."""
    return F.tensordot(a, b, axes=dims)


mm = bmm = mv = matmul
concat = concatenate = cat
swapaxes, swapdims, moveaxis, clip, subtract, divide, true_divide = transpose, transpose, movedim, clamp, sub, div, div

SAME = {  # functions of the core with PyTorch's name, arguments and results, or under another name
    **{name: name for name in (
        "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_or", "bitwise_xor", "ceil", "cos",
        "cosh", "copysign", "erf", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal", "heaviside", "hypot", "isclose",
        "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not",
        "logical_or", "logical_xor", "maximum", "minimum", "multiply", "nan_to_num", "negative", "not_equal", "outer", "pow", "reciprocal",
        "relu", "remainder", "round", "rsqrt", "selu", "sigmoid", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "unique",
    )},
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "mul": "multiply",
    "neg": "negative", "arccos": "acos", "arcsin": "asin", "arctan": "atan", "arctan2": "atan2", "absolute": "abs",
    "bitwise_not": "bitwise_invert",
}
globals().update({name: lifted(getattr(F, own)) for name, own in SAME.items()})

NAMES = (
    "sum", "mean", "prod", "var", "std", "max", "min", "amax", "amin", "argmax", "argmin", "all", "any", "logsumexp", "norm", "cumsum",
    "cumprod", "topk", "sort", "argsort", "reshape", "view", "flatten", "unflatten", "permute", "transpose", "t", "movedim", "unsqueeze",
    "squeeze", "expand", "expand_as", "repeat", "tile", "repeat_interleave", "cat", "stack", "hstack", "vstack", "split", "chunk",
    "unbind", "narrow", "flip", "roll", "tril", "triu", "diagonal", "meshgrid", "where", "gather", "index_select", "masked_fill",
    "masked_select", "nonzero", "bincount", "add", "sub", "div", "clamp", "addcmul", "addcdiv", "lerp", "softmax", "log_softmax", "equal",
    "allclose", "matmul", "addmm", "baddbmm", "dot", "einsum", "tensordot", "mm", "bmm", "mv", "concat", "concatenate", "swapaxes",
    "swapdims", "moveaxis",
    "clip", "subtract", "divide", "true_divide", *SAME,
)
