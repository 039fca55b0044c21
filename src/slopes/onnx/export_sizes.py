"""Sizes that depend on the batch: graphs traced for several batches are compared, and what differs is a linear function of the batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import line_text
from ..graph.body import Body
from ..graph.build import Constant, Variable
from ..graph.node import Node
from ..graph.shape import Shape
from ..graph.walk import topological

Sizes3 = tuple[int, int, int]
STARTS = ((5, 12), (13, 22), (43, 58), (1009, 90))  # the least batch, and how far the greatest one is from it


@dataclass(frozen=True)
class Dim:
    """The size slope * batch + offset, with a slope other than 0."""

    slope: int
    offset: int

    def __str__(self) -> str:
        """Its name in an ONNX shape: `batch`, `2*batch+1`."""
        return ("batch" if self.slope == 1 else f"{self.slope}*batch") + (f"{self.offset:+d}" if self.offset else "")


Size = int | Dim
Sizes = tuple[Size, ...]


def batch_sizes(taken: Iterable[int]) -> Iterator[Sizes3]:
    """Batches for which a network can be traced, to be tried in this order: where one is a size inside of the network, its graph differs.

    Of three batches, none is a size of the inputs or weights (`taken`); two are neighbours and one is farther away, so that no remainder
    of a division follows one line. They are small: networks that compute large batches in parts do not do so yet.
    """
    taken = set(taken)
    for first, step in STARTS:
        yield next((n, n + 1, n + step) for n in itertools.count(first) if taken.isdisjoint((n, n + 1, n + step)))


class BakedIn(Exception):
    """The graphs of two batch sizes differ in more than sizes; the text says where."""


class SizeTable:
    """The shapes and parameters of the nodes of one graph, in which sizes that depend on the batch are `Dim`s.

    `graphs` are the roots of the same function traced for each of `batches`; the first is the one that is asked about. One graph
    alone has fixed sizes.
    """

    def __init__(self, graphs: Sequence[Sequence[Node]], batches: Sequence[int]) -> None:
        self.batches = batches
        self.partners: dict[Node, tuple[Node, ...]] = {}
        self.symbolic: dict[Node, tuple[Sizes, dict[str, Any]]] = {}
        self.numbers: dict[Node, Dim] = {}
        if len(graphs) > 1:
            self.compare(graphs)

    def shape(self, node: Node) -> Sizes:
        """The sizes of the axes."""
        return self.symbolic[node][0] if node in self.symbolic else node.shape

    def param(self, node: Node, name: str) -> Any:
        """A parameter of the operation."""
        return self.symbolic[node][1][name] if node in self.symbolic else node.params[name]

    def is_fixed(self, node: Node) -> bool:
        """Whether neither its shape nor its parameters depend on the batch, nor its value if it is a constant."""
        return node not in self.symbolic and node not in self.numbers

    def compare(self, graphs: Sequence[Sequence[Node]]) -> None:
        """Pair the nodes of graphs that compute the same for other batches."""
        orders = [topological(roots) for roots in graphs]
        if len({len(order) for order in orders}) > 1:
            raise BakedIn(f"it has {len(orders[0])} operations for a batch of {self.batches[0]}, {len(orders[1])} for {self.batches[1]}")
        for nodes in zip(*orders):
            self.pair(nodes)

    def pair(self, nodes: tuple[Node, ...]) -> None:
        """Note that these nodes are the same one for other batches."""
        first, others = nodes[0], nodes[1:]
        if self.partners.setdefault(first, others) != others:
            raise BakedIn(f"{describe(first)} is one value for a batch of {self.batches[0]} and several for others")
        if all(node is first for node in others):
            return
        if any(node.op is not first.op or node.dtype != first.dtype or len(node.shape) != len(first.shape) for node in others):
            raise BakedIn(f"{describe(first)} is {describe(others[0])} for a batch of {self.batches[1]}")
        if first.op is Constant:
            self.pair_constants(nodes)
            return
        shape = tuple(map(self.size, *(node.shape for node in nodes)))
        names = [name for name in first.params if not (first.op is Variable and name == "serial")]
        params = {name: self.combine(first, [node.params[name] for node in nodes]) for name in names}
        if shape != first.shape or any(params[name] != first.params[name] for name in names):
            self.symbolic[first] = shape, params

    def pair_constants(self, nodes: tuple[Node, ...]) -> None:
        """Constants of other values: a number that counts examples depends on the batch."""
        values = [node.value for node in nodes]
        if any(value is None or value.shape != () or value != np.floor(value) for value in values):
            raise BakedIn(f"a constant {nodes[0].dtype}{list(nodes[0].shape)} has other values for another batch")
        dim = self.size(*(int(value) for value in values if value is not None))
        if isinstance(dim, Dim):
            self.numbers[nodes[0]] = dim

    def combine(self, node: Node, values: Sequence[Any]) -> Any:
        """The values of one parameter for each batch as one value, with `Dim`s where they differ."""
        first = values[0]
        if isinstance(first, Body):
            self.pair_bodies(values)
            return first
        if isinstance(first, tuple) and len({len(value) for value in values}) == 1:
            return tuple(self.combine(node, parts) for parts in zip(*values))
        if all(value == first for value in values):
            return first
        if isinstance(first, int) and not isinstance(first, bool):
            return self.size(*values)
        raise BakedIn(f"a parameter of {describe(node)} is {first!r}, {values[1]!r} for another batch")

    def pair_bodies(self, bodies: Sequence[Body]) -> None:
        """Pair the nodes of the bodies of a loop."""
        inputs = list(zip(*(body.inputs for body in bodies)))
        orders = [topological(body.outputs) for body in bodies]
        if len({len(order) for order in orders}) > 1:
            raise BakedIn("the step of a loop has other operations for another batch")
        for nodes in [*inputs, *zip(*orders)]:
            self.pair(nodes)

    def size(self, *values: int) -> Size:
        """The size that has these values for the batches."""
        (a, b, c), (x, y, z) = values, self.batches
        slope, rest = divmod(b - a, y - x)
        if rest or c != a + slope * (z - x):
            raise BakedIn(f"a size is {a}, {b} and {c} for batches of {x}, {y} and {z}, which is no multiple of the batch plus a number")
        return Dim(slope, a - slope * x) if slope else a


def describe(node: Node) -> str:
    """`reshape float32[3, 4] in net[0]`."""
    layer = f" in {node.layer}" if node.layer else f" built at {line_text(node.location)}"
    return f"{node.op.name} {node.dtype}{list(node.shape)}" + (layer if node.args else "")


def times(sizes: Iterable[Size]) -> Size | None:
    """The product of sizes; None where more than one depends on the batch."""
    total: Size = 1
    for size in sizes:
        if isinstance(total, Dim) and isinstance(size, Dim):
            return None
        if isinstance(size, Dim):
            total, size = size, total
        total = scaled(total, size) if isinstance(size, int) else total
    return total


def scaled(size: Size, by: int) -> Size:
    """A size times a whole number."""
    if isinstance(size, int):
        return size * by
    return Dim(size.slope * by, size.offset * by) if by else 0


def broadcast(shapes: Sequence[Sizes]) -> Sizes | None:
    """The shape to which these broadcast, None if they do not."""
    rank = max((len(shape) for shape in shapes), default=0)
    result: list[Size] = []
    for column in zip(*((1,) * (rank - len(shape)) + tuple(shape) for shape in shapes)):
        sizes = {size for size in column if size != 1}
        if len(sizes) > 1:
            return None
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


def known_value(node: Node, values: Mapping[Node, np.ndarray]) -> np.ndarray | None:
    """The value of a node whose arguments are all known."""
    if node.value is not None:
        return node.value
    args = [values.get(arg) for arg in node.args]
    if any(arg is None for arg in args) or node.op is Variable:
        return None
    return np.asarray(node.op.compute(*args, **node.params))


def fixed_shape(sizes: Sizes) -> Shape | None:
    """The shape as whole numbers, None where it depends on the batch."""
    numbers = tuple(size for size in sizes if isinstance(size, int))
    return numbers if len(numbers) == len(sizes) else None
