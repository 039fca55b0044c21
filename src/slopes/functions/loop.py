"""scan: a loop over the first axis of sequences that carries a state from step to step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..autodiff.repeat import Step, depending, repeat
from ..errors import ArgumentError, ShapeError, TraceError
from ..graph.dtype import is_float
from ..graph.node import Node
from ..graph.operation import variable
from ..graph.shape import whole
from ..graph.walk import topological
from ..guarded import check_function
from ..modes import mode
from ..passes.stable import stable_to_differentiate
from ..tensor import Tensor, asarray
from ..trace import Trace, current_trace
from ..tree import Structure, flatten, named_leaves, unflatten
from .manipulation import flip, stack

__all__ = ["scan"]

Stepping = Callable[[Any, Any], tuple[Any, Any]]


def scan(step: Stepping, start: Any, sequences: Any = None, length: int | None = None, reverse: bool = False) -> tuple[Any, Any]:
    """(last state, outputs of all steps): state, output = step(state, element), for each element of the first axis.

    `start`, `sequences` and what a step returns are trees of tensors; a step must return a state of the structure, shapes and
    types of `start`. Outputs are stacked along a new first axis. Without sequences the step runs `length` times and gets None;
    with `reverse` the last element comes first, and outputs stay beside their elements. Eagerly this is a Python loop; in a
    compiled function it is one loop in the program, however many steps there are: products of the sequences alone are taken
    before it, products that no later step asks for and gradients of weights after it. Tensors that the step assigns (a
    generator's state, running means) are carried along. Raises ArgumentError or ShapeError when the state changes its kind.

    >>> import slopes as sl
    >>> sl.scan(lambda total, x: (total + x, total * x), sl.tensor(0.), sl.tensor([1., 2., 3.]))
    (tensor(6.), tensor([0., 2., 9.]))
    """
    check_function("scan", step)
    if length is not None and whole(length) is None:
        raise ArgumentError(f"scan: length={length!r} is no number of steps", repair="give a whole number, or None beside sequences")
    if not isinstance(reverse, bool):
        raise ArgumentError(f"scan: reverse={reverse!r}", repair="give True or False")
    leaves, structure = flatten(sequences)
    xs = [asarray(leaf) for leaf in leaves]
    count = step_count(sequences, xs, length)
    begin, state_structure = flatten(start)
    state = [asarray(leaf) for leaf in begin]
    run = eager if mode.trace is None else traced
    return run(Loop(step, structure, state_structure), state, xs, count, reverse)


def step_count(sequences: Any, xs: Sequence[Tensor], length: int | None) -> int:
    """The common length of the first axes."""
    for path, leaf in named_leaves(sequences, "sequences"):
        if not asarray(leaf).ndim:
            raise ShapeError(f"scan: {path} is a single number", why="its first axis is the time", repair="give a tensor of steps")
    lengths = {x.shape[0] for x in xs} | ({length} if length is not None else set())
    if len(lengths) != 1:
        shapes = ", ".join(str(x.shape) for x in xs) or "no sequences"
        raise ShapeError(f"scan: sequences of shapes {shapes} and length={length} do not agree on a number of steps",
                         repair="give sequences with first axes of one length, or without sequences length=")
    count = lengths.pop()
    if count < 1:
        raise ShapeError("scan: there are no steps", why="the shapes of the outputs are those of a step's",
                         repair="give at least one step")
    return count


class Loop:
    """A step function and the structures of its arguments."""

    def __init__(self, step: Stepping, sequences: Structure, state: Structure) -> None:
        self.step, self.sequences, self.state = step, sequences, state

    def call(self, state: Sequence[Tensor], elements: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor], Structure]:
        """One step: (state, outputs, their structure)."""
        result = self.step(unflatten(self.state, list(state)), unflatten(self.sequences, list(elements)))
        if not (isinstance(result, tuple) and len(result) == 2):
            raise ArgumentError(f"scan: the step returned a {type(result).__name__}", why="it returns a pair (state, output)",
                                repair="return state, None when there is no output")
        leaves, structure = flatten(result[0])
        if structure != self.state:
            raise ArgumentError(f"scan: the step returned a state {structure}, it was given {self.state}",
                                repair="return the new state in the containers of the old one")
        output_leaves, outputs = flatten(result[1])
        new = [asarray(leaf) for leaf in leaves]
        for i, (before, after) in enumerate(zip(state, new)):
            if before.shape != after.shape or before.dtype != after.dtype:
                raise ShapeError(f"scan: part {i} of the state is {before.dtype}{list(before.shape)} before the step and "
                                 f"{after.dtype}{list(after.shape)} after it", why="every step has the same shapes and types",
                                 repair="start with a state of the shape and type that the step returns")
        return new, [asarray(leaf) for leaf in output_leaves], outputs


def eager(loop: Loop, state: list[Tensor], xs: list[Tensor], count: int, reverse: bool) -> tuple[Any, Any]:
    """Run the loop step by step in Python."""
    rows: list[list[Tensor]] = []
    structure = None
    for i in reversed(range(count)) if reverse else range(count):
        state, outputs, structure = loop.call(state, [x[i] for x in xs])
        rows.append(outputs)
    assert structure is not None
    columns = [stack(list(column)) for column in zip(*rows)]
    return unflatten(loop.state, state), unflatten(structure, [flip(column, axis=0) for column in columns] if reverse else columns)


# ---------------------------------------------------------------------- inside of a compiled function
def traced(loop: Loop, state: list[Tensor], xs: list[Tensor], count: int, reverse: bool) -> tuple[Any, Any]:
    """The loop as one operation: the step is recorded once."""
    trace = current_trace()
    assert trace is not None
    recorded = Recorded(trace, loop, state, xs, [])
    while recorded.unknown:  # what a step assigns is carried from step to step, as the state is
        recorded = Recorded(trace, loop, state, xs, [*recorded.assigned, *recorded.unknown])
    starts = [tensor._node_in(trace) for tensor in (*state, *recorded.assigned)]
    last, outputs, _ = repeat(Step(recorded.carries, recorded.elements, recorded.states, recorded.outputs), starts,
                              [x._node_in(trace) for x in xs], count, reverse)
    for tensor, node in zip(recorded.assigned, last[len(state):]):
        trace.write(tensor, node)
    results = [trace.tensor(node, recorded.followed and is_float(node.dtype)) for node in (*last[:len(state)], *outputs)]
    return unflatten(loop.state, results[:len(state)]), unflatten(recorded.structure, results[len(state):])


class Recorded:
    """One step, recorded: `assigned` are the tensors that it is known to assign, `unknown` those that it turned out to assign too."""

    def __init__(self, trace: Trace, loop: Loop, state: list[Tensor], xs: list[Tensor], assigned: list[Tensor]) -> None:
        self.assigned = assigned
        carries = [variable(tensor.shape, tensor.dtype, "state") for tensor in (*state, *assigned)]
        elements = [variable(x.shape[1:], x.dtype, "element") for x in xs]
        with Aside(trace) as aside:
            for tensor, node in zip(assigned, carries[len(state):]):
                trace.current[tensor] = node
            new, outputs, self.structure = loop.call(stand_ins(trace, carries[:len(state)]), stand_ins(trace, elements))
            if aside.called_backward:
                raise TraceError("scan: the step calls backward()", why="gradients of one step alone would be lost in the loop",
                                 repair="call backward() after the loop, or use sl.grad inside of the step")
            written = aside.assigned
            self.unknown = [tensor for tensor in written if tensor not in set(assigned)]
            states = [tensor._node_in(trace) for tensor in new] + [
                trace.writes[tensor] if tensor in written else node for tensor, node in zip(assigned, carries[len(state):])]
            body = stable_body([*states, *(tensor._node_in(trace) for tensor in outputs)], [*carries, *elements])
            self.states, self.outputs = body[:len(states)], body[len(states):]
        self.carries, self.elements = carries, elements
        self.followed = mode.recording and any(tensor._requires_grad for tensor in (*state, *xs, *new, *outputs))


def stable_body(results: list[Node], inputs: list[Node]) -> list[Node]:
    """What a body computes of its inputs, in the form in which it is differentiated; what it reads from outside stays as it is."""
    order = topological(results)
    inside = depending(order, inputs)
    return stable_to_differentiate(results, [node for node in order if node not in inside])


def stand_ins(trace: Trace, nodes: Sequence[Node]) -> list[Tensor]:
    """The tensors that a function is recorded with."""
    return [trace.tensor(node, mode.recording and is_float(node.dtype)) for node in nodes]


class Aside:
    """A trace whose assignments, gradients and notes are put back afterwards: only what was read for the first time stays."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.writes, self.current, self.grads, self.notes = (
            dict(trace.writes), dict(trace.current), dict(trace.grads), dict(trace.notes))

    def __enter__(self) -> Aside:
        return self

    @property
    def called_backward(self) -> bool:
        """Whether gradients have changed since."""
        return self.trace.grads != self.grads

    @property
    def assigned(self) -> list[Tensor]:
        """The tensors that were assigned since."""
        return [tensor for tensor, node in self.trace.writes.items() if self.writes.get(tensor) is not node]

    def __exit__(self, *error: Any) -> None:
        trace = self.trace
        current = {tensor: self.current.get(tensor, node) for tensor, node in trace.reads.items()}
        put_back(trace.writes, self.writes)
        put_back(trace.current, current)
        put_back(trace.grads, self.grads)
        put_back(trace.notes, self.notes)


def put_back(mine: dict[Any, Any], kept: dict[Any, Any]) -> None:
    """Nested traces share these dictionaries: they stay the same objects."""
    mine.clear()
    mine.update(kept)
