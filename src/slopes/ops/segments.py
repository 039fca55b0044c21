"""The layout of the results of a loop: one flat row of elements for each type, in which each result has its segment.

An operation has one result, a loop has many. So the results of a loop are concatenated in a flat row, and the graph
reads slices of the row. Everything that builds, differentiates, shrinks or compiles loops (ops/scan.py, ops/checkpoint.py,
autodiff/repeat.py, autodiff/scan.py, autodiff/checkpoint.py, passes/dead_outputs.py, loops/region.py, functions/loop.py) keeps to this:

1. A row holds the results of one type (the parameter `dtype`). A loop with results of several types is several nodes, equal in their
   arguments and in all parameters but `dtype` (`loop_key`); they are one loop, and compiled code runs it once.
2. In a row the segments stand in the order of the body's outputs: first the carries, then the outputs of the steps. `segments` alone
   says where each begins.
3. The segment of a carry holds the initial state and the state after each step (length + 1 values) if `kept` says so, else the last
   state alone. An output has a value for each step.
4. States stand in the order in which steps run; outputs in the order of the sequences' elements, also when the loop runs `reverse`.
5. Rows are read by slices that lie inside one segment (`entry`, `entries`), so that a pass can drop the segments that no slice touches.
   A row that is read in any other way, or is a result of the graph itself, keeps all its segments.
6. A derivative needs all states: a scan is differentiated while every carry is `kept`; dropping states comes later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..graph.body import Body
from ..graph.build import build_node
from ..graph.dtype import DType
from ..graph.node import Node
from ..graph.shape import Shape, size

LoopKey = tuple[object, ...]


@dataclass(frozen=True)
class Segment:
    """`count` values of one shape, one after the other from element `start` on: the states of a carry, or the outputs of all steps."""

    start: int
    count: int
    shape: Shape
    dtype: DType

    @property
    def size(self) -> int:
        return size(self.shape)

    @property
    def stop(self) -> int:
        return self.start + self.count * self.size


def segments(body: Body, carries: int, length: int, kept: Sequence[bool]) -> list[Segment]:
    """A segment for each output of the body, in order: of a carry all length + 1 states if it is `kept`, else the last state alone."""
    ends: dict[DType, int] = {}
    row = []
    for i, node in enumerate(body.outputs):
        count = length if i >= carries else length + 1 if kept[i] else 1
        segment = Segment(ends.get(node.dtype, 0), count, node.shape, node.dtype)
        ends[node.dtype] = segment.stop
        row.append(segment)
    return row


def loop_key(node: Node) -> LoopKey:
    """The same for all nodes that are one loop: arguments and parameters, without the type of the results."""
    return node.args, tuple((name, value) for name, value in node.params.items() if name != "dtype")


def extent(row: Sequence[Segment], dtype: DType) -> int:
    """The number of elements in the row of this type."""
    return max((segment.stop for segment in row if segment.dtype == dtype), default=0)


def entries(row: Node, segment: Segment, first: int = 0, last: int | None = None) -> Node:
    """Values first .. last - 1 of a segment, stacked along a new first axis."""
    last = segment.count if last is None else last
    cut = elements(row, segment.start + first * segment.size, segment.start + last * segment.size)
    return build_node("reshape", (cut,), {"shape": (last - first, *segment.shape)})


def elements(row: Node, start: int, stop: int) -> Node:
    if (start, stop) == (0, row.size):
        return row
    return build_node("slice", (row,), {"start": (start,), "stop": (stop,), "step": (1,)})


def entry(row: Node, segment: Segment, i: int) -> Node:
    """One value of a segment."""
    return build_node("reshape", (entries(row, segment, i, i + 1),), {"shape": segment.shape})
