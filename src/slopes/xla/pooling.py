"""Reductions of windows, and windows of one value added up, as window reductions of XLA: pooling, and the gradient of its averages.

The gradient of the largest element stays a sum of masked slices: on CPUs that takes two thirds of the time of XLA's select-and-scatter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph.node import Node
from ..ops.move import Expand
from ..ops.reduce import Max, MaxFirst, Min, Sum
from ..ops.window import Unwindow, Window

Read = Callable[[Node], Any]


def window_reduction(lax: Any, node: Node, read: Read) -> Any:
    """The value of a node as a window reduction; None where it is none. `read` gives the values of nodes before it."""
    if node.dtype.kind != "f" or not node.size or not all(arg.size for arg in node.args):
        return None
    if node.op in REDUCTIONS and node.args[0].op is Window:
        return reduced_windows(lax, node, read)
    return added_windows(lax, node, read) if node.op is Unwindow else None


REDUCTIONS: dict[Any, tuple[float, str]] = {Sum: (0.0, "add"), Max: (-float("inf"), "max"), MaxFirst: (-float("inf"), "max"),
                                            Min: (float("inf"), "min")}


def reduced_windows(lax: Any, node: Node, read: Read) -> Any:
    """A reduction over the positions inside of windows, and over nothing else."""
    windows, (start, combine) = node.args[0], REDUCTIONS[node.op]
    x, p = windows.args[0], windows.params
    if tuple(node.params["axes"]) != tuple(range(x.ndim, windows.ndim)):
        return None
    sizes, strides, dilations = (along(x.ndim, p["axes"], p[name]) for name in ("size", "stride", "dilation"))
    y = lax.reduce_window(read(x), node.dtype.type(start), getattr(lax, combine), sizes, strides, "VALID", window_dilation=dilations)
    return y.reshape(node.shape)


def added_windows(lax: Any, node: Node, read: Read) -> Any:
    """Windows whose elements are all one value, added up: each element is the sum of the values of the windows that it is in."""
    p, rank = node.params, node.ndim
    values = one_value(node.args[0], rank)
    if values is None:
        return None
    reach = [d * (k - 1) for d, k in zip(p["dilation"], p["size"])]
    counts = [values.shape[axis] for axis in p["axes"]]
    rest = [length - (n - 1) * s - 1 for length, n, s in zip(p["lengths"], counts, p["stride"])]  # behind the last window's start
    padding = [(0, 0)] * rank
    for axis, before, after in zip(p["axes"], reach, rest):
        padding[axis] = before, after
    return lax.reduce_window(read(values).reshape(values.shape[:rank]), node.dtype.type(0), lax.add, along(rank, p["axes"], p["size"]),
                             (1,) * rank, padding, base_dilation=along(rank, p["axes"], p["stride"]),
                             window_dilation=along(rank, p["axes"], p["dilation"]))


def one_value(windows: Node, rank: int) -> Node | None:
    """What all elements of each window are, if windows are one value repeated: an array whose axes inside of windows have one element."""
    if windows.op is not Expand or windows.args[0].ndim != windows.ndim:
        return None
    values = windows.args[0]
    return values if values.shape[:rank] == windows.shape[:rank] and all(n == 1 for n in values.shape[rank:]) else None


def along(rank: int, axes: tuple[int, ...], values: tuple[int, ...]) -> tuple[int, ...]:
    """These values on their axes, 1 on the others."""
    on_axis = dict(zip(axes, values))
    return tuple(on_axis.get(axis, 1) for axis in range(rank))
