"""The tensors of the window: the core's, with PyTorch's methods."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Self

import numpy as np

from .. import random
from ..errors import ArgumentError, DTypeError
from ..graph.dtype import DType, as_dtype, bool_, float32, float64, int16, int32, int64, uint8
from ..modes import mode
from ..nn.convert import float_name
from ..nn.module import Buffer as CoreBuffer
from ..parameter import Parameter as CoreParameter
from ..tensor import Tensor as CoreTensor
from ..tensor import asarray, compose, perform
from ..tensor import tensor as core_tensor
from . import elements, functions, layout, matrices, scattering, statistics
from .devices import Device, no_device
from .in_place import change, check_change, link
from .sides import CLASSES, as_window, lifted, side, to_window

WINDOW = os.path.dirname(__file__) + os.sep
PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
CORE = CoreTensor  # what `super()` finds, also for parameters


def perform_here(name: str, args: tuple, params: dict[str, Any]) -> Any:
    """An operation with a tensor of the window among its operands."""
    result = perform(name, args, params)
    return result if side.core else as_window(result)


class Size(int):
    """The number of elements of a tensor; called, its shape."""

    shape: tuple[int, ...]

    def __call__(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]


class Tensor(CoreTensor):
    """PyTorch's tensor: the core's, with the methods that take `dim`, and those that change it in place.

    >>> import slopes.torch as torch
    >>> x = torch.tensor([[1., 2.], [3., 4.]])
    >>> x[0].zero_()
    tensor([0., 0.])
    >>> x.max(dim=1).values
    tensor([0., 4.])
    """

    __slots__ = ()
    _apply, _compose = staticmethod(perform_here), staticmethod(lifted(compose))

    def __init__(self, *data: Any) -> None:
        """torch.Tensor(data), of float32; of integers, torch.Tensor(2, 3), zeros of this shape."""
        is_size = bool(data) and all(isinstance(size, (int, np.integer)) for size in data)
        CORE.__init__(self, np.zeros(data) if is_size or not data else data[0], float32)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"Tensor.{name} is not in slopes.torch; in slopes: see `Port a program` and the table of names in "
                             "docs/pytorch.md")

    __hash__ = CORE.__hash__

    def __eq__(self, other: object) -> Any:
        return lifted(CORE.__eq__)(self, other)

    def __ne__(self, other: object) -> Any:
        return lifted(CORE.__ne__)(self, other)

    def __array_ufunc__(self, *args: Any, **options: Any) -> Any:  # type: ignore[override]
        return lifted(CORE.__array_ufunc__)(self, *args, **options)

    def __array_function__(self, *args: Any) -> Any:
        return lifted(CORE.__array_function__)(self, *args)

    # What it is

    @property
    def size(self) -> Any:
        """A function: size() is the shape, size(dim) that of an axis. As a number, which the core needs, the number of elements."""
        count = CORE.size.fget(self)  # type: ignore[attr-defined]
        if side.core:
            return count
        size = Size(count)
        size.shape = self.shape
        return size

    @property
    def real(self) -> Any:
        """The real part."""
        return elements.real(self)  # type: ignore[attr-defined]

    @property
    def imag(self) -> Any:
        """The imaginary part, of complex tensors."""
        return elements.imag(self)  # type: ignore[attr-defined]

    @property
    def device(self) -> Any:
        return "cpu" if side.core else Device()

    def dim(self) -> int:
        return len(self.shape)

    def numel(self) -> int:
        return CORE.size.fget(self)  # type: ignore[attr-defined, no-any-return]

    def element_size(self) -> int:
        return self.dtype.itemsize

    def is_floating_point(self) -> bool:
        return self.dtype.kind == "f"

    def is_contiguous(self) -> bool:
        return True

    def __repr__(self, **options: Any) -> str:
        return lifted(CORE.__repr__)(self)

    __str__ = __repr__

    # The tensors that it shares memory with

    @property
    def data(self) -> Tensor:
        """The same values, without a gradient, in the same memory: a change in place of one changes the other."""
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        self.detach().copy_(value)

    def detach(self) -> Tensor:
        return link(self, to_window(CORE.detach(self)))  # type: ignore[return-value]

    def __getitem__(self, index: Any) -> Any:
        return link(self, lifted(CORE.__getitem__)(self, index))

    def __iter__(self) -> Any:
        return iter([self[i] for i in range(len(self))])

    # Gradients

    @property
    def grad(self) -> Any:
        """The gradient that `backward` has accumulated, None before."""
        return to_window(CORE.grad.fget(self))  # type: ignore[attr-defined]

    @grad.setter
    def grad(self, gradient: Any) -> None:
        CORE.grad.fset(self, gradient)  # type: ignore[attr-defined]

    def requires_grad_(self, requires_grad: Any = True) -> Self:
        self.requires_grad = requires_grad
        return self

    def detach_(self) -> Self:
        self.requires_grad = False
        return self

    def backward(self, gradient: Any = None, retain_graph: Any = None, create_graph: Any = False) -> None:
        """As in the core; graphs are kept as long as their results, and so `retain_graph` changes nothing."""
        if create_graph:
            raise ArgumentError("backward: create_graph=True is not possible", why="gradients are numbers, of which no graph is kept",
                                repair="differentiate a function twice: sl.grad(sl.grad(f)), or sl.hessian")
        lifted(CORE.backward)(self, gradient)

    def register_hook(self, hook: Any) -> Any:
        raise ArgumentError("register_hook: tensors call no hooks", why="a compiled function calls no Python code",
                            repair="look at values with sl.compile(taps=...), and at gradients in x.grad after backward()")

    # Copies and types

    def clone(self) -> Any:
        """A copy, through which the gradient flows."""
        return to_window(core_tensor(self))

    def contiguous(self) -> Self:
        return self

    def type(self, dtype: Any = None) -> Any:
        return f"torch.{self.dtype}" if dtype is None else self.to(dtype)

    def to(self, *args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False, copy: bool = False) -> Any:
        """In this dtype, or that of another tensor; the only device is the CPU. Raises ArgumentError for another one."""
        for arg in args:
            if isinstance(arg, CoreTensor):
                dtype = arg.dtype
            elif isinstance(arg, (str, Device)) and float_name(arg) is None:
                device = arg
            elif not isinstance(arg, bool):
                dtype = arg
        Device("cpu" if device is None else device)
        return self if dtype is None else lifted(CORE.astype)(self, as_dtype(dtype))

    def cpu(self) -> Self:
        return self

    def cuda(self, device: Any = None, non_blocking: bool = False) -> Any:
        raise no_device("cuda")

    def float(self) -> Any: return self.to(float32)
    def double(self) -> Any: return self.to(float64)
    def long(self) -> Any: return self.to(int64)
    def int(self) -> Any: return self.to(int32)
    def short(self) -> Any: return self.to(int16)
    def byte(self) -> Any: return self.to(uint8)
    def bool(self) -> Any: return self.to(bool_)

    def type_as(self, other: Any) -> Any:
        return self.to(other.dtype)

    def where(self, condition: Any, other: Any) -> Any:
        return functions.where(condition, self, other)

    # Tensors like it

    def new_tensor(self, data: Any, dtype: Any = None) -> Any:
        return new(np.array(data, self.dtype if dtype is None else as_dtype(dtype)))

    def new_zeros(self, *size: Any, dtype: Any = None) -> Any:
        return new(np.zeros(functions.sizes(size), self.dtype if dtype is None else as_dtype(dtype)))

    def new_ones(self, *size: Any, dtype: Any = None) -> Any:
        return new(np.ones(functions.sizes(size), self.dtype if dtype is None else as_dtype(dtype)))

    def new_full(self, size: Any, fill_value: Any, dtype: Any = None) -> Any:
        return new(np.full(functions.sizes((size,)), fill_value, self.dtype if dtype is None else as_dtype(dtype)))

    # Changes in place

    def __setitem__(self, index: Any, value: Any) -> None:
        items = index if isinstance(index, tuple) else (index,)
        change(self, "x[...] = value", value, tuple(known_item(self, item) for item in items))

    def copy_(self, src: Any, non_blocking: Any = False) -> Any:
        return change(self, "copy_", asarray(src))

    def fill_(self, value: Any) -> Any:
        return change(self, "fill_", value)

    def zero_(self) -> Any:
        return change(self, "zero_", 0)

    def normal_(self, mean: Any = 0.0, std: Any = 1.0, *, generator: random.Generator | None = None) -> Any:
        check_change(self, "normal_")
        return change(self, "normal_", random.normal(self.shape, mean, std, self.dtype, generator))

    def uniform_(self, a: Any = 0.0, b: Any = 1.0, *, generator: random.Generator | None = None) -> Any:
        check_change(self, "uniform_")
        return change(self, "uniform_", random.uniform(self.shape, a, b, self.dtype, generator))

    def scatter_(self, dim: Any, index: Any, src: Any) -> Any:
        """x[..., index[i], ...] = src[i] along an axis; outside of graphs."""
        check_change(self, "scatter_", src)
        values, source = self.numpy().copy(), np.asarray(src.numpy() if isinstance(src, CoreTensor) else src, self.dtype)
        indices = index.numpy()
        np.put_along_axis(values, indices, source if not source.ndim else source[tuple(map(slice, indices.shape))], dim)
        return change(self, "scatter_", values)


class Parameter(Tensor, CoreParameter):
    """torch.nn.Parameter(data, requires_grad=True)."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        CoreParameter.__init__(self, data.detach() if isinstance(data, CoreTensor) else data, requires_grad=requires_grad)


