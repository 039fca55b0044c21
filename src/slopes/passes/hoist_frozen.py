"""What depends on fixed variables alone (weights, in evaluation mode) becomes a graph of its own, computed once for many calls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ..graph.build import Variable, variable
from ..graph.node import Node
from ..graph.walk import substitute, topological
from .fuse import has_own_kernel


def hoist_frozen(roots: Sequence[Node], fixed: Collection[Node]) -> tuple[list[Node], dict[Node, Node]]:
    """(roots in terms of new variables, the value of each new variable).

    The values depend on `fixed` variables alone, and contain work that cannot be done element by element where they are read."""
    if not fixed:
        return list(roots), {}
    order = topological(roots)
    steady = depends_only_on(order, fixed)
    worth: set[Node] = set()
    for node in order:
        if node in steady and (has_own_kernel(node) or any(arg in worth for arg in node.args)):
            worth.add(node)
    edge = dict.fromkeys(arg for node in order if node not in steady for arg in node.args if arg in worth)
    stand_ins = {node: variable(node.shape, node.dtype, "prepared") for node in edge}
    return substitute(roots, stand_ins), {stand_in: node for node, stand_in in stand_ins.items()}


def depends_only_on(order: Iterable[Node], fixed: Collection[Node]) -> set[Node]:
    """The nodes that depend on fixed variables and on nothing else but constants; not those that depend on constants alone."""
    if not fixed:
        return set()
    steady: set[Node] = set()
    constants: set[Node] = set()
    for node in order:
        if node.op is Variable:
            if node in fixed:
                steady.add(node)
        elif all(arg in steady or arg in constants for arg in node.args):
            (steady if any(arg in steady for arg in node.args) else constants).add(node)
    return steady
