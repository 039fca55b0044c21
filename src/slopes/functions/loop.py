"""scan: a loop over the first axis of sequences that carries a state from step to step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..autodiff.repeat import Step, depending, repeat
from ..errors import ArgumentError, ShapeError, TraceError
from ..graph.build import variable
from ..graph.dtype import is_float
from ..graph.node import Node
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

    `start`, `sequences` and the results of a step are trees of tensors; the state of a step must have the structure, shapes and
    dtypes of `start`. Outputs are stacked along a new first axis. Without sequences the step runs `length` times, with None as
    element; with `reverse` it starts at the last element, and output i still belongs to element i. In eager mode this is a Python
    loop; in a compiled function it is one loop of the program for any number of steps, and the compiler moves out of it the products
    that do not depend on the state, those that no later step needs, and the gradients of weights. Tensors that the step assigns (a
    generator's state, running means) are carried too. Raises ArgumentError or ShapeError when a step returns a state of another
    structure, shape or dtype.

    >>> import slopes as sl
    >>> sl.scan(lambda total, x: (total + x, total * x), sl.tensor(0.), sl.tensor([1., 2., 3.]))
    (tensor(6.), tensor([0., 2., 9.]))
    """
    check_function("scan", step)
    if length is not None and whole(length) is None:
        raise ArgumentError(f"scan: length={length!r} is not a number of steps", repair="pass an integer, or None with sequences")
    if not isinstance(reverse, bool):
        raise ArgumentError(f"scan: reverse={reverse!r}", repair="pass True or False")
    leaves, structure = flatten(sequences)
    xs = [asarray(leaf) for leaf in leaves]
    count = step_count(sequences, xs, length)
    begin, state_structure = flatten(start)
    state = [asarray(leaf) for leaf in begin]
    run = eager if mode.trace is None else scan_in_graph
    return run(Loop(step, structure, state_structure), state, xs, count, reverse)


def step_count(sequences: Any, xs: Sequence[Tensor], length: int | None) -> int:
    """The common length of the first axes."""
    for path, leaf in named_leaves(sequences, "sequences"):
        if not asarray(leaf).ndim:
            raise ShapeError(f"scan: {path} is a single number", why="the first axis is time", repair="pass a tensor with a time axis")
    lengths = {x.shape[0] for x in xs} | ({length} if length is not None else set())
    if len(lengths) != 1:
        shapes = ", ".join(str(x.shape) for x in xs) or "no sequences"
        raise ShapeError(f"scan: sequences of shapes {shapes} and length={length} do not have the same number of steps",
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
                                repair="return the new state in the same containers as the old one")
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
def scan_in_graph(loop: Loop, state: list[Tensor], xs: list[Tensor], count: int, reverse: bool) -> tuple[Any, Any]:
    """The loop as one operation: the step is recorded once."""
    trace = current_trace()
    assert trace is not None
    recorded = RecordedStep(trace, loop, state, xs, [])
    while recorded.unknown:  # tensors that the step assigns are carried from step to step, like the state
        recorded = RecordedStep(trace, loop, state, xs, [*recorded.assigned, *recorded.unknown])
    starts = [tensor._node_in(trace) for tensor in (*state, *recorded.assigned)]
    last, outputs, _ = repeat(Step(recorded.carries, recorded.elements, recorded.states, recorded.outputs), starts,
                              [x._node_in(trace) for x in xs], count, reverse)
    for tensor, node in zip(recorded.assigned, last[len(state):]):
        trace.write(tensor, node)
    results = [trace.tensor(node, recorded.followed and is_float(node.dtype)) for node in (*last[:len(state)], *outputs)]
    return unflatten(loop.state, results[:len(state)]), unflatten(recorded.structure, results[len(state):])


class RecordedStep:
    """A recorded step: `assigned` are the tensors that it is known to assign, `unknown` others that it assigned in this recording."""

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
    """The results of a loop body, rewritten for stable derivatives; nodes from outside the body are not changed."""
    order = topological(results)
    inside = depending(order, inputs)
    return stable_to_differentiate(results, [node for node in order if node not in inside])


def stand_ins(trace: Trace, nodes: Sequence[Node]) -> list[Tensor]:
    """Tensors that stand for the arguments while a function is recorded."""
    return [trace.tensor(node, mode.recording and is_float(node.dtype)) for node in nodes]


class Aside:
    """Restores the assignments, gradients and notes of a trace afterwards; tensors read for the first time remain recorded."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.writes, self.current, self.grads, self.notes = (
            dict(trace.writes), dict(trace.current), dict(trace.grads), dict(trace.notes))

    def __enter__(self) -> Aside:
        return self

    @property
    def called_backward(self) -> bool:
        """Whether gradients have changed in this block."""
        return self.trace.grads != self.grads

    @property
    def assigned(self) -> list[Tensor]:
        """The tensors that were assigned in this block."""
        return [tensor for tensor, node in self.trace.writes.items() if self.writes.get(tensor) is not node]

    def __exit__(self, *error: Any) -> None:
        trace = self.trace
        current = {tensor: self.current.get(tensor, node) for tensor, node in trace.reads.items()}
        restore(trace.writes, self.writes)
        restore(trace.current, current)
        restore(trace.grads, self.grads)
        restore(trace.notes, self.notes)


def restore(mine: dict[Any, Any], kept: dict[Any, Any]) -> None:
    """Restore the contents of a dictionary in place, since nested traces share it."""
    mine.clear()
    mine.update(kept)
