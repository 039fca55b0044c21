"""Iterative walks over graphs: depth is no limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .node import Node

if TYPE_CHECKING:
    from .node import Operation


def topological(roots: Iterable[Node], stop: Callable[[Node], bool] = lambda node: False) -> list[Node]:
    """Every node that the roots need, arguments before users; nodes for which `stop` holds are listed but not entered."""
    done: dict[Node, None] = {}
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, ready = stack.pop()
        if node in done:
            continue
        if ready or not node.args or stop(node):
            done[node] = None
            continue
        stack.append((node, True))
        stack.extend((arg, False) for arg in reversed(node.args) if arg not in done)
    return list(done)


def performs(order: Iterable[Node], *operations: type[Operation]) -> bool:
    """Whether any of the nodes performs one of these operations."""
    return any(node.op in operations for node in order)


def users(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    """For each node, the nodes among `nodes` that take it as an argument, one entry per use."""
    nodes = list(nodes)
    readers: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        for arg in node.args:
            readers.setdefault(arg, []).append(node)
    return readers


def substitute(roots: Iterable[Node], replacements: dict[Node, Node]) -> list[Node]:
    """The roots with some nodes replaced, rebuilt where an argument changed."""
    return rebuild(roots, replacements, lambda node, args: node.op.make(*args, **node.params))


def rebuild(roots: Iterable[Node], known: dict[Node, Node], make: Callable[[Node, tuple[Node, ...]], Node]) -> list[Node]:
    """Rebuild graphs bottom-up: `make(node, new arguments)` is asked wherever an argument changed or `make` must see all nodes."""
    roots = list(roots)
    new = dict(known)
    for node in topological(roots, stop=lambda node: node in known):
        if node in new:
            continue
        args = tuple(new[arg] for arg in node.args)
        new[node] = node if args == node.args else make(node, args)
    return [new[root] for root in roots]


def rebuild_all(order: Iterable[Node], roots: Iterable[Node], make: Callable[[Node, tuple[Node, ...]], Node]) -> list[Node]:
    """Rebuild graphs bottom-up: `make(node, new arguments)` is asked for every node of the topological `order` that has arguments."""
    new: dict[Node, Node] = {}
    for node in order:
        new[node] = make(node, tuple(new[arg] for arg in node.args)) if node.args else node
    return [new[root] for root in roots]
