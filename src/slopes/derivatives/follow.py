"""The common parts of all derivatives: differentiated arguments, and results recorded only for enclosing derivatives.

Each differentiated argument is wrapped in an `alias` node with a unique tag, so that nested derivatives do not confuse their
perturbations, and variables of an enclosing function are constants.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..autodiff.pullback import pull_back
from ..errors import ArgumentError, GradientError
from ..graph.build import build_node
from ..graph.dtype import is_float
from ..graph.node import Node, next_serial
from ..graph.walk import topological
from ..levels import levels
from ..machine.reference import evaluate
from ..modes import GradientMode, mode
from ..ops.fill import zeros_like
from ..passes.stable import stable_to_differentiate
from ..tensor import Tensor, asarray, from_array
from ..trace import current_trace
from ..tree import Structure, flatten, named_leaves, unflatten

Function = Callable[..., Any]
ARRAYS = (Tensor, np.ndarray, bool, int, float, complex, np.generic)


def node_of(x: Tensor) -> Node:
    """The node of a tensor in the current mode."""
    return x._leaf() if mode.trace is None else x._node_in(mode.trace)


def tensor_around(node: Node, requires_grad: bool) -> Tensor:
    """A tensor for a node; in eager mode its value is computed."""
    if mode.trace is not None:
        return mode.trace.tensor(node, requires_grad)
    return tensor_with_node(node, evaluate([node], remember=True)[0], requires_grad)


def tensor_with_node(node: Node, array: np.ndarray, requires_grad: bool) -> Tensor:
    """A tensor with this value, and with its node if it requires a gradient."""
    tensor = from_array(array)
    if requires_grad:
        tensor._node, tensor._requires_grad = node, True
    return tensor


def finish(nodes: Sequence[Node]) -> list[Tensor]:
    """Result tensors, recorded only if an enclosing derivative may differentiate them again."""
    outside = reaching_outside(nodes) if mode.recording else set()
    if mode.trace is not None:
        return [tensor_around(node, node in outside) for node in nodes]
    arrays = evaluate(nodes, remember=any(node in outside for node in nodes))
    return [tensor_with_node(node, array, node in outside) for node, array in zip(nodes, arrays)]


def reaching_outside(nodes: Sequence[Node]) -> set[Node]:
    """The float nodes that depend on anything that an enclosing derivative or a later backward() may differentiate."""
    trace, reaching = current_trace(), set(levels.active)
    if trace is not None:
        reaching |= {*trace.leaves, *(node for tensor, node in trace.current.items() if tensor._requires_grad)}
    for node in topological(nodes):
        if any(arg in reaching for arg in node.args) or (trace is None and node.owner is not None):
            reaching.add(node)
    return {node for node in reaching if is_float(node.dtype)}


@contextlib.contextmanager
def record_from(nodes: Iterable[Node]) -> Iterator[None]:
    """Record all computations from these nodes, even inside no_grad."""
    count = len(levels.active)
    levels.active.extend(nodes)
    try:
        with GradientMode(True):
            yield
    finally:
        del levels.active[count:]


class Inputs:
    """The arguments of a function; each leaf of the differentiated ones is wrapped in a new alias node."""

    def __init__(self, name: str, args: tuple, argnums: int | Sequence[int]) -> None:
        self.name, self.args = name, list(args)
        self.single = isinstance(argnums, int)
        self.positions = [position(name, args, argnum) for argnum in ([argnums] if isinstance(argnums, int) else argnums)]
        self.structures: list[Structure] = []
        self.paths: list[str] = []
        self.nodes: list[Node] = []
        for argnum in self.positions:
            self.wrap(argnum)

    def wrap(self, index: int) -> None:
        """Replace one argument by a tree of recorded tensors."""
        structure = flatten(self.args[index])[1]
        self.structures.append(structure)
        wrapped = []
        for path, leaf in named_leaves(self.args[index], f"argument {index}"):
            node = build_node("alias", (node_of(differentiable(self.name, path, leaf)),), {"tag": next_serial()})
            self.nodes.append(node)
            self.paths.append(path)
            wrapped.append(tensor_around(node, True))
        self.args[index] = unflatten(structure, wrapped)

    def call(self, function: Function, kwargs: dict[str, Any]) -> Any:
        with record_from(self.nodes):
            return function(*self.args, **kwargs)

    def pack(self, leaves: Sequence[Any]) -> Any:
        """One value per differentiated leaf, in the structure of the arguments."""
        trees, at = [], 0
        for structure in self.structures:
            trees.append(unflatten(structure, leaves[at:at + structure.leaves]))
            at += structure.leaves
        return trees[0] if self.single else tuple(trees)

    def unpack(self, value: Any) -> list[Any]:
        """The leaves of a value with the structure of the differentiated arguments."""
        trees = [value] if self.single else list(value)
        leaves = []
        for index, (tree, structure) in enumerate(zip(trees, self.structures)):
            tangents, own_structure = flatten(tree)
            if own_structure != structure:
                raise ArgumentError(f"{self.name}: tangent {index} is {own_structure}, the argument {structure}",
                                    repair="pass tangents in the same containers as the arguments")
            leaves.extend(tangents)
        return leaves


def position(name: str, args: tuple, index: int) -> int:
    if not -len(args) <= index < len(args):
        raise ArgumentError(f"{name}: there is no argument {index} among {len(args)}",
                            repair="argnums counts positional arguments, from 0")
    return index % len(args)


def differentiable(name: str, path: str, leaf: Any) -> Tensor:
    """The leaf as a float tensor; GradientError if it is not differentiable."""
    if not isinstance(leaf, ARRAYS):
        raise GradientError(f"{name}: {path} is {leaf!r} of type {type(leaf).__name__}, not a tensor",
                            repair="name the arguments to differentiate with argnums=, and leave others out")
    tensor = asarray(leaf)
    if not is_float(tensor.dtype):
        raise GradientError(f"{name}: {path} is of type {tensor.dtype}", why="only floating-point values change smoothly",
                            repair="make it a float first, such as x.astype(slopes.float32), or leave it out of argnums=")
    return tensor


class Outputs:
    """The result of a function: its structure, and the nodes of its leaves."""

    def __init__(self, name: str, value: Any) -> None:
        leaves, self.structure = flatten(value)
        self.leaves = [result_tensor(name, leaf) for leaf in leaves]
        self.nodes = [node_of(leaf) for leaf in self.leaves]

    def finish_all(self) -> Any:
        return unflatten(self.structure, finish(self.nodes))


def result_tensor(name: str, leaf: Any) -> Tensor:
    if not isinstance(leaf, ARRAYS):
        raise ArgumentError(f"{name}: the function returned {leaf!r} of type {type(leaf).__name__}, not a tensor",
                            repair="return tensors, or nested lists, tuples and dicts of them")
    return asarray(leaf)


def scalar_output(name: str, value: Any) -> Node:
    """The node of a scalar output; GradientError for anything else."""
    if not isinstance(value, ARRAYS):
        raise GradientError(f"{name}: the function returned {value!r} of type {type(value).__name__}, not a tensor",
                            why="a gradient belongs to a single number",
                            repair=f"return a tensor; to return more beside it, use sl.{name}(f, has_aux=True)")
    node = node_of(asarray(value))
    if node.size != 1:
        raise GradientError(f"{name}: the function returned a tensor of shape {node.shape}",
                            why="a gradient belongs to a single number",
                            repair="use sl.jacobian for all its derivatives, or reduce it first, such as by .sum()")
    if not is_float(node.dtype):
        raise GradientError(f"{name}: the function returned a tensor of type {node.dtype}",
                            why="only floating-point values change smoothly", repair="return a float, such as a loss")
    return node


def stable_outputs(nodes: Sequence[Node]) -> list[Node]:
    """The outputs in the form to differentiate: in a traced function, the numerically stable one."""
    return list(nodes) if mode.trace is None else stable_to_differentiate(nodes)


def gradients_or_zeros(outputs: Sequence[Node], seeds: Sequence[Node], wrt: Sequence[Node]) -> list[Node]:
    """The gradients, zeros for independent inputs."""
    gradients = pull_back(stable_outputs(outputs), seeds, wrt)
    return [zeros_like(node) if gradient is None else gradient for node, gradient in zip(wrt, gradients)]
