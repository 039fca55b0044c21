"""Scan: a body repeated over time, each step starting from the state that the previous one returned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..graph.body import Body
from ..graph.build import build, variable
from ..graph.dtype import DType, float32, float64
from ..graph.node import Node, Operation
from ..graph.text import type_text
from ..graph.walk import topological
from .samples import real
from .segments import extent, segments

Compute = Callable[[Node, list[Any]], Any]
"""(node, the values of its arguments) to the node's value."""


class Scan(Operation):
    """The results of a body repeated `length` times, as one flat row: its states and outputs of one type, segment by segment.

    Arguments are first states (`carries` of them), sequences (`moving`; step t sees element t of the first axis, from the last
    one backwards with `reverse`) and values that are the same in every step. The body takes a state, an element and those
    values to the new state and this step's outputs. `kept` says for each carry whether all its states are kept, or the last alone.
    """

    kind = kernel = "loop"
    inline_limit = 0  # the body reads through views, but computes nothing again in each step
    types = (float32, float64)

    def meaning(xp, *arrays, body, carries, moving, length, reverse, kept, dtype):
        return scan(xp, portable(xp), arrays, body, carries, moving, length, reverse, kept, dtype)

    def compute(*arrays, body, carries, moving, length, reverse, kept, dtype):
        return scan(np, by_numpy, arrays, body, carries, moving, length, reverse, kept, dtype)

    def xla(x, *arrays, body, carries, moving, length, reverse, kept, dtype):
        fixed, types = arrays[carries + moving:], [node.dtype for node in body.outputs]
        stacked = [t == dtype and (i >= carries or kept[i]) for i, t in enumerate(types)]

        def step(state, elements):
            results = x.evaluate_body(body, [*state, *elements, *fixed])
            return results[:carries], [value for value, is_stacked in zip(results, stacked) if is_stacked]

        last, rows = x.scan(step, list(arrays[:carries]), list(arrays[carries:carries + moving]), length, reverse)
        remaining, flat = iter(rows), []
        for i, is_stacked in enumerate(stacked):
            if i < carries and types[i] == dtype:
                flat += [arrays[i], x.np.flip(next(remaining), axis=0) if reverse else next(remaining)] if kept[i] else [last[i]]
            elif is_stacked:
                flat.append(next(remaining))
        return x.np.concatenate([value.reshape(-1) for value in flat])

    def rule(*args, body, carries, moving, length, reverse, kept, dtype):
        if len(args) != len(body.inputs) or len(kept) != carries or carries + moving > len(args) or length < 1:
            raise ArgumentError(f"scan: {len(args)} arguments for a body of {len(body.inputs)} inputs, {length} steps")
        check_args("scan", args, body, range(carries, carries + moving), length)
        for i, (before, after) in enumerate(zip(body.inputs, body.outputs[:carries])):
            if before.shape != after.shape or before.dtype != after.dtype:
                raise ShapeError(f"scan: carry {i} is {type_text(before.dtype, before.shape)} before a step and "
                                 f"{type_text(after.dtype, after.shape)} after it")
        return (extent(segments(body, carries, length, kept), dtype),), dtype

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


def scan(xp: Any, compute: Compute, arrays: Sequence[Any], body: Body, carries: int, moving: int, length: int, reverse: bool,
         kept: Sequence[bool], dtype: DType) -> Any:
    """The row of results of this type."""
    fixed, state = arrays[carries + moving:], list(arrays[:carries])
    states, outputs = [state], []
    for i in range(length):
        t = length - 1 - i if reverse else i
        results = evaluate_body(compute, body, [*state, *(x[t, ...] for x in arrays[carries:carries + moving]), *fixed])
        state = results[:carries]
        states.append(state)
        outputs.append(results[carries:])
    columns = [[carried[i] for carried in states] if all_of_them else [state[i]] for i, all_of_them in enumerate(kept)]
    columns += [list(column) for column in zip(*(reversed(outputs) if reverse else outputs))]
    return in_row(xp, columns, body, dtype)


def in_row(xp: Any, columns: Sequence[Sequence[Any]], body: Body, dtype: DType) -> Any:
    """The values of the outputs of this type, flattened, one after another."""
    return xp.concat([xp.reshape(value, (-1,)) for node, column in zip(body.outputs, columns) if node.dtype == dtype for value in column])


def portable(xp: Any) -> Compute:
    """Nodes computed in terms of a namespace."""
    def compute(node: Node, args: list[Any]) -> Any:
        value = node.op.meaning(xp, *args, **node.params) if node.value is None else node.value
        return xp.asarray(value)

    return compute


def by_numpy(node: Node, args: list[Any]) -> Any:
    """Nodes computed as in eager mode."""
    return node.value if node.value is not None else np.asarray(node.op.compute(*args, **node.params))


def evaluate_body(compute: Compute, body: Body, args: Sequence[Any]) -> list[Any]:
    """The outputs of a body for these arrays."""
    values = dict(zip(body.inputs, args))
    for node in topological(body.outputs, stop=lambda node: node in values):
        if node not in values:
            values[node] = compute(node, [values[arg] for arg in node.args])
    return [values[node] for node in body.outputs]


def check_args(name: str, args: Sequence[Node], body: Body, moving: range, length: int) -> None:
    """Raise ShapeError for arguments that the body does not take; a sequence (`moving`) has an element for each of `length` steps."""
    for i, (arg, node) in enumerate(zip(args, body.inputs)):
        shape = (length, *node.shape) if i in moving else node.shape
        if arg.shape != shape or arg.dtype != node.dtype:
            raise ShapeError(f"{name}: argument {i} is {type_text(arg.dtype, arg.shape)}, "
                             f"the body takes {type_text(node.dtype, shape)}")
