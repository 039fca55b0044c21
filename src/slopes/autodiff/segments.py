"""Where the results of a scan lie: one flat row of elements, in which each result has its segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..graph.body import Body
from ..graph.dtype import DType
from ..graph.node import Node
from ..graph.operation import build_node
from ..graph.shape import Shape, size


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
    """A segment for each output of the body, those of one type side by side.

    A carry that is kept has length + 1 states, the first of them given; of one that is not kept only the last is left.
    """
    ends: dict[DType, int] = {}
    found = []
    for number, node in enumerate(body.outputs):
        count = length if number >= carries else length + 1 if kept[number] else 1
        segment = Segment(ends.get(node.dtype, 0), count, node.shape, node.dtype)
        ends[node.dtype] = segment.stop
        found.append(segment)
    return found


def extent(found: Sequence[Segment], dtype: DType) -> int:
    """How many elements the row of this type has."""
    return max((segment.stop for segment in found if segment.dtype == dtype), default=0)


def entries(row: Node, segment: Segment, first: int = 0, last: int | None = None) -> Node:
    """Values first .. last - 1 of a segment, stacked along a new first axis."""
    last = segment.count if last is None else last
    cut = elements(row, segment.start + first * segment.size, segment.start + last * segment.size)
    return build_node("reshape", (cut,), {"shape": (last - first, *segment.shape)})


def elements(row: Node, start: int, stop: int) -> Node:
    if (start, stop) == (0, row.size):
        return row
    return build_node("slice", (row,), {"start": (start,), "stop": (stop,), "step": (1,)})


def entry(row: Node, segment: Segment, number: int) -> Node:
    """One value of a segment."""
    return build_node("reshape", (entries(row, segment, number, number + 1),), {"shape": segment.shape})


def gradient_entries(g: Node, segment: Segment, first: int = 0, last: int | None = None) -> Node | None:
    """`entries` of a gradient; None where it is zero because nobody read those values.

    A gradient of a row is mostly a sum of pads, one for each slice that was read: each is looked at alone.
    """
    last = segment.count if last is None else last
    start, stop = segment.start + first * segment.size, segment.start + last * segment.size
    found = gradient_elements(g, start, stop)
    return None if found is None else build_node("reshape", (found,), {"shape": (last - first, *segment.shape)})


def gradient_elements(g: Node, start: int, stop: int) -> Node | None:
    terms, total = [g], None
    while terms:
        term = terms.pop()
        if term.op.name == "add" and all(arg.shape == term.shape for arg in term.args):
            terms.extend(reversed(term.args))
            continue
        part = padded_elements(term, start, stop)
        if part is not None:
            total = part if total is None else total + part
    return total


def padded_elements(term: Node, start: int, stop: int) -> Node | None:
    """Elements of a row that may be padded with zeros."""
    if term.op.name == "pad" and term.params["value"] == 0:
        (before, _), = term.params["widths"]
        low, high = max(start, before), min(stop, before + term.args[0].size)
        if low >= high:
            return None
        inner = elements(term.args[0], low - before, high - before)
        if (low, high) == (start, stop):
            return inner
        return build_node("pad", (inner,), {"widths": ((low - start, stop - high),), "value": 0})
    return elements(term, start, stop)
