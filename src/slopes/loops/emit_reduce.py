"""The code of reductions: a lane for each element, or sums along the lanes; siblings and a few rows at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext

import numpy as np

from ..costs import UNROLLED
from . import memory
from .accumulate import Chunks, folding_of, reduction_loop
from .builder import Builder
from .emit_nest import outer_loops, over_elements, vector_loop
from .index import Axis, Index
from .kernels import ReduceKernel, Reduction
from .nest import Load, expressions
from .plan_nest import read_in_common
from .scope import Scope
from .values import Value

WOVEN = (2, 4, 8, 16)  # so many vectors are put between each other, lane by lane, in memory


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
    foldings = [(each, folding_of(each, kernel.inner, scope.b, chunks)) for each in kernel.reductions]
    variables = [[folding.start(scope.lanes) for _ in row_numbers(kernel)] for _, folding in foldings]
    shared = read_in_common(kernel, rows, vector) if rows is not None and vector is not None else []
    lines = {load: parts for load in shared if (parts := _fetched_lines(scope, kernel, load))}
    for number in inner_steps(scope, kernel, chunks):
        values = [lines[load][number] if load in lines else scope.expr(load) for load in shared]
        for row in row_numbers(kernel):
            with standing(scope, kernel, row):
                for load, value in zip(shared, values):
                    scope.know(load, value)
                for (each, folding), own in zip(foldings, variables):
                    folding.combine(own[row], scope, each.body)
    for (each, folding), own in zip(foldings, variables):
        _finish_rows(scope, kernel, each, [folding.result(mine) for mine in own])


def _fetched_lines(scope: Scope, kernel: ReduceKernel, load: Load) -> list[Value]:
    """What a load reads in each step of the inner loop, if that is all of a run of memory: whole vectors, with their lanes sorted."""
    if len(kernel.inner) != 1 or not written_out(kernel) or scope.lanes == 1:
        return []
    step, = kernel.inner
    if not side_by_side(load.offset, step, kernel.vector):
        return []
    with scope.place(step, scope.b.whole(0)):
        first = scope.index(load.offset, scalar=True)
    return unwoven(scope.b, memory.load(scope.b, scope.pointers[load.buffer], load.dtype, first, scope.lanes * step.extent), step.extent)


def _finish_rows(scope: Scope, kernel: ReduceKernel, own: Reduction, totals: Sequence[Value]) -> None:
    """Store what becomes of the sums of a few rows; together, where they are neighbours in memory."""
    rows, vector = kernel.row_axis, kernel.vector
    if rows is None or scope.lanes == 1 or not all(side_by_side(store.offset, rows, vector) for store in own.stores):
        for row, total in enumerate(totals):
            with standing(scope, kernel, row):
                _finish(scope, own, total)
        return
    values: list[list[Value]] = []
    for row, total in enumerate(totals):
        scope.accumulated = total
        with standing(scope, kernel, row):
            values.append([scope.b.splat(scope.expr(store.expr), scope.lanes) for store in own.stores])
    scope.accumulated = None
    with standing(scope, kernel, 0):
        for store, several in zip(own.stores, zip(*values)):
            memory.store(scope.b, woven(scope.b, several), scope.pointers[store.buffer], scope.index(store.offset, scalar=True))


def side_by_side(offset: Index, few: Axis, vector: Axis | None) -> bool:
    """Whether places lie without gaps along two axes, of which the first is short."""
    return vector is not None and few.extent in WOVEN and offset.coefficient(few) == 1 and offset.coefficient(vector) == few.extent


def woven(b: Builder, vectors: Sequence[Value]) -> Value:
    """The first lanes of all vectors, then their second ones, and so on."""
    if len(vectors) == 1:
        return vectors[0]
    even, odd = woven(b, vectors[::2]), woven(b, vectors[1::2])
    return b.shuffle(even, odd, [start + lane for lane in range(even.lanes) for start in (0, even.lanes)])


def unwoven(b: Builder, vector: Value, count: int) -> list[Value]:
    """The vectors of which this one is woven."""
    if count == 1:
        return [vector]
    even, odd = (unwoven(b, b.shuffle(vector, None, range(start, vector.lanes, 2)), count // 2) for start in (0, 1))
    return [each for pair in zip(even, odd) for each in pair]


def row_numbers(kernel: ReduceKernel) -> range:
    """The rows that are taken at once."""
    rows = kernel.row_axis
    return range(1 if rows is None else rows.extent)


def standing(scope: Scope, kernel: ReduceKernel, number: int) -> AbstractContextManager[None]:
    """At one of the rows that are taken at once."""
    rows = kernel.row_axis
    return nullcontext() if rows is None else scope.place(rows, scope.b.whole(number))


def inner_steps(scope: Scope, kernel: ReduceKernel, chunks: Chunks | None) -> Iterator[int]:
    """Stand at every step of the inner loops: one after another where they are few (then their numbers are constants), else in loops."""
    b, axes = scope.b, kernel.inner
    with ExitStack() as stack:
        if written_out(kernel):
            for step, numbers in enumerate(np.ndindex(*[axis.extent for axis in axes])):
                with ExitStack() as places:
                    for axis, number in zip(axes, numbers):
                        places.enter_context(scope.place(axis, b.whole(number)))
                    yield step
            return
        for axis in axes:
            stack.enter_context(scope.place(axis, stack.enter_context(reduction_loop(b, axis, chunks, axis.extent))))
        yield 0


def written_out(kernel: ReduceKernel) -> bool:
    """Whether the steps of the inner loops are few."""
    return bool(np.prod([axis.extent for axis in kernel.inner]) * len(expressions(kernel.combined)) <= UNROLLED)


def _reduce_along_lanes(scope: Scope, kernel: ReduceKernel) -> None:
    """One sum along the lanes for each reduction, or for each of a few rows side by side, whose lanes are then added up together."""
    b, vector, lanes, numbers = scope.b, kernel.vector, kernel.schedule.lanes, row_numbers(kernel)
    assert vector is not None
    outer = [axis for axis in kernel.inner if axis is not vector]
    chunks = Chunks.of(kernel, [*((axis, axis.extent) for axis in outer), (vector, -(-vector.extent // lanes))], lanes)
    foldings = [(each, folding_of(each, kernel.inner, b, chunks)) for each in kernel.reductions]
    full = vector.extent - vector.extent % lanes
    sizes = ([lanes] if full else []) + ([vector.extent - full] if vector.extent > full else [])
    variables = [[{size: folding.start(size) for size in sizes} for _ in numbers] for _, folding in foldings]

    def combine() -> None:
        for (each, folding), own in zip(foldings, variables):
            for number in numbers:
                with standing(scope, kernel, number):
                    folding.combine(own[number][scope.lanes], scope, each.body)

    with ExitStack() as stack:
        for axis in outer:
            stack.enter_context(scope.place(axis, stack.enter_context(reduction_loop(b, axis, chunks, axis.extent))))
        vector_loop(scope, vector, lanes, combine, chunks)
    for (each, folding), own in zip(foldings, variables):
        parts = [folding.fold_all([mine[size] for mine in own]) for size in sizes]
        for number in numbers:
            total = parts[0][number]
            for part in parts[1:]:
                total = folding.two(total, part[number])
            with standing(scope, kernel, number):
                _finish(scope, each, total)


def _finish(scope: Scope, reduction: Reduction, total: Value) -> None:
    scope.accumulated = total
    scope.forget()
    scope.stores(reduction.stores)
    scope.accumulated = None
