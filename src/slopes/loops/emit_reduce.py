"""The code of reductions: a lane for each element, or sums along the lanes; siblings and a few rows at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext

import numpy as np

from ..costs import UNROLLED
from . import memory
from .accumulate import Chunks, accumulator_of, reduction_loop
from .builder import Builder
from .emit_nest import outer_loops, over_elements, vector_loop
from .index import Axis, Index
from .kernels import ReduceKernel, Reduction
from .nest import Load, expressions
from .plan_nest import read_in_common
from .scope import Scope
from .values import Value

INTERLEAVED = (2, 4, 8, 16)  # numbers of vectors that are interleaved, lane by lane, in memory


def emit_reduce(scope: Scope, kernel: ReduceKernel) -> None:
    """for each output element: start, combine over the inner loops, store what the epilogue makes of it."""
    if kernel.vector not in kernel.inner:
        over_elements(scope, kernel, lambda: _reduce_per_lane(scope, kernel))
        return
    axes = [axis for axis in kernel.axes if axis is not kernel.row_axis]
    with outer_loops(scope, axes, kernel.schedule.prefix, kernel.blocks):
        _reduce_along_lanes(scope, kernel)


def _reduce_per_lane(scope: Scope, kernel: ReduceKernel) -> None:
    """Each lane an element of its own: for every reduction, or for each of a few rows that share what they read."""
    rows, vector = kernel.row_axis, kernel.vector
    chunks = Chunks.of(kernel, [(axis, axis.extent) for axis in kernel.inner])
    accumulators = [(reduction, accumulator_of(reduction, kernel.inner, scope.b, chunks)) for reduction in kernel.reductions]
    variables = [[accumulator.start(scope.lanes) for _ in row_indices(kernel)] for _, accumulator in accumulators]
    shared = read_in_common(kernel, rows, vector) if rows is not None and vector is not None else []
    lines = {load: parts for load in shared if (parts := _load_lines(scope, kernel, load))}
    for step in inner_steps(scope, kernel, chunks):
        values = [lines[load][step] if load in lines else scope.expr(load) for load in shared]
        for row in row_indices(kernel):
            with at_row(scope, kernel, row):
                for load, value in zip(shared, values):
                    scope.know(load, value)
                for (reduction, accumulator), own in zip(accumulators, variables):
                    accumulator.accumulate(own[row], scope, reduction.body)
    for (reduction, accumulator), own in zip(accumulators, variables):
        _finish_rows(scope, kernel, reduction, [accumulator.result(mine) for mine in own])


def _load_lines(scope: Scope, kernel: ReduceKernel, load: Load) -> list[Value]:
    """The vectors that a load reads in the steps of the inner loop, if together they are a run of memory; else nothing."""
    if len(kernel.inner) != 1 or not is_unrolled(kernel) or scope.lanes == 1:
        return []
    step, = kernel.inner
    if not side_by_side(load.offset, step, kernel.vector):
        return []
    with scope.bind(step, scope.b.whole(0)):
        first = scope.index(load.offset, scalar=True)
    run = memory.load(scope.b, scope.pointers[load.buffer], load.dtype, first, scope.lanes * step.extent)
    return deinterleave(scope.b, run, step.extent)


def _finish_rows(scope: Scope, kernel: ReduceKernel, own: Reduction, totals: Sequence[Value]) -> None:
    """The epilogue of a few rows: stored together where they are neighbours in memory."""
    rows, vector = kernel.row_axis, kernel.vector
    if rows is None or scope.lanes == 1 or not all(side_by_side(store.offset, rows, vector) for store in own.stores):
        for row, total in enumerate(totals):
            with at_row(scope, kernel, row):
                _finish(scope, own, total)
        return
    values: list[list[Value]] = []
    for row, total in enumerate(totals):
        scope.accumulator = total
        with at_row(scope, kernel, row):
            values.append([scope.b.splat(scope.expr(store.expr), scope.lanes) for store in own.stores])
    scope.accumulator = None
    with at_row(scope, kernel, 0):
        for store, several in zip(own.stores, zip(*values)):
            memory.store(scope.b, interleave(scope.b, several), scope.pointers[store.buffer], scope.index(store.offset, scalar=True))


def side_by_side(offset: Index, few: Axis, vector: Axis | None) -> bool:
    """Whether two axes, the first of them short, walk through memory without gaps."""
    return vector is not None and few.extent in INTERLEAVED and offset.coefficient(few) == 1 and offset.coefficient(vector) == few.extent


def interleave(b: Builder, vectors: Sequence[Value]) -> Value:
    """The first lanes of all vectors, then their second ones, and so on."""
    if len(vectors) == 1:
        return vectors[0]
    even, odd = interleave(b, vectors[::2]), interleave(b, vectors[1::2])
    return b.shuffle(even, odd, [start + lane for lane in range(even.lanes) for start in (0, even.lanes)])


def deinterleave(b: Builder, vector: Value, count: int) -> list[Value]:
    """The vectors that `interleave` makes this one of."""
    if count == 1:
        return [vector]
    even, odd = (deinterleave(b, b.shuffle(vector, None, range(start, vector.lanes, 2)), count // 2) for start in (0, 1))
    return [part for pair in zip(even, odd) for part in pair]


def row_indices(kernel: ReduceKernel) -> range:
    """The rows that are taken at once."""
    rows = kernel.row_axis
    return range(1 if rows is None else rows.extent)


def at_row(scope: Scope, kernel: ReduceKernel, row: int) -> AbstractContextManager[None]:
    """At one of the rows that are taken at once."""
    rows = kernel.row_axis
    return nullcontext() if rows is None else scope.bind(rows, scope.b.whole(row))


def inner_steps(scope: Scope, kernel: ReduceKernel, chunks: Chunks | None) -> Iterator[int]:
    """Run through the inner loops: step after step where they are few (the axes are constants then), else in loops."""
    b, axes = scope.b, kernel.inner
    with ExitStack() as stack:
        if is_unrolled(kernel):
            for step, values in enumerate(np.ndindex(*[axis.extent for axis in axes])):
                with ExitStack() as bound:
                    for axis, value in zip(axes, values):
                        bound.enter_context(scope.bind(axis, b.whole(value)))
                    yield step
            return
        for axis in axes:
            stack.enter_context(scope.bind(axis, stack.enter_context(reduction_loop(b, axis, chunks, axis.extent))))
        yield 0


def is_unrolled(kernel: ReduceKernel) -> bool:
    """Whether the steps of the inner loops are few enough to be written one after another."""
    return bool(np.prod([axis.extent for axis in kernel.inner]) * len(expressions(kernel.combined)) <= UNROLLED)


def _reduce_along_lanes(scope: Scope, kernel: ReduceKernel) -> None:
    """One sum along the lanes for each reduction, or for each of a few rows side by side, whose lanes are then added up together."""
    b, vector, lanes, rows = scope.b, kernel.vector, kernel.schedule.lanes, row_indices(kernel)
    assert vector is not None
    outer = [axis for axis in kernel.inner if axis is not vector]
    chunks = Chunks.of(kernel, [*((axis, axis.extent) for axis in outer), (vector, -(-vector.extent // lanes))], lanes)
    accumulators = [(reduction, accumulator_of(reduction, kernel.inner, b, chunks)) for reduction in kernel.reductions]
    full = vector.extent - vector.extent % lanes
    sizes = ([lanes] if full else []) + ([vector.extent - full] if vector.extent > full else [])
    variables = [[{size: accumulator.start(size) for size in sizes} for _ in rows] for _, accumulator in accumulators]

    def accumulate() -> None:
        for (reduction, accumulator), own in zip(accumulators, variables):
            for row in rows:
                with at_row(scope, kernel, row):
                    accumulator.accumulate(own[row][scope.lanes], scope, reduction.body)

    with ExitStack() as stack:
        for axis in outer:
            stack.enter_context(scope.bind(axis, stack.enter_context(reduction_loop(b, axis, chunks, axis.extent))))
        vector_loop(scope, vector, lanes, accumulate, chunks)
    for (reduction, accumulator), own in zip(accumulators, variables):
        parts = [accumulator.reduce_lanes_of_all([mine[size] for mine in own]) for size in sizes]
        for row in rows:
            total = parts[0][row]
            for part in parts[1:]:
                total = accumulator.combine(total, part[row])
            with at_row(scope, kernel, row):
                _finish(scope, reduction, total)


def _finish(scope: Scope, reduction: Reduction, total: Value) -> None:
    scope.accumulator = total
    scope.forget()
    scope.stores(reduction.stores)
    scope.accumulator = None
