"""Eager execution: run an operation on arrays; how it is run is cached per operation, shapes and dtypes.

An operation on tensors goes through five things, each built once and used again:

    Composite        a function made of operations, such as softmax: eagerly it is one operation (graph/operation.py)
    CachedOperation  the graph of one operation or composite on operands of given shapes and dtypes, with casts and broadcasts
    Replay           a graph as a list of steps on NumPy, which runs without asking the graph (machine/replay.py)
    Recorded         a node with its value, for `backward`; its `pattern` is the node of the cached graph that it was computed by
    GradientReplay   the replay of the gradients of one structure of recorded nodes (backward.py)

`compute` looks the cached operation up and runs it: a single operation by its `compute`, anything else by its replay. `record` does
the same by a replay that keeps what each step computed, and makes one recorded node for each. `backward` walks through the recorded
nodes once, for a key of their patterns and of how they hang together; under this key the gradients were derived the first time, and
are replayed from the recorded values from then on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .arrays import LARGE, check_memory, shorten
from .errors import ArgumentError, TooLargeError, user_location
from .graph.build import Constant, Variable, constant, too_large, variable
from .graph.composite import Composite
from .graph.dtype import DType, plain, scalar_dtype
from .graph.node import Node, Operation
from .graph.scopes import Region, scopes
from .graph.shape import Shape
from .graph.walk import topological
from .lazy import lazy
from .machine.reference import check, evaluate
from .machine.replay import Replay, quietly

Numbers = (bool, int, float, complex, np.generic)
Operand = np.ndarray | Node
What = type[Operation] | Composite


class Recorded(Node):
    """A node recorded in eager mode, not interned. Nodes of one `pattern` are the same operation on the same shapes and dtypes."""

    __slots__ = ("pattern",)
    pattern: Node


def compute(what: What, args: Sequence[Any], params: dict[str, Any]) -> np.ndarray:
    """Compute an operation on arrays, nodes and Python numbers, which get the dtype of the arrays."""
    arrays: list[np.ndarray] = []
    key: list[Any] = [what]
    for arg in args:
        operand = arg if type(arg) is np.ndarray else as_operand(what, arg, args)
        if type(operand) is np.ndarray:
            arrays.append(operand)
            key += (operand.shape, operand.dtype)
        else:
            key.append(operand)
    try:
        return cached_operation(key, params).compute(arrays)
    except MemoryError as error:
        raise out_of_memory(what, arrays, error) from (None if isinstance(error, TooLargeError) else error)


def record(what: What, args: Sequence[Any], params: dict[str, Any]) -> Node:
    """Compute an operation and record it as a node on the nodes among its operands (see `compute`)."""
    nodes: list[Node] = []
    key: list[Any] = [what]
    for arg in args:
        node = arg if isinstance(arg, Node) else as_node(what, arg, args)
        if node.op is Constant and not node.shape:
            key.append(node)
        else:
            nodes.append(node)
            key += (node.shape, node.dtype)
    try:
        return cached_operation(key, params).record(nodes)
    except MemoryError as error:
        raise out_of_memory(what, nodes, error) from (None if isinstance(error, TooLargeError) else error)


def out_of_memory(what: What, operands: Sequence[Operand], error: MemoryError) -> TooLargeError:
    """The TooLargeError for a MemoryError of the system; a TooLargeError itself is returned unchanged."""
    if isinstance(error, TooLargeError):
        return error
    shape, dtype = getattr(error, "shape", None), getattr(error, "dtype", None)
    count = math.prod(shape) * dtype.itemsize if shape is not None and dtype is not None else 0
    needs = f"an array of shape {shape} and type {dtype} needs {count / 2**30:,.1f} GiB, which the system refuses" if count \
        else "the system refuses the memory that it needs"
    shapes = ", ".join(str(operand.shape) for operand in operands)
    return TooLargeError(f"{what.name}: {needs}", why=f"the operands have the shapes {shapes}" if shapes else "",
                         repair="look for a size that is too large, or work in smaller batches")


# Operands


def as_operand(what: What, value: Any, args: Sequence[Any]) -> Operand:
    """The array of an operand, or its node if it is a number that may decide which graph is built."""
    if isinstance(value, Node):
        return value if value.op is Constant and not value.shape else value_of(value)
    if isinstance(value, np.ndarray):
        return np.asarray(plain(value))
    as_constant, as_leaf = scalar_nodes(what, value, args)
    return as_constant if what.reads_numbers else value_of(as_leaf)


def as_node(what: What, value: Any, args: Sequence[Any]) -> Node:
    """The node of an operand: a leaf with its value, or a constant if it is a number that may decide which graph is built."""
    if isinstance(value, np.ndarray):
        return leaf(np.array(plain(value))) if value.shape else constant(value)
    as_constant, as_leaf = scalar_nodes(what, value, args)
    return as_constant if what.reads_numbers else as_leaf


def scalar_nodes(what: What, value: Any, args: Sequence[Any]) -> tuple[Node, Node]:
    """A Python number in the dtype of the arrays: as a constant, and as a leaf."""
    if not isinstance(value, Numbers):
        raise ArgumentError(f"{what.name}: {shorten(value)} of type {type(value).__name__} is no number and no tensor",
                            repair="make a tensor of it first: sl.tensor(...)")
    beside = None
    for arg in args[what.conditions:]:
        if isinstance(arg, (np.ndarray, Node)):
            beside = arg.dtype
            break
    try:
        return cached_scalar(value, beside, "" if value else repr(value))
    except OverflowError as error:
        raise too_large(what.name, value, beside) from error


@lru_cache(maxsize=1024, typed=True)
def cached_scalar(value: Any, beside: DType | None, zero: str) -> tuple[Node, Node]:
    """Cached nodes of a number; `zero` distinguishes 0.0 from -0.0, which compare equal."""
    fixed = constant(value, scalar_dtype(value, beside))
    return fixed, leaf(value_of(fixed))


def leaf(array: np.ndarray) -> Node:
    """A leaf node with this array as its value."""
    return Node(Variable, (), {}, array.shape, array.dtype, array, user_location(), scopes.region)


def value_of(node: Node) -> np.ndarray:
    """The array of a node, computed if it is not known yet."""
    return node.value if node.value is not None else evaluate([node])[0]


# How an operation is run


class CachedOperation:
    """The graph of an operation on operands of given shapes and dtypes, including casts and broadcasts."""

    def __init__(self, what: What, operands: Sequence[Node], params: dict[str, Any]) -> None:
        self.result: Node = what.make(*operands, **params)
        self.inputs = [operand for operand in operands if operand.op is Variable]
        self.single = self.result.args == tuple(self.inputs) and bool(self.inputs)
        self.largest_array = largest_array([self.result], self.inputs, what.name)

    @lazy
    def replay(self) -> Replay:
        return Replay([self.result], self.inputs)

    def compute(self, arrays: list[np.ndarray]) -> np.ndarray:
        """The array of the result."""
        if self.largest_array is not None:
            check_memory(*self.largest_array)  # before it is tried
        if not self.single:
            return self.replay.run(arrays)[0]
        node = self.result
        result = quietly(node.op.compute, *arrays, **node.params)
        return check(node, result if type(result) is np.ndarray else np.asarray(result))

    def record(self, nodes: list[Node]) -> Node:
        """The node of the result on these operands."""
        arrays = [node.value if node.value is not None else value_of(node) for node in nodes]
        location, region = user_location(), scopes.region
        if self.single:
            return make_recorded(self.result, tuple(nodes), self.compute(arrays), location, region)
        if self.result in self.inputs:
            return nodes[self.inputs.index(self.result)]
        if self.largest_array is not None:
            check_memory(*self.largest_array)
        replay, constants, steps = self.recorded_steps
        values = replay.values(arrays)
        known = [*nodes, *constants]
        for pattern, args, index in steps:
            value = None if index is None else values[index]
            known.append(make_recorded(pattern, tuple([known[arg] for arg in args]), value, location, region))
        return known[-1]

    @lazy
    def recorded_steps(self) -> tuple[Replay, list[Node], list[tuple[Node, tuple[int, ...], int | None]]]:
        """The replay that keeps all values, its constants, and what to record: nodes, with the indices of their arguments and value."""
        replay = Replay([self.result], self.inputs, keep=True)
        order = [node for node in replay.order if node not in replay.fixed or node is self.result]
        constants = [node for node in replay.fixed if node is not self.result]
        indices = {node: i for i, node in enumerate([*self.inputs, *constants, *order])}
        return replay, constants, [(node, tuple(indices[arg] for arg in node.args), replay.indices.get(node)) for node in order]


def largest_array(roots: Sequence[Node], inputs: Sequence[Node], name: str) -> tuple[int, Shape, DType, str] | None:
    """(bytes, shape, type, name of the function) of the largest array that is computed, if it is a large one: views need no memory."""
    made = [node for node in topological(roots) if node not in inputs and not node.op.view and node.op is not Constant]
    largest = max(made, key=byte_size, default=None)
    return (byte_size(largest), largest.shape, largest.dtype, name) if largest is not None and byte_size(largest) >= LARGE else None


def byte_size(node: Node) -> int:
    return node.size * node.dtype.itemsize


def make_recorded(pattern: Node, args: tuple[Node, ...], value: np.ndarray | None, location: tuple[str, int],
                  region: Region | None) -> Recorded:
    node = Recorded(pattern.op, args, pattern.params, pattern.shape, pattern.dtype, value, location, region)
    node.pattern = pattern
    return node


_cached: dict[tuple, CachedOperation] = {}
CACHED_LIMIT = 4096


def cached_operation(key: list[Any], params: dict[str, Any]) -> CachedOperation:
    """The cached form of [operation, then for each operand its shape and dtype, or its node if it is a constant] and parameters."""
    full = (*key, *params.items(), *map(type, params.values())) if params else tuple(key)  # True is no axis 1
    cached = _cached.get(full)
    if cached is None:
        if len(_cached) >= CACHED_LIMIT:
            _cached.clear()
        cached = _cached[full] = CachedOperation(key[0], placeholders(key[1:]), params)
    return cached


def placeholders(described: list[Any]) -> list[Node]:
    """Variables of the shapes and dtypes in a key, and the constants in it."""
    nodes: list[Node] = []
    parts = iter(described)
    for part in parts:
        nodes += (part if isinstance(part, Node) else variable(part, next(parts)),)
    return nodes
