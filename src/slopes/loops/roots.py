"""Questions about the root of a group: the reduction or contraction that its kernel performs."""

from __future__ import annotations

from ..graph.node import Node, Operation


def keeps_position(root: Node | None) -> bool:
    """argmax and argmin report a position on their axis, so that the axis must stay one loop."""
    return root is not None and root.op.kernel == "position"


def inner_shape(root: Node) -> tuple[int, ...]:
    """The sizes that a root's reduction loops run over."""
    source, params = root.args[0], root.params
    if root.op.kind == "contract":
        sizes = dict(zip(params["a_axes"], source.shape))
        return tuple(sizes[label] for label in summed_labels(root))
    if root.op.kernel == "unwindow":
        return params["size"]
    return tuple(source.shape[axis] for axis in reduced_axes(root))


def summed_labels(root: Node) -> tuple[int, ...]:
    p = root.params
    return tuple(label for label in p["a_axes"] if label in p["b_axes"] and label not in p["out_axes"])


def reduced_axes(root: Node) -> tuple[int, ...]:
    return root.params["axes"] if "axes" in root.params else (root.params["axis"],)


def combining(root: Node) -> type[Operation]:
    """The reduction that a root performs: contractions and overlaps add up."""
    return root.op if root.op.kind == "reduce" else Operation.table["sum"]
