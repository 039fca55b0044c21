"""What a choice does not take: its gradient is 0 there, and stays 0 on its way back, whatever the derivatives of that branch are.

Of where(x > 0, sqrt(x), x) the gradient for sqrt is 0 at x = -1, and so would be that for x, were the derivative of sqrt not NaN there,
and 0 * NaN not NaN. So the elements of a gradient that no choice took are remembered while it passes element by element through
functions that are not finite everywhere, and are put back to 0 behind each of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.node import Node
from ..graph.operation import build, constant
from ..ops.reduce import respread

UNBOUNDED = frozenset({"acos", "acosh", "asin", "atanh", "cosh", "divide", "exp", "expm1", "log", "log1p", "pow", "rsqrt", "sinh", "sqrt",
                       "tan"})  # neither they nor their derivatives are finite for all finite arguments
EXTREMES = {"maximum": ("less", "greater"), "minimum": ("greater", "less")}  # how the arguments compare where one is not taken


def unbounded_nodes(order: Sequence[Node]) -> set[Node]:
    """The nodes that an unbounded function leads to, element by element: they may be infinite or NaN."""
    unbounded: set[Node] = set()
    for node in order:
        if node.op.name in UNBOUNDED or (node.op.kind == "elementwise" and any(arg in unbounded for arg in node.args)):
            unbounded.add(node)
    return unbounded


def untaken(node: Node, above: Node | None) -> Sequence[Node | None]:
    """For each argument, where its gradient is 0 because no choice takes it; `above`: where the gradient of the node itself is.

    None stands for nowhere, or where that is not followed.
    """
    name, args = node.op.name, node.args
    if name == "where":
        return None, either(above, ~args[0]), either(above, args[0])
    if name in EXTREMES:
        return [either(above, build(compare, *args)) for compare in EXTREMES[name]]
    if name in ("max", "min"):
        behind = None if above is None else respread(above, args[0], node.params["axes"])
        return (either(behind, build("not_equal", args[0], respread(node, args[0], node.params["axes"]))),)
    return [None if above is None else moved(node, arg, above) for arg in args]


def either(a: Node | None, b: Node) -> Node:
    return b if a is None else a | b


def moved(node: Node, arg: Node, above: Node) -> Node | None:
    """Elements of a node, as those elements of its argument that lead to no others."""
    if node.op.kind == "elementwise":
        return above
    if node.op.name == "reshape":
        return build("reshape", above, shape=arg.shape)
    if node.op.name == "permute":
        axes = node.params["axes"]
        return build("permute", above, axes=tuple(axes.index(axis) for axis in range(arg.ndim)))
    if node.op.name == "sum":
        return respread(above, arg, node.params["axes"])
    return narrowed(above, arg) if node.op.name == "expand" else None


def narrowed(above: Node, arg: Node) -> Node | None:
    """The question behind one that was repeated as `arg` is; None where each repetition asks another, for all of which none would do."""
    if above.op.name == "expand":
        return above.args[0] if above.args[0].shape == arg.shape else None
    if above.op.name not in ("bitwise_invert", "bitwise_or"):
        return None
    parts = [part for each in above.args if (part := narrowed(each, arg)) is not None]
    return above.op.make(*parts) if len(parts) == len(above.args) else None


def settled(node: Node, number: int, part: Node, above: Node | None, unbounded: set[Node]) -> Node:
    """The gradient of an argument, put back to 0 where that of the node is 0 but the node's derivative may not be finite."""
    if above is None or not unsettles(node, number, unbounded):
        return part
    arg = node.args[number]
    if arg.op.name == "where" and arg.args[0] is above:  # which does so itself
        return part
    return build("where", above, constant(0, part.dtype), part)


def unsettles(node: Node, number: int, unbounded: set[Node]) -> bool:
    """Whether 0 times the derivative by an argument may be NaN."""
    return node.op.name in UNBOUNDED or (node.op.name == "multiply" and node.args[1 - number] in unbounded)
