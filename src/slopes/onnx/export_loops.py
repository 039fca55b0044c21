"""ONNX forms of loops: a loop becomes one Scan; its results, which slopes keeps in flat rows, are the outputs of the Scan.

See ops/segments.py for the rows. What reads a row reads a slice of one segment: the values that it wants are outputs of the Scan, or
made of them, and no row is ever built, unless something reads it in another way.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.body import Body
from ..graph.dtype import int64
from ..graph.node import Node
from ..graph.walk import topological
from ..ops.checkpoint import Checkpoint, layout
from ..ops.move import Reshape, Slice
from ..ops.scan import Scan
from ..ops.segments import LoopKey, Segment, loop_key, segments
from .export_builder import Builder, Form, Loop, NoForm
from .export_moves import LAST, backwards
from .export_sizes import Dim, Size
from .export_values import Subgraph, Value

LOOPS = (Scan, Checkpoint)


def segment_reads(roots: Sequence[Node]) -> dict[LoopKey, set[int]]:
    """The segments of each loop that something reads beyond their last value; of a row that is a result itself, all."""
    reads: dict[LoopKey, set[int]] = {loop_key(root): set(range(len(segments_of(root)))) for root in roots if root.op in LOOPS}
    for node in topological(roots):
        for arg in node.args:
            if arg.op in LOOPS:
                row = segments_of(arg)
                whole = {i for i, segment in enumerate(row) if segment.dtype == arg.dtype}
                i = segment_at(row, node) if node.op is Slice else None
                known = reads.setdefault(loop_key(arg), set())
                if i is None or not (i < carries_of(arg) and slice_bounds(row[i], node) == (row[i].count - 1, row[i].count)):
                    known |= whole if i is None else {i}
    return reads


def carries_of(node: Node) -> int:
    """How many of the results are states."""
    return node.params["carries" if node.op is Scan else "summed"]


def slice_bounds(segment: Segment, node: Node) -> tuple[int, int]:
    """The first value of a segment that a slice of a row takes, and the one at which it stops."""
    (start,), (stop,) = node.params["start"], node.params["stop"]
    return (start - segment.start) // segment.size, (stop - segment.start) // segment.size


def segments_of(node: Node) -> list[Segment]:
    """The layout of the rows of a loop."""
    p = node.params
    if node.op is Scan:
        return segments(p["body"], p["carries"], p["length"], p["kept"])
    return layout(p["body"], p["length"], p["summed"])


def segment_at(row: Sequence[Segment], node: Node) -> int | None:
    """The segment that a slice of a row lies in, whole values of it; None where it does not lie in one."""
    (start,), (stop,), (step,) = node.params["start"], node.params["stop"], node.params["step"]
    for i, segment in enumerate(row):
        inside = segment.dtype == node.dtype and segment.start <= start and stop <= segment.stop
        if inside and step == 1 and segment.size and not ((start - segment.start) % segment.size or (stop - segment.start) % segment.size):
            return i
    return None


# ---------------------------------------------------------------------- the loop itself
def loop(b: Builder, node: Node) -> Value:
    """The row of a loop: built only for those who read it as it lies."""
    results = results_of(b, node)
    parts = [entries(b, results, i, 0, segment.count) for i, segment in enumerate(results.row) if segment.dtype == node.dtype]
    flat = [b.reshape(part, (b.count(part.shape),)) for part in parts]
    return flat[0] if len(flat) == 1 else b.call("Concat", *flat, shape=b.shape(node), axis=0)


def results_of(b: Builder, node: Node) -> Loop:
    """The results of a loop, which runs once for the rows of all types."""
    key = loop_key(node)
    if key not in b.loops:
        b.loops[key] = scan(b, node) if node.op is Scan else checkpoint(b, node)
    return b.loops[key]


def scan(b: Builder, node: Node) -> Loop:
    """A Scan with the states of the loop and, stacked, what its steps give."""
    p, carries = node.params, node.params["carries"]
    starts = [b.value(arg) for arg in node.args[:carries]]
    body = body_graph(b, node, p["body"], carries, p["moving"])
    loop = Loop(segments_of(node), b.sizes.param(node, "length"), p["kept"])
    run(b, node, loop, body, starts, p["moving"], p["reverse"])
    return loop


def checkpoint(b: Builder, node: Node) -> Loop:
    """A Scan over the parts; its states are the sums."""
    p, summed = node.params, node.params["summed"]
    loop = Loop(segments_of(node), b.sizes.param(node, "length"), (False,) * summed)
    totals = [b.expand(b.constant(0, output.dtype), b.shape(output)) for output in p["body"].outputs[:summed]]
    body = body_graph(b, node, p["body"], 0, p["moving"])
    before = [Value(total.dtype, total.shape) for total in totals]
    inner = b.inside()
    after = [inner.apply("Add", total, part) for total, part in zip(before, body.outputs)]
    body.calls += inner.calls
    body.inputs, body.outputs = [*before, *body.inputs], [*after, *body.outputs[summed:]]
    run(b, node, loop, body, totals, p["moving"], False)
    return loop


def body_graph(b: Builder, node: Node, body: Body, carries: int, moving: int) -> Subgraph:
    """The body as a graph; values that are the same in every step are read from outside."""
    inner = b.inside()
    own, fixed = body.inputs[:carries + moving], body.inputs[carries + moving:]
    inputs = [Value(variable.dtype, b.shape(variable)) for variable in own]
    inner.values.update(zip(own, inputs))
    inner.values.update((variable, b.value(arg)) for variable, arg in zip(fixed, node.args[carries + moving:]))
    inner.reads = segment_reads(body.outputs)
    inner.translate(body.outputs)
    return Subgraph(inputs, [inner.value(output) for output in body.outputs], inner.calls)


def run(b: Builder, node: Node, loop: Loop, body: Subgraph, starts: list[Value], moving: int, reverse: bool) -> None:
    """Call Scan with this body, and note what it gives. Only outputs that something reads are stacked."""
    states, read = len(starts), b.reads.get(loop_key(node), set())
    collected = [i for i in range(len(body.outputs)) if i in read and (i >= states or loop.kept[i])]
    sequences = [b.value(arg) for arg in node.args[node.params.get("carries", 0):][:moving]]
    if not moving:  # Scan runs as often as its sequences are long: it gets one that no step reads
        sequences = [b.call("Range", *(b.number(size, int64) for size in (0, loop.length, 1)), shape=(loop.length,))]
        body.inputs.append(Value(sequences[0].dtype, ()))
    fresh = b.inside()
    graph = Subgraph(body.inputs, distinct(fresh, [*body.outputs[:states], *(body.outputs[i] for i in collected)], body.inputs), [])
    graph.calls = [*body.calls, *fresh.calls]
    sequences = [backwards(b, x) for x in sequences] if reverse else sequences  # not all runtimes know the directions of Scan itself
    types = [(start.dtype, start.shape) for start in starts]
    types += [(body.outputs[i].dtype, (loop.length, *body.outputs[i].shape)) for i in collected]
    made = b.calls_for("Scan", (*starts, *sequences), types, {"num_scan_inputs": len(sequences)}, {"body": graph})
    stacked = {i: backwards(b, value) if reverse and i >= states else value for i, value in zip(collected, made[states:])}
    loop.firsts = [*starts, *(None for _ in body.outputs[states:])]
    loop.lasts = [*made[:states], *(None for _ in body.outputs[states:])]
    loop.stacked = [stacked.get(i) for i in range(len(body.outputs))]


def distinct(b: Builder, outputs: Sequence[Value], inputs: Sequence[Value]) -> list[Value]:
    """The outputs of a graph: each a call of its own, as ONNX asks."""
    used: set[Value] = set(inputs)
    result = []
    for value in outputs:
        own = value if value.call is not None and value not in used and not is_outer(b, value) else b.call("Identity", value,
                                                                                                         shape=value.shape)
        used.add(own)
        result.append(own)
    return result


def is_outer(b: Builder, value: Value) -> bool:
    """Whether a value is computed outside of the body."""
    outer = b.outer
    while outer is not None:
        if value.call in outer.calls:
            return True
        outer = outer.outer
    return False


# ---------------------------------------------------------------------- its results
def entries(b: Builder, loop: Loop, i: int, first: int, last: int) -> Value:
    """Values first .. last - 1 of a segment, stacked."""
    segment, start, end, stacked = loop.row[i], loop.firsts[i], loop.lasts[i], loop.stacked[i]
    if end is not None and (last - first, last) == (1, segment.count):
        return b.reshape(end, (1, *end.shape))
    if stacked is None:
        raise NoForm("a row of its results is read in an unknown way")
    if start is None or first > 0:
        offset = 0 if start is None else 1
        count = segment.count - offset
        return part(b, stacked, first - offset, last - offset, count)
    whole = b.call("Concat", b.reshape(start, (1, *start.shape)), stacked, shape=(longer(loop.length, 1), *start.shape), axis=0)
    return part(b, whole, 0, last, segment.count)


def part(b: Builder, x: Value, first: int, last: int, count: int) -> Value:
    """Elements first .. last - 1 of the first axis, which has `count` ones; counted from the end where they lie nearer to it."""
    if (first, last) == (0, count):
        return x
    size = x.shape[0]
    low, high = (k if k <= count - k else k - count for k in (first, last))
    if isinstance(size, int):
        new: Size = last - first
    elif low >= 0 > high or (low >= 0 and last == count):
        new = longer(size, -low + (high if last != count else 0))
    else:
        new = last - first
    return b.slice(x, [low], [high if last != count else LAST], [1], [0], (new, *x.shape[1:]))


def longer(size: Size, by: int) -> Size:
    return Dim(size.slope, size.offset + by) if isinstance(size, Dim) else size + by


def row_slice(b: Builder, node: Node) -> Value | None:
    """A slice of a row: values of one segment, in their own shape rather than flat; None where it is another slice."""
    if node.op is not Slice or node.args[0].op not in LOOPS:
        return None
    results = results_of(b, node.args[0])
    i = segment_at(results.row, node)
    if i is None:
        return None
    return entries(b, results, i, *slice_bounds(results.row[i], node))


def row_reshape(b: Builder, node: Node) -> Value | None:
    """The one segment of a row, which is read without a slice; None where it is another reshape."""
    if node.op is not Reshape or node.args[0].op not in LOOPS:
        return None
    results = results_of(b, node.args[0])
    own = [i for i, segment in enumerate(results.row) if segment.dtype == node.dtype]
    if len(own) != 1:
        return None
    return b.reshape(entries(b, results, own[0], 0, results.row[own[0]].count), b.shape(node))


FORMS: dict[str, Form] = {"scan": loop, "checkpoint": loop}
