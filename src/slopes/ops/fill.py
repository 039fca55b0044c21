"""Nodes that hold one number everywhere."""

from __future__ import annotations

from ..graph.build import build, constant
from ..graph.dtype import DType
from ..graph.node import Node
from ..graph.shape import Shape


def full(shape: Shape, value: complex, dtype: DType) -> Node:
    """A scalar constant, expanded to a shape."""
    return build("expand", constant(value, dtype), shape=shape)


def full_like(node: Node, value: complex) -> Node:
    return full(node.shape, value, node.dtype)


def zeros_like(node: Node) -> Node:
    return full_like(node, 0)


def ones_like(node: Node) -> Node:
    return full_like(node, 1)
