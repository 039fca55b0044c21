"""Elements that a choice does not take have gradient 0, and keep it on the way back, whatever the derivatives of that branch are.

Of where(x > 0, sqrt(x), x) the gradient for sqrt is 0 at x = -1, and so would be that for x, were the derivative of sqrt not NaN there,
and 0 * NaN not NaN. So the elements of a gradient that no choice took are remembered while it passes element by element through
functions that are not finite everywhere, and are put back to 0 behind each of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.build import build, constant
from ..graph.node import Node
from ..ops.elementwise import BitwiseInvert, BitwiseOr, Multiply, Where
from ..ops.reduce import respread


def unbounded_nodes(order: Sequence[Node]) -> set[Node]:
    """The nodes computed element by element from an unbounded function: they may be infinite or NaN."""
    unbounded: set[Node] = set()
    for node in order:
        if not node.op.bounded or (node.op.kind == "elementwise" and any(arg in unbounded for arg in node.args)):
            unbounded.add(node)
    return unbounded


def untaken(node: Node, above: Node | None) -> Sequence[Node | None]:
    """For each argument, where its gradient is 0 because no choice takes it; `above`: where the gradient of the node itself is.

    None stands for nowhere, or where that is not followed.
    """
    choices = node.op.untaken(node, *node.args, **node.params) or (None,) * len(node.args)
    passed = (None,) * len(node.args) if above is None else pass_on(node, above)
    return [either(mask, choice) for mask, choice in zip(passed, choices)]


def either(a: Node | None, b: Node | None) -> Node | None:
    return b if a is None else a if b is None else a | b


def pass_on(node: Node, above: Node) -> Sequence[Node | None]:
    """For each argument, the elements that influence only these elements of the node."""
    if node.op.kind == "elementwise":
        return (above,) * len(node.args)
    if node.op.reads_once and node.op.linear(node):  # its pullback takes each gradient to the elements that it came from, unchanged
        return node.op.pullback(above, node, *node.args, **node.params)
    if node.op.kind == "reduce" and node.op.reads_once:
        return (respread(above, node.args[0], node.params["axes"]),)
    if node.op.broadcasts:
        return (narrow(above, node.args[0]),)
    return (None,) * len(node.args)


def narrow(above: Node, arg: Node) -> Node | None:
    """The mask of an argument from that of its broadcast; None where the copies have different masks."""
    if above.op.broadcasts:
        return above.args[0] if above.args[0].shape == arg.shape else None
    if above.op not in (BitwiseInvert, BitwiseOr):
        return None
    parts = [part for question in above.args if (part := narrow(question, arg)) is not None]
    return above.op.make(*parts) if len(parts) == len(above.args) else None


def settle(node: Node, position: int, part: Node, above: Node | None, unbounded: set[Node]) -> Node:
    """The gradient of an argument, put back to 0 where that of the node is 0 but the node's derivative may not be finite."""
    if above is None or not may_unsettle(node, position, unbounded):
        return part
    arg = node.args[position]
    if arg.op is Where and arg.args[0] is above:  # which does so itself
        return part
    return build("where", above, constant(0, part.dtype), part)


def may_unsettle(node: Node, position: int, unbounded: set[Node]) -> bool:
    """Whether 0 times the derivative by an argument may be NaN."""
    return not node.op.bounded or (node.op is Multiply and node.args[1 - position] in unbounded)
