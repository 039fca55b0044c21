"""Batching (vmap): a graph for one example becomes the graph for a whole batch, with a leading axis."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ShapeError, SlopesError, line_text
from ..graph.build import build
from ..graph.node import Node
from ..graph.scopes import scopes
from ..graph.walk import topological


def batch(outputs: Sequence[Node], inputs: Sequence[Node], batched_inputs: Sequence[Node]) -> list[Node]:
    """The outputs, each with a leading batch axis, when every input is replaced by its batch; the rest of the graph is shared."""
    size = batch_size(inputs, batched_inputs)
    batched: dict[Node, Node] = dict(zip(inputs, batched_inputs))
    outer = scopes.region
    try:
        for node in topological(outputs, stop=lambda node: node in batched):
            if node not in batched and any(arg in batched for arg in node.args):
                scopes.region = node.region
                batched[node] = batch_node(node, batched, size)
    finally:
        scopes.region = outer
    return [batched[node] if node in batched else along(node, size) for node in outputs]


def batch_size(inputs: Sequence[Node], batched_inputs: Sequence[Node]) -> int:
    """The common length of the leading axes."""
    sizes = {node.shape[0] for node in batched_inputs if node.ndim}
    if len(sizes) != 1 or not all(node.ndim for node in batched_inputs):
        raise ShapeError(f"batch: leading axes {', '.join(str(node.shape) for node in batched_inputs)} are not of one length",
                         why="all batched inputs hold the same number of examples")
    for node, many in zip(inputs, batched_inputs):
        if many.shape[1:] != node.shape or many.dtype != node.dtype:
            raise ShapeError(f"batch: {many.dtype}{list(many.shape)} is no batch of {node.dtype}{list(node.shape)}")
    return sizes.pop()


def batch_node(node: Node, batched: dict[Node, Node], size: int) -> Node:
    """One operation on batches; its rule must give the old shape behind the new axis."""
    flags = tuple(arg in batched for arg in node.args)
    args = [batched.get(arg, arg) for arg in node.args]
    if node.op.kind == "elementwise" and not all(flags):
        args = [arg if flag else along(arg, size) for arg, flag in zip(args, flags)]
        flags = (True,) * len(args)
    result = node.op.batch(args, flags, **node.params)
    if result.shape != (size, *node.shape) or result.dtype != node.dtype:
        actual, expected = f"{result.dtype}{list(result.shape)}", f"{node.dtype}{[size, *node.shape]}"
        raise SlopesError(f"vmap: {node.op.name} became {actual}, not {expected}",
                          why="this is a fault in the operation's batch rule", where=f"built at {line_text(node.location)}")
    return result


def along(node: Node, size: int) -> Node:
    """The same value for each of `size` examples."""
    return build("expand", node, shape=(size, *node.shape))
