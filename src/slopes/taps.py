"""Taps: values inside of a captured function, looked up by their paths, or by the tensor that they belong to."""

from __future__ import annotations

import re

from .errors import ArgumentError
from .graph.node import Node
from .tensor import Tensor
from .trace import Trace

INDEX = re.compile(r"\.(\d+)(?=\.|$)")  # net.0.weight is net[0].weight


def tapped_node(trace: Trace, path: str) -> Node:
    """The node at a path: a layer's output (net[0]), a tensor of a layer (net[0].weight), its gradient or its update."""
    name = INDEX.sub(r"[\1]", path)
    if name in trace.notes:
        return trace.notes[name]
    tensor = tensor_at(trace, name)
    if tensor is not None:
        return value_node(trace, tensor)
    base, _, kind = name.rpartition(".")
    tensor = tensor_at(trace, base)
    if tensor is not None and kind == "grad":
        return gradient_node(trace, tensor, base)
    if tensor is not None and kind == "update":
        return update_node(trace, tensor, base)
    near = ", ".join(sorted(trace.notes)) or "none: no layer ran"
    raise ArgumentError(f"compile: nothing at path {path!r} to tap",
                        why="a path names a layer's output (net[0]), a tensor of a layer (net[0].weight), or that with .grad or .update",
                        repair=f"the layers are {near}")


def noted(trace: Trace, path: str) -> list[Node]:
    """All that was noted under a path, in order."""
    nodes: list[Node] = []
    while (name := path if not nodes else f"{path}#{len(nodes) + 1}") in trace.notes:
        nodes.append(trace.notes[name])
    return nodes


def value_node(trace: Trace, tensor: Tensor) -> Node:
    """The value of a layer's tensor at the end of the function."""
    return trace.writes.get(tensor) or trace.read(tensor)


def value_before(trace: Trace, tensor: Tensor) -> Node:
    """The value of a layer's tensor at the beginning of the function."""
    return trace.reads.get(tensor) or trace.read(tensor)


def gradient_node(trace: Trace, tensor: Tensor, path: str) -> Node:
    """The gradient of a layer's tensor at the end of the function."""
    gradient = trace.grads.get(tensor)
    if gradient is None:
        raise ArgumentError(f"compile: {path} has no gradient at the end of the function to tap",
                            repair="call loss.backward() in it, and zero_grad() before that, not after")
    return gradient._node_in(trace)


def update_node(trace: Trace, tensor: Tensor, path: str) -> Node:
    """By how much the function changes a layer's tensor."""
    if tensor not in trace.writes:
        raise ArgumentError(f"compile: the function does not change {path}", repair="call optimizer.step() in it")
    return trace.writes[tensor] - trace.reads[tensor]


def tensor_at(trace: Trace, path: str) -> Tensor | None:
    """The tensor that is attribute `path` of a layer which ran."""
    layer, _, name = path.rpartition(".")
    value = vars(trace.layers[layer]).get(name) if layer in trace.layers else None
    return value if isinstance(value, Tensor) and value._value is not None else None
