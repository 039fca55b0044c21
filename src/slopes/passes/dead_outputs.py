"""Loops without what nobody reads: outputs and states of a scan that no slice of its row touches, and inputs that serve only these."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from ..graph.body import Body
from ..graph.dtype import DType
from ..graph.node import Node
from ..graph.operation import build_node
from ..graph.verify import fault
from ..graph.walk import performs, rebuild_all, topological, users
from ..ops.move import Slice
from ..ops.scan import Scan
from ..ops.segments import LoopKey, Segment, loop_key, segments


def eliminate_dead_scan_outputs(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """The same values from smaller loops: what one loop no longer reads may be dropped from the loop before it, and so on."""
    while True:
        order = topological(roots)
        if not performs(order, Scan):
            return list(roots)
        found = list(uses_of(order, roots).values())
        new = [use.smaller() for use in found]
        if all(made is None for made in new):
            return list(roots)
        roots = replaced(order, roots, {use.key: made for use, made in zip(found, new) if made is not None})


@dataclass
class Use:
    """A loop, and the elements of its rows that are read: (type, first, last + 1)."""

    scan: Node
    parts: list[Segment]
    reads: list[tuple[DType, int, int]] = field(default_factory=list)
    whole: bool = False  # read in a way that this pass does not look into

    @property
    def key(self) -> LoopKey:
        return loop_key(self.scan)

    def smaller(self) -> Smaller | None:
        """The loop reduced to what is needed; None when that is all of it."""
        if self.whole:
            return None
        p = self.scan.params
        carries, inputs, outputs = p["carries"], p["body"].inputs, p["body"].outputs
        read = [self.touched(part) for part in self.parts]
        needed = set(needed_outputs(read, carries, inputs, outputs))
        kept = [every and self.touched(part, without=part.size) for part, every in zip(self.parts, p["kept"])]
        numbers = [number for number in range(len(outputs)) if number in needed]
        graph = set(topological([outputs[number] for number in numbers]))
        first = unique(self.scan.args, carries, carries + p["moving"])
        args = [number for number, node in enumerate(inputs)
                if (number in needed if number < carries else node in graph and first[number] == number)]
        if len(numbers) == len(outputs) and len(args) == len(inputs) and tuple(kept) == p["kept"]:
            return None
        return Smaller(self, numbers, args, tuple(kept[number] for number in numbers if number < carries), first)

    def touched(self, part: Segment, without: int = 0) -> bool:
        """Whether any element of a segment is read, the last few left aside."""
        return any(dtype == part.dtype and first < part.stop - without and part.start < last for dtype, first, last in self.reads)


def needed_outputs(read: Sequence[bool], carries: int, inputs: Sequence[Node], outputs: Sequence[Node]) -> list[int]:
    """The outputs that are read, and the states that these are computed from."""
    needed = [number for number, flag in enumerate(read) if flag]
    while True:
        graph = set(topological([outputs[number] for number in needed]))
        more = [number for number in range(carries) if number not in needed and inputs[number] in graph]
        if not more:
            return needed
        needed += more


def unique(args: Sequence[Node], carries: int, end: int) -> list[int]:
    """For each argument, the first one that is the same sequence or the same fixed value; states are all their own."""
    first: dict[tuple[Node, bool], int] = {}
    return [number if number < carries else first.setdefault((arg, number < end), number) for number, arg in enumerate(args)]


class Smaller:
    """A loop with fewer results, and where the remaining ones moved to."""

    def __init__(self, use: Use, numbers: list[int], args: list[int], kept: tuple[bool, ...], first: list[int]) -> None:
        p = use.scan.params
        carries, end, old = p["carries"], p["carries"] + p["moving"], p["body"]
        inputs = [old.inputs[first[number]] for number in range(len(old.inputs))]
        outputs = old.of(inputs)
        self.args = args
        self.params = {**p, "body": Body([old.inputs[number] for number in args], [outputs[number] for number in numbers]),
                       "carries": sum(number < carries for number in numbers), "kept": kept,
                       "moving": sum(carries <= number < end for number in args)}
        new = segments(self.params["body"], self.params["carries"], p["length"], kept)
        self.moved = [(use.parts[number], part) for number, part in zip(numbers, new)]

    def slice(self, row: Node, part: Node) -> Node:
        """A slice of the old row, taken from the new one."""
        start, stop = part.params["start"][0], part.params["stop"][0]
        for old, new in self.moved:
            if old.dtype == part.dtype and old.start <= start and stop <= old.stop:
                shift = new.stop - old.stop  # of a row of states that is no longer kept, the last one stays
                return build_node("slice", (row,), {"start": (start + shift,), "stop": (stop + shift,), "step": (1,)})
        raise fault(part, "it reads elements of several results of a loop")


def uses_of(order: Sequence[Node], roots: Sequence[Node]) -> dict[LoopKey, Use]:
    """The loops of a graph, and what is read of them."""
    readers = users(order)
    found: dict[LoopKey, Use] = {}
    for node in order:
        if node.op is not Scan:
            continue
        p = node.params
        use = found.setdefault(loop_key(node), Use(node, segments(p["body"], p["carries"], p["length"], p["kept"])))
        use.whole = use.whole or node in roots
        for reader in readers[node]:
            start, stop = (reader.params["start"][0], reader.params["stop"][0]) if is_cut(reader) else (0, 0)
            inside = any(part.dtype == node.dtype and part.start <= start and stop <= part.stop for part in use.parts)
            if start < stop and inside:
                use.reads.append((node.dtype, start, stop))
            else:
                use.whole = True
    return found


def is_cut(node: Node) -> bool:
    return node.op is Slice and node.params["step"] == (1,)


def replaced(order: Sequence[Node], roots: Sequence[Node], smaller: dict[LoopKey, Smaller]) -> list[Node]:
    """The graph with smaller loops in the places of larger ones."""
    def make(node: Node, args: tuple[Node, ...]) -> Node:
        made = smaller.get(loop_key(node)) if node.op is Scan else None
        if made is not None:
            return build_node("scan", tuple(args[number] for number in made.args), {**made.params, "dtype": node.dtype})
        source = node.args[0]
        if node.op is Slice and source.op is Scan and loop_key(source) in smaller:
            return smaller[loop_key(source)].slice(args[0], node)
        return node if args == node.args else node.op.make(*args, **node.params)

    return rebuild_all(order, roots, make)


def change_bodies(roots: Sequence[Node], change: Callable[[Sequence[Node]], list[Node]]) -> list[Node]:
    """The graph with the outputs of every loop's body changed."""
    order = topological(roots)
    if not performs(order, Scan):
        return list(roots)

    def make(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op is Scan:
            body = node.params["body"]
            return build_node("scan", args, {**node.params, "body": Body(body.inputs, change(body.outputs))})
        return node if args == node.args else node.op.make(*args, **node.params)

    return rebuild_all(order, roots, make)
