"""Reverse mode: gradients pulled back through a graph, each computed once and summed over all users; the result is a graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import GradientError, line_text
from ..graph.dtype import is_inexact
from ..graph.node import Node
from ..graph.scopes import scopes
from ..graph.walk import topological
from .untaken import settle, unbounded_nodes, untaken


def pull_back(outputs: Sequence[Node], seeds: Sequence[Node], wrt: Sequence[Node]) -> list[Node | None]:
    """For each node of `wrt`, the gradient of sum(seeds * outputs); None where no output depends on it differentiably.

    Every operation's pullback is asked once, in reverse topological order, with the sum of what its users sent; so a gradient
    has its node's shape, and the gradients are graphs that can be differentiated again. What a pullback makes is in the region of
    gradients of its node's region.
    """
    sources = set(wrt)
    order = topological(outputs)
    active = active_nodes(order, sources)
    unbounded = unbounded_nodes(order)
    gradients: dict[Node, Node] = {}
    idle: dict[Node, Node] = {}  # where the gradient of a node is 0, as no choice takes these elements
    for output, seed in zip(outputs, seeds):
        if output in active:
            check_seed(output, seed)
            accumulate(gradients, output, seed)
    outer = scopes.region
    try:
        for node in reversed(order):
            if node in gradients and node.args and node in active:
                scopes.region = node.region and node.region.gradient
                send(node, gradients, active, idle, unbounded)
                if node not in sources:
                    del gradients[node]
    finally:
        scopes.region = outer
    return [gradients.get(node) for node in wrt]


def active_nodes(order: Iterable[Node], sources: set[Node]) -> set[Node]:
    """The nodes of inexact type that are sources or computed from one: only these carry gradients."""
    active: set[Node] = set()
    for node in order:
        if is_inexact(node.dtype) and (node in sources or any(arg in active for arg in node.args)):
            active.add(node)
    return active


def send(node: Node, gradients: dict[Node, Node], active: set[Node], idle: dict[Node, Node], unbounded: set[Node]) -> None:
    """Propagate a node's gradient to its arguments."""
    if not any(arg in active for arg in node.args):
        return
    parts = node.op.pullback(gradients[node], node, *node.args, **node.params)
    if len(parts) != len(node.args):
        raise GradientError(f"pullback of {node.op.name}: {len(parts)} gradients for {len(node.args)} arguments",
                            why="this is a fault in the operation's pullback", where=f"built at {line_text(node.location)}")
    above = idle.get(node)
    for position, (arg, part, zero) in enumerate(zip(node.args, parts, untaken(node, above))):
        if part is not None and arg in active:
            check_gradient(node, arg, part)
            note_idle(arg, zero, gradients, idle)
            accumulate(gradients, arg, settle(node, position, part, above, unbounded))


def note_idle(node: Node, zero: Node | None, gradients: dict[Node, Node], idle: dict[Node, Node]) -> None:
    """Where another part of a node's gradient is 0: the sum is so where all parts are, and followed while these agree."""
    if node not in gradients and zero is not None:
        idle[node] = zero
    elif idle.get(node) is not zero:
        idle.pop(node, None)


def accumulate(gradients: dict[Node, Node], node: Node, part: Node) -> None:
    gradients[node] = gradients[node] + part if node in gradients else part


def check_gradient(node: Node, arg: Node, part: Node) -> None:
    if part.shape == arg.shape and part.dtype == arg.dtype:
        return
    raise GradientError(f"pullback of {node.op.name}: gradient {part.dtype}{list(part.shape)} "
                        f"for an argument {arg.dtype}{list(arg.shape)}",
                        why="a gradient has its variable's shape and type; this is a fault in the operation's pullback",
                        where=f"{node.op.name} built at {line_text(node.location)}")


def check_seed(output: Node, seed: Node) -> None:
    if seed.shape == output.shape and seed.dtype == output.dtype:
        return
    raise GradientError(f"gradient of shape {seed.shape} and type {seed.dtype} for an output of shape {output.shape} "
                        f"and type {output.dtype}", why="the gradient to start from has the output's shape and type",
                        repair=f"give one of shape {output.shape} and type {output.dtype}")
