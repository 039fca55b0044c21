"""The derivative of a convolution with respect to its input, said as a convolution: windows of the padded gradient, flipped weights.

The pullback of a window adds overlapping windows up. When these are a contraction of a gradient with weights, adding first and
multiplying later is the same sum in another order:

    dx[i] = sum over k of (G * W)[(i - k d) / s, k] = sum over j of pad(G)[i + j d] * W[K - 1 - j]

which never writes the windows to memory and runs on the same packed kernel as the forward convolution. But it multiplies
padding with weights: where that more than WASTE times the products (a valid convolution on a small picture, a stride), multiplying
first and adding overlaps later is cheaper, with the windows laid out so that neighbouring sums read neighbouring memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..graph.node import Node
from ..graph.operation import build_node
from ..graph.walk import rebuild, topological


def convolve_gradients(roots: Sequence[Node]) -> list[Node]:
    """Every unwindow of a contraction that separates into a gradient and weights, rewritten as a contraction of windows."""
    if not any(node.op.name == "unwindow" for node in topological(roots)):
        return list(roots)
    known: dict[Node, Node] = {}
    for node in topological(roots):
        if node.op.name == "unwindow" and node.args[0].op.name == "contract":
            found = separated(node)
            if found is not None:
                source, = rebuild([node.args[0]], known, lambda each, args: each.op.make(*args, **each.params))
                known[node] = (multiplied_first if wastes(node) else convolved)(node, source, *found)
    return rebuild(roots, known, lambda each, args: each.op.make(*args, **each.params))


WASTE = 1.8


def wastes(node: Node) -> bool:
    """Whether the convolution of the padded gradient takes many more products than the windows hold."""
    p, counts = node.params, [node.args[0].shape[axis] for axis in node.params["axes"]]
    return prod(p["lengths"]) > WASTE * prod(counts)


def multiplied_first(node: Node, product: Node, which: int, counts: tuple[int, ...], inside: tuple[int, ...]) -> Node:
    """The same unwindow, of a contraction that stores the places inside a window before the windows' counts."""
    p, rank = product.params, node.ndim
    out = p["out_axes"]
    first = tuple(label for label in out[:rank] if label not in counts)
    order = first + inside + counts
    moved = build_node("contract", product.args, {"a_axes": p["a_axes"], "b_axes": p["b_axes"], "out_axes": order})
    back = build_node("permute", (moved,), {"axes": tuple(order.index(label) for label in out)})
    return build_node("unwindow", (back,), node.params)


def separated(node: Node) -> tuple[int, tuple[int, ...], tuple[int, ...]] | None:
    """(which operand holds the windows' counts, their labels, the labels inside the windows), if no operand holds both."""
    product, axes, rank = node.args[0], node.params["axes"], node.ndim
    out = product.params["out_axes"]
    counts, inside = tuple(out[axis] for axis in axes), tuple(out[rank:])
    sides = product.params["a_axes"], product.params["b_axes"]
    for which in (0, 1):
        g, w = sides[which], sides[1 - which]
        if all(o in g and o not in w for o in counts) and all(k in w and k not in g for k in inside):
            return which, counts, inside
    return None


def convolved(node: Node, product: Node, which: int, counts: tuple[int, ...], inside: tuple[int, ...]) -> Node:
    """The contraction of windows over the gradient with the flipped weights."""
    p, labels = node.params, (product.params["a_axes"], product.params["b_axes"])
    gradient, weights = product.args[which], product.args[1 - which]
    places = tuple(labels[which].index(label) for label in counts)
    for place, stride in zip(places, p["stride"]):
        gradient = spaced(gradient, place, stride)
    widths = [(0, 0)] * gradient.ndim
    for place, k, d, length in zip(places, p["size"], p["dilation"], p["lengths"]):
        widths[place] = (d * (k - 1), length - gradient.shape[place])
    padded = build_node("pad", (gradient,), {"widths": tuple(widths), "value": 0})
    windows = build_node("window", (padded,), {"axes": places, "size": p["size"], "stride": (1,) * len(places), "dilation": p["dilation"]})
    back = tuple(labels[1 - which].index(label) for label in inside)
    flipped = build_node("slice", (weights,), {
        "start": tuple(n - 1 if axis in back else 0 for axis, n in enumerate(weights.shape)),
        "stop": tuple(-1 if axis in back else n for axis, n in enumerate(weights.shape)),
        "step": tuple(-1 if axis in back else 1 for axis in range(weights.ndim))})
    return build_node("contract", (windows, flipped), {
        "a_axes": labels[which] + inside, "b_axes": labels[1 - which], "out_axes": product.params["out_axes"][:node.ndim]})


def spaced(x: Node, axis: int, stride: int) -> Node:
    """x with stride - 1 zeros between neighbours on an axis."""
    n = x.shape[axis]
    if stride == 1 or n == 1:
        return x
    front, back = x.shape[:axis], x.shape[axis + 1:]
    apart = build_node("reshape", (x,), {"shape": (*front, n, 1, *back)})
    widths = [(0, 0)] * apart.ndim
    widths[axis + 1] = (0, stride - 1)
    filled = build_node("pad", (apart,), {"widths": tuple(widths), "value": 0})
    joined = build_node("reshape", (filled,), {"shape": (*front, n * stride, *back)})
    return build_node("slice", (joined,), {"start": (0,) * x.ndim, "stop": (*front, (n - 1) * stride + 1, *back), "step": (1,) * x.ndim})
