"""Kernels that are no plain loop nests: running totals, scattered additions, sorting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..costs import MAXIMUM_BLOCKS, SCALAR_BLOCK, UPDATE_COLUMNS, UPDATE_SHARES
from ..graph.node import Node
from ..passes.fuse import Group
from . import memory
from .choose import choose, even_blocks
from .emit_nest import over_elements
from .index import Axis, Index, as_index, linear
from .kernels import CumulateKernel, Kernel, NestKernel, ScatterKernel, ScatterLinesKernel, SortKernel
from .lower import Reader
from .nest import Buffer, BufferMap, Store
from .plan_nest import axes_for
from .schedule import NestSchedule
from .scope import Scope
from .values import INT64, Value


def plan_special(group: Group, buffers: BufferMap, lanes: int) -> list[Kernel]:
    """The kernel of a running total, a scatter or a sort."""
    node = group.nodes[0]
    return [PLANNERS[node.op.kernel or ""](node, buffers, lanes)]


def schedule_scalar(kernel: NestKernel) -> NestSchedule:
    """A schedule without vectors: blocks are runs of elements."""
    schedule = choose(kernel, 1)
    if schedule.vector is None:
        return schedule
    count = max(1, min(MAXIMUM_BLOCKS, kernel.work // SCALAR_BLOCK))
    return replace(schedule, vector=None, split=0, lanes=1, prefix=len(kernel.axes), blocks=even_blocks(kernel.elements, count))


def columns(kernel: Kernel, lanes: int) -> int:
    """How much of each update is added at once: runs of memory, but some for each thread."""
    longest = max((axis.extent for axis in kernel.axes), default=1)
    return max(lanes, min(UPDATE_COLUMNS, longest // UPDATE_SHARES) // lanes * lanes)


# ---------------------------------------------------------------------- running totals
def plan_cumulate(node: Node, buffers: BufferMap, lanes: int) -> CumulateKernel:
    axes, here = axes_for(node.shape, "i")
    along, = here[node.params["axis"]].terms or (None,)
    inner = [along] if isinstance(along, Axis) else []
    read = Reader(buffers)
    body = read(node.args[0], here)
    store = Store(buffers[node], buffers[node].at(here, node.shape), read.accumulator(node.dtype, axes))
    parallel = [axis for axis in axes if axis not in inner]
    kernel = CumulateKernel(axes=parallel, inner=inner, stores=[store], nodes=[node], node=node, body=body)
    kernel.schedule = choose(kernel, lanes)
    return kernel


def emit_cumulate(scope: Scope, kernel: CumulateKernel) -> None:
    """total = 0; for each step: total += x; store total."""
    over_elements(scope, kernel, lambda: _cumulate(scope, kernel))


def _cumulate(scope: Scope, kernel: CumulateKernel) -> None:
    b, dtype = scope.b, kernel.node.dtype
    wide = np.dtype("float64") if dtype == np.float32 else dtype  # one rounding for each result, not for each step
    total = b.variable(b.const(0, dtype=wide, lanes=scope.lanes))
    axis = kernel.inner[0] if kernel.inner else Axis(1)
    with b.loop(b.whole(0), b.whole(axis.extent)) as i, scope.bind(axis, i):
        value = b.add(total.get(), b.cast(b.splat(scope.expr(kernel.body), scope.lanes), wide))
        total.set(value)
        scope.accumulator = b.cast(value, dtype)
        scope.stores(kernel.stores)
        scope.accumulator = None


# ---------------------------------------------------------------------- scattered additions
def plan_scatter(node: Node, buffers: BufferMap, lanes: int) -> ScatterKernel:
    """Stores: clear every element, then add each update to the element that its index names."""
    indices, updates = node.args
    axis, lines = node.params["axis"], node.op.by_line
    span = 1 if lines else indices.ndim
    _, here = axes_for(updates.shape, "i")
    read = Reader(buffers)
    at = here if lines else here[axis:axis + span]
    row = read.dynamic(read(indices, at), node.params["size"], node)
    outer = (*here[:axis], *here[axis + span:])
    zero = Axis(node.params["size"], "z")
    buffer = buffers[node]
    target = buffer.at((*here[:axis], row, *here[axis + span:]), node.shape)
    cleared = buffer.at((*here[:axis], as_index(zero), *here[axis + span:]), node.shape)
    steps = [atom for index in here[axis:axis + span] for atom in index.terms if isinstance(atom, Axis)]
    parallel = [atom for index in outer for atom in index.terms if isinstance(atom, Axis)]
    stores = [Store(buffer, cleared, read.constant(0, node.dtype)), Store(buffer, target, read(updates, here))]
    kernel = (ScatterLinesKernel if lines else ScatterKernel)(axes=parallel, inner=[zero, *steps], stores=stores, nodes=[node])
    kernel.schedule = schedule_scalar(kernel) if lines else choose(kernel, columns(kernel, lanes))
    return kernel


def emit_scatter(scope: Scope, kernel: ScatterKernel) -> None:
    """Clear all elements; then, for each update in order: add it to the element that its index names."""
    over_elements(scope, kernel, lambda: _scatter(scope, kernel))


def _scatter(scope: Scope, kernel: ScatterKernel) -> None:
    b, (clear, add), (zero, *steps) = scope.b, kernel.stores, kernel.inner
    with b.loop(b.whole(0), b.whole(zero.extent)) as i, scope.bind(zero, i):
        scope.store(clear)
    _scatter_steps(scope, steps, add)


def _scatter_steps(scope: Scope, steps: list[Axis], add: Store) -> None:
    b = scope.b
    if steps:
        with b.loop(b.whole(0), b.whole(steps[0].extent)) as i, scope.bind(steps[0], i):
            _scatter_steps(scope, steps[1:], add)
        return
    pointer, beside = scope.pointers[add.buffer], scope.lanes == 1 or scope.vector is None
    update = scope.expr(add.expr)
    if beside:
        offset = scope.index(add.offset)
        memory.store(b, b.add(memory.load(b, pointer, update.dtype, offset), update), pointer, offset)
    elif scope.vector is not None and add.offset.coefficient(scope.vector) == 1 and _same_row(scope, add.offset):
        offset = scope.index(add.offset, scalar=True)
        old = memory.load(b, pointer, update.dtype, offset, scope.lanes)
        memory.store(b, b.add(old, update), pointer, offset)
    else:  # lanes differ in a parallel axis, so that no two of them add to one element
        offsets = b.splat(scope.index(add.offset), scope.lanes)
        memory.scatter(b, b.add(memory.gather(b, pointer, update.dtype, offsets), update), pointer, offsets)


def _same_row(scope: Scope, offset: Index) -> bool:
    """Whether the index read from data is one for all lanes."""
    return all(isinstance(atom, Axis) or not atom.expr.uses(scope.vector) for atom in offset.terms if not isinstance(atom, Axis))  # type: ignore[union-attr]


# ---------------------------------------------------------------------- sorting
def plan_sort(node: Node, buffers: BufferMap, lanes: int) -> SortKernel:
    axes, here = axes_for(node.shape, "i")
    axis = node.params["axis"]
    along = next((loop for loop in here[axis].terms if isinstance(loop, Axis)), Axis(1))
    parallel = [loop for loop in axes if loop is not along]
    read = Reader(buffers)
    rows = int(np.prod([loop.extent for loop in parallel], dtype=np.int64))
    work = Buffer("arena", max(1, rows * 2 * along.extent), INT64)
    line = linear([as_index(loop) for loop in parallel], [loop.extent for loop in parallel])
    result = Store(buffers[node], buffers[node].at(here, node.shape), read.constant(0, INT64))
    space = Store(work, line * (2 * along.extent), read.constant(0, INT64))
    kernel = SortKernel(axes=parallel, inner=[along], stores=[result, space], nodes=[node], descending=node.params["descending"],
                        body=read(node.args[0], here))
    kernel.schedule = schedule_scalar(kernel)
    return kernel


def emit_sort(scope: Scope, kernel: SortKernel) -> None:
    """A bottom-up merge sort of positions for each line: stable, and without recursion."""
    over_elements(scope, kernel, lambda: _sort_line(scope, kernel))


def _sort_line(scope: Scope, kernel: SortKernel) -> None:
    b, n = scope.b, kernel.inner[0].extent
    result, space = kernel.stores
    pointer, start = scope.pointers[space.buffer], scope.index(space.offset)
    with b.loop(b.whole(0), b.whole(n)) as i:
        memory.store(b, i, pointer, b.add(start, i))
    width, source, target = b.variable(b.whole(1)), b.variable(start), b.variable(b.add(start, b.whole(n)))
    with b.loop_while(lambda: b.compare("<", width.get(), b.whole(n))):
        _merge_pass(scope, kernel, pointer, width.get(), source.get(), target.get())
        source_now, target_now = source.get(), target.get()
        source.set(target_now)
        target.set(source_now)
        width.set(b.add(width.get(), width.get()))
    with b.loop(b.whole(0), b.whole(n)) as i, scope.bind(kernel.inner[0], i):
        memory.store(b, memory.load(b, pointer, INT64, b.add(source.get(), i)), scope.pointers[result.buffer], scope.index(result.offset))


def _merge_pass(scope: Scope, kernel: SortKernel, pointer: str, width: Value, source: Value, target: Value) -> None:
    """Merge neighbouring runs of `width` from source to target."""
    b, n = scope.b, scope.b.whole(kernel.inner[0].extent)
    low = b.variable(b.whole(0))
    with b.loop_while(lambda: b.compare("<", low.get(), n)):
        first = low.get()
        middle = b.min(b.add(first, width), n)
        high = b.min(b.add(middle, width), n)
        left, right = b.variable(first), b.variable(middle)
        with b.loop(first, high) as k:
            i, j = left.get(), right.get()
            left_open, right_open = b.compare("<", i, middle), b.compare("<", j, high)
            at_left = memory.load(b, pointer, INT64, b.add(source, b.select(left_open, i, first)))
            at_right = memory.load(b, pointer, INT64, b.add(source, b.select(right_open, j, first)))
            sooner = _comes_before(scope, kernel, at_right, at_left)
            take_right = b.bit_and(right_open, b.bit_or(b.bit_not(left_open), sooner))
            memory.store(b, b.select(take_right, at_right, at_left), pointer, b.add(target, k))
            left.set(b.select(take_right, i, b.add(i, b.whole(1))))
            right.set(b.select(take_right, b.add(j, b.whole(1)), j))
        low.set(high)


def _comes_before(scope: Scope, kernel: SortKernel, i: Value, j: Value) -> Value:
    """Whether the element at position i must stand before that at j; NaN counts as largest."""
    b = scope.b
    keys = []
    for at in (i, j):
        with scope.bind(kernel.inner[0], at):
            keys.append(scope.expr(kernel.body))
    x, y = keys if not kernel.descending else keys[::-1]
    if x.dtype.kind == "b":
        return b.bit_and(b.bit_not(x), y)
    less = b.compare("<", x, y)
    if x.dtype.kind != "f":
        return less
    return b.bit_or(less, b.bit_and(b.compare("!=", y, y), b.compare("==", x, x)))


def is_special(node: Node) -> bool:
    return node.op.kernel in PLANNERS


PLANNERS: dict[str, Callable[[Node, BufferMap, int], Kernel]] = {
    "cumulative_sum": plan_cumulate, "scatter": plan_scatter, "sort": plan_sort}
