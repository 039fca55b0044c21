"""Dead results of loops are dropped: outputs and states of a scan that no slice of its row reads, and the inputs that only they need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from ..graph.body import Body
from ..graph.build import build_node
from ..graph.dtype import DType
from ..graph.node import Node
from ..graph.verify import fault
from ..graph.walk import performs, rebuild_all, topological, users
from ..ops.move import Slice
from ..ops.scan import Scan
from ..ops.segments import LoopKey, Segment, loop_key, segments


def eliminate_dead_scan_outputs(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """The same values from smaller loops. Repeated: results that a smaller loop no longer reads are dropped from the loop before it."""
    while True:
        order = topological(roots)
        if not performs(order, Scan):
            return list(roots)
        loops = list(loop_uses(order, roots).values())
        new = [use.smaller() for use in loops]
        if all(made is None for made in new):
            return list(roots)
        roots = replace_loops(order, roots, {use.key: made for use, made in zip(loops, new) if made is not None})


@dataclass
class Use:
    """A loop, and the elements of its rows that are read: (type, first, last + 1)."""

    scan: Node
    parts: list[Segment]
    reads: list[tuple[DType, int, int]] = field(default_factory=list)
    whole: bool = False  # read in another way than by slices of segments

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
        live = [i for i in range(len(outputs)) if i in needed]
        graph = set(topological([outputs[i] for i in live]))
        first = unique(self.scan.args, carries, carries + p["moving"])
        args = [i for i, node in enumerate(inputs)
                if (i in needed if i < carries else node in graph and first[i] == i)]
        if len(live) == len(outputs) and len(args) == len(inputs) and tuple(kept) == p["kept"]:
            return None
        return Smaller(self, live, args, tuple(kept[i] for i in live if i < carries), first)

    def touched(self, part: Segment, without: int = 0) -> bool:
        """Whether any element of a segment is read, without its last `without` elements."""
        return any(dtype == part.dtype and first < part.stop - without and part.start < last for dtype, first, last in self.reads)


def needed_outputs(read: Sequence[bool], carries: int, inputs: Sequence[Node], outputs: Sequence[Node]) -> list[int]:
    """The outputs that are read, and the states from which they are computed."""
    needed = [i for i, flag in enumerate(read) if flag]
    while True:
        graph = set(topological([outputs[i] for i in needed]))
        more = [i for i in range(carries) if i not in needed and inputs[i] in graph]
        if not more:
            return needed
        needed += more


def unique(args: Sequence[Node], carries: int, end: int) -> list[int]:
    """For each argument, the first one that is the same sequence or the same fixed value; states are all their own."""
    first: dict[tuple[Node, bool], int] = {}
    return [i if i < carries else first.setdefault((arg, i < end), i) for i, arg in enumerate(args)]


class Smaller:
    """A loop with fewer results, and the new segments of those that remain."""

    def __init__(self, use: Use, live: list[int], args: list[int], kept: tuple[bool, ...], first: list[int]) -> None:
        p = use.scan.params
        carries, end, old = p["carries"], p["carries"] + p["moving"], p["body"]
        inputs = [old.inputs[first[i]] for i in range(len(old.inputs))]
        outputs = old.of(inputs)
        self.args = args
        self.params = {**p, "body": Body([old.inputs[i] for i in args], [outputs[i] for i in live]),
                       "carries": sum(i < carries for i in live), "kept": kept,
                       "moving": sum(carries <= i < end for i in args)}
        new = segments(self.params["body"], self.params["carries"], p["length"], kept)
        self.moved = [(use.parts[i], part) for i, part in zip(live, new)]

    def slice(self, row: Node, part: Node) -> Node:
        """A slice of the old row, taken from the new one."""
        start, stop = part.params["start"][0], part.params["stop"][0]
        for old, new in self.moved:
            if old.dtype == part.dtype and old.start <= start and stop <= old.stop:
                shift = new.stop - old.stop  # of a row of states that is no longer kept, the last one stays
                return build_node("slice", (row,), {"start": (start + shift,), "stop": (stop + shift,), "step": (1,)})
        raise fault(part, "it reads elements of several results of a loop")


def loop_uses(order: Sequence[Node], roots: Sequence[Node]) -> dict[LoopKey, Use]:
    """The loops of a graph, each with its reads."""
    readers = users(order)
    loops: dict[LoopKey, Use] = {}
    for node in order:
        if node.op is not Scan:
            continue
        p = node.params
        use = loops.setdefault(loop_key(node), Use(node, segments(p["body"], p["carries"], p["length"], p["kept"])))
        use.whole = use.whole or node in roots
        for reader in readers[node]:
            start, stop = (reader.params["start"][0], reader.params["stop"][0]) if is_cut(reader) else (0, 0)
            inside = any(part.dtype == node.dtype and part.start <= start and stop <= part.stop for part in use.parts)
            if start < stop and inside:
                use.reads.append((node.dtype, start, stop))
            else:
                use.whole = True
    return loops


def is_cut(node: Node) -> bool:
    return node.op is Slice and node.params["step"] == (1,)


def replace_loops(order: Sequence[Node], roots: Sequence[Node], smaller: dict[LoopKey, Smaller]) -> list[Node]:
    """The graph with smaller loops instead of larger ones."""
    def make(node: Node, args: tuple[Node, ...]) -> Node:
        made = smaller.get(loop_key(node)) if node.op is Scan else None
        if made is not None:
            return build_node("scan", tuple(args[i] for i in made.args), {**made.params, "dtype": node.dtype})
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
