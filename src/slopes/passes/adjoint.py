"""Input gradients of convolutions as convolutions: windows of the padded gradient times the flipped weights.

The pullback of a window adds overlapping windows up. When these are a contraction of a gradient with weights, adding first and
multiplying later is the same sum in another order:

    dx[i] = sum over k of (G * W)[(i - k d) / s, k] = sum over j of pad(G)[i + j d] * W[K - 1 - j]

which never writes the windows to memory and runs on the same packed kernel as the forward convolution. But it multiplies
padding with weights. Where that takes more than WASTE times the products (an unpadded convolution of a small image, a stride),
multiplying first and adding overlaps later is cheaper, with the windows laid out so that neighbouring sums read neighbouring memory.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod

from ..costs import OVERLAP, WASTE
from ..graph.build import build_node
from ..graph.node import Node
from ..graph.walk import performs, rebuild_all, topological, users
from ..ops.contract import Contract
from ..ops.move import Slice
from ..ops.window import Unwindow
from .winograd import correlation

Separated = tuple[int, tuple[int, ...], tuple[int, ...]]


def convolve_gradients(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """Rewrite every unwindow: of a separable contraction as a contraction of windows, of strided windows by phases."""
    order = topological(roots)
    if not performs(order, Unwindow):
        return list(roots)
    readers = users(order)
    sliced = {node: part for node in order if node.op is Unwindow and (part := only_slice(node, readers[node], roots)) is not None}
    slices = {part: node for node, part in sliced.items()}

    def make(node: Node, args: tuple[Node, ...]) -> Node:
        new = node.op.make(*args, **node.params)
        if node in slices and args[0].op is Unwindow:
            return best_form(args[0], new)
        return best_form(new, None) if node.op is Unwindow and node not in sliced else new

    return rebuild_all(order, roots, make)


def only_slice(node: Node, readers: Sequence[Node], roots: Sequence[Node]) -> Node | None:
    """The only reader of a node if that is a slice without steps: the gradient of padding drops the border."""
    if len(readers) != 1 or node in roots or readers[0].op is not Slice or set(readers[0].params["step"]) != {1}:
        return None
    return readers[0]


def best_form(node: Node, part: Node | None) -> Node:
    """An unwindow (or a slice of one) in its cheapest form."""
    sides = separate(node) if node.args[0].op is Contract else None
    if sides is not None and (not wastes(node) or has_fewer_products(node, sides)):
        return as_convolution(node, part, *sides)
    summed = by_phases(with_counts_last(node, *sides) if sides is not None else node)
    return summed if part is None else part.op.make(summed, **part.params)


def by_phases(node: Node) -> Node:
    """Overlaps of strided windows, added up without strides: every s-th element meets every s-th position in a window only.

    out[s q + r] = sum over m of g[q - m, r + s m]
    """
    p, g = node.params, node.args[0]
    strided = [j for j, (s, d) in enumerate(zip(p["stride"], p["dilation"])) if s > 1 and d == 1 and p["size"][j] > s]
    if not strided or node.op.disjoint(node):
        return node
    j = strided[0]
    axis, stride, length, inside = p["axes"][j], p["stride"][j], p["lengths"][j], node.ndim + j
    count = -(-length // stride)
    parts = []
    for r in range(stride):
        phase = cut(g, inside, r, stride)
        reached = g.shape[axis] + phase.shape[inside] - 1
        lengths = tuple(reached if i == j else n for i, n in enumerate(p["lengths"]))
        size = tuple(phase.shape[inside] if i == j else n for i, n in enumerate(p["size"]))
        steps = tuple(1 if i == j else n for i, n in enumerate(p["stride"]))
        part = by_phases(build_node("unwindow", (phase,), {**p, "size": size, "stride": steps, "lengths": lengths}))
        widths = tuple((0, count - reached if k == axis else 0) for k in range(node.ndim))
        part = build_node("pad", (part,), {"widths": widths, "value": 0})
        parts.append(build_node("reshape", (part,), {"shape": (*part.shape[:axis + 1], 1, *part.shape[axis + 1:])}))
    side_by_side = build_node("concat", tuple(parts), {"axis": axis + 1})
    joined = build_node("reshape", (side_by_side,), {"shape": (*node.shape[:axis], count * stride, *node.shape[axis + 1:])})
    return cut(joined, axis, 0, 1, length)


def cut(x: Node, axis: int, start: int, step: int, stop: int | None = None) -> Node:
    """x[start:stop:step] along one axis."""
    ends = tuple(stop if stop is not None and i == axis else n for i, n in enumerate(x.shape))
    return build_node("slice", (x,), {"start": tuple(start if i == axis else 0 for i in range(x.ndim)), "stop": ends,
                                      "step": tuple(step if i == axis else 1 for i in range(x.ndim))})


def has_fewer_products(node: Node, sides: Separated) -> bool:
    """Whether the convolution of the padded gradient, in coordinates in which that takes few products, beats adding overlaps."""
    product, convolution = node.args[0], as_convolution(node, None, *sides)
    while convolution.op is Slice:
        convolution = convolution.args[0]
    other_way = correlation(convolution)
    if other_way is None:
        return False
    sizes = dict(zip(product.params["a_axes"], product.args[0].shape))
    summed = prod(n for label, n in sizes.items() if label not in product.params["out_axes"])
    return other_way.cost < product.size * (summed + OVERLAP)


def wastes(node: Node) -> bool:
    """Whether the convolution of the padded gradient takes many more products than the windows hold."""
    p, counts = node.params, [node.args[0].shape[axis] for axis in node.params["axes"]]
    return prod(p["lengths"]) > WASTE * prod(counts)


def with_counts_last(node: Node, which: int, counts: tuple[int, ...], inside: tuple[int, ...]) -> Node:
    """The same unwindow, of a contraction whose result has the axes inside a window before the axes that count the windows."""
    product, rank = node.args[0], node.ndim
    p = product.params
    out = p["out_axes"]
    first = tuple(label for label in out[:rank] if label not in counts)
    order = first + inside + counts
    moved = build_node("contract", product.args, {"a_axes": p["a_axes"], "b_axes": p["b_axes"], "out_axes": order})
    back = build_node("permute", (moved,), {"axes": tuple(order.index(label) for label in out)})
    return build_node("unwindow", (back,), node.params)


def separate(node: Node) -> Separated | None:
    """(which operand holds the windows' counts, their labels, the labels inside the windows), if no operand holds both; else None."""
    product, axes, rank = node.args[0], node.params["axes"], node.ndim
    out = product.params["out_axes"]
    counts, inside = tuple(out[axis] for axis in axes), tuple(out[rank:])
    sides = product.params["a_axes"], product.params["b_axes"]
    for which in (0, 1):
        g, w = sides[which], sides[1 - which]
        if all(o in g and o not in w for o in counts) and all(k in w and k not in g for k in inside):
            return which, counts, inside
    return None


def as_convolution(node: Node, part: Node | None, which: int, counts: tuple[int, ...], inside: tuple[int, ...]) -> Node:
    """The contraction of windows over the gradient with the flipped weights, for the given part of the result, or for all of it."""
    product, p = node.args[0], node.params
    labels = product.params["a_axes"], product.params["b_axes"]
    ranges = {axis: (0, n) if part is None else (part.params["start"][axis], part.params["stop"][axis])
              for axis, n in enumerate(node.shape)}
    gradient, weights = product.args[which], product.args[1 - which]
    count_axes = tuple(labels[which].index(label) for label in counts)
    for at, stride in zip(count_axes, p["stride"]):
        gradient = insert_zeros(gradient, at, stride)
    widths = [(0, 0)] * gradient.ndim
    for at, axis, k, d in zip(count_axes, p["axes"], p["size"], p["dilation"]):
        (start, stop), reach, n = ranges[axis], d * (k - 1), gradient.shape[at]
        widths[at] = (max(0, reach - start), max(0, stop - n))
        gradient = cut(gradient, at, max(0, start - reach), 1, min(n, stop))
    padded = build_node("pad", (gradient,), {"widths": tuple(widths), "value": 0})
    windows = build_node("window", (padded,), {
        "axes": count_axes, "size": p["size"], "stride": (1,) * len(count_axes), "dilation": p["dilation"]})
    back = tuple(labels[1 - which].index(label) for label in inside)
    flipped = build_node("slice", (weights,), {
        "start": tuple(n - 1 if axis in back else 0 for axis, n in enumerate(weights.shape)),
        "stop": tuple(-1 if axis in back else n for axis, n in enumerate(weights.shape)),
        "step": tuple(-1 if axis in back else 1 for axis in range(weights.ndim))})
    result = build_node("contract", (windows, flipped), {
        "a_axes": labels[which] + inside, "b_axes": labels[1 - which], "out_axes": product.params["out_axes"][:node.ndim]})
    for axis in set(ranges) - set(p["axes"]):
        result = cut(result, axis, ranges[axis][0], 1, ranges[axis][1])
    return result


def insert_zeros(x: Node, axis: int, stride: int) -> Node:
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
