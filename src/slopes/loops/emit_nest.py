"""The code of plain loop nests: the loops of one block, one of them along the lanes; and the kernel that stores each element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np

from .accumulate import Chunks, reduction_loop
from .index import Axis
from .kernels import MapKernel, NestKernel, ReduceKernel
from .scope import Scope
from .values import INT64, Value


def outer_loops(scope: Scope, axes: Sequence[Axis], dealt: int, blocks: int) -> ExitStack:
    """Open the loops over `axes` inside this block: a block is a run of consecutive units of the first `dealt` axes."""
    b, stack = scope.b, ExitStack()
    prefix = axes[:dealt]
    units = int(np.prod([axis.extent for axis in prefix], dtype=np.int64))
    chunk = -(-units // blocks)
    if units > 1:
        start = b.mul(Value("%block", INT64), b.whole(chunk))
        stop = b.add(start, b.whole(chunk))
        if units % chunk:
            stop = b.select(b.compare("<", stop, b.whole(units)), stop, b.whole(units))
        unit = stack.enter_context(b.loop(start, stop)) if chunk > 1 else start
        rest = unit
        for position, axis in reversed(list(enumerate(prefix))):
            value = rest if position == 0 else b.binary("urem", rest, b.whole(axis.extent))
            rest = rest if position == 0 else b.binary("udiv", rest, b.whole(axis.extent))
            stack.enter_context(scope.bind(axis, value))
    else:
        for axis in prefix:
            stack.enter_context(scope.bind(axis, b.whole(0)))
    for axis in axes[dealt:]:
        stack.enter_context(scope.bind(axis, stack.enter_context(b.loop(b.whole(0), b.whole(axis.extent)))))
    return stack


def vector_loop(scope: Scope, axis: Axis | None, lanes: int, body: Callable[[], None], chunks: Chunks | None = None) -> None:
    """Run `body` along the lanes of an axis: full vectors in a loop, then the rest as one narrower vector."""
    b = scope.b
    if axis is None:
        body()
        return
    full = axis.extent - axis.extent % lanes
    if full:
        with reduction_loop(b, axis, chunks, full, lanes) as i, scope.along(axis, i, lanes):
            body()
    if axis.extent > full:
        with scope.along(axis, b.whole(full), axis.extent - full):
            body()


def split_vector_loop(scope: Scope, kernel: NestKernel, body: Callable[[], None]) -> None:
    """A single long loop: each block takes its run of whole vectors, the last one also the rest."""
    b, axis, lanes, chunk = scope.b, kernel.vector, kernel.schedule.lanes, kernel.schedule.split
    assert axis is not None
    full = axis.extent - axis.extent % lanes
    block = Value("%block", INT64)
    start = b.mul(block, b.whole(chunk))
    stop = b.add(start, b.whole(chunk))
    if full % chunk:
        stop = b.select(b.compare("<", stop, b.whole(full)), stop, b.whole(full))
    with b.loop(start, stop, lanes) as i, scope.along(axis, i, lanes):
        body()
    if axis.extent > full:
        last = b.compare("==", block, b.whole(kernel.blocks - 1))
        with b.when(last), scope.along(axis, b.whole(full), axis.extent - full):
            body()


def over_elements(scope: Scope, kernel: NestKernel, body: Callable[[], None]) -> None:
    """Run `body` for every element of the parallel loops in this block, the schedule's vector loop along the lanes."""
    schedule, rows = kernel.schedule, kernel.row_axis if isinstance(kernel, ReduceKernel) else None
    if schedule.split:
        split_vector_loop(scope, kernel, body)
        return
    axes = [axis for axis in kernel.axes if axis is not kernel.vector and axis is not rows]
    with outer_loops(scope, axes, schedule.prefix, schedule.blocks):
        vector_loop(scope, kernel.vector, schedule.lanes, body)


def emit_map(scope: Scope, kernel: MapKernel) -> None:
    """for each element: store it."""
    over_elements(scope, kernel, lambda: scope.stores(kernel.stores))
