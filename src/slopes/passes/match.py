"""The vocabulary of rewrite rules: predicates and small functions of nodes."""

from __future__ import annotations

from typing import Any

from ..graph.build import Constant
from ..graph.dtype import is_float
from ..graph.node import Node

ONE_SOURCE_MOVES = ("reshape", "permute", "expand", "slice")


def weight(node: Node) -> int:
    """A node's part of the measure: about the work that it takes, at least 1."""
    if node.op.kind == "leaf" or number(node) is not None:
        return 1
    inputs = sum(arg.size for arg in node.args) if node.op.kind in ("reduce", "contract") else 0
    return max(1, node.op.cost) * (1 + node.size + inputs)


def core(node: Node) -> Node:
    """The node behind moves that only repeat, reorder or leave out elements."""
    while node.op.name in ONE_SOURCE_MOVES:
        node = node.args[0]
    return node


def number(node: Node) -> Any:
    """The number that a (moved) constant holds in every element, else None."""
    source = core(node)
    if source.op is not Constant or source.size != 1:
        return None
    return source.params["value"].array.reshape(-1)[0].item()


def holds(node: Node, value: float) -> bool:
    """Whether every element is this very number (a bool is no number here)."""
    held = number(node)
    return held is not None and not isinstance(held, bool) and held == value


def other(node: Node, value: float) -> Node | None:
    """The argument beside one that holds `value`, of an operation whose two arguments may be exchanged."""
    a, b = node.args
    return a if holds(b, value) else b if holds(a, value) else None


def is_op(node: Node, *names: str) -> bool:
    return node.op.name in names


def floating(node: Node) -> bool:
    return is_float(node.dtype)


def aligned_shape(source: Node, rank: int) -> tuple[int, ...]:
    """The shape of an expand's source, with ones in front up to the rank of the result."""
    return (1,) * (rank - source.ndim) + source.shape
