"""Observers: what only looks at the values of a program and changes nothing of how they are computed.

A statistic reads a value through an `observe` node. No rewrite rule sees through one, so the rest of the graph is rewritten as if
nobody looked. Where loops are planned, observers have kernels of their own, and what they read counts no reader more. So each kernel
of the rest is the one that it would be without them: it computes the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.build import Constant, Variable, build_node
from ..graph.node import Node
from ..graph.walk import topological


def observers(roots: Sequence[Node]) -> set[Node]:
    """The nodes that only observers need; those that they read through `observe` are not among them."""
    order = topological(roots)
    observing: set[Node] = set()
    for node in order:
        if node.op.observes or not observing.isdisjoint(node.args):
            observing.add(node)
    return set(order).difference(topological([root for root in roots if root not in observing])) if observing else set()


def separate_observers(roots: Sequence[Node]) -> list[Node]:
    """The roots, where everything that an observer reads of the rest is read through `observe`.

    Rewriting may have left a value to observers alone, which is then computed from values of the rest.
    """
    apart = observers(roots)
    if not apart:
        return list(roots)
    new: dict[Node, Node] = {}

    def seen(node: Node, arg: Node) -> Node:
        return new[arg] if node.op.observes or arg in apart or arg.op in (Constant, Variable) else build_node("observe", (arg,), {})

    for node in topological(roots):
        new[node] = node.op.make(*(seen(node, arg) for arg in node.args), **node.params) if node in apart and node.args else node
    return [new[root] for root in roots]
