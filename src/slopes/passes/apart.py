"""What depends on fixed values alone (weights, while a network is used): a graph of its own, computed once for many calls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ..graph.node import Node
from ..graph.operation import Variable, variable
from ..graph.walk import substitute, topological

SIMPLE = ("elementwise", "move", "leaf")  # kinds of operations that are no work beside reading their operands


def set_apart(roots: Sequence[Node], fixed: Collection[Node]) -> tuple[list[Node], dict[Node, Node]]:
    """(the roots in terms of new variables, what each of these stands for): values of more than elementwise work, made of the `fixed`
    variables and constants alone, as far as they reach."""
    order = topological(roots)
    steady = made_of(order, fixed)
    worth: set[Node] = set()
    for node in order:
        if node in steady and (node.op.kind not in SIMPLE or any(arg in worth for arg in node.args)):
            worth.add(node)
    edge = dict.fromkeys(arg for node in order if node not in steady for arg in node.args if arg in worth)
    stand_ins = {node: variable(node.shape, node.dtype, "prepared") for node in edge}
    return substitute(roots, stand_ins), {stand_in: node for node, stand_in in stand_ins.items()}


def made_of(order: Iterable[Node], fixed: Collection[Node]) -> set[Node]:
    """The nodes whose only variables are the fixed ones."""
    found: set[Node] = set()
    for node in order:
        if node in fixed if node.op is Variable else all(arg in found for arg in node.args):
            found.add(node)
    return found
