"""Checks that a graph is well formed: every node follows from its operation's own rule."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import SlopesError, line_text
from .body import Body
from .dtype import ALL
from .node import Node, Operation, intern
from .text import type_text
from .walk import topological


class GraphError(SlopesError, AssertionError):
    """A graph that breaks its own rules: a fault of slopes, not of the program that it came from."""


def verify(roots: Sequence[Node]) -> Sequence[Node]:
    """The roots themselves, after every node that they need has been checked; raises GraphError at the first bad one."""
    for node in topological(roots):
        check_fields(node)
        if node.op.kind != "leaf":
            check_rule(node)
            check_shapes(node)
        check_interned(node)
        check_value(node)
        verify([root for body in node.params.values() if isinstance(body, Body) for root in body.outputs])
    return roots


def check_fields(node: Node) -> None:
    if Operation.table.get(node.op.name) is not node.op:
        raise fault(node, f"operation {node.op.name} is not the one in the table")
    if node.dtype not in ALL:
        raise fault(node, f"{node.dtype!r} is not a data type of slopes")
    if not all(type(n) is int and n >= 0 for n in node.shape):
        raise fault(node, f"{node.shape!r} is no shape")
    if not all(isinstance(arg, Node) for arg in node.args):
        raise fault(node, f"an argument is no node: {node.args!r}")


def check_rule(node: Node) -> None:
    shape, dtype = node.op.rule(*node.args, **node.params)
    if tuple(shape) != node.shape or dtype != node.dtype:
        raise fault(node, f"its rule gives {type_text(dtype, shape)}")


def check_shapes(node: Node) -> None:
    if node.op.kind == "elementwise" and any(arg.shape != node.shape for arg in node.args):
        raise fault(node, f"its arguments have shapes {[arg.shape for arg in node.args]}")


def check_interned(node: Node) -> None:
    if intern(node.op, node.args, node.params, node.shape, node.dtype) is not node:
        raise fault(node, "an equal node exists: it was not interned")


def check_value(node: Node) -> None:
    if node.value is not None and (node.value.shape != node.shape or node.value.dtype != node.dtype):
        raise fault(node, f"its value is {type_text(node.value.dtype, node.value.shape)}")


def fault(node: Node, what: str) -> GraphError:
    return GraphError(f"graph: {node.op.name} {type_text(node.dtype, node.shape)}: {what}",
                      why="a pass or an operation built a node that its rule does not allow; this is a fault of slopes",
                      where=f"{node.op.name} built at {line_text(node.location)}")