class Buffer(Tensor, CoreBuffer):
    """torch.nn.Buffer(data)."""

    __slots__ = ()


CLASSES.update({CoreTensor: Tensor, CoreParameter: Parameter, CoreBuffer: Buffer})


def new(array: np.ndarray) -> Tensor:
    """A tensor of the window around this array."""
    return to_window(asarray(array))  # type: ignore[no-any-return]


def known_item(x: Tensor, item: Any) -> Any:
    """An item of an index as NumPy takes it."""
    known = x._index_item(item)
    if isinstance(known, CoreTensor):
        raise ArgumentError("x[index] = value: the index is computed in a compiled function", repair="use torch.where or torch.cat")
    return known


# The methods that are functions of PyTorch


@lru_cache(maxsize=4096)
def is_core(file: str) -> bool:
    """Whether this is a file of the core: called by the user on networks of the window, as `sl.fit` is, it needs the core's methods."""
    return file.startswith(PACKAGE) and not file.startswith(WINDOW)


def method_of(name: str, function: Callable[..., Any], view: bool) -> Callable[..., Any]:
    """The function as a method; where the core has one of this name, its code gets that."""
    own = getattr(CoreTensor, name, None)

    @wraps(function)
    def method(self: Any, *args: Any, **options: Any) -> Any:
        if own is not None and (side.core or is_core(sys._getframe(1).f_code.co_filename)):
            return own(self, *args, **options)
        result = function(self, *args, **options)
        return link(self, result) if view and isinstance(result, CoreTensor) else result

    method.__name__ = name
    return method


