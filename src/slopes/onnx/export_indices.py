"""ONNX forms of the operations in which the position of an element is a value: gathers, scatters, sorting."""

from __future__ import annotations

from ..graph.dtype import bool_, int64
from ..graph.node import Node
from .export_builder import Builder, Form
from .export_elementwise import BASIC, widened
from .export_moves import added_at, gather
from .export_values import Value


def indices_of(b: Builder, node: Node) -> Value:
    """Indices in a type that gathers take."""
    return b.cast(b.value(node), node.dtype if node.dtype.name in ("int32", "int64") else int64)


def iota(b: Builder, node: Node) -> Value:
    """0, 1, ... up to a size that depends on the batch."""
    size = b.sizes.param(node, "size")
    counted = b.call("Range", b.number(0, int64), b.number(size, int64), b.number(1, int64), shape=(size,))
    return b.cast(counted, node.dtype)


def take(b: Builder, node: Node) -> Value:
    return gather(b, b.value(node.args[0]), indices_of(b, node.args[1]), node.params["axis"])


def take_along_axis(b: Builder, node: Node) -> Value:
    return b.call("GatherElements", b.value(node.args[0]), indices_of(b, node.args[1]), shape=b.shape(node), axis=node.params["axis"])


def scatter_add(b: Builder, node: Node) -> Value:
    """Updates added up at the positions that indices name on one axis: on the first one, to which it is moved."""
    indices, updates, axis = b.cast(b.value(node.args[0]), int64), b.value(node.args[1]), node.params["axis"]
    inner = list(range(axis, axis + len(indices.shape)))
    moved = b.transpose(updates, [*inner, *(i for i in range(len(updates.shape)) if i not in inner)])
    total = added_at(b, moved, b.reshape(indices, (*indices.shape, 1)), b.sizes.param(node, "size"))
    rank = len(total.shape)
    return b.transpose(total, [*range(1, axis + 1), 0, *range(axis + 1, rank)])


def put_along_axis(b: Builder, node: Node) -> Value:
    """Updates added to zeros, each line along the axis at positions of its own."""
    indices = indices_of(b, node.args[0])
    (updates,) = widened(b, [b.value(node.args[1])], BASIC, wraps=node.dtype != bool_)
    zeros = b.expand(b.like(updates, 0), b.shape(node))
    total = b.call("ScatterElements", zeros, indices, updates, shape=b.shape(node), axis=node.params["axis"], reduction="add")
    return b.cast(total, node.dtype)


def place_along_axis(b: Builder, node: Node) -> Value:
    """Zeros but for one update on each line: a comparison of the index with all positions."""
    indices, axis, size = b.cast(b.value(node.args[0]), int64), node.params["axis"], b.sizes.param(node, "size")
    (updates,) = widened(b, [b.value(node.args[1])], f"{BASIC} uint8", wraps=True)
    line = b.call("Range", b.number(0, int64), b.number(size, int64), b.number(1, int64), shape=(size,))
    line = b.reshape(line, (size, *(1,) * (len(indices.shape) - axis - 1)))
    here = b.apply("Equal", indices, line, dtype=bool_)
    return b.cast(b.apply("Where", here, updates, b.like(updates, 0), dtype=updates.dtype), node.dtype)


def argsort(b: Builder, node: Node) -> Value:
    """The positions of all elements in order; of equal ones TopK gives the first position first."""
    (x,), axis = widened(b, [b.value(node.args[0])], BASIC), node.params["axis"]
    count = b.dimension(x.shape[axis])
    _, order = b.calls_for("TopK", (x, count), [(x.dtype, x.shape), (int64, x.shape)],
                           {"axis": axis, "largest": int(node.params["descending"]), "sorted": 1})
    return order


FORMS: dict[str, Form] = {
    "iota": iota, "take": take, "take_along_axis": take_along_axis, "scatter_add": scatter_add, "put_along_axis": put_along_axis,
    "place_along_axis": place_along_axis, "argsort": argsort,
}
