"""The tensor: an array that computes at once, remembers how it was computed, and can be traced into a compiled function."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Collection, Iterator, Sequence
from types import FrameType
from typing import Any

import numpy as np

from . import tree
from .arrays import MAX_AXES, address_of, aligned_empty, holds, shorten, to_array
from .autodiff.pullback import pull_back
from .backward import gradients
from .calls import called_function, current_instruction
from .eager import Numbers, What, compute, leaf, record
from .errors import ArgumentError, DTypeError, GradientError, Location, ShapeError, SlopesError, TraceError, default_where, line_text
from .graph import dtype as dtypes
from .graph.dtype import DType, as_dtype, is_inexact, is_integer, promote, scalar_dtype
from .graph.node import Node, next_serial
from .graph.operation import Composite, Constant, Operation, Variable, build_node, constant, variable
from .graph.shape import Shape
from .graph.walk import topological
from .interrupts import mode, undisturbed
from .methods import Methods
from .numpy_calls import WITHOUT_GRADIENT, own_function, own_name
from .ops import composite
from .passes.stable import stable_to_differentiate


class Versions:
    """Counters by which a compiled function sees cheaply that something which it depends on has changed.

    `state` counts rebindings of any tensor's array, `written` calls of compiled functions that write into arrays of tensors,
    `structure` changes of what is traced (a layer replaced, a parameter frozen), `gradients` changes of any `.grad` outside of
    compiled functions.

    `gate` is held while values are handed out to others, and by a compiled function that looks which arrays it may write into;
    `writers` are the versions of compiled functions that write into arrays of tensors.
    """

    def __init__(self) -> None:
        self.state = self.written = self.structure = self.gradients = 0
        self.writers: weakref.WeakSet[Any] = weakref.WeakSet()
        self.new_gate()

    def new_gate(self) -> None:
        """A gate that nobody holds: a child process has none of its parent's threads."""
        self.gate = threading.RLock()


versions = Versions()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=versions.new_gate)


