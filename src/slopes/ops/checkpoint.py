"""Checkpoint: a body applied to its arguments part by part; its derivative recomputes each part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..graph.body import Body
from ..graph.build import build, build_node, variable
from ..graph.dtype import DType, float32, float64
from ..graph.node import Node, Operation
from .samples import real
from .scan import Compute, by_numpy, check_args, evaluate_body, in_row, matrix_product, portable
from .segments import Segment, entries, entry, extent, segments


class Checkpoint(Operation):
    """The results of a body for each of `length` parts, as one flat row: all results of one type, segment by segment.

    Arguments are sequences (`moving`; part t is element t of the first axis) and values that are the same for every part. Of the
    body's outputs the first `summed` are added up over the parts, the others are stacked. The derivative keeps the arguments alone: within
    each part it recomputes what it needs.
    Source: Chen et al., "Training deep nets with sublinear memory cost", 2016 (recomputation).
    """

    kind = kernel = "loop"
    inline_limit = 0  # the body reads through views, but computes nothing again in each step
    types = (float32, float64)

    def meaning(xp, *arrays, body, moving, length, summed, dtype):
        return part_by_part(xp, portable(xp), arrays, body, moving, length, summed, dtype)

    def compute(*arrays, body, moving, length, summed, dtype):
        return part_by_part(np, by_numpy, arrays, body, moving, length, summed, dtype)

    def rule(*args, body, moving, length, summed, dtype):
        if len(args) != len(body.inputs) or not 0 <= moving <= len(args) or length < 1:
            raise ArgumentError(f"checkpoint: {len(args)} arguments for a body of {len(body.inputs)} inputs, {length} parts")
        check_args("checkpoint", args, body, range(moving), length)
        return (extent(layout(body, length, summed), dtype),), dtype

    @staticmethod
    def samples(dtype=float64):
        """Rows times a matrix, with a sum over all rows; two sequences of which one is not read."""
        x, w = variable((2, 3), dtype), variable((3, 4), dtype)
        y = build("tanh", matrix_product(x, w))
        yield ([real(3, 2, 3), real(3, 4)],
               {"body": Body([x, w], [build("sum", y * y, axes=(0,)), y]), "moving": 1, "length": 3, "summed": 1, "dtype": dtype})
        a, b, s = variable((3,), dtype), variable((), dtype), variable((3,), dtype)
        yield ([real(2, 3), real(2), real(3)],
               {"body": Body([a, b, s], [build("sin", a) * s]), "moving": 2, "length": 2, "summed": 0, "dtype": dtype})


def part_by_part(xp: Any, compute: Compute, arrays: Sequence[Any], body: Body, moving: int, length: int, summed: int, dtype: DType) -> Any:
    """The row of results of this type."""
    parts = [evaluate_body(compute, body, [*(x[t, ...] for x in arrays[:moving]), *arrays[moving:]]) for t in range(length)]
    columns = [list(column) for column in zip(*parts)]
    sums = [[added_up(xp, column)] for column in columns[:summed]]
    return in_row(xp, [*sums, *columns[summed:]], body, dtype)


def added_up(xp: Any, values: Sequence[Any]) -> Any:
    """Their sum, one after the other from 0 on."""
    total = xp.zeros_like(values[0])
    for value in values:
        total = total + value
    return total


def layout(body: Body, length: int, summed: int) -> list[Segment]:
    """The segments of the results: one value of a sum, one for each part of the others."""
    return segments(body, summed, length, (False,) * summed)


def checkpoint(body: Body, args: Sequence[Node], moving: int, length: int, summed: int) -> list[Node]:
    """The results of a body for each of `length` parts: the sums, then the stacked outputs (length, ...)."""
    params: dict[str, Any] = {"body": body, "moving": moving, "length": length, "summed": summed}
    rows: dict[DType, Node] = {}
    results = []
    for i, part in enumerate(layout(body, length, summed)):
        if part.dtype not in rows:
            rows[part.dtype] = build_node("checkpoint", tuple(args), {**params, "dtype": part.dtype})
        results.append(entry(rows[part.dtype], part, 0) if i < summed else entries(rows[part.dtype], part))
    return results
