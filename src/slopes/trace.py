"""The trace of one function: its operations become nodes, and what it touches besides its arguments becomes its state."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from .arrays import address_of, memory_of, to_array
from .autodiff.pullback import pull_back
from .errors import GradientError, Location, TraceError
from .graph.build import Constant, Variable, build_node, constant, variable
from .graph.dtype import DType, as_dtype, is_inexact
from .graph.node import Node, next_serial
from .graph.scopes import scopes
from .graph.shape import Shape
from .graph.walk import topological
from .interrupts import undisturbed
from .modes import mode, no_grad
from .passes.stable import stable_to_differentiate
from .tensor import Tensor, from_array

CONSTANT_LIMIT = 8192  # bytes: what is larger is better read than built into the program


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
            for name in ("reads", "writes", "current", "grads", "inherited", "leaves", "notes", "layers", "outputs",
                         "arrays", "captured", "copied"):
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

    def embed(self, data: Any, dtype: DType | None) -> Tensor:
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
        leaves = {leaf: tensor for tensor, leaf in self.current.items() if tensor._requires_grad} | self.leaves
        targets = [(leaf, leaves[leaf]) for leaf in topological([node]) if leaf in leaves]
        gradients = pull_back(stable_to_differentiate([node]), [seed], [leaf for leaf, _ in targets])
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


@contextlib.contextmanager
def tracing(trace: Trace) -> Iterator[Trace]:
    """Record what this thread does with tensors into `trace`."""
    before = current_trace()
    trace.nest(before)
    with undisturbed() if before is None else contextlib.nullcontext():
        mode.trace, scopes.tracing = trace, True
        try:
            yield trace
        finally:
            mode.trace, scopes.tracing = before, before is not None


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
    trace = mode.trace
    return trace if isinstance(trace, Trace) else None
