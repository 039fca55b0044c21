"""Groups of nodes that compute the same from other values, as in equal layers, are planned once: the others get copies of the kernels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields
from typing import TypeVar

from ..graph.build import Constant, Variable
from ..graph.node import Node
from ..passes.fuse import Group
from .kernels import Kernel, Reduction
from .nest import BoundsChecked, Buffer, BufferMap, Compute, Expr, Load, PackedRows, Select, Store
from .signature import params_key

T = TypeVar("T")


@dataclass
class Reach:
    """What the kernels of a group depend on.

    nodes    those of the group, and those that it reads, down to values in memory
    buffers  of the values in memory, those that it writes among them
    key      equal for groups whose kernels differ in nodes and buffers only
    """

    nodes: list[Node]
    buffers: list[Buffer]
    key: Hashable


@dataclass
class Planned:
    """The kernels of a group, and what they pack that others may read."""

    reach: Reach
    kernels: list[Kernel]
    packed: dict[PackedRows, Buffer]


class EqualGroups:
    """The kernels of the groups that are planned so far."""

    def __init__(self, buffers: BufferMap, plan: Callable[[Group], list[Kernel]]) -> None:
        self.buffers, self.plan = buffers, plan
        self.planned: dict[Hashable, Planned] = {}

    def kernels_of(self, group: Group) -> list[Kernel]:
        """The kernels of a group: planned, or copies of those of an equal one."""
        if self.buffers.axis is not None or self.buffers.outside:
            return self.plan(group)  # what is read may move with a loop around
        reach, known = reach_of(group, self.buffers), self.buffers.packed
        first = self.planned.get(reach.key)
        if first is not None:
            copier = Copier(first.reach, reach)
            packed = {form._replace(source=copier.buffer(form.source)): buffer for form, buffer in first.packed.items()}
            if not known.keys() & packed.keys():
                known.update({form: copier.buffer(buffer) for form, buffer in packed.items()})
                return copier.kernels(first.kernels)
        before = dict(known)
        kernels = self.plan(group)
        if may_copy(kernels, before):
            self.planned[reach.key] = Planned(reach, kernels, {form: known[form] for form in known if form not in before})
        return kernels


def may_copy(kernels: Sequence[Kernel], packed: Mapping[PackedRows, Buffer]) -> bool:
    """Not where a kernel reads what another group has packed, nor where data says which elements are read."""
    shared = set(packed.values())
    return not any(isinstance(expr, BoundsChecked) or (isinstance(expr, Load) and expr.buffer in shared)
                   for kernel in kernels for expr in kernel.computed)


def reach_of(group: Group, buffers: BufferMap) -> Reach:
    """Follow the arguments of a group's nodes to the values in memory."""
    members = {*group.nodes, *([] if group.root is None else [group.root])}
    numbers: dict[Node, int] = {}
    owners: dict[Buffer, int] = {}
    parts: list[Hashable] = []
    stack = [(node, False) for node in reversed(group.nodes)]
    while stack:
        node, complete = stack.pop()
        if node in numbers:
            continue
        read = node in buffers and node not in members
        if not complete and not read and node.args:
            stack.append((node, True))
            stack += [(arg, False) for arg in reversed(node.args)]
            continue
        numbers[node] = len(numbers)
        memory = memory_key(buffers[node], owners) if node in buffers else None
        parts.append((memory, node.dtype, node.shape, None if read else computation_key(node, numbers), node in members))
    root = None if group.root is None else numbers[group.root]
    key = tuple(parts), root, tuple([numbers[node] for node in group.nodes]), tuple([numbers[node] for node in group.stored])
    return Reach(list(numbers), list(owners), key)


def memory_key(buffer: Buffer, owners: dict[Buffer, int]) -> Hashable:
    return owners.setdefault(buffer, len(owners)), buffer.kind, buffer.size, buffer.dtype, buffer.strides


def computation_key(node: Node, numbers: dict[Node, int]) -> Hashable:
    """The operation of a node and its arguments by their numbers; a constant's value; a variable is like no other."""
    if node.op is Constant and node.value is not None:
        return Constant, node.value.tobytes()
    if node.op is Variable:
        return Variable, node
    return node.op, params_key(node), tuple([numbers[arg] for arg in node.args])


class Copier:
    """Copies kernels of one group for another, in whose terms they refer to other nodes and buffers; loops and indices are the same."""

    def __init__(self, first: Reach, other: Reach) -> None:
        self.nodes = dict(zip(first.nodes, other.nodes))
        self.buffers = dict(zip(first.buffers, other.buffers))
        self.made: dict[int, object] = {}  # by the id of what was copied

    def kernels(self, kernels: Sequence[Kernel]) -> list[Kernel]:
        return [self.kernel(kernel) for kernel in kernels]

    def kernel(self, kernel: Kernel) -> Kernel:
        for expr in kernel.computed:
            self.made[id(expr)] = self.expression(expr)
        result = copy(kernel)
        del result.computed  # of the first
        for field in fields(kernel):
            setattr(result, field.name, self.value(getattr(kernel, field.name)))
        return result

    def value(self, value: T) -> T:
        """A field of a kernel, or an item of it."""
        if isinstance(value, (list, tuple)):
            return type(value)([self.value(item) for item in value])  # type: ignore[return-value]
        if isinstance(value, Node):
            return self.nodes.get(value, value)  # type: ignore[return-value]
        if isinstance(value, Buffer):
            return self.buffer(value)  # type: ignore[return-value]
        if isinstance(value, (Store, Reduction)):
            return self.once(value, self.record)
        return self.made.get(id(value), value)  # type: ignore[return-value]

    def once(self, value: T, make: Callable[[T], T]) -> T:
        """One copy of what occurs several times."""
        if id(value) not in self.made:
            self.made[id(value)] = make(value)
        return self.made[id(value)]  # type: ignore[return-value]

    def record(self, value: T) -> T:
        result = copy(value)
        for field in fields(value):  # type: ignore[arg-type]
            setattr(result, field.name, self.value(getattr(value, field.name)))
        return result

    def buffer(self, buffer: Buffer) -> Buffer:
        """The other group's buffer; one that belongs to the kernels alone is made again."""
        if buffer not in self.buffers:
            self.buffers[buffer] = Buffer(buffer.kind, buffer.size, buffer.dtype, self.value(buffer.node), buffer.number, buffer.name)
        return self.buffers[buffer]

    def expression(self, expr: Expr) -> Expr:
        """The copy of an expression whose arguments are copied."""
        result: Load | Compute | Select
        if isinstance(expr, Load):
            result = Load.__new__(Load)  # whose axes need not be found again
            result.buffer, result.offset = self.buffer(expr.buffer), expr.offset
        elif isinstance(expr, Compute):
            result = Compute.__new__(Compute)
            result.node, result.args = self.nodes.get(expr.node, expr.node), self.value(expr.args)
        elif isinstance(expr, Select):
            result = Select.__new__(Select)
            result.conditions, result.inner, result.fill = expr.conditions, self.value(expr.inner), self.value(expr.fill)
        else:
            return expr
        result.dtype, result.axes = expr.dtype, expr.axes
        return result
