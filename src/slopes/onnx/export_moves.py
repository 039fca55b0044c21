"""ONNX forms of the operations that move elements: reshapes, transpositions, slices, padding, windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.dtype import bool_, int64
from ..graph.node import Node
from .export_builder import Builder, Form, NoForm
from .export_elementwise import COMMON, widened
from .export_sizes import Dim, Size
from .export_values import Value

LAST = np.iinfo(np.int64).max  # of a slice: up to the end of an axis, however long


def reshape(b: Builder, node: Node) -> Value:
    return b.reshape(b.value(node.args[0]), b.shape(node))


def permute(b: Builder, node: Node) -> Value:
    return b.transpose(b.value(node.args[0]), node.params["axes"])


def pad(b: Builder, node: Node) -> Value:
    """Rows of a value around each axis."""
    (x,) = widened(b, [b.value(node.args[0])], f"{COMMON} int8 uint8 bool")
    widths = b.sizes.param(node, "widths")
    ends = [low for low, _ in widths] + [high for _, high in widths]
    padded = b.call("Pad", x, b.sizes_value(tuple(ends)), b.like(x, node.params["value"]), shape=b.shape(node), mode="constant")
    return b.cast(padded, node.dtype)


def slice_(b: Builder, node: Node) -> Value:
    """Every step-th element from start to stop of the axes that are cut."""
    x, sizes = b.value(node.args[0]), b.shape(node.args[0])
    if (before := unflipped(x, node)) is not None:
        return before
    start, stop, step = (b.sizes.param(node, name) for name in ("start", "stop", "step"))
    cut = [axis for axis, n in enumerate(sizes) if (start[axis], stop[axis], step[axis]) != (0, n, 1)]
    pairs = [(bound(start[axis], sizes[axis]), end(stop[axis], sizes[axis])) for axis in cut]
    return b.slice(x, [a for a, _ in pairs], [e for _, e in pairs], [step[axis] for axis in cut], cut, b.shape(node))


def backwards(b: Builder, x: Value) -> Value:
    """The elements of the first axis in reverse."""
    return b.slice(x, [-1], [-LAST], [-1], [0], x.shape)


def unflipped(x: Value, node: Node) -> Value | None:
    """Of a slice that reverses the first axis of what `backwards` has reversed, the value before; None of any other slice."""
    reverses = node.params["step"] == (-1, *(1,) * (node.ndim - 1)) and node.shape == node.args[0].shape
    if not reverses or x.call is None or x.call.operator != "Slice":
        return None
    bounds = [value.array.tolist() for value in x.call.inputs[1:] if value is not None and value.array is not None]
    return x.call.inputs[0] if bounds == [[-1], [-LAST], [0], [-1]] else None


def bound(position: Size, size: Size) -> int:
    """A position on an axis as ONNX counts it, from the end where the position depends on the batch."""
    if isinstance(position, int):
        return position
    if isinstance(size, Dim) and size.slope == position.slope and position.offset < size.offset:
        return position.offset - size.offset
    raise NoForm("it begins or ends at a position that depends on the batch")


def end(position: Size, size: Size) -> int:
    """Where a slice ends: -1 is before the first element."""
    if position == size:
        return LAST
    return -LAST if position == -1 else bound(position, size)


def concat(b: Builder, node: Node) -> Value:
    return b.call("Concat", *map(b.value, node.args), shape=b.shape(node), axis=node.params["axis"])


# ---------------------------------------------------------------------- windows
def window(b: Builder, node: Node) -> Value:
    """Windows along some axes: elements gathered by constant positions, and the axes inside the windows moved to the end."""
    x, p = b.value(node.args[0]), node.params
    for axis, k, s, d in zip(p["axes"], p["size"], p["stride"], p["dilation"]):
        n = b.shape(node)[axis]
        if isinstance(n, Dim):
            raise NoForm("its windows run along the batch")
        x = gather(b, x, b.constant(positions(n, k, s, d)), axis)
        order = [i for i in range(len(x.shape)) if i != axis + 1]
        x = b.transpose(x, [*order, axis + 1])
    return x


def positions(n: int, k: int, stride: int, dilation: int) -> np.ndarray:
    """The positions (n, k) of the elements of n windows."""
    return (np.arange(n)[:, None] * stride + np.arange(k) * dilation).astype(int64)


def gather(b: Builder, x: Value, indices: Value, axis: int) -> Value:
    """The elements of an axis at indices, whose axes take its position."""
    return b.call("Gather", x, indices, shape=(*x.shape[:axis], *indices.shape, *x.shape[axis + 1:]), axis=axis)


def unwindow(b: Builder, node: Node) -> Value:
    """Windows added up where they overlap, one axis after another, the last one first: its inner axis stands at the end."""
    x, p, lengths = b.value(node.args[0]), node.params, b.sizes.param(node, "lengths")
    for axis, k, s, d, length in reversed(list(zip(p["axes"], p["size"], p["stride"], p["dilation"], lengths))):
        n = x.shape[axis]
        if isinstance(n, Dim):
            raise NoForm("its windows run along the batch")
        last = len(x.shape) - 1
        rest = [i for i in range(last) if i != axis]
        parts = b.transpose(x, [axis, last, *rest])
        total = added_at(b, parts, b.constant(positions(n, k, s, d)[..., None]), length)
        x = b.transpose(total, [(i + 1) if i < axis else 0 if i == axis else i for i in range(last)])
    return x


def added_at(b: Builder, updates: Value, indices: Value, length: Size) -> Value:
    """Updates added to zeros at indices (..., 1) of the first axis."""
    (wide,) = widened(b, [updates], "float32 float64 int32 int64", wraps=updates.dtype != bool_)
    shape = (length, *updates.shape[len(indices.shape) - 1:])
    zeros = b.expand(b.like(wide, 0), shape)
    total = b.call("ScatterND", zeros, indices, wide, shape=shape, reduction="add")
    return b.cast(total, updates.dtype)


def mix(b: Builder, node: Node) -> Value:
    """A small matrix applied along one or two axes, then the axes in another order."""
    x, p = b.value(node.args[0]), node.params
    matrix = b.constant(np.array(p["matrix"]).astype(node.dtype))
    for axis in p["axes"]:
        order: list[Any] = [i for i in range(len(x.shape)) if i != axis]
        moved = b.transpose(x, [*order[:axis], *order[axis:], axis])
        product = b.call("MatMul", moved, b.transpose(matrix, (1, 0)), shape=(*moved.shape[:-1], matrix.shape[0]))
        x = b.transpose(product, [*range(axis), len(x.shape) - 1, *range(axis, len(x.shape) - 1)])
    return b.transpose(x, p["order"])


FORMS: dict[str, Form] = {
    "reshape": reshape, "permute": permute, "pad": pad, "slice": slice_, "concat": concat, "window": window, "unwindow": unwindow,
    "mix": mix,
}
