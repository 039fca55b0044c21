"""Scan: a body repeated over time, each step seeing the state that the one before left behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..graph.body import Body
from ..graph.dtype import DType, float32, float64, is_inexact
from ..graph.node import Node
from ..graph.operation import Operation, build, build_node, variable
from ..graph.text import type_text
from ..graph.walk import substitute, topological
from ..ops.samples import real
from .batching import along, batch
from .pullback import pull_back
from .pushforward import zeros_like
from .repeat import Step, flipped, repeat
from .segments import Segment, entries, extent, gradient_entries, segments


class Scan(Operation):
    """The results of a body repeated `length` times, as one flat row: its states and outputs of one type, segment by segment.

    Arguments are first states (`carries` of them), sequences (`moving`; step t sees element t of the first axis, from the last
    one backwards with `reverse`) and values that are the same in every step. The body takes a state, an element and those
    values to the new state and this step's outputs. `kept` says of which carries all states are kept, not the last one alone.
    """

    kind = kernel = "loop"
    inline_limit = 0  # the body reads through views, but computes nothing again in each step
    types = (float32, float64)

    def meaning(xp, *arrays, body, carries, moving, length, reverse, kept, dtype):
        parts = segments(body, carries, length, kept)
        row = xp.empty(extent(parts, dtype), dtype)
        state = list(arrays[:carries])
        write_states(row, parts, state, 0, kept, dtype)
        for i in range(length):
            t = length - 1 - i if reverse else i
            given = [*state, *(x[t] for x in arrays[carries:carries + moving]), *arrays[carries + moving:]]
            results = run(xp, body, given)
            state = results[:carries]
            write_states(row, parts, state, i + 1, kept, dtype)
            for part, value in zip(parts[carries:], results[carries:]):
                if part.dtype == dtype:
                    write(row, part, t, value)
        return row

    def rule(*args, body, carries, moving, length, reverse, kept, dtype):
        if len(args) != len(body.inputs) or len(kept) != carries or carries + moving > len(args) or length < 1:
            raise ArgumentError(f"scan: {len(args)} arguments for a body of {len(body.inputs)} inputs, {length} steps")
        check_given("scan", args, body, range(carries, carries + moving), length)
        for number, (before, after) in enumerate(zip(body.inputs, body.outputs[:carries])):
            if before.shape != after.shape or before.dtype != after.dtype:
                raise ShapeError(f"scan: carry {number} is {type_text(before.dtype, before.shape)} before a step and "
                                 f"{type_text(after.dtype, after.shape)} after it")
        return (extent(segments(body, carries, length, kept), dtype),), dtype

    def pullback(g, y, *args, body, carries, moving, length, reverse, kept, dtype):
        if not all(kept):  # the derivative walks back through all states
            raise ArgumentError("scan: a loop that keeps only its last states has no derivative")
        return Backward(g, args, body, carries, moving, length, reverse, dtype).gradients()

    def batch(nodes, batched, body, carries, moving, length, reverse, kept, dtype):
        size = next(node.shape[0] for node, flag in zip(nodes, batched) if flag)
        args = [along(node, size) if number < carries and not flag else
                steps_first(node) if flag and carries <= number < carries + moving else node
                for number, (node, flag) in enumerate(zip(nodes, batched))]
        many = batched_body(body, [number < carries or flag for number, flag in enumerate(batched)], size)
        params = {"body": many, "carries": carries, "moving": moving, "length": length, "reverse": reverse,
                  "kept": kept, "dtype": dtype}
        row = build_node("scan", tuple(args), params)
        parts = [part for part in segments(params["body"], carries, length, kept) if part.dtype == dtype]
        return build_node("concat", tuple(examples_first(row, part, size) for part in parts), {"axis": 1})

    @staticmethod
    def samples(dtype=float64):
        """A recurrent layer; one that runs backwards and also returns outputs; a product that is carried along."""
        h, x, w = variable((2, 3), dtype), variable((2, 3), dtype), variable((3, 3), dtype)
        new = build("tanh", matrix_product(h, w) + x)
        common = {"length": 4, "reverse": False, "kept": (True,), "dtype": dtype}
        yield ([real(2, 3), real(4, 2, 3), real(3, 3)],
               {"body": Body([h, x, w], [new]), "carries": 1, "moving": 1, **common})
        yield ([real(2, 3), real(4, 2, 3), real(3, 3)],
               {"body": Body([h, x, w], [new, new * new + h, build("sum", new, axes=(1,))]), "carries": 1, "moving": 1,
                **common, "reverse": True})
        m, n = variable((3,), dtype), variable((), dtype)
        yield ([real(3), real(), real(5, 3)],
               {"body": Body([m, n, x1 := variable((3,), dtype)],
                             [build("sin", m + x1) * build("expand", n, shape=(3,)), n + build("sum", m * x1, axes=(0,)) * 0.1, m * 2.0]),
                "carries": 2, "moving": 1, **common, "length": 5, "kept": (True, True)})


def matrix_product(a: Node, b: Node) -> Node:
    return build("contract", a, b, a_axes=(0, 1), b_axes=(1, 2), out_axes=(0, 2))


def run(xp: Any, body: Body, given: list[Any]) -> list[Any]:
    """The outputs of a body for these arrays."""
    values = dict(zip(body.inputs, given))
    for node in topological(body.outputs, stop=lambda node: node in values):
        if node not in values:
            values[node] = node.value if node.value is not None else xp.asarray(
                node.op.meaning(xp, *(values[arg] for arg in node.args), **node.params))
    return [values[node] for node in body.outputs]


def write(row: Any, part: Segment, number: int, value: Any) -> None:
    """Put one value into its place in the row."""
    row[part.start + number * part.size:part.start + (number + 1) * part.size] = np.reshape(value, -1)


def write_states(row: Any, parts: list[Segment], state: list[Any], number: int, kept: tuple[bool, ...], dtype: DType) -> None:
    for part, value, every in zip(parts, state, kept):
        if part.dtype == dtype:
            write(row, part, number if every else 0, value)


def check_given(name: str, args: Sequence[Node], body: Body, moving: range, length: int) -> None:
    """Refuse arguments that are not what a body takes: those that move, an element of it in each of `length` steps."""
    for number, (arg, node) in enumerate(zip(args, body.inputs)):
        wanted = (length, *node.shape) if number in moving else node.shape
        if arg.shape != wanted or arg.dtype != node.dtype:
            raise ShapeError(f"{name}: argument {number} is {type_text(arg.dtype, arg.shape)}, "
                             f"the body takes {type_text(node.dtype, wanted)}")


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
        return flipped(states) if self.reverse else states

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
        found = pull_back([node for node, _ in seeds], [seed for _, seed in seeds], wrt)
        pulled = {node: each for node, each in zip(wrt, found) if each is not None}
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
        """(output of a step, its gradient): what later steps ask for, and what readers of the results do."""
        found = []
        for number, (node, part) in enumerate(zip(outputs, self.parts)):
            state = number < self.carries
            read = gradient_entries(self.g, part, int(state)) if part.dtype == self.dtype else None
            if read is not None:
                read = self.sequence(node, self.in_order(read) if state else read)
            both = [each for each in (later.get(number), read) if each is not None]
            if both:
                found.append((node, both[0] if len(both) == 1 else both[0] + both[1]))
        return found

    def known_outputs(self, outputs: list[Node], order: list[Node]) -> dict[Node, Node]:
        """For each result of a step that the backward step reads, the input that brings it."""
        read, known = set(order), {}
        for number, (node, part) in enumerate(zip(outputs, self.parts)):
            if node in read and node.args and node not in known:
                row = self.row(part.dtype)
                values = self.in_order(entries(row, part, 1)) if number < self.carries else entries(row, part)
                known[node] = self.sequence(node, values)
        return known

    def with_first(self, number: int, gradient: Node) -> Node:
        """The gradient of a first state: what the loop sends back to it, and what its own readers do."""
        part = self.parts[number]
        read = gradient_entries(self.g, part, 0, 1) if part.dtype == self.dtype else None
        return gradient if read is None else gradient + build_node("reshape", (read,), {"shape": part.shape})
