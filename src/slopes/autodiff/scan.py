"""Derivatives and batches of scans: back-propagation through time, and loops over batches."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ArgumentError
from ..graph.body import Body
from ..graph.build import build_node, variable
from ..graph.dtype import DType, is_inexact
from ..graph.node import Node
from ..graph.walk import substitute, topological
from ..ops.elementwise import Add
from ..ops.fill import zeros_like
from ..ops.move import Pad
from ..ops.segments import Segment, elements, entries, segments
from .batching import along, batch
from .pullback import pull_back
from .repeat import Step, flip_steps, repeat


def scan_pullback(g: Node, y: Node, *args: Node, body: Body, carries: int, moving: int, length: int, reverse: bool, kept: tuple[bool, ...],
                  dtype: DType) -> tuple[Node | None, ...]:
    """The gradients of a scan, through a scan in the other direction."""
    if not all(kept):  # the derivative walks back through all states
        raise ArgumentError("scan: a loop that keeps only its last states has no derivative")
    return Backward(g, args, body, carries, moving, length, reverse, dtype).gradients()


def scan_batch(nodes: Sequence[Node], batched: Sequence[bool], body: Body, carries: int, moving: int, length: int, reverse: bool,
               kept: tuple[bool, ...], dtype: DType) -> Node:
    """A scan over batches: every carry becomes a batch, because a batched argument may make it one."""
    size = next(node.shape[0] for node, flag in zip(nodes, batched) if flag)
    args = [along(node, size) if i < carries and not flag else
            steps_first(node) if flag and carries <= i < carries + moving else node
            for i, (node, flag) in enumerate(zip(nodes, batched))]
    many = batched_body(body, [i < carries or flag for i, flag in enumerate(batched)], size)
    params = {"body": many, "carries": carries, "moving": moving, "length": length, "reverse": reverse,
              "kept": kept, "dtype": dtype}
    row = build_node("scan", tuple(args), params)
    parts = [part for part in segments(many, carries, length, kept) if part.dtype == dtype]
    return build_node("concat", tuple(examples_first(row, part, size) for part in parts), {"axis": 1})


def batched_body(body: Body, flags: Sequence[bool], size: int) -> Body:
    """The body for `size` examples at once, of the inputs whose flag is set; its outputs are all batches."""
    inputs = [variable((size, *node.shape) if flag else node.shape, node.dtype) for node, flag in zip(body.inputs, flags)]
    single = [variable(node.shape, node.dtype) if flag else new for node, new, flag in zip(body.inputs, inputs, flags)]
    pairs = [(one, many) for one, many, flag in zip(single, inputs, flags) if flag]
    return Body(inputs, batch(body.of(single), [one for one, _ in pairs], [many for _, many in pairs]))


def steps_first(node: Node) -> Node:
    """(examples, steps, ...) as (steps, examples, ...)."""
    return build_node("permute", (node,), {"axes": (1, 0, *range(2, node.ndim))})


def examples_first(row: Node, part: Segment, size: int) -> Node:
    """A segment of batches as one flat row for each example."""
    turned = steps_first(entries(row, part))
    return build_node("reshape", (turned,), {"shape": (size, part.count * part.size // size)})


class Backward:
    """Back-propagation through time: a loop in the other direction, that carries the gradient of the state.

    Werbos, Backpropagation through time: what it does and how to do it, Proceedings of the IEEE 78 (1990).
    """

    def __init__(self, g: Node, args: tuple[Node, ...], body: Body, carries: int, moving: int, length: int, reverse: bool,
                 dtype: DType) -> None:
        self.g, self.args, self.body, self.carries, self.moving, self.length, self.reverse = (
            g, args, body, carries, moving, length, reverse)
        self.dtype = dtype
        kept = (True,) * carries
        self.parts = segments(body, carries, length, kept)
        self.params = {"body": body, "carries": carries, "moving": moving, "length": length, "reverse": reverse, "kept": kept}
        self.inputs: list[Node] = []
        self.sequences: list[Node] = []

    def sequence(self, like: Node, values: Node) -> Node:
        """A new input of the backward step, which takes these values in turn."""
        node = variable(like.shape, like.dtype)
        self.inputs.append(node)
        self.sequences.append(values)
        return node

    def row(self, dtype: DType) -> Node:
        return build_node("scan", self.args, {**self.params, "dtype": dtype})

    def in_order(self, states: Node) -> Node:
        """States come in the order of the steps, sequences in that of their elements."""
        return flip_steps(states) if self.reverse else states

    def gradients(self) -> tuple[Node | None, ...]:
        """One gradient per argument of the scan."""
        carries, end = self.carries, self.carries + self.moving
        before = [self.sequence(node, self.in_order(entries(self.row(part.dtype), part, 0, self.length)))
                  for node, part in zip(self.body.inputs, self.parts[:carries])]
        elements = [self.sequence(node, arg) for node, arg in zip(self.body.inputs[carries:end], self.args[carries:end])]
        fixed = [variable(node.shape, node.dtype) for node in self.body.inputs[end:]]
        outputs = self.body.of([*before, *elements, *fixed])
        flowing = [i for i in range(carries) if is_inexact(self.parts[i].dtype)]
        later = [variable(self.parts[i].shape, self.parts[i].dtype) for i in flowing]
        seeds = self.seeds(outputs, dict(zip(flowing, later)))
        wrt = [node for node in (*before, *elements, *fixed) if is_inexact(node.dtype)]
        gradients = pull_back([node for node, _ in seeds], [seed for _, seed in seeds], wrt)
        pulled = {node: gradient for node, gradient in zip(wrt, gradients) if gradient is not None}
        states = [pulled[before[i]] if before[i] in pulled else zeros_like(before[i]) for i in flowing]
        elements_with, fixed_with = ([node for node in nodes if node in pulled] for nodes in (elements, fixed))
        roots = [*states, *(pulled[node] for node in (*elements_with, *fixed_with))]
        known = self.known_outputs(outputs, topological(roots))
        roots = substitute(roots, known | dict(zip(fixed, self.args[end:])))
        split = len(states) + len(elements_with)
        step = Step(later, self.inputs, roots[:len(states)], roots[len(states):split], roots[split:])
        last, stacked, sums = repeat(step, [zeros_like(node) for node in later], self.sequences, self.length, not self.reverse)
        starts = {i: self.with_first(i, gradient) for i, gradient in zip(flowing, last)}
        rest = dict(zip([*elements_with, *fixed_with], [*stacked, *sums]))
        return (*(starts.get(i) for i in range(carries)), *(rest.get(node) for node in (*elements, *fixed)))

    def seeds(self, outputs: list[Node], later: dict[int, Node]) -> list[tuple[Node, Node]]:
        """(output of a step, its gradient): the sum of the gradients from later steps and from readers of the results."""
        pairs = []
        for i, (node, part) in enumerate(zip(outputs, self.parts)):
            state = i < self.carries
            read = gradient_entries(self.g, part, int(state)) if part.dtype == self.dtype else None
            if read is not None:
                read = self.sequence(node, self.in_order(read) if state else read)
            both = [gradient for gradient in (later.get(i), read) if gradient is not None]
            if both:
                pairs.append((node, both[0] if len(both) == 1 else both[0] + both[1]))
        return pairs

    def known_outputs(self, outputs: list[Node], order: list[Node]) -> dict[Node, Node]:
        """For each result of a step that the backward step reads, the input that supplies it."""
        read, known = set(order), {}
        for i, (node, part) in enumerate(zip(outputs, self.parts)):
            if node in read and node.args and node not in known:
                row = self.row(part.dtype)
                values = self.in_order(entries(row, part, 1)) if i < self.carries else entries(row, part)
                known[node] = self.sequence(node, values)
        return known

    def with_first(self, i: int, gradient: Node) -> Node:
        """The gradient of an initial state: from the loop, and from readers of the state itself."""
        part = self.parts[i]
        read = gradient_entries(self.g, part, 0, 1) if part.dtype == self.dtype else None
        return gradient if read is None else gradient + build_node("reshape", (read,), {"shape": part.shape})


def gradient_entries(g: Node, segment: Segment, first: int = 0, last: int | None = None) -> Node | None:
    """`entries` of a gradient; None where it is zero because nobody read those values.

    A gradient of a row is usually a sum of pads, one for each slice that was read; each is cut separately.
    """
    last = segment.count if last is None else last
    start, stop = segment.start + first * segment.size, segment.start + last * segment.size
    part = gradient_elements(g, start, stop)
    return None if part is None else build_node("reshape", (part,), {"shape": (last - first, *segment.shape)})


def gradient_elements(g: Node, start: int, stop: int) -> Node | None:
    terms, total = [g], None
    while terms:
        term = terms.pop()
        if term.op is Add and all(arg.shape == term.shape for arg in term.args):
            terms.extend(reversed(term.args))
            continue
        part = padded_elements(term, start, stop)
        if part is not None:
            total = part if total is None else total + part
    return total


def padded_elements(term: Node, start: int, stop: int) -> Node | None:
    """Elements of a row that may be padded with zeros."""
    if term.op is Pad and term.params["value"] == 0:
        (before, _), = term.params["widths"]
        low, high = max(start, before), min(stop, before + term.args[0].size)
        if low >= high:
            return None
        inner = elements(term.args[0], low - before, high - before)
        if (low, high) == (start, stop):
            return inner
        return build_node("pad", (inner,), {"widths": ((low - start, stop - high),), "value": 0})
    return elements(term, start, stop)
