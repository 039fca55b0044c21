"""The methods of tensors, named as in the Python array API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .errors import ShapeError, TraceError, missing_method
from .graph.build import build
from .graph.dtype import DType, as_dtype, promote, scalar_dtype
from .graph.operators import Operators
from .graph.shape import Shape, normalize_axis, size
from .guarded import guarded
from .indexing import select
from .ops import composite
from .standard import CPU, check_device

Axis = int | tuple[int, ...] | None


class Methods(Operators):
    """The methods and properties of a tensor that derive from its shape, dtype and operations."""

    __slots__ = ()

    @property
    def shape(self) -> Shape:
        """The size of each axis."""
        raise missing_method(self, "shape")

    @property
    def dtype(self) -> DType:
        """The data type of the elements."""
        raise missing_method(self, "dtype")

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return size(self.shape)

    @property
    def device(self) -> str:
        """The device: always "cpu"."""
        return CPU

    def to_device(self, device: Any, /, *, stream: Any = None) -> Any:
        """The tensor itself, which is in the main memory. Raises ArgumentError for any other device than "cpu"."""
        check_device("to_device", device)
        return self

    @property
    def T(self) -> Any:
        """The transposed matrix. Raises ShapeError unless there are exactly two axes."""
        if self.ndim != 2:
            raise ShapeError(f"T: a tensor of shape {self.shape} is no matrix", why="T exchanges the two axes of a matrix",
                             repair="use mT for stacks of matrices, or permute_dims to order the axes")
        return build("permute", self, axes=(1, 0))

    @property
    def mT(self) -> Any:
        """The last two axes swapped."""
        return composite.matrix_transpose(self)

    def __matmul__(self, other: Any) -> Any:
        return composite.matmul(self, other) if hasattr(other, "shape") else NotImplemented

    def __rmatmul__(self, other: Any) -> Any:
        return composite.matmul(other, self) if hasattr(other, "shape") else NotImplemented

    def _in_place(self, symbol: str) -> Any:
        """x += y makes a new tensor and gives it the name x: a parameter, or another start of gradients, stays what it was."""
        return NotImplemented

    def __iadd__(self, other: Any) -> Any: return self._in_place("+=")
    def __isub__(self, other: Any) -> Any: return self._in_place("-=")
    def __imul__(self, other: Any) -> Any: return self._in_place("*=")
    def __itruediv__(self, other: Any) -> Any: return self._in_place("/=")
    def __ifloordiv__(self, other: Any) -> Any: return self._in_place("//=")
    def __imod__(self, other: Any) -> Any: return self._in_place("%=")
    def __ipow__(self, other: Any) -> Any: return self._in_place("**=")
    def __imatmul__(self, other: Any) -> Any: return self._in_place("@=")
    def __iand__(self, other: Any) -> Any: return self._in_place("&=")
    def __ior__(self, other: Any) -> Any: return self._in_place("|=")
    def __ixor__(self, other: Any) -> Any: return self._in_place("^=")
    def __ilshift__(self, other: Any) -> Any: return self._in_place("<<=")
    def __irshift__(self, other: Any) -> Any: return self._in_place(">>=")

    def __len__(self) -> int:
        if not self.shape:
            raise ShapeError("len: a 0-d tensor has no axes and so no length", repair="its size is 1; item() gives its number")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise ShapeError("a 0-d tensor has no axes to walk along", repair="item() gives its number")
        return (self[i] for i in range(self.shape[0]))

    def __getitem__(self, index: Any) -> Any:
        items = index if isinstance(index, tuple) else (index,)
        return select(self, tuple(map(self._index_item, items)), self._mask_positions)

    def _index_item(self, item: Any) -> Any:
        """An index item in the form that `select` accepts."""
        return item

    def _mask_positions(self, mask: Any) -> list[np.ndarray]:
        return list(np.nonzero(mask))

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TraceError("x[...] = value is not possible in a function that is compiled, differentiated or batched",
                         why="each operation there makes a new value, and none changes",
                         repair="make a new one: sl.where(mask, value, x) or sl.concat([...]); x.assign(new) replaces all")

    # Type and shape

    def astype(self, dtype: Any) -> Any:
        """The tensor cast to another data type."""
        target = as_dtype(dtype)
        return self if target == self.dtype else build("cast", self, dtype=target)

    def reshape(self, *shape: Any) -> Any:
        """The same elements in another shape, given as integers or one tuple; one size may be -1."""
        return build("reshape", self, shape=tuple(as_sizes(shape)))

    def flatten(self, start: int = 0) -> Any:
        """Merge the axes from `start` on. Raises ShapeError for an axis that does not exist."""
        start = normalize_axis(start, max(self.ndim, 1), "flatten")
        return build("reshape", self, shape=(*self.shape[:start], size(self.shape[start:])))

    def permute_dims(self, *axes: Any) -> Any:
        """Permute the axes, given as integers or one tuple."""
        return composite.permute_dims(self, tuple(as_sizes(axes)))

    def expand_dims(self, axis: int) -> Any:
        """A new axis of size 1 at position `axis`."""
        return composite.expand_dims(self, axis)

    def squeeze(self, axis: Axis = None) -> Any:
        """Remove the axes of size 1 (all, or those in `axis`)."""
        return composite.squeeze(self, tuple(i for i, n in enumerate(self.shape) if n == 1) if axis is None else axis)

    def broadcast_to(self, *shape: Any) -> Any:
        """Broadcast to a shape."""
        return build("expand", self, shape=tuple(as_sizes(shape)))

    # Reductions

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """The sum over `axis` (None: all)."""
        return composite.reduce("sum", self, axis, keepdims)

    def prod(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """The product over `axis` (None: all)."""
        return composite.reduce("prod", self, axis, keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """The mean over `axis` (None: all)."""
        return composite.mean(self, axis, keepdims)

    def var(self, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Any:
        """The variance over `axis`: sum of squared distances from the mean / (n - correction)."""
        return composite.var(self, axis, correction, keepdims)

    def std(self, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Any:
        """The standard deviation over `axis`, the square root of `var`."""
        return composite.std(self, axis, correction, keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """The maximum over `axis`; NaN propagates."""
        return composite.reduce("max", self, axis, keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """The minimum over `axis`; NaN propagates."""
        return composite.reduce("min", self, axis, keepdims)

    def all(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """Whether all elements over `axis` are true (not 0)."""
        return composite.reduce("all", self, axis, keepdims)

    def any(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """Whether any element over `axis` is true (not 0)."""
        return composite.reduce("any", self, axis, keepdims)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Any:
        """The index of the maximum, the first of equals (axis None: in the flattened tensor)."""
        return position("argmax", self, axis, keepdims)

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Any:
        """The index of the minimum, the first of equals (axis None: in the flattened tensor)."""
        return position("argmin", self, axis, keepdims)

    # Elementwise functions

    def exp(self) -> Any:
        """e to the power of each element."""
        return build("exp", self)

    def log(self) -> Any:
        """The natural logarithm of each element."""
        return build("log", self)

    def sqrt(self) -> Any:
        """The square root of each element."""
        return build("sqrt", self)

    def abs(self) -> Any:
        """The absolute value of each element."""
        return build("abs", self)

    def sin(self) -> Any:
        """The sine of each element."""
        return build("sin", self)

    def cos(self) -> Any:
        """The cosine of each element."""
        return build("cos", self)

    def tanh(self) -> Any:
        """The hyperbolic tangent of each element."""
        return build("tanh", self)

    def sigmoid(self) -> Any:
        """1 / (1 + exp(-x)) of each element."""
        return composite.sigmoid(self)

    def relu(self) -> Any:
        """max(x, 0) of each element."""
        return composite.relu(self)

    def softmax(self, axis: int = -1) -> Any:
        """exp(x) / sum of exp(x) along `axis`."""
        return composite.softmax(self, axis)

    def log_softmax(self, axis: int = -1) -> Any:
        """The logarithm of softmax along `axis`."""
        return composite.log_softmax(self, axis)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """Clamp the elements to [min, max]; the gradient is 0 where an element is clamped."""
        low = self if min is None else clip_at(self, min, "less")
        return low if max is None else clip_at(low, max, "greater")


def clip_at(x: Any, bound: Any, beyond: str) -> Any:
    """Clamp x at one bound ("less" or "greater"); NaN where the bound is NaN; integers with a fractional bound become floats."""
    if not isinstance(bound, (bool, int, float, np.generic)):
        return build("where", build("bitwise_or", build(beyond, x, bound), build("not_equal", bound, bound)), bound, x)
    x = x.astype(promote(x.dtype, scalar_dtype(bound, x.dtype)))
    return build("where", build(beyond, x, bound) if bound == bound else build("equal", x, x), bound, x)


for _name, _method in list(vars(Methods).items()):
    if (not _name.startswith("_") or _name == "__getitem__") and callable(_method):
        setattr(Methods, _name, guarded(_method, "sl.Tensor"))


def position(name: str, x: Any, axis: int | None, keepdims: bool) -> Any:
    """The index of an extreme along an axis, or in the flattened tensor."""
    if axis is None:
        index = build(name, build("reshape", x, shape=(x.size,)), axis=0)
        return build("reshape", index, shape=(1,) * x.ndim) if keepdims else index
    axis = normalize_axis(axis, x.ndim, name)
    index = build(name, x, axis=axis)
    return composite.expand_dims(index, axis) if keepdims else index


def as_sizes(sizes: tuple) -> tuple:
    """Sizes passed as integers, or as one tuple or list of them."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
