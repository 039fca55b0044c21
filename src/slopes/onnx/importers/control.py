"""Branches and loops, whose course is known while a function is traced; sequences and optional values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ... import functions as f
from ...errors import ArgumentError, OutOfRangeError
from ...tensor import Tensor
from ..call import Call, Graph
from ..operators import operator
from ..values import Value, integers, to_tensor
from .shape import split_at

MOST_ROUNDS = 1_000_000  # of a loop that its file lets run for ever


def truth(call: Call, i: int, value: Value) -> bool:
    """The value of an input that decides the course."""
    return bool(call.required(i, value).reshape(()).item())


@operator("If", raw=True, scope=True)
def branch(call: Call, scope: Mapping[str, Value], condition: Value) -> tuple[Value, ...]:
    graph = call["then_branch"] if truth(call, 0, condition) else call["else_branch"]
    return tuple(graph.run((), scope))


@operator("Loop", raw=True, scope=True)
def loop(call: Call, scope: Mapping[str, Value], count: Value, condition: Value = None, *state: Value) -> tuple[Value, ...]:
    """The body, until its condition is false or the rounds are over; values of all rounds are stacked."""
    body: Graph = call["body"]
    known = call.known(0, count)
    rounds = MOST_ROUNDS if known is None else int(known.item())
    go_on = condition is None or truth(call, 1, condition)
    current, collected = list(state), [[] for _ in body.outputs[1 + len(state):]]  # type: ignore[var-annotated]
    i = 0
    while go_on and i < rounds:
        flag, *results = body.run([np.array(i, np.int64), np.array(True), *current], scope)
        current = results[:len(state)]
        for rows, value in zip(collected, results[len(state):]):
            rows.append(value)
        go_on, i = truth(call, 1, flag), i + 1
    if go_on and known is None:
        raise ArgumentError(f"Loop: still running after {MOST_ROUNDS} rounds", repair="give it a trip count")
    return (*current, *map(stacked, collected))


def stacked(values: Sequence[Value]) -> Value:
    """Values of all rounds along a new first axis; known if they all are."""
    if not values:
        return np.zeros(0, np.float32)
    if all(isinstance(value, np.ndarray) for value in values):
        return np.stack(values)
    return f.stack(list(map(to_tensor, values)), axis=0)


@operator("Scan", since=9, raw=True, scope=True)
def scan(call: Call, scope: Mapping[str, Value], *values: Value) -> tuple[Value, ...]:
    """The body over the elements of sequences along an axis each, forwards or backwards."""
    body, count = call["body"], call["num_scan_inputs"]
    state, sequences = list(values[:len(values) - count]), values[len(values) - count:]
    axes, reverse = call["scan_input_axes"] or [0] * count, call["scan_input_directions"] or [0] * count
    ordered = [flipped(leading(to_tensor(x), axis), bool(back)) for x, axis, back in zip(sequences, axes, reverse)]

    def step(carried: tuple[Value, ...], elements: tuple[Value, ...]) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        results = tuple(map(to_tensor, body.run([*carried, *elements], scope)))
        return results[:len(state)], results[len(state):]

    last, outputs = f.scan(step, tuple(map(to_tensor, state)), tuple(ordered))
    back, targets = call["scan_output_directions"] or [0] * len(outputs), call["scan_output_axes"] or [0] * len(outputs)
    return (*last, *(f.moveaxis(flipped(y, bool(flip)), 0, axis) for y, flip, axis in zip(outputs, back, targets)))


@operator("Scan", raw=True, scope=True)
def scan_batch(call: Call, scope: Mapping[str, Value], lengths: Value, *values: Value) -> tuple[Value, ...]:
    """Operator set 8: for each element of a batch."""
    if lengths is not None:
        raise call.unsupported("sequence_lens")
    body, count = call["body"], call["num_scan_inputs"]
    reverse, batch = call["directions"] or [0] * count, values[0].shape[0]
    results = [scan_one(body, scope, [x[n] for x in values], count, reverse) for n in range(batch)]
    return tuple(stacked(column) for column in zip(*results))


def scan_one(body: Graph, scope: Mapping[str, Value], values: list[Value], count: int, reverse: list[int]) -> list[Value]:
    """The scan of one element of a batch."""
    state, sequences = values[:len(values) - count], values[len(values) - count:]
    rows: list[list[Value]] = []
    steps = sequences[0].shape[0]
    for i in range(steps):
        results = body.run([*state, *(x[steps - 1 - i if back else i] for x, back in zip(sequences, reverse))], scope)
        state = results[:len(state)]
        rows.append(results[len(state):])
    return [*state, *(stacked(column) for column in zip(*rows))]


def leading(x: Tensor, axis: int) -> Tensor:
    """x with an axis in front of the others."""
    return f.moveaxis(x, axis, 0) if axis else x


def flipped(x: Tensor, back: bool) -> Tensor:
    """x, or x with its first axis in reverse order."""
    return f.flip(x, axis=0) if back else x


# Sequences and optional values


@operator("SequenceConstruct", raw=True)
def sequence(call: Call, *values: Value) -> list[Value]:
    return list(values)


@operator("SequenceEmpty", raw=True)
def empty_sequence(call: Call) -> list[Value]:
    return []


@operator("SequenceLength", raw=True)
def sequence_length(call: Call, values: list[Value]) -> np.ndarray:
    return np.array(len(values), np.int64)


def position_of(call: Call, values: list[Value], i: int, index: Value, most: int) -> int:
    """An index into a sequence, counted from the front."""
    known = call.known(i, index)
    position = int(known.item()) if known is not None else most
    if not -len(values) <= position <= most:
        raise OutOfRangeError(f"{call.op}: index {position} into a sequence of {len(values)} elements")
    return position + len(values) if position < 0 else position


@operator("SequenceAt", raw=True)
def sequence_at(call: Call, values: list[Value], index: Value) -> Value:
    return values[position_of(call, values, 1, index, len(values) - 1)]


@operator("SequenceInsert", raw=True)
def sequence_insert(call: Call, values: list[Value], value: Value, index: Value = None) -> list[Value]:
    position = position_of(call, values, 2, index, len(values))
    return [*values[:position], value, *values[position:]]


@operator("SequenceErase", raw=True)
def sequence_erase(call: Call, values: list[Value], index: Value = None) -> list[Value]:
    position = len(values) - 1 if index is None else position_of(call, values, 1, index, len(values) - 1)
    return [*values[:position], *values[position + 1:]]


@operator("ConcatFromSequence", raw=True)
def concat_sequence(call: Call, values: list[Value]) -> Value:
    tensors = list(map(to_tensor, values))
    return f.stack(tensors, axis=call["axis"]) if call["new_axis"] else f.concat(tensors, axis=call["axis"])


@operator("SplitToSequence", raw=True)
def split_to_sequence(call: Call, x: Value, sizes: Value = None) -> list[Value]:
    """Parts of equal size, or of these sizes; single elements lose their axis unless keepdims says otherwise."""
    tensor, known = to_tensor(x), call.known(1, sizes)
    axis = call.axis(tensor.ndim)
    n = tensor.shape[axis]
    step = 1 if known is None else int(known.item()) if known.ndim == 0 else 0
    lengths = [min(step, n - i) for i in range(0, n, step)] if step else integers(known)
    parts = split_at(tensor, lengths, axis)
    return [f.squeeze(part, axis) for part in parts] if known is None and not call["keepdims"] else list(parts)


@operator("SequenceMap", raw=True, scope=True)
def sequence_map(call: Call, scope: Mapping[str, Value], values: list[Value], *others: Value) -> tuple[Value, ...]:
    """The body for each element; other sequences go along, other values are the same for all."""
    rows = [call["body"].run([value, *(other[i] if isinstance(other, list) else other for other in others)], scope)
            for i, value in enumerate(values)]
    return tuple(list(column) for column in zip(*rows)) if rows else tuple([] for _ in call.outputs)


@operator("Optional", raw=True)
def optional(call: Call, value: Value = None) -> Value:
    return value


@operator("OptionalGetElement", raw=True)
def optional_element(call: Call, value: Value) -> Value:
    if value is None:
        raise ArgumentError("OptionalGetElement: the optional value is empty")
    return value


@operator("OptionalHasElement", raw=True)
def optional_has_element(call: Call, value: Value = None) -> np.ndarray:
    return np.array(value is not None)
