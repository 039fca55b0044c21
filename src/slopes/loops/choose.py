"""Schedules chosen by cost: which loop runs along the lanes, and how the others are divided into blocks."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ..costs import (
    BLOCK_WORK,
    FAR_SCATTERED,
    FAR_STRIDE,
    JOINED_LANES,
    MAXIMUM_BLOCKS,
    REPEATED_ACCESS,
    SCATTERED,
    SHARED_ACCESS,
    STEP_INSTRUCTIONS,
    STRIDED_ACCESS,
    SUM_VECTORS,
)
from .index import Axis, Index, Quotient, as_index
from .kernels import Kernel, MapKernel, NestKernel, ReduceKernel
from .nest import Compute, Expr, Load, axes_of, expressions
from .roots import keeps_position
from .schedule import NestSchedule, ReduceSchedule


def schedule_map(kernel: MapKernel, lanes: int) -> MapKernel:
    """The kernel with the schedule that its cost asks for."""
    kernel.schedule = choose(kernel, lanes)
    return kernel


def schedule_reduce(kernel: ReduceKernel, lanes: int, vector: Axis | None = None) -> ReduceKernel:
    """The kernel with the schedule that its cost asks for; a long vector loop keeps several vectors of sums."""
    vector = vector or choose_vector(kernel, lanes)
    width = lanes
    while vector is not None and width < SUM_VECTORS * lanes and 2 * width <= vector.extent:
        width *= 2
    plain = choose_blocks(kernel, vector, width)
    kernel.schedule = ReduceSchedule(plain.blocks, plain.vector, plain.lanes, plain.prefix, plain.split)
    return kernel


def choose(kernel: NestKernel, lanes: int, vector: Axis | None = None) -> NestSchedule:
    """The schedule of a nest. The vector axis is chosen, if none is given."""
    return choose_blocks(kernel, vector or choose_vector(kernel, lanes), lanes)


def choose_blocks(kernel: NestKernel, vector: Axis | None, width: int) -> NestSchedule:
    """Blocks of about equal work, with `width` elements of the vector axis in each vector."""
    outer = [axis for axis in kernel.axes if axis is not vector]
    cost = kernel.work * max(1, body_cost(kernel) // STEP_INSTRUCTIONS)
    count = max(1, min(MAXIMUM_BLOCKS, cost // BLOCK_WORK))
    prefix, units = 0, 1
    while prefix < len(outer) and units < count:
        units *= outer[prefix].extent
        prefix += 1
    blocks, split = even_blocks(units, count), 0
    if not outer and vector in kernel.axes and vector is not None and count > 1:
        pieces = vector.extent // width  # a single long loop: blocks are runs of whole vectors
        split = -(-pieces // min(count, max(1, pieces))) * width if pieces > 1 else 0
        blocks = -(-(pieces * width) // split) if split else 1
    return NestSchedule(blocks, None if vector is None else kernel.loops.index(vector), width, prefix, split)


def even_blocks(units: int, count: int) -> int:
    """How many blocks of equal size (the last one perhaps smaller) cover the units, at most about `count`."""
    if units == 0:
        return 0
    chunk = -(-units // min(units, count))
    return -(-units // chunk)


def body_cost(kernel: Kernel) -> int:
    """Simple instructions per element."""
    return expression_cost([*kernel.results, *kernel.combined])


def expression_cost(roots: Sequence[Expr]) -> int:
    """Simple instructions for one element of these expressions."""
    return sum(expr.node.op.cost if isinstance(expr, Compute) else 1 for expr in expressions(roots))


def choose_vector(kernel: NestKernel, lanes: int) -> Axis | None:
    """The loop whose neighbouring steps touch neighbouring memory, weighed by how often each access happens."""
    candidates = [axis for axis in kernel.axes if axis.extent > 1]
    if isinstance(kernel, ReduceKernel) and not keeps_position(kernel.first.node):
        candidates += [axis for axis in kernel.inner if axis.extent > 1]
    if not candidates:
        return None
    return min(reversed(candidates), key=lambda axis: vector_cost(kernel, axis, lanes))


def vector_cost(kernel: NestKernel, axis: Axis, lanes: int) -> float:
    steps = prod(inner.extent for inner in kernel.inner) or 1
    reads = [expr.offset for expr in expressions(kernel.combined) if isinstance(expr, Load)]
    finish = [expr.offset for expr in expressions(kernel.results) if isinstance(expr, Load)]
    finish += [store.offset for store in kernel.stores]
    total = float(steps * sum(access_cost(offset, axis, lanes) for offset in reads))
    inside = axis in kernel.inner
    total += sum(1.0 if inside else access_cost(offset, axis, lanes) for offset in finish)
    if inside:  # the lanes are joined at the end, and the epilogue has no lanes
        total += JOINED_LANES * np.log2(lanes) + (1 - 1 / lanes) * expression_cost(kernel.results) / STEP_INSTRUCTIONS
    vectors = -(-axis.extent // lanes)
    occupied = axis.extent / (vectors * lanes)
    work = (steps * max(1, body_cost(kernel) // STEP_INSTRUCTIONS) + len(finish)) / lanes
    return (total + work) / occupied


def repeats_along(offset: Index, axis: Axis) -> bool:
    """Whether neighbours along an axis read the same element a few times, then the next: ... + (axis + constant) // n."""
    moving = [atom for atom in offset.terms if isinstance(atom, Quotient) and atom.inner.terms == {axis: 1}]
    return len(moving) == 1 and offset.terms[moving[0]] == 1 and (offset - as_index(moving[0])).coefficient(axis) == 0


def access_cost(offset: Index, axis: Axis, lanes: int) -> float:
    """Per element: 1 / lanes for neighbours, less for one element that serves all lanes, more for a gather, most over long distances."""
    if axis not in axes_of(offset):
        return SHARED_ACCESS / lanes
    step = offset.coefficient(axis)
    if step is None and repeats_along(offset, axis):
        return REPEATED_ACCESS / lanes
    if step is None or abs(step) > 2:
        return (SCATTERED if step is None or abs(step) < FAR_STRIDE else FAR_SCATTERED) / lanes
    return (1 if step == 1 else STRIDED_ACCESS) / lanes
