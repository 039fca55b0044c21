"""Parts: what is computed row by row, taken a few rows at a time; its derivative computes again what is not a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError
from ..graph.body import Body
from ..graph.dtype import DType, float32, float64, is_inexact
from ..graph.node import Node
from ..graph.operation import Operation, build, build_node, variable
from ..ops.samples import real
from .pullback import pull_back
from .scan import batched_body, check_given, examples_first, matrix_product, run, steps_first, write
from .segments import Segment, entries, entry, extent, gradient_entries, segments


class Parts(Operation):
    """The results of a body for each of `length` parts, as one flat row: all results of one type, segment by segment.

    Arguments are sequences (`moving`; part t is element t of the first axis) and values that are the same for every part. Of the
    body's outputs the first `summed` are added up over the parts, the others stand one behind the other. The derivative knows no more
    than the arguments: within each part it computes again what it needs, so that nothing of a part is kept.
    Source: Chen et al., "Training deep nets with sublinear memory cost", 2016 (computing again instead of keeping).
    """

    kind = kernel = "loop"
    inline_limit = 0  # the body reads through views, but computes nothing again in each step
    types = (float32, float64)

    def meaning(xp, *arrays, body, moving, length, summed, dtype):
        found = layout(body, length, summed)
        row = xp.zeros(extent(found, dtype), dtype)
        for t in range(length):
            values = run(xp, body, [*(x[t] for x in arrays[:moving]), *arrays[moving:]])
            for number, (part, value) in enumerate(zip(found, values)):
                if part.dtype == dtype and number < summed:
                    row[part.start:part.stop] += xp.reshape(value, -1)
                elif part.dtype == dtype:
                    write(row, part, t, value)
        return row

    def rule(*args, body, moving, length, summed, dtype):
        if len(args) != len(body.inputs) or not 0 <= moving <= len(args) or length < 1:
            raise ArgumentError(f"parts: {len(args)} arguments for a body of {len(body.inputs)} inputs, {length} parts")
        check_given("parts", args, body, range(moving), length)
        return (extent(layout(body, length, summed), dtype),), dtype

    def pullback(g, y, *args, body, moving, length, summed, dtype):
        inputs, outputs = body.fresh()
        elements, fixed = list(zip(inputs[:moving], args[:moving])), list(zip(inputs[moving:], args[moving:]))  # (input, what it is given)
        seeded = []
        for number, (node, part) in enumerate(zip(outputs, layout(body, length, summed))):
            read = gradient_entries(g, part) if part.dtype == dtype else None
            if read is None:
                continue
            seed = variable(part.shape, part.dtype)
            seeded.append((node, seed))
            if number < summed:
                fixed.append((seed, build_node("reshape", (read,), {"shape": part.shape})))
            else:
                elements.append((seed, read))
        wrt = [number for number, node in enumerate(inputs) if is_inexact(node.dtype)]
        gradients = pull_back([node for node, _ in seeded], [seed for _, seed in seeded], [inputs[number] for number in wrt])
        pulled = {number: each for number, each in zip(wrt, gradients) if each is not None}
        order = sorted(pulled, key=lambda number: (number < moving, number))  # what is the same for every part is summed: first
        back = Body([node for node, _ in (*elements, *fixed)], [pulled[number] for number in order])
        given = [each for _, each in (*elements, *fixed)]
        found = dict(zip(order, results(back, given, len(elements), length, sum(number >= moving for number in order))))
        return tuple(found.get(number) for number in range(len(args)))

    def batch(nodes, batched, body, moving, length, summed, dtype):
        size = next(node.shape[0] for node, flag in zip(nodes, batched) if flag)
        args = tuple(steps_first(node) if flag and number < moving else node for number, (node, flag) in enumerate(zip(nodes, batched)))
        params = {"body": batched_body(body, batched, size), "moving": moving, "length": length, "summed": summed, "dtype": dtype}
        row = build_node("parts", args, params)
        found = [part for part in layout(params["body"], length, summed) if part.dtype == dtype]
        return build_node("concat", tuple(examples_first(row, part, size) for part in found), {"axis": 1})

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


def layout(body: Body, length: int, summed: int) -> list[Segment]:
    """Where the results lie: a sum once, others once for each part."""
    return segments(body, summed, length, (False,) * summed)


def results(body: Body, args: Sequence[Node], moving: int, length: int, summed: int) -> list[Node]:
    """What the parts give: the sums, then the stacked outputs (length, ...)."""
    params: dict[str, Any] = {"body": body, "moving": moving, "length": length, "summed": summed}
    rows: dict[DType, Node] = {}
    found = []
    for number, part in enumerate(layout(body, length, summed)):
        if part.dtype not in rows:
            rows[part.dtype] = build_node("parts", tuple(args), {**params, "dtype": part.dtype})
        found.append(entry(rows[part.dtype], part, 0) if number < summed else entries(rows[part.dtype], part))
    return found