VIEWS = ("reshape", "view", "view_as", "reshape_as", "ravel", "flatten", "unflatten", "permute", "transpose", "swapaxes", "swapdims", "t",
         "movedim", "moveaxis", "unsqueeze", "squeeze", "narrow", "select")
MODULES = functions, elements, statistics, layout, scattering, matrices
METHODS = (
    *VIEWS, "sum", "mean", "prod", "var", "std", "max", "min", "amax", "amin", "argmax", "argmin", "all", "any", "logsumexp", "norm",
    "cumsum", "cumprod", "topk", "sort", "argsort", "expand", "expand_as", "repeat", "tile", "repeat_interleave", "split", "chunk",
    "unbind", "flip", "roll", "tril", "triu", "diagonal", "gather", "index_select", "masked_fill", "masked_select", "nonzero",
    "bincount", "add", "sub", "subtract", "div", "divide", "clamp", "clip", "addcmul", "addcdiv", "lerp", "softmax", "log_softmax",
    "equal", "allclose", "matmul", "mm", "bmm", "mv", "dot", "addmm", "baddbmm", "true_divide", *functions.SAME,
    *(name for module in MODULES[1:] for name in module.METHODS if name not in VIEWS),
)
IN_PLACE = (
    "add", "sub", "mul", "div", "pow", "clamp", "abs", "ceil", "cos", "erf", "exp", "floor", "log", "neg", "reciprocal", "relu", "round",
    "rsqrt", "sigmoid", "sign", "sin", "sqrt", "square", "tanh", "trunc", "masked_fill", "addcmul", "addcdiv", "lerp", "tril", "triu",
    "eq", "ne", "lt", "le", "gt", "ge", "remainder", "floor_divide", "clamp_min", "clamp_max", "expm1", "log1p", "log2", "log10",
    "scatter_add", "index_add", "index_copy", "index_fill")
