"""The body of a loop: a closed graph with numbered inputs, a parameter of the operation that repeats it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import user_location
from .build import Variable, variable
from .node import Node, intern
from .walk import rebuild, topological


class Body:
    """A graph from inputs to outputs. Two bodies that compute the same are equal, as their inputs are named by number alone.

    Its leaves are its inputs and single numbers: whatever else it reads comes in as an input.
    """

    __slots__ = ("inputs", "outputs")

    def __init__(self, inputs: Sequence[Node], outputs: Sequence[Node]) -> None:
        """The graph `outputs` of the nodes `inputs`, which may be any nodes: the graph above them is not entered."""
        self.inputs = tuple(numbered(i, node) for i, node in enumerate(inputs))
        self.outputs = tuple(replace(outputs, dict(zip(inputs, self.inputs))))

    def of(self, inputs: Sequence[Node]) -> list[Node]:
        """The outputs as a graph of other inputs."""
        return replace(self.outputs, dict(zip(self.inputs, inputs)))

    def fresh(self) -> tuple[list[Node], list[Node]]:
        """(inputs, outputs) with variables of their own, different from those of any other graph."""
        inputs = [variable(node.shape, node.dtype) for node in self.inputs]
        return inputs, self.of(inputs)

    def nodes(self) -> list[Node]:
        """All nodes, those of the bodies of its loops behind their own."""
        return with_bodies(topological(self.outputs))

    def __hash__(self) -> int:
        return hash((self.inputs, self.outputs))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and self.inputs == other.inputs and self.outputs == other.outputs

    def __repr__(self) -> str:
        return f"<body of {len(self.inputs)} inputs and {len(self.outputs)} outputs>"


def numbered(number: int, like: Node) -> Node:
    """Input `number` of any body, of this shape and type: always the same node."""
    return intern(Variable, (), {"serial": -1 - number, "name": "input"}, like.shape, like.dtype)


def replace(outputs: Sequence[Node], known: Mapping[Node, Node]) -> list[Node]:
    """The outputs rebuilt on other inputs; new nodes keep the user's lines."""
    here = user_location()

    def make(node: Node, args: tuple[Node, ...]) -> Node:
        made = node.op.make(*args, **node.params)
        if made.location == here:
            made.location, made.region = node.location, node.region
        return made

    return rebuild(outputs, dict(known), make)


def with_bodies(order: Sequence[Node]) -> list[Node]:
    """Nodes in order, behind each loop the nodes of its body."""
    nodes = []
    for node in order:
        nodes.append(node)
        nodes += [inner for body in node.params.values() if isinstance(body, Body) for inner in body.nodes()]
    return nodes
