"""What the code of a kernel depends on, as a value: kernels with equal signatures are written once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from ..graph.node import Node
from .index import Axis, Index, Indirect, Quotient, Remainder
from .kernels import Kernel
from .nest import AccumulatorRef, BoundsChecked, Buffer, Carried, Compute, Expr, Literal, Load, Position, Select
from .schedule import Schedule

APART = {"nodes", "steps"}  # the fields of a kernel that its code does not depend on


def signature_of(kernel: Kernel, around: Sequence[Axis], pointers: Mapping[Buffer, str],
                 origin: Mapping[Node, Node]) -> tuple[Hashable, list[Node]]:
    """The signature, and the nodes that the kernel refers to in the order in which it numbers them.

    Axes, nodes and expressions are numbers in it, in the order in which they are met, buffers the pointers that the kernel gets.
    """
    signature = Signature(pointers, origin)
    loops = signature.value(tuple(around))
    expressions = tuple([signature.expression(expr) for expr in kernel.computed])
    parts = tuple([signature.value(getattr(kernel, field.name)) for field in fields(kernel) if field.name not in APART])
    return (type(kernel), loops, expressions, parts), signature.nodes


class Signature:
    """The numbers of one kernel's axes, nodes and expressions."""

    def __init__(self, pointers: Mapping[Buffer, str], origin: Mapping[Node, Node]) -> None:
        self.pointers, self.origin = pointers, origin
        self.numbers: dict[object, int] = {}
        self.nodes: list[Node] = []

    def number(self, item: object) -> int:
        return self.numbers.setdefault(item, len(self.numbers))

    def value(self, value: object) -> Hashable:
        """A field of a kernel, or an item of it."""
        if isinstance(value, (list, tuple)):
            return tuple([self.value(item) for item in value])
        if value is None or isinstance(value, (bool, int, str, Schedule)):
            return value
        if isinstance(value, Expr):
            return self.numbers[id(value)]
        if is_dataclass(value):
            return tuple([self.value(getattr(value, field.name)) for field in fields(value)])
        return SINGLE[type(value)](self, value)

    def axis(self, axis: Axis) -> Hashable:
        return self.number(axis), axis.extent

    def node(self, node: Node) -> Hashable:
        """Which of the kernel's nodes it is, and what it computes of arguments of which types."""
        first = self.origin.get(node, node)
        if first not in self.numbers:
            self.nodes.append(first)
        return self.number(first), node.op, params_key(node), node.dtype, node.shape, tuple([(arg.dtype, arg.shape) for arg in node.args])

    def buffer(self, buffer: Buffer) -> Hashable:
        return self.pointers[buffer], buffer.dtype, buffer.size

    def index(self, index: Index) -> Hashable:
        return index.constant, tuple([(self.value(atom), c) for atom, c in index.terms.items()])

    def quotient(self, atom: Quotient | Remainder) -> Hashable:
        return type(atom), self.index(atom.inner), atom.divisor

    def indirect(self, atom: Indirect) -> Hashable:
        return Indirect, self.value(atom.expr), atom.size

    def expression(self, expr: Expr) -> Hashable:
        """What an expression computes; those that it is made of come before."""
        parts = EXPRESSIONS[type(expr)](self, expr)
        self.number(id(expr))
        return type(expr), expr.dtype, parts


SINGLE: dict[type, Callable[[Signature, Any], Hashable]] = {
    Axis: Signature.axis, Index: Signature.index, Buffer: Signature.buffer, Node: Signature.node, Quotient: Signature.quotient,
    Remainder: Signature.quotient, Indirect: Signature.indirect}

EXPRESSIONS: dict[type, Callable[[Signature, Any], Hashable]] = {
    Load: lambda s, e: (s.buffer(e.buffer), s.index(e.offset)),
    Literal: lambda s, e: (type(e.value), repr(e.value)),
    Position: lambda s, e: s.index(e.index),
    Compute: lambda s, e: (s.node(e.node), s.value(e.args)),
    Select: lambda s, e: (s.value(e.conditions), s.value(e.inner), s.value(e.fill)),
    BoundsChecked: lambda s, e: (s.value(e.inner), e.size, s.node(e.node)),
    AccumulatorRef: lambda s, e: None,
    Carried: lambda s, e: e.index,
}


def params_key(node: Node) -> Hashable:
    """The parameters of an operation: numbers by their texts, as 0.0 and -0.0, or 1 and True, are equal."""
    return tuple([(name, value if hashed_whole(value) else repr(value)) for name, value in sorted(node.params.items())])


def hashed_whole(value: object) -> bool:
    """Whether a parameter is no number, nor a row of them."""
    return not isinstance(value, (bool, int, float, complex, tuple, str))
