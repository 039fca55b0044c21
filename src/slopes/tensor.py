"""The tensor: an array that computes at once, remembers how it was computed, and can be traced into a compiled function."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import tree
from .arrays import MAX_AXES, holds, shorten, to_array
from .backward import gradients
from .conversions import Conversions, gradient_wanted, on_values
from .eager import Numbers, What, compute, leaf, record
from .errors import ArgumentError, GradientError, ShapeError
from .graph.build import Constant, Variable, build_node, constant
from .graph.composite import Composite
from .graph.dtype import DType, as_dtype, bool_, is_inexact, promote, scalar_dtype
from .graph.node import Node, Operation
from .methods import Methods
from .modes import Recorder, mode, no_grad
from .numpy_calls import own_function, own_name
from .ops import composite
from .owned import disown, own_array, own_copy, rebind
from .standard import check_device
from .tensor_errors import (
    changed_in_graph,
    check_differentiable,
    check_like,
    check_part,
    cut_off,
    gradient_inside,
    in_place_error,
    nothing_recorded,
    value_error,
)
from .tensor_fields import local_class
from .versions import versions


class Tensor(Conversions):
    """A multi-dimensional array that can be differentiated and compiled.

    Outside of `sl.compile` every operation runs at once on NumPy. `assign` and `x[index] = value` bind a tensor to a new value of
    the same shape and type; what was computed from it does not change. Make tensors with `sl.tensor` (copies) or `sl.asarray`
    (shares memory where possible).

    >>> import slopes as sl
    >>> x = sl.tensor([[1., 2.], [3., 4.]], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([[2., 4.],
            [6., 8.]])
    """

    __slots__ = ()
    _grad: Tensor | None
    _trace: Recorder[Tensor] | None

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        if requires_grad is False and gradient_wanted(data) and not self._is_parameter:
            raise cut_off(data, f"{self._prints_as.capitalize()}(...)", "sl.tensor(x)")
        array = to_array(data, None if dtype is None else as_dtype(dtype), copy=True)
        self._bind(array, None, None)
        if requires_grad is not False:
            self.requires_grad = requires_grad

    # What it is

    @property
    def is_leaf(self) -> bool:
        """Whether it was given rather than computed from tensors that require gradients."""
        node, trace = self._node, self._trace
        return node is None or node.op in (Variable, Constant) or (trace is not None and node in trace.leaves)

    def __array_ufunc__(  # type: ignore[override]
            self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's functions of each element, its operators among them (array + tensor), are slopes' own operations of that meaning."""
        name = own_name(ufunc.__name__)
        if method == "__call__" and not options:
            operands = tuple(value if isinstance(value, OPERANDS) else asarray(value) for value in inputs)
            if name in Operation.table:
                return perform(name, operands, {})
            if (own := own_function(ufunc.__name__, operands, {})) is not None:
                return own(*operands)
        return on_values(getattr(ufunc, method), ufunc.__name__, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: tuple, options: dict[str, Any]) -> Any:
        """Some of NumPy's other functions are slopes' own; the rest compute with values and give arrays, unless a gradient is lost."""
        own = own_function(function.__name__, args, options)
        if own is None:
            return on_values(function, function.__name__, args, options)
        args = tree.map_tree(lambda value: asarray(value) if isinstance(value, np.ndarray) else value, args)
        return own(*args, **options)

    def __reduce__(self) -> tuple:
        return restore, (local_class(type(self)), self.numpy().copy(), self._requires_grad)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, (Tensor, np.ndarray, np.bool_)) and index.ndim == 0 and index.dtype == bool_:
            return self[None][:int(bool(index))]  # a mask without axes chooses the whole, as a new axis, or nothing
        if self._value is not None and mode.trace is None and not (self._requires_grad and mode.recording) and is_basic(index):
            try:
                result = np.asarray(self._value[index])
            except (IndexError, TypeError, ValueError):
                return super().__getitem__(index)  # which says what is wrong
            disown(self)
            return from_array(result)
        return super().__getitem__(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        """x[index] = value: this tensor is bound to a copy of its values with some of them changed.

        What was computed from it, views of it and recorded graphs keep the old ones. Raises TraceError while a function is compiled,
        differentiated or batched, GradientError where a gradient would be lost, ShapeError, DTypeError and OutOfRangeError for what
        does not fit.

        >>> import slopes as sl
        >>> x = sl.zeros(4)
        >>> x[1:3] = 5
        >>> x
        tensor([0., 5., 5., 0.])
        """
        array = self._value
        if array is None or mode.trace is not None:
            return super().__setitem__(index, value)
        if (self._requires_grad and (mode.recording or not self.is_leaf)) or gradient_wanted(value):
            raise changed_in_graph(self)
        new = asarray(value, scalar_dtype(value, self.dtype) if isinstance(value, Numbers) else None)
        items = index if isinstance(index, tuple) else (index,)
        key = tuple(item._known("index") if isinstance(item, Tensor) else item for item in items)
        try:
            part = np.asarray(array[key]).shape
        except (IndexError, TypeError, ValueError):
            self.detach()[index]  # which says what is wrong
            raise ArgumentError(f"x[...] = value: {index!r:.60} is no index", repair="use integers, slices, or a mask of bool") from None
        check_part(self, part, new)
        own_copy(self, array)
        own_array(self)[key] = new._known("x[...] = value")
        return None

    # Equality is elementwise, identity is what dictionaries see

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return perform("equal", (self, other), {}) if isinstance(other, OPERANDS) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return perform("not_equal", (self, other), {}) if isinstance(other, OPERANDS) else NotImplemented

    # How it changes

    def _in_place(self, symbol: str) -> Any:
        if self._is_parameter or (self._requires_grad and self.is_leaf):
            raise in_place_error(self, symbol)
        return NotImplemented

    def assign(self, value: Any) -> Tensor:
        """Bind this tensor to a new value of its own shape and type; gradients do not flow through. Returns the tensor itself.

        Inside of a compiled function the new value is written at the end of each call. Python numbers are converted; raises
        ShapeError and DTypeError for anything else that does not fit.

        >>> import slopes as sl
        >>> rate = sl.tensor(0.1)
        >>> rate.assign(0.05)
        tensor(0.05)
        """
        trace = mode.trace
        if trace is None and self._remote is None and self._value is None:
            raise value_error(self, "assign")
        new = self._as_value(value, trace is None)
        check_like(self, new)
        if trace is not None:
            trace.write(self, new._node_in(trace))
        elif new is value:
            rebind(self, new._shared())
        else:
            own_copy(self, new._value)
        return self

    def _as_value(self, value: Any, copied_later: bool) -> Tensor:
        """What is assigned, as a tensor; one of its own, unless it is copied later."""
        if isinstance(value, Tensor):
            return value
        if copied_later and type(value) is np.ndarray:
            return from_array(to_array(value, None, copy=None))
        return Tensor(value, self.dtype if isinstance(value, (*Numbers, list, tuple)) else None)

    def _shared(self) -> np.ndarray:
        """The array, which from now on someone else may hold too."""
        array = self._known("numpy")
        disown(self)
        return array

    # Gradients

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded so that `backward` can give it a gradient."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if not isinstance(flag, (bool, np.bool_)):
            raise ArgumentError(f"requires_grad is {shorten(flag)}", why="a tensor requires a gradient or it does not",
                                repair="give True or False")
        flag = bool(flag)
        if flag == self._requires_grad:
            return
        if flag:
            check_differentiable(self)
        self._requires_grad = flag
        versions.structure += 1
        if self._value is None:
            self._trace.mark_leaf(self, flag)  # type: ignore[union-attr]
        else:
            self._node = None  # a fresh leaf: what was recorded before keeps the old one

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` has accumulated, None before.

        Raises GradientError when the gradient was computed inside of a compiled function, where it stays; inside of one, raises
        TraceError for a gradient that was computed outside.
        """
        trace = mode.trace
        if trace is not None:
            return trace.gradient(self)
        if self._grad is None and self._grad_inside:
            raise gradient_inside(self)
        return self._grad

    @grad.setter
    def grad(self, gradient: Any) -> None:
        if gradient is not None:
            gradient = asarray(gradient)
            check_like(self, gradient)
        if mode.trace is not None:
            mode.trace.grads[self] = gradient
        else:
            self._take_gradient(gradient)

    def _take_gradient(self, gradient: Tensor | None) -> None:
        versions.gradients += self._grad_inside or (self._grad is None) != (gradient is None)
        self._grad, self._grad_inside = gradient, False

    def retain_grad(self) -> Tensor:
        """Ask that `backward` gives this computed tensor a gradient too. Returns the tensor itself.

        >>> import slopes as sl
        >>> x = sl.tensor(3., requires_grad=True)
        >>> square = (x * x).retain_grad()
        >>> (2 * square).backward()
        >>> square.grad
        tensor(2.)
        """
        if not self._requires_grad:
            raise GradientError("retain_grad on a tensor that does not require a gradient", repair="set x.requires_grad = True")
        if self._value is None:
            self._trace.leaves[self._node] = self  # type: ignore[union-attr, index]
        else:
            self._leaf().owner = weakref.ref(self)
        return self

    def backward(self, gradient: Any = None) -> None:
        r"""Add the derivative of this tensor to `.grad` of every tensor it was computed from that requires a gradient.

        x.grad += sum over elements of gradient * d self / d x.   `gradient` has this tensor's shape; a single number needs none.
        Raises GradientError when nothing was recorded, or when `gradient` is missing or does not fit.

        >>> import slopes as sl
        >>> a, b = sl.tensor(2., requires_grad=True), sl.tensor(3., requires_grad=True)
        >>> ((a * b + 1) * (a * b + 2)).backward()
        >>> a.grad, b.grad
        (tensor(45.), tensor(30.))
        """
        if not self._requires_grad:
            raise nothing_recorded(self)
        node = self._node_in(mode.trace) if mode.trace is not None else self._leaf()
        seed = seed_of(node, gradient)
        if mode.trace is not None:
            mode.trace.backward(node, seed)
        else:
            backward_now(node, seed)

    def detach(self) -> Tensor:
        """The same value, for which no gradient is recorded.

        >>> import slopes as sl
        >>> sl.tensor([1.], requires_grad=True).detach()
        tensor([1.])
        """
        if mode.trace is not None:
            return mode.trace.tensor(build_node("stop_gradient", (self._node_in(mode.trace),), {}))
        return from_array(self._shared())

    # Its node

    def _leaf(self) -> Node:
        """The node that holds this tensor's value in recorded graphs."""
        if self._node is None or self._value is None:
            self._node = node = leaf(self._value_now())
            disown(self)
            if self._requires_grad:
                node.owner = weakref.ref(self)
        return self._node

    def _node_in(self, trace: Recorder[Tensor]) -> Node:
        """The node that stands for this tensor while `trace` is recorded."""
        if self._value is not None:
            return trace.read(self)
        if self._trace.root is not trace.root:  # type: ignore[union-attr]
            raise value_error(self, "leak")
        return self._node  # type: ignore[return-value]


OPERANDS = (Tensor, Node, np.ndarray, *Numbers)


# Making tensors


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor that holds a copy of `data`: numbers, nested lists, arrays, tensors.

    Python floats become float32 and ints int64; arrays keep their type unless `dtype` says otherwise. Tensors, also in lists, are
    part of the computation: gradients flow through the copy to them, unless requires_grad=True makes it a start of its own. Raises
    ShapeError for ragged lists, DTypeError for what is no number.

    >>> import slopes as sl
    >>> sl.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    >>> sl.tensor([1, 2], dtype="float64")
    tensor([1., 2.], dtype=float64)
    >>> x = sl.tensor(3., requires_grad=True)
    >>> sl.tensor([x, 2 * x]).sum().backward()
    >>> x.grad
    tensor(3.)
    """
    made = new_tensor(data, None if dtype is None else as_dtype(dtype), copy=True)
    if requires_grad is not False:
        made = made.detach()
        made.requires_grad = requires_grad
    return made


def asarray(data: Any, dtype: Any = None, copy: bool | None = None, device: Any = None) -> Tensor:
    """`data` as a tensor, without a copy where possible: a tensor comes back as it is, a NumPy or DLPack array shares its memory.

    Lists of tensors are stacked; gradients flow through to them, and through a change of type.
    copy=True always copies, copy=False raises ArgumentError where a copy would be needed. Do not write into shared memory while
    gradients are recorded.

    >>> import numpy as np, slopes as sl
    >>> array = np.zeros(2, np.float32)
    >>> shared = sl.asarray(array)
    >>> array[0] = 7
    >>> shared
    tensor([7., 0.])
    """
    if device is not None:
        check_device("asarray", device)
    target = None if dtype is None else as_dtype(dtype)
    if isinstance(data, Tensor) and copy is not True and (target is None or target == data.dtype):  # float64 == None, says NumPy
        return data
    return new_tensor(data, target, copy)


def from_dlpack(array: Any, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares memory with an array of another library, through DLPack; with copy=True it does not.

    >>> import numpy as np, slopes as sl
    >>> sl.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    try:
        return asarray(array if isinstance(array, Tensor) else np.from_dlpack(array), copy=copy, device=device)
    except (AttributeError, TypeError, BufferError) as error:
        raise ArgumentError(f"from_dlpack: {shorten(array)} of type {type(array).__name__} cannot be shared", why=str(error),
                            repair="give an array of numbers in the main memory; sl.asarray takes anything else") from error


def new_tensor(data: Any, dtype: DType | None, copy: bool | None) -> Tensor:
    if isinstance(data, (list, tuple)) and holds(data, Tensor):
        return stacked(data, common_type(list(leaves_of(data))) if dtype is None else dtype)
    if isinstance(data, Tensor) and (mode.trace is not None or gradient_wanted(data)):
        return copied(data, data.dtype if dtype is None else dtype, copy)
    if mode.trace is not None:
        return mode.trace.embed(data, dtype)
    return from_array(to_array(data, dtype, copy))


def stacked(data: list | tuple, dtype: DType, depth: int = 1) -> Tensor:
    """Nested lists of tensors, arrays and numbers as one tensor of this type, through which gradients flow."""
    if depth > MAX_AXES:
        raise ShapeError(f"lists are nested in more than {MAX_AXES} levels", why="a tensor has an axis for each",
                         repair="sl.stack and sl.concat join tensors one axis at a time")
    parts = [stacked(item, dtype, depth + 1) if isinstance(item, (list, tuple)) and holds(item, Tensor) else asarray(item, dtype)
             for item in data]
    shapes = {item.shape for item in parts}
    if len(shapes) > 1:
        raise ShapeError(f"the lists do not have one shape: they hold {' and '.join(map(str, sorted(shapes)))}",
                         why="all rows of a tensor have the same length", repair="pad the shorter ones")
    return composite.stack(parts)


def leaves_of(data: list | tuple, depth: int = 1) -> Iterator[Any]:
    """What nested lists hold besides lists."""
    for item in data:
        if isinstance(item, (list, tuple)) and depth < MAX_AXES:
            yield from leaves_of(item, depth + 1)
        else:
            yield item


def common_type(values: list[Any]) -> DType:
    """The type in which tensors, arrays and Python's numbers meet; numbers take that of the arrays, as in arithmetic."""
    arrays = [value.dtype for value in values if isinstance(value, (Tensor, np.ndarray))]
    beside = promote(*(as_dtype(value) for value in arrays))
    return promote(beside, *(scalar_dtype(value, beside) for value in values if isinstance(value, Numbers)))


def copied(x: Tensor, dtype: DType, copy: bool | None) -> Tensor:
    """A tensor of the same value in this type, through which the gradient flows."""
    if copy is False and dtype != x.dtype:
        raise ArgumentError(f"an array of type {x.dtype} cannot become a tensor of type {dtype} without a copy",
                            repair="leave copy=None to copy where needed")
    made = perform("cast", (x,), {"dtype": dtype})
    if copy and made._value is not None:
        made._value = made._value.copy()  # type: ignore[union-attr]
    return made


def from_array(array: np.ndarray, address: int = 0, owned: bool = False) -> Tensor:
    """A tensor around this very array, which begins at this address if one is given; as `_bind` does, without another call.

    It may own an array that nobody else holds, and that is laid out as a compiled program needs it.
    """
    made = Tensor.__new__(Tensor)
    made._value, made._address, made._owned = array, address, owned
    made._node = made._trace = made._grad = made._remote = None
    made._requires_grad = made._grad_inside = False
    return made


def restore(cls: type[Tensor], array: np.ndarray, requires_grad: bool) -> Tensor:
    """What a pickle or a deep copy calls."""
    made = cls.__new__(cls)
    made._bind(array, None, None, requires_grad)
    return made


def is_basic(index: Any) -> bool:
    """Whether an index is made of whole numbers, slices, None and ... only: then NumPy answers with a view."""
    return all(type(item) in (int, slice, type(None), type(...)) for item in (index if type(index) is tuple else (index,)))


# Performing operations


def perform(name: str, args: tuple, params: dict[str, Any]) -> Tensor:
    """The operation `name` on tensors, numbers, arrays and nodes: into the trace if there is one, else at once."""
    trace = mode.trace
    if trace is not None:
        return perform_traced(trace, name, args, params)
    return perform_now(Operation.table[name], args, params)


def compose(whole: Composite, args: tuple, params: dict[str, Any]) -> Any:
    """A function made of operations: one after the other into a trace, at once as a whole."""
    if mode.trace is not None:
        return whole.traced(*args, **params)
    return perform_now(whole, *whole.split(args, params))


Methods._apply, Methods._compose = staticmethod(perform), staticmethod(compose)


def perform_traced(trace: Recorder[Tensor], name: str, args: tuple, params: dict[str, Any]) -> Tensor:
    """Only build the node."""
    requires_grad = any(isinstance(arg, Tensor) and arg._requires_grad for arg in args)
    node = build_node(name, tuple(trace.operand(arg) for arg in args), params)
    if requires_grad and not mode.recording:
        return trace.tensor(build_node("stop_gradient", (node,), {}) if is_inexact(node.dtype) else node)
    return trace.tensor(node, requires_grad and is_inexact(node.dtype))


def perform_now(what: What, args: tuple, params: dict[str, Any]) -> Tensor:
    """Compute the value; record it where a gradient may be asked for."""
    if mode.recording:
        for arg in args:
            if isinstance(arg, Tensor) and arg._requires_grad:
                return perform_recorded(what, args, params)
    return perform_plain(what, args, params)


def perform_recorded(what: What, args: tuple, params: dict[str, Any]) -> Tensor:
    """Compute the value, and keep the node for `backward`."""
    node = record(what, [arg._leaf() if isinstance(arg, Tensor) else arg for arg in args], params)
    made = from_array(node.value)  # type: ignore[arg-type]
    if is_inexact(node.dtype):
        made._node, made._requires_grad = node, True
    return made


def perform_plain(what: What, args: tuple, params: dict[str, Any]) -> Tensor:
    """Only compute the value."""
    result = compute(what, [arg._value_now() if isinstance(arg, Tensor) else arg for arg in args], params)
    for arg in args:
        if isinstance(arg, Tensor) and arg._owned and (result.base is not None or result is arg._value):
            disown(arg)  # the result may be a view of it
    return from_array(result)


# Gradients


def seed_of(node: Node, gradient: Any) -> Node:
    """The gradient that `backward` starts from."""
    if gradient is None:
        if node.size != 1:
            raise GradientError(f"backward on a tensor of shape {node.shape} needs to know what to differentiate",
                                why="a gradient belongs to a single number",
                                repair=f"reduce it first: x.sum().backward(), or give backward a gradient of shape {node.shape}")
        one = constant(1, node.dtype)
        return build_node("expand", (one,), {"shape": node.shape}) if node.shape else one
    start = asarray(gradient, dtype=node.dtype)
    if start.shape != node.shape:
        raise GradientError(f"backward: the gradient has shape {start.shape}, the tensor {node.shape}",
                            why="a gradient has the shape of its tensor")
    return start._leaf() if mode.trace is None else start._node_in(mode.trace)


def backward_now(node: Node, seed: Node) -> None:
    """Add the gradients of this node to those that the owners of leaves have."""
    with no_grad():
        for owner, array in gradients(node, seed):
            accumulate(owner, from_array(array))


def accumulate(owner: Tensor, gradient: Tensor) -> None:
    """Add a gradient of the owner's shape and type to the one that it has."""
    owner._take_gradient(gradient if owner._grad is None else owner._grad + gradient)