class Tensor(Methods):
    """A multi-dimensional array that can be differentiated and compiled.

    Outside of `sl.compile` every operation runs at once on NumPy. A tensor never changes in place: `assign` binds it to a new
    value of the same shape and type. Make tensors with `sl.tensor` (copies) or `sl.asarray` (shares memory where possible).

    >>> import slopes as sl
    >>> x = sl.tensor([[1., 2.], [3., 4.]], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([[2., 4.],
            [6., 8.]])
    """

    __slots__ = ("__weakref__", "_address", "_grad", "_grad_inside", "_node", "_owned", "_requires_grad", "_trace", "_value")
    _value: np.ndarray | None  # None while traced
    _node: Node | None  # how it was computed, or the variable that stands for it in recorded graphs
    _address: int  # where `_value` begins, once someone asked and it may be read as it is; else 0
    _owned: bool  # no one else holds `_value`: a compiled program may write into it
    _grad_inside: bool  # the last gradient was computed inside of a compiled function and stayed there
    _trace: Trace | None
    _prints_as = "tensor"

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        if requires_grad is False and gradient_wanted(data) and not isinstance(self, Parameter):
            raise cut_off(data, f"{self._prints_as.capitalize()}(...)", "sl.tensor(x)")
        array = to_array(data, None if dtype is None else as_dtype(dtype), copy=True)
        self._bind(array, None, None)
        if requires_grad is not False:
            self.requires_grad = requires_grad

    _grad: Tensor | None

    def _bind(self, value: np.ndarray | None, node: Node | None, trace: Trace | None, requires_grad: bool = False) -> None:
        self._value, self._node, self._trace, self._requires_grad = value, node, trace, requires_grad
        self._owned, self._grad, self._grad_inside, self._address = False, None, False, 0

    # What it is

    @property
    def shape(self) -> Shape:
        """The size of each axis."""
        return self._value.shape if self._value is not None else self._node.shape  # type: ignore[union-attr]

    @property
    def dtype(self) -> DType:
        """The data type of the elements, a NumPy dtype."""
        return self._value.dtype if self._value is not None else self._node.dtype  # type: ignore[union-attr]

    @property
    def is_leaf(self) -> bool:
        """Whether it was given rather than computed from tensors that require gradients."""
        return self._node is None or self._node.op in (Variable, Constant) or self._node in traced_leaves(self._trace)

    # Its value

    def numpy(self) -> np.ndarray:
        """The value as a NumPy array that shares memory and is read-only; later assignments and training do not change it.

        While another thread runs a compiled function that assigns this tensor, the value is that of a whole call, before or after
        it; so are all values of a `state_dict`. Raises TraceError inside of a compiled function.

        >>> import slopes as sl
        >>> sl.tensor([1., 2.]).numpy()
        array([1., 2.], dtype=float32)
        """
        view = self._known("numpy").view()
        self._disown()
        view.flags.writeable = False
        return view

    @property
    def value(self) -> np.ndarray:
        """The value as a read-only NumPy array; the same as `numpy()`."""
        return self.numpy()

    def item(self) -> Any:
        """The only element as a Python number. Raises ShapeError unless there is exactly one.

        >>> import slopes as sl
        >>> sl.tensor([[2.5]]).item()
        2.5
        """
        return self._single("item").item()

    def tolist(self) -> Any:
        """The value as nested Python lists."""
        array = self._known("tolist")
        self._disown()
        return array.tolist()

    def _known(self, use: str) -> np.ndarray:
        """The array, when values are known here; a value read while a function is traced would be frozen into its program."""
        if self._value is not None and mode.trace is None:
            return self._value
        if self._node is not None and self._node.op is Constant and self._value is None:
            return self._node.value  # type: ignore[return-value]
        raise value_error(self, use)

    def _value_now(self) -> np.ndarray:
        """The array of a tensor that is computed with at once: it must not be left over from a trace."""
        if self._value is None:
            raise value_error(self, "leak")
        return self._value

    def peek(self) -> np.ndarray | None:
        """The value held now, for showing to people, also while a function is traced (None: there is none)."""
        return self._value if self._value is not None or self._node is None else self._node.value

    def _single(self, use: str) -> np.ndarray:
        array = self._known(use)
        if array.size != 1:
            raise single_error(array, use)
        return array.reshape(())

    def __bool__(self) -> bool:
        return bool(self._single("bool"))

    def __float__(self) -> float:
        if mode.trace is None and gradient_wanted(self):
            check_conversion(self, sys._getframe(1))
        return float(self._single("float"))

    def __int__(self) -> int:
        return int(self._single("int"))

    def __complex__(self) -> complex:
        if mode.trace is None and gradient_wanted(self):
            check_conversion(self, sys._getframe(1))
        return complex(self._single("complex"))

    def __index__(self) -> int:
        if not is_integer(self.dtype) or self.ndim:
            raise DTypeError(f"a tensor of type {self.dtype} and shape {self.shape} cannot count or index",
                             repair="a 0-d integer tensor can: take int(x) of a single number")
        return int(self._known("int"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if mode.trace is None and gradient_wanted(self):
            raise cut_off(self, "a NumPy array made of it", "functions of slopes")
        if dtype is not None and self.dtype.kind == "c" and np.dtype(dtype).kind != "c":
            raise DTypeError(f"a tensor of type {self.dtype} cannot become {np.dtype(dtype)}", why="its imaginary part would be lost",
                             repair="take the absolute value, which is real")
        view = self.numpy()
        if dtype is not None and np.dtype(dtype) != view.dtype and copy is False:
            raise DTypeError(f"a tensor of type {self.dtype} cannot become {np.dtype(dtype)} without a copy")
        return np.array(view, dtype=dtype, copy=copy)

    def __array_ufunc__(  # type: ignore[override]
            self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's functions of each element, its operators among them (array + tensor), are slopes' own operations of that meaning."""
        name = own_name(ufunc.__name__)
        if method == "__call__" and not options:
            operands = tuple(each if isinstance(each, OPERANDS) else asarray(each) for each in inputs)
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
        args = tree.map_tree(lambda each: asarray(each) if isinstance(each, np.ndarray) else each, args)
        return own(*args, **options)

    def __dlpack__(self, **options: Any) -> Any:
        """A DLPack capsule that shares memory with this tensor (copied first when the memory is read-only)."""
        if gradient_wanted(self):
            raise cut_off(self, "an array of another library made of it", "functions of slopes")
        array = self._known("numpy")
        self._disown()
        return (array if array.flags.writeable else array.copy()).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # kDLCPU

    def __reduce__(self) -> tuple:
        return restore, (type(self), self.numpy().copy(), self._requires_grad)

    # How it is indexed

    def __iter__(self) -> Iterator[Any]:
        if self.shape:
            check_unpacking(self, sys._getframe(1))
        return super().__iter__()

    def __getitem__(self, index: Any) -> Any:
        if self._value is not None and mode.trace is None and not (self._requires_grad and mode.recording) and is_basic(index):
            try:
                result = np.asarray(self._value[index])
            except (IndexError, TypeError, ValueError):
                return super().__getitem__(index)  # which says what is wrong
            self._disown()
            return from_array(result)
        return super().__getitem__(index)

    def _index_item(self, item: Any) -> Any:
        """Integer and boolean tensors become arrays where their values are known."""
        if not isinstance(item, Tensor):
            return item
        known = item._value if mode.trace is None else item._node.value if item._value is None else None  # type: ignore[union-attr]
        return item if known is None else int(known) if not known.ndim and known.dtype.kind in "iu" else known

    def _mask_positions(self, mask: Any) -> list[np.ndarray]:
        if not isinstance(mask, np.ndarray):
            raise value_error(mask, "mask")
        return list(np.nonzero(mask))

    # How it is shown

    def __repr__(self) -> str:
        marks = [] if self.dtype in (dtypes.float32, dtypes.int64, dtypes.bool_) else [f"dtype={self.dtype}"]
        marks += ["requires_grad=True"] if self._requires_grad else []
        if self._value is None:
            return f"{self._prints_as}({', '.join([f'traced, shape={self.shape}', *marks])})"
        marks = [f"shape={self.shape}"] * (not self.size and self.shape != (0,)) + marks
        text = np.array2string(self._value, separator=", ", prefix=self._prints_as + "(")
        return f"{self._prints_as}({', '.join([text, *marks])})"

    def __str__(self) -> str:
        return repr(self) if self._value is None else str(self._value)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    # Equality is elementwise, identity is what dictionaries see

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return perform("equal", (self, other), {}) if isinstance(other, OPERANDS) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return perform("not_equal", (self, other), {}) if isinstance(other, OPERANDS) else NotImplemented

    # How it changes

    def _in_place(self, symbol: str) -> Any:
        """x += y makes a new tensor and gives it the name x: a parameter, or another start of gradients, stays what it was."""
        if isinstance(self, Parameter) or (self._requires_grad and self.is_leaf):
            raise GradientError(f"{symbol} on a {self._prints_as} of shape {self.shape} that is to be learned does not change it",
                                why="a tensor never changes in place: the name would stand for a new tensor, and nothing be learned",
                                repair=f"p.assign(p {symbol[:-1]} ...) changes it; an optimizer's step() does so for all parameters")
        return NotImplemented

    def __iadd__(self, other: Any) -> Any: return self._in_place("+=")
    def __isub__(self, other: Any) -> Any: return self._in_place("-=")
    def __imul__(self, other: Any) -> Any: return self._in_place("*=")
    def __itruediv__(self, other: Any) -> Any: return self._in_place("/=")
    def __ifloordiv__(self, other: Any) -> Any: return self._in_place("//=")
    def __imod__(self, other: Any) -> Any: return self._in_place("%=")
    def __ipow__(self, other: Any) -> Any: return self._in_place("**=")
    def __imatmul__(self, other: Any) -> Any: return self._in_place("@=")

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
        if trace is None and self._value is None:
            raise value_error(self, "assign")
        given = value if isinstance(value, Tensor) else Tensor(value, self.dtype if isinstance(value, (*Numbers, list, tuple)) else None)
        check_like(self, given)
        if trace is not None:
            trace.write(self, given._node_in(trace))
        elif given is value:
            self._rebind(given._shared())
        else:
            self._own_copy(given._value)
        return self

    def _shared(self) -> np.ndarray:
        """The array, which from now on someone else may hold too."""
        array = self._known("numpy")
        self._disown()
        return array

    def _rebind(self, array: np.ndarray) -> None:
        """Hold another array; recorded graphs keep the old one."""
        self._value, self._node, self._owned, self._address = array, None, False, 0
        versions.state += 1

    def _own_array(self) -> np.ndarray:
        """The array for a compiled program to write into: C-contiguous, 64-byte aligned and held by no one else.

        Copies it first where a recorded graph, a view or another tensor may hold it. It stays owned until it is shared again,
        which is a change of `versions.state`.
        """
        if not self._owned:
            self._own_copy(self._value)
        return self._value  # type: ignore[return-value]

    def _own_copy(self, array: Any) -> None:
        """Hold a copy that no one else holds, laid out as a compiled program wants it."""
        fresh = aligned_empty(self.shape, self.dtype)
        fresh[...] = array
        self._rebind(fresh)
        self._owned = True

    def _read_array(self) -> np.ndarray:
        """The array for a compiled program to read: C-contiguous and aligned to its type; not written, and not exposed."""
        array = self._value
        if not (array.flags.c_contiguous and array.flags.aligned):  # type: ignore[union-attr]
            self._rebind(np.array(array, order="C"))
        return self._value  # type: ignore[return-value]

    def _find_address(self) -> int:
        """Where the value begins; 0 when it cannot be read as it is, row by row."""
        array = self._value
        if not (array.flags.c_contiguous and array.flags.aligned):  # type: ignore[union-attr]
            return 0
        self._address = address_of(array)  # type: ignore[arg-type]
        return self._address

    def _disown(self) -> None:
        if self._owned:
            hand_out([self])

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
        if flag and not is_inexact(self.dtype):
            raise GradientError(f"a tensor of type {self.dtype} cannot require a gradient",
                                why="only floating-point values change smoothly",
                                repair="make it a float first: x.astype(sl.float32)")
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
            raise GradientError(
                f"the gradient of this {self._prints_as} {self.shape} stayed inside of the compiled function that computed it",
                why="gradients that a compiled function does not return are never stored: their memory is reused within the step",
                repair="return it from the function (return loss, weight.grad), or tap it by its path")
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
            self._disown()
            if self._requires_grad:
                node.owner = weakref.ref(self)
        return self._node

    def _node_in(self, trace: Trace) -> Node:
        """The node that stands for this tensor while `trace` is recorded."""
        if self._value is not None:
            return trace.read(self)
        if self._trace.root is not trace.root:  # type: ignore[union-attr]
            raise value_error(self, "leak")
        return self._node  # type: ignore[return-value]


def shared(tensors: Sequence[Tensor]) -> list[np.ndarray]:
    """The arrays of tensors, all as one call of a compiled function left them, which from now on others may hold too."""
    with versions.gate:
        arrays = [each._known("numpy") for each in tensors]
        hand_out(tensors)
    return arrays


def hand_out(tensors: Sequence[Tensor]) -> None:
    """Let the arrays of these tensors, which compiled functions write into, be held by others from now on: they change no more.

    A call that writes into them right now is waited for; the next one finds the state changed, stops at the gate, and then writes
    into copies. Calls between which nothing is handed out do nothing for it.
    """
    with versions.gate:
        owned = {each: id(each._value) for each in tensors if each._owned}
        versions.state += bool(owned)
        for writer in versions.writers if owned else ():
            writer.wait_for(set(owned.values()))
        for each in owned:  # only now: who finds a tensor that is not owned does not wait
            each._owned = False


class Parameter(Tensor):
    """A tensor that a model learns: it requires a gradient, and modules list it among their parameters.

    >>> import slopes as sl
    >>> sl.Parameter([1., 2.])
    Parameter([1., 2.], requires_grad=True)
    """

    __slots__ = ()
    _prints_as = "Parameter"

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = True) -> None:
        super().__init__(data, dtype, requires_grad)


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


def asarray(data: Any, dtype: Any = None, copy: bool | None = None) -> Tensor:
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
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(data, Tensor) and copy is not True and wanted in (None, data.dtype):
        return data
    return new_tensor(data, wanted, copy)


def from_dlpack(array: Any) -> Tensor:
    """A tensor that shares memory with an array of another library, through DLPack.

    >>> import numpy as np, slopes as sl
    >>> sl.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    try:
        return asarray(array if isinstance(array, Tensor) else np.from_dlpack(array))
    except (AttributeError, TypeError, BufferError) as error:
        raise ArgumentError(f"from_dlpack: {shorten(array)} of type {type(array).__name__} cannot be shared", why=str(error),
                            repair="give an array of numbers in the main memory; sl.asarray takes anything else") from error


def new_tensor(data: Any, dtype: DType | None, copy: bool | None) -> Tensor:
    if isinstance(data, (list, tuple)) and holds(data, Tensor):
        return stacked(data, common_type(list(leaves_of(data))) if dtype is None else dtype)
    if isinstance(data, Tensor) and (mode.trace is not None or gradient_wanted(data)):
        return copied(data, data.dtype if dtype is None else dtype, copy)
    if mode.trace is not None:
        return mode.trace.given(data, dtype)
    return from_array(to_array(data, dtype, copy))


def stacked(data: list | tuple, dtype: DType, depth: int = 1) -> Tensor:
    """Nested lists of tensors, arrays and numbers as one tensor of this type, through which gradients flow."""
    if depth > MAX_AXES:
        raise ShapeError(f"lists are nested in more than {MAX_AXES} levels", why="a tensor has an axis for each",
                         repair="sl.stack and sl.concat join tensors one axis at a time")
    parts = [stacked(each, dtype, depth + 1) if isinstance(each, (list, tuple)) and holds(each, Tensor) else asarray(each, dtype)
             for each in data]
    shapes = {each.shape for each in parts}
    if len(shapes) > 1:
        raise ShapeError(f"the lists do not have one shape: they hold {' and '.join(map(str, sorted(shapes)))}",
                         why="all rows of a tensor have the same length", repair="pad the shorter ones")
    return composite.stack(parts)


def leaves_of(data: list | tuple, depth: int = 1) -> Iterator[Any]:
    """What nested lists hold besides lists."""
    for each in data:
        if isinstance(each, (list, tuple)) and depth < MAX_AXES:
            yield from leaves_of(each, depth + 1)
        else:
            yield each


def common_type(values: list[Any]) -> DType:
    """The type in which tensors, arrays and Python's numbers meet; numbers take that of the arrays, as in arithmetic."""
    arrays = [each.dtype for each in values if isinstance(each, (Tensor, np.ndarray))]
    beside = promote(*(as_dtype(each) for each in arrays))
    return promote(beside, *(scalar_dtype(each, beside) for each in values if isinstance(each, Numbers)))


def copied(x: Tensor, dtype: DType, copy: bool | None) -> Tensor:
    """A tensor of the same value in this type, through which the gradient flows."""
    if copy is False and dtype != x.dtype:
        raise ArgumentError(f"an array of type {x.dtype} cannot become a tensor of type {dtype} without a copy",
                            repair="leave copy=None to copy where needed")
    made = perform("cast", (x,), {"dtype": dtype})
    if copy and made._value is not None:
        made._value = made._value.copy()  # type: ignore[union-attr]
    return made


def gradient_wanted(x: Any) -> bool:
    """Whether `backward` may ask for a gradient that comes through this tensor."""
    return isinstance(x, Tensor) and x._requires_grad and mode.recording


def cut_off(x: Tensor, what: str, instead: str) -> GradientError:
    return GradientError(f"{what} would cut off a {x._prints_as} of shape {x.shape} that requires a gradient",
                         why="what is computed with values alone is not recorded: the gradient would be silently lost",
                         repair=f"use {instead}; where no gradient is wanted, x.numpy() or x.detach()")


def check_conversion(x: Tensor, frame: FrameType) -> None:
    """Python's float(x) is a look at a value; in `math.exp(x)` and `array[0] = x` it would lose a gradient without a word."""
    if current_instruction(frame).operation == "STORE_SUBSCR":
        raise cut_off(x, "array[...] = x", "sl.stack and sl.concat to put tensors together")
    function = called_function(frame)
    home = (getattr(function, "__module__", None) or "").partition(".")[0]
    if home in ("math", "cmath", "numpy") and function.__name__ not in ONLY_LOOKING:
        own = own_name(function.__name__)
        raise cut_off(x, f"{home}.{function.__name__}", f"sl.{own}" if own else "functions of slopes")


ONLY_LOOKING = ("isnan", "isfinite", "isinf", "isclose", "floor", "ceil", "trunc", "float32", "float64")
PAIRS = {"max": ("the largest elements", "sl.argmax(x, axis)"), "min": ("the smallest elements", "sl.argmin(x, axis)"),
         "sort": ("the elements in order", "sl.argsort(x, axis)")}  # in other libraries these return pairs


def check_unpacking(x: Tensor, frame: FrameType) -> None:
    """`values, places = sl.max(x, 1)` would take the rows of one result for two results; other numbers of names must fit."""
    operation, names, function = current_instruction(frame)
    if operation != "UNPACK_SEQUENCE":
        return
    if names == 2 and function and function[-1] in PAIRS:
        what, places = PAIRS[function[-1]]
        raise ArgumentError(f"{function[-1]} returns one tensor, here of shape {x.shape}, not a pair of values and positions",
                            why=f"it holds {what}; unpacking it would give its rows",
                            repair=f"take positions from {places}; a, b = sl.unstack(...) gives the rows")
    if names != len(x):
        raise ShapeError(f"a tensor of shape {x.shape} does not unpack into {names} names", why=f"its first axis has {len(x)} elements",
                         repair="name as many as there are, or index: x[0], x[1:]")


def on_values(function: Any, name: str, args: tuple, options: dict[str, Any]) -> Any:
    """A function of NumPy on the values of tensors."""
    leaves, structure = tree.flatten((args, options))
    for each in leaves:
        if isinstance(each, Tensor) and name not in WITHOUT_GRADIENT and (mode.trace is not None or gradient_wanted(each)):
            raise numpy_error(each, name)
    args, options = tree.unflatten(structure, [each.numpy() if isinstance(each, Tensor) else each for each in leaves])
    try:
        return function(*args, **options)
    except (TypeError, ValueError) as error:
        raise error if isinstance(error, SlopesError) else ArgumentError(f"np.{name}: {shorten(str(error))}") from error


def numpy_error(x: Tensor, name: str) -> SlopesError:
    own = own_name(name)
    instead = f"sl.{own}" if own else "functions of slopes"
    if mode.trace is None:
        return cut_off(x, f"np.{name}", instead)
    return TraceError(f"np.{name} is called with a tensor ({x.dtype}{list(x.shape)}), which has no value while a function is compiled",
                      why="NumPy computes with values, and its result would be frozen into the program",
                      repair=f"use {instead}, or call it outside")


def from_array(array: np.ndarray, address: int = 0) -> Tensor:
    """A tensor around this very array, which begins at this address if one is given; as `_bind` does, without another call."""
    made = Tensor.__new__(Tensor)
    made._value, made._address = array, address
    made._node = made._trace = made._grad = None
    made._requires_grad = made._owned = made._grad_inside = False
    return made


def restore(cls: type[Tensor], array: np.ndarray, requires_grad: bool) -> Tensor:
    """What a pickle or a deep copy calls."""
    made = cls.__new__(cls)
    made._bind(array, None, None, requires_grad)
    return made


def is_basic(index: Any) -> bool:
    """Whether an index is made of whole numbers, slices, None and ... only: then NumPy answers with a view."""
    return all(type(each) in (int, slice, type(None), type(...)) for each in (index if type(index) is tuple else (index,)))



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
        return whole.make(*args, **params)
    return perform_now(whole, *whole.split(args, params))


Methods._apply, Methods._compose = staticmethod(perform), staticmethod(compose)


def perform_traced(trace: Trace, name: str, args: tuple, params: dict[str, Any]) -> Tensor:
    """Only build the node."""
    wanted = any(isinstance(each, Tensor) and each._requires_grad for each in args)
    node = build_node(name, tuple(trace.operand(each) for each in args), params)
    if wanted and not mode.recording:
        return trace.tensor(build_node("stop_gradient", (node,), {}) if is_inexact(node.dtype) else node)
    return trace.tensor(node, wanted and is_inexact(node.dtype))


def perform_now(what: What, args: tuple, params: dict[str, Any]) -> Tensor:
    """Compute the value; record it where a gradient may be asked for."""
    if mode.recording:
        for each in args:
            if isinstance(each, Tensor) and each._requires_grad:
                return perform_recorded(what, args, params)
    return perform_plain(what, args, params)


def perform_recorded(what: What, args: tuple, params: dict[str, Any]) -> Tensor:
    """Compute the value, and keep the node for `backward`."""
    node = record(what, [each._leaf() if isinstance(each, Tensor) else each for each in args], params)
    made = from_array(node.value)  # type: ignore[arg-type]
    if is_inexact(node.dtype):
        made._node, made._requires_grad = node, True
    return made


def perform_plain(what: What, args: tuple, params: dict[str, Any]) -> Tensor:
    """Only compute the value."""
    result = compute(what, [each._value_now() if isinstance(each, Tensor) else each for each in args], params)
    for each in args:
        if isinstance(each, Tensor) and each._owned and (result.base is not None or result is each._value):
            each._disown()  # the result may be a view of it
    return from_array(result)


# Recording gradients


class Recording(contextlib.ContextDecorator):
    """Whether operations are recorded for `backward` in a with-block or a decorated function."""

    def __init__(self, flag: bool) -> None:
        self.flag = flag
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(mode.recording)
        mode.recording = self.flag

    def __exit__(self, *error: object) -> None:
        mode.recording = self.before.pop()


def no_grad() -> Recording:
    """A with-block (or decorator) in which nothing is recorded for `backward`.

    >>> import slopes as sl
    >>> x = sl.tensor(1., requires_grad=True)
    >>> with sl.no_grad():
    ...     (x + 1).requires_grad
    False
    """
    return Recording(False)


def enable_grad() -> Recording:
    """A with-block (or decorator) in which operations are recorded for `backward`, even inside of `no_grad`.

    >>> import slopes as sl
    >>> x = sl.tensor(1., requires_grad=True)
    >>> with sl.no_grad(), sl.enable_grad():
    ...     (x + 1).requires_grad
    True
    """
    return Recording(True)


def seed_of(node: Node, gradient: Any) -> Node:
    """The gradient that `backward` starts from."""
    if gradient is None:
        if node.size != 1:
            raise GradientError(f"backward on a tensor of shape {node.shape} needs to know what to differentiate",
                                why="a gradient belongs to a single number",
                                repair=f"reduce it first: x.sum().backward(), or give backward a gradient of shape {node.shape}")
        one = constant(1, node.dtype)
        return build_node("expand", (one,), {"shape": node.shape}) if node.shape else one
    given = asarray(gradient, dtype=node.dtype)
    if given.shape != node.shape:
        raise GradientError(f"backward: the gradient has shape {given.shape}, the tensor {node.shape}",
                            why="a gradient has the shape of its tensor")
    return given._leaf() if mode.trace is None else given._node_in(mode.trace)


def backward_now(node: Node, seed: Node) -> None:
    """Add the gradients of this node to those that the owners of leaves have."""
    with no_grad():
        for owner, array in gradients(node, seed):
            accumulate(owner, from_array(array))


def accumulate(owner: Tensor, gradient: Tensor) -> None:
    """Add a gradient of the owner's shape and type to the one that it has."""
    owner._take_gradient(gradient if owner._grad is None else owner._grad + gradient)


def nothing_recorded(x: Tensor) -> GradientError:
    return GradientError(f"backward on a tensor of shape {x.shape} that was computed from nothing that requires a gradient",
                         why="no operation was recorded",
                         repair="make an input with requires_grad=True, and compute outside of no_grad() and after no detach()")


# Tracing


class Trace:
    """The recording of one function: its operations become nodes, and what it touches besides its arguments becomes its state.

    reads     each concrete tensor that was read, in order of first use, with the variable that stands for its value at entry
    writes    each concrete tensor that was assigned, with the node of its value at exit
    grads     the gradient (a tensor, traced or concrete) or None of each tensor whose `.grad` was set
    inherited tensors whose gradient was added to before it was set or cleared: in the next call it would find an older one
    leaves    nodes of traced tensors that require a gradient themselves
    notes     values by path, for taps: `net[0]` and, when a layer runs again, `net[0]#2`
    layers    the layers that ran, by path
    outputs   the output of each call of a layer, by the layer's id
    captured  addresses of the NumPy arrays that the function finds outside: of a small one too, each call reads the present values
    copied    those of them that no program can read as they lie
    storage   the type in which what layers with weights take is kept: "float32" or "bfloat16"
    """

    def __init__(self, storage: str = "float32") -> None:
        self.storage = storage
        self.root: Trace = self  # the outermost of nested traces
        self.reads: dict[Tensor, Node] = {}
        self.writes: dict[Tensor, Node] = {}
        self.current: dict[Tensor, Node] = {}
        self.grads: dict[Tensor, Tensor | None] = {}
        self.inherited: dict[Tensor, None] = {}
        self.leaves: dict[Node, Tensor] = {}
        self.notes: dict[str, Node] = {}
        self.layers: dict[str, Any] = {}
        self.outputs: dict[int, list[Node]] = {}
        self.arrays: dict[int, tuple[np.ndarray, Tensor]] = {}
        self.captured: Collection[int] = ()
        self.copied: list[np.ndarray] = []

    def nest(self, parent: Trace | None) -> None:
        """Within another trace, share its state: whatever is read or written belongs to the outermost function."""
        if parent is not None:
            self.root, self.storage = parent.root, parent.storage
            for name in ("reads", "writes", "current", "grads", "inherited", "leaves", "notes", "layers", "outputs", "arrays",
                         "captured", "copied"):
                setattr(self, name, getattr(parent, name))

    def argument(self, shape: Shape, dtype: Any, requires_grad: bool = False, name: str = "") -> Tensor:
        """A traced tensor for an argument of the function; its `_node` is a fresh variable."""
        made = self.tensor(variable(tuple(shape), as_dtype(dtype), name), requires_grad)
        if requires_grad:
            self.leaves[made._node] = made  # type: ignore[index]
        return made

    def tensor(self, node: Node, requires_grad: bool = False) -> Tensor:
        """A traced tensor around this node."""
        made = Tensor.__new__(Tensor)
        made._bind(None, node, self, requires_grad)
        return made

    def given(self, data: Any, dtype: DType | None) -> Tensor:
        """Data that appears in the function: small data is part of the program, a large array is state that is read."""
        array = to_array(data, dtype, None)
        if isinstance(data, np.ndarray) and (self.is_captured(data) or (array.nbytes > CONSTANT_LIMIT and array is data)):
            node = self.operand(data)
            if isinstance(node, Node):
                return self.tensor(node if node.dtype == array.dtype else build_node("cast", (node,), {"dtype": array.dtype}))
        return self.tensor(constant(array))

    def operand(self, value: Any) -> Any:
        """The node of a tensor or a large array; anything else as it is."""
        if isinstance(value, Tensor):
            return value._node_in(self)
        if isinstance(value, np.ndarray) and (value.nbytes > CONSTANT_LIMIT or self.is_captured(value)):
            return self.array(value)
        return value

    def is_captured(self, array: np.ndarray) -> bool:
        """Whether the function found the memory of this array outside, where it may change between calls."""
        return bool(self.captured) and id(memory_of(array)) in self.captured

    def array(self, value: np.ndarray) -> Any:
        """The node of an array whose present values each call reads; of one that lies in memory as no program can read it, a copy."""
        if id(value) not in self.arrays:
            held = to_array(value, None, None)
            if self.is_captured(value) and not (address_of(held) == address_of(value) and held.flags.c_contiguous and held.flags.aligned):
                self.copied.append(memory_of(value))
                held = np.array(held, order="C")
            self.arrays[id(value)] = value, from_array(held)
        return self.read(self.arrays[id(value)][1])

    def read(self, tensor: Tensor) -> Node:
        """The node of a concrete tensor's present value."""
        node = self.current.get(tensor)
        if node is None:
            node = variable(tensor.shape, tensor.dtype, tensor._prints_as)
            self.reads[tensor] = self.current[tensor] = node
        return node

    def write(self, tensor: Tensor, node: Node) -> None:
        """Let a concrete tensor (or a traced one) have this value from now on."""
        node = build_node("stop_gradient", (node,), {}) if is_inexact(node.dtype) else node
        fresh = build_node("alias", (node,), {"tag": next_serial()})  # not the same leaf as another tensor of the same value
        if tensor._value is None:
            self.leaves.pop(tensor._node, None)  # type: ignore[arg-type]
            tensor._node = fresh
            if tensor._requires_grad:
                self.leaves[fresh] = tensor
        else:
            self.read(tensor)
            self.writes[tensor], self.current[tensor] = node, fresh

    def mark_leaf(self, tensor: Tensor, flag: bool) -> None:
        """Let a traced tensor be a leaf that requires a gradient, or no longer."""
        node = build_node("stop_gradient", (tensor._node,), {})
        tensor._node = build_node("alias", (node,), {"tag": next_serial()}) if flag else node
        if flag:
            self.leaves[tensor._node] = tensor

    def note(self, path: str, value: Any) -> None:
        """Remember a value under its path."""
        name, count = path, 1
        while name in self.notes:
            count += 1
            name = f"{path}#{count}"
        self.notes[name] = value._node_in(self) if isinstance(value, Tensor) else value

    def gradient(self, tensor: Tensor) -> Tensor | None:
        """The gradient that this function has computed; one from outside would be frozen, for each eager step makes a new one."""
        if tensor not in self.grads and tensor._grad is not None:
            raise TraceError(f"the gradient of a {tensor._prints_as} {tensor.shape} was made outside of the compiled function",
                             why="the program would keep this one for all later calls",
                             repair="call backward() inside of the function, or pass the gradients as arguments")
        return self.grads.get(tensor)

    def backward(self, node: Node, seed: Node) -> None:
        """Pull the gradient back to every leaf that requires one."""
        leaves = {each: tensor for tensor, each in self.current.items() if tensor._requires_grad} | self.leaves
        targets = [(each, leaves[each]) for each in topological([node]) if each in leaves]
        gradients = pull_back(stable_to_differentiate([node]), [seed], [each for each, _ in targets])
        with no_grad():
            for (_, tensor), gradient in zip(targets, gradients):
                if gradient is not None:
                    self.accumulate(tensor, gradient)

    def accumulate(self, tensor: Tensor, gradient: Node) -> None:
        if tensor._value is not None and not tensor.is_leaf:
            raise GradientError(f"backward in a compiled function reached a tensor {tensor.shape} computed outside of it",
                                why="what was recorded outside is no part of the program",
                                repair="compute it inside, pass it as an argument, or detach() it")
        if tensor not in self.grads and tensor._value is not None:
            self.inherited[tensor] = None
        before = self.grads.get(tensor)
        self.grads[tensor] = self.tensor(gradient) if before is None else before + self.tensor(gradient)


def memory_of(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


CONSTANT_LIMIT = 8192  # bytes: what is larger is better read than built into the program


def traced_leaves(trace: Trace | None) -> dict[Node, Tensor]:
    return {} if trace is None else trace.leaves


@contextlib.contextmanager
def tracing(trace: Trace) -> Iterator[Trace]:
    """Record what this thread does with tensors into `trace`."""
    before = mode.trace
    trace.nest(before)
    with undisturbed() if before is None else contextlib.nullcontext():
        mode.trace = trace
        try:
            yield trace
        finally:
            mode.trace = before


def note(path: str, value: Any) -> None:
    """Remember a tensor under its path, for taps, if a function is being traced."""
    if mode.trace is not None and isinstance(value, Tensor):
        mode.trace.note(path, value)


def origin(x: Tensor) -> Location | None:
    """The user's (file, line) that computed this tensor, where that was recorded."""
    node = x._node
    return None if node is None or node.op in (Variable, Constant) else node.location


def current_trace() -> Trace | None:
    """The trace that this thread is recording, if any."""
    return mode.trace


# Errors


USES = {
    "bool": ("a Python branch depends on the value of a tensor",
             "use sl.where(condition, a, b), move the branch outside of the compiled function, or return the value"),
    "float": ("a Python number is made of a tensor", "keep it a tensor, or return it and take float(...) outside"),
    "int": ("a Python integer is made of a tensor", "keep it a tensor (it can index others), or make it an int outside"),
    "complex": ("a Python number is made of a tensor", "keep it a tensor, or return it and convert it outside"),
    "item": ("a Python number is made of a tensor", "keep it a tensor, or return it and take item() outside"),
    "tolist": ("Python lists are made of a tensor", "keep it a tensor, or return it and take tolist() outside"),
    "numpy": ("a NumPy array is made of a tensor", "use the function of slopes of that name, or return the tensor"),
    "mask": ("a shape depends on the values of a mask", "use sl.where(mask, x, 0), which keeps the shape, or select outside"),
    "nonzero": ("a shape depends on the values of a tensor", "use sl.where, which keeps the shape, or do this outside"),
}


def value_error(x: Tensor, use: str) -> TraceError:
    """The error of Python code that needs a value where none is known."""
    kind = f"({x.dtype}{list(x.shape)})"
    built = f"; the tensor was built at {line_text(x._node.location)}" if x._value is None and x._node is not None else ""
    if mode.trace is None or use in ("leak", "assign"):
        return TraceError(f"a tensor {kind} of a compiled function was used after the function had been traced",
                          why="its tensors stand for the values of every later call and have none of their own",
                          repair="return it from the function, assign it to a tensor, or tap it by its path",
                          where=default_where() + built)
    what, repair = USES[use]
    return TraceError(f"{what} {kind}, which is not known while a function is compiled",
                      why="the function runs once to record its graph, and then natively for every value",
                      repair=repair, where=default_where() + built)


def single_error(array: np.ndarray, use: str) -> ShapeError:
    if use == "bool":
        return ShapeError(f"the truth of a tensor of shape {array.shape} is not one answer",
                          why=f"it holds {array.size} elements", repair="say which: sl.any(x) or sl.all(x)")
    return ShapeError(f"{use}: a tensor of shape {array.shape} holds {array.size} elements, not one",
                      repair="reduce it first, or take one element: x[0]; tolist() and numpy() give all")


def check_like(x: Tensor, given: Tensor) -> None:
    """A new value or gradient has its tensor's shape and type."""
    if given.shape != x.shape:
        raise ShapeError(f"a value of shape {given.shape} for a tensor of shape {x.shape}", why="a tensor keeps its shape",
                         repair=f"reshape or expand it to {x.shape} first")
    if given.dtype != x.dtype:
        raise DTypeError(f"a value of type {given.dtype} for a tensor of type {x.dtype}", why="a tensor keeps its type",
                         repair=f"cast it first: value.astype(sl.{x.dtype.name})")
