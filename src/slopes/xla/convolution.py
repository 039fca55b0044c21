"""A contraction of windows as one convolution of XLA: the forward pass, and the gradients by weights and by inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from math import prod
from typing import Any, NamedTuple

from ..graph.node import Node
from ..ops.contract import Contract
from ..ops.move import Pad, Slice
from ..ops.window import Unwindow, Window

Labels = tuple[int, ...]
Widths = list[tuple[int, int]]
Read = Callable[[Node], Any]


class Spatial(NamedTuple):
    """A windowed axis: the label that the result keeps and the one that is summed, each with its step along the axis."""

    kept: int
    stride: int
    summed: int
    dilation: int


class Operand(NamedTuple):
    """An array with a label for each of its axes."""

    array: Any
    labels: Labels


class Result(NamedTuple):
    """The shape of a result, with a label for each of its axes."""

    shape: tuple[int, ...]
    labels: Labels


def convolution(lax: Any, node: Node, read: Read) -> Any:
    """The value of a node as a convolution; None where it is none. `read` gives the values of nodes before it."""
    if node.dtype.kind != "f" or not node.size or not all(arg.size for arg in node.args):
        return None
    if node.op is Contract:
        return of_windows(lax, node, read)
    sums, crop = cropped(node) if node.op is Slice else (node, None)
    return adding_windows(lax, sums, crop, read) if sums.op is Unwindow and sums.args[0].op is Contract else None


def has_convolutions(nodes: Iterable[Node]) -> bool:
    """Whether some of these nodes are contractions of windows, or windows of a product added up."""
    return any((node.op is Contract and any(arg.op is Window for arg in node.args))
               or (node.op is Unwindow and node.args[0].op is Contract) for node in nodes)


def of_windows(lax: Any, node: Node, read: Read) -> Any:
    """A contraction with windows of x: result[j] = sum over m of x[j stride + m dilation] w[m] on each windowed axis.

    The sum is either over the positions inside of the windows, as in a convolution, or over the windows, as in the gradient by its weights.
    """
    for i, windows in enumerate(node.args):
        spatial = spatial_axes(node, i) if windows.op is Window else []
        if spatial:
            own, other = labels_of(node, i)
            kept = dict(zip(windows.params["axes"], (axis.kept for axis in spatial)))
            source, widths = padded(windows)
            x = Operand(read(source), tuple(kept.get(axis, label) for axis, label in enumerate(own[:source.ndim])))
            sizes = {**dict(zip(node.params["out_axes"], node.shape)), **dict(zip(other, node.args[1 - i].shape))}
            padding = [(low, needed(sizes, axis) - low - source.shape[n])
                       for n, axis, (low, _) in zip(windows.params["axes"], spatial, widths)]
            return convolve(lax, x, Operand(read(node.args[1 - i]), other), spatial, Result(node.shape, node.params["out_axes"]),
                            padding, window_strides=[axis.stride for axis in spatial])
    return None


def needed(sizes: dict[int, int], axis: Spatial) -> int:
    """How many elements of an axis are read, from the first to the last: a stride may leave a rest, which would make more results."""
    return (sizes[axis.kept] - 1) * axis.stride + (sizes[axis.summed] - 1) * axis.dilation + 1


def padded(windows: Node) -> tuple[Node, Widths]:
    """What windows are of, without the zeros around it, and the widths of these on the windowed axes.

    On CPUs, XLA takes up to four times as long for the same convolution of an array that was padded before.
    """
    x, axes = windows.args[0], windows.params["axes"]
    if x.op is Pad and x.params["value"] == 0:
        widths = x.params["widths"]
        if all(axis in axes or width == (0, 0) for axis, width in enumerate(widths)):
            return x.args[0], [widths[axis] for axis in axes]
    return x, [(0, 0)] * len(axes)


def cropped(node: Node) -> tuple[Node, Widths | None]:
    """What a slice is of, and how much it cuts off at both ends of the windowed axes; the slice itself where it does anything else."""
    sums, p = node.args[0], node.params
    if sums.op is not Unwindow or any(step != 1 for step in p["step"]):
        return node, None
    widths = [(start, n - stop) for start, stop, n in zip(p["start"], p["stop"], sums.shape)]
    if any(width != (0, 0) and axis not in sums.params["axes"] for axis, width in enumerate(widths)):
        return node, None
    return sums, [widths[axis] for axis in sums.params["axes"]]


def labels_of(node: Node, i: int) -> tuple[Labels, Labels]:
    """The labels of argument i of a contraction, and of the other one."""
    both = node.params["a_axes"], node.params["b_axes"]
    return both[i], both[1 - i]


def spatial_axes(node: Node, i: int) -> list[Spatial]:
    """The windowed axes of argument i; none where the sum is over neither or both labels of an axis, or the result keeps a shared one."""
    (own, other), out, windows = labels_of(node, i), node.params["out_axes"], node.args[i]
    p, axes = windows.params, []
    for axis, inside, stride, dilation in zip(p["axes"], own[windows.args[0].ndim:], p["stride"], p["dilation"]):
        window = Spatial(own[axis], stride, inside, dilation)
        if window.kept not in out:
            window = Spatial(inside, dilation, own[axis], stride)
        if not is_separate(window.kept, out, other) or not is_separate(window.summed, other, out):
            return []
        axes.append(window)
    return axes


def is_separate(label: int, one: Collection[int], other: Collection[int]) -> bool:
    """Whether a label is in the first of two lists only."""
    return label in one and label not in other


def adding_windows(lax: Any, node: Node, crop: Widths | None, read: Read) -> Any:
    """Overlapping windows of a product added up, the gradient by inputs: x[i] = sum over j stride + k dilation = i of g[j] w[k].

    It is the convolution of g, with stride - 1 zeros between its elements, and the weights backwards. What `crop` cuts off at both ends
    of the windowed axes, as the gradient of padding does, is not computed.
    """
    product, p = node.args[0], node.params
    out = product.params["out_axes"]
    for i in (0, 1):
        own, other = labels_of(product, i)
        spatial = [Spatial(out[axis], s, inside, d) for axis, inside, s, d in zip(p["axes"], out[node.ndim:], p["stride"], p["dilation"])]
        if all(is_separate(axis.kept, own, other) and is_separate(axis.summed, other, own) for axis in spatial):
            w = read(product.args[1 - i])
            back = lax.rev(w, [other.index(axis.summed) for axis in spatial])
            reach = [d * (k - 1) for d, k in zip(p["dilation"], p["size"])]
            counts = [product.shape[axis] for axis in p["axes"]]
            rest = [length - (n - 1) * s - 1 for length, n, s in zip(p["lengths"], counts, p["stride"])]  # behind the last window's start
            cuts = crop or [(0, 0)] * len(spatial)
            sizes = list(node.shape)
            for axis, (before, after) in zip(p["axes"], cuts):
                sizes[axis] -= before + after
            padding = [(low - before, high - after) for low, high, (before, after) in zip(reach, rest, cuts)]
            return convolve(lax, Operand(read(product.args[i]), own), Operand(back, other), spatial, Result(tuple(sizes), out[:node.ndim]),
                            padding, window_strides=[1] * len(spatial), lhs_dilation=p["stride"])
    return None


def trim(lax: Any, x: Operand, kept: Labels, padding: Widths, dilation: Sequence[int]) -> tuple[Operand, Widths]:
    """The operand without the elements that negative padding cuts off, and the padding that is left: negative where no element would be.

    On CPUs, XLA's convolutions with negative padding can be wrong (seen in jax 0.10.2: 3 examples of 3 channels, padding (-5, 2)).
    """
    array, widths = x.array, []
    for label, (low, high), d in zip(kept, padding, dilation):
        axis = x.labels.index(label)
        n = array.shape[axis]
        first = min(max(0, -(low // d)), n - 1)
        last = min(max(0, -(high // d)), n - 1 - first)
        if first or last:
            array = lax.slice_in_dim(array, first, n - last, axis=axis)
        widths.append((low + first * d, high + last * d))
    return Operand(array, x.labels), widths


def convolve(lax: Any, x: Operand, w: Operand, spatial: Sequence[Spatial], result: Result, padding: Widths, *,
             window_strides: Sequence[int], lhs_dilation: Sequence[int] | None = None) -> Any:
    """The convolution of x, which has the labels that are kept, and w, which has those that are summed, in XLA's order of axes.

    None where padding cuts off all of x, and for some products by groups.
    """
    kept, summed = [axis.kept for axis in spatial], [axis.summed for axis in spatial]
    x, padding = trim(lax, x, tuple(kept), padding, lhs_dilation or [1] * len(kept))
    if any(min(widths) < 0 for widths in padding):
        return None
    sizes = {**dict(zip(w.labels, w.array.shape)), **dict(zip(result.labels, result.shape))}
    plain = [label for label in x.labels if label not in kept]
    batch = [label for label in plain if label not in w.labels]
    groups = [label for label in plain if label in w.labels and label in result.labels]
    features = [label for label in plain if label in w.labels and label not in result.labels]
    outputs = [label for label in w.labels if label not in plain and label not in summed]
    lengths = [x.array.shape[x.labels.index(label)] for label in kept]
    if groups and all(1 in (length, sizes[axis.kept], sizes[axis.summed]) for length, axis in zip(lengths, spatial)):
        return None  # it is a product by groups: XLA's partitioner, which takes it for a product, forgets the groups (seen in jax 0.10.2)

    def joined(operand: Operand, *parts: list[int]) -> Any:
        """The operand with the labels of each of the first two parts on one axis, then its spatial axes."""
        moved = operand.array.transpose([operand.labels.index(label) for part in parts for label in part])
        return moved.reshape(*(prod(sizes[label] for label in part) for part in parts[:2]), *moved.shape[len(parts[0]) + len(parts[1]):])

    y = lax.conv_general_dilated(joined(x, batch, groups + features, kept), joined(w, groups + outputs, features, summed),
                                 rhs_dilation=[axis.dilation for axis in spatial], padding=padding,
                                 window_strides=window_strides, lhs_dilation=lhs_dilation,
                                 feature_group_count=prod(sizes[label] for label in groups))
    order = [*batch, *groups, *outputs, *kept]
    return y.reshape([sizes[label] for label in order]).transpose([order.index(label) for label in result.labels])