OPERATORS = {"__iadd__": "add", "__isub__": "sub", "__imul__": "mul", "__itruediv__": "div", "__ipow__": "pow", "__imod__": "remainder",
             "__ifloordiv__": "floor_divide", "__iand__": "bitwise_and", "__ior__": "bitwise_or", "__ixor__": "bitwise_xor"}


def function_of(name: str) -> Callable[..., Any]:
    """The function of torch with this name."""
    return next(vars(module)[name] for module in MODULES if name in vars(module))  # type: ignore[no-any-return]


def in_place_method(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **options: Any) -> Any:
        check_change(self, name, next((arg for arg in args if isinstance(arg, CoreTensor) and arg._requires_grad), None))
        return change_to(self, name, function(self, *args, **options))

    method.__name__, method.__doc__ = name, f"{name.removesuffix('_')}, written into this tensor; outside of graphs. Returns it."
    return method


def in_place_operator(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    own = getattr(CoreTensor, name)

    def operator(self: Any, other: Any) -> Any:
        """In place outside of graphs; in a recorded graph a new tensor, which gets the name."""
        if side.core:
            return own(self, other)
        if self._value is None or (mode.recording and (not self.is_leaf or not self._requires_grad)
                                   and any_recorded(self, other)):
            return NotImplemented
        check_change(self, name)
        return change_to(self, name, function(self, other))

    operator.__name__ = name
    return operator


def any_recorded(*values: Any) -> bool:
    return any(isinstance(value, CoreTensor) and value._requires_grad for value in values)


def change_to(x: Tensor, use: str, result: Any) -> Any:
    """Write a result of arithmetic, whose type x must be able to hold, into x."""
    if not can_hold(x.dtype, result.dtype):
        raise DTypeError(f"{use}: the result is {result.dtype}, and does not fit into a tensor of {x.dtype}",
                         repair="make a new tensor instead: y = x + z")
    return change(x, use, result)


def can_hold(own: DType, other: DType) -> bool:
    return np.can_cast(other, own, casting="same_kind")


for _name in METHODS:
    setattr(Tensor, _name, method_of(_name, function_of(_name), _name in VIEWS))
for _name in IN_PLACE:
    setattr(Tensor, _name + "_", in_place_method(_name + "_", function_of(_name)))
for _name, _function in OPERATORS.items():
    setattr(Tensor, _name, in_place_operator(_name, getattr(functions, _function)))
