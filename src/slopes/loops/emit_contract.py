"""The code of a packed contraction: loops over panels, blocks of rows and parts of k; in each, micro-tiles that stay in registers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product

from ..costs import CHEAP_EPILOGUE, LINE, PREFETCHED, PREFETCHED_RUN, PREFETCHED_STEPS
from . import memory
from .choose import expression_cost
from .emit_nest import outer_loops
from .function_writer import Variable
from .index import Axis, Index, as_index, extent, unlinear
from .kernels import ContractKernel
from .lower import Reader
from .nest import Buffer, Load, Store, axes_of, expressions, indirect_parts
from .pack_panel import Tile, k_loops, pack_panel, panel_pitch, reads_in_place
from .scope import Scope
from .values import Value


def emit_contract(scope: Scope, kernel: ContractKernel) -> None:
    """for each unit (outer loops, part of k, panel, block of rows): pack the panel, then run all its tiles.

    A thread has neighbouring parts of k: of a dense layer's weights those inputs which it updates as well, as the gradient's panels lie
    along the inputs.
    """
    schedule, b = kernel.schedule, scope.b
    width = schedule.nr * schedule.lanes
    total = extent(kernel.panel)
    panels = Axis(-(-total // width), "panel")
    blocks = Axis(schedule.row_blocks, "rows")
    axes = [*kernel.outer, kernel.part, panels, blocks]
    with outer_loops(scope, axes, len(axes), schedule.blocks):
        whole, rest = divmod(total, width)
        if whole:
            with b.when(b.compare("<", scope.at[panels], b.whole(whole))):
                full = Axis(whole, "panel")
                with scope.bind(full, scope.at[panels]):
                    lane = Axis(width, "lane")
                    tile = Tile(as_index(full) * width + as_index(lane), lane, [schedule.lanes] * schedule.nr)
                    emit_panel(scope, kernel, tile, blocks)
        if rest:
            with b.when(b.compare("==", scope.at[panels], b.whole(whole))):
                lane = Axis(rest, "lane")
                sizes = [schedule.lanes] * (rest // schedule.lanes) + ([rest % schedule.lanes] if rest % schedule.lanes else [])
                emit_panel(scope, kernel, Tile(as_index(lane) + whole * width, lane, sizes), blocks)


def is_plain(kernel: ContractKernel) -> bool:
    """Whether no loop of the code computes what is the same in all of its steps: B is copied, and the epilogue has no loop."""
    return isinstance(kernel.b, Load) and is_cheap(kernel.stores)


def is_cheap(stores: Sequence[Store]) -> bool:
    """Whether an epilogue is short enough to be written once for each register of a tile."""
    return expression_cost([store.expr for store in stores]) <= CHEAP_EPILOGUE


def emit_panel(scope: Scope, kernel: ContractKernel, tile: Tile, blocks: Axis) -> None:
    """Pack one panel (unless it can be read in place), then the tiles of this block's rows."""
    schedule, b, read = kernel.schedule, scope.b, Reader({})
    placed = dict(zip(kernel.panel, unlinear(tile.column, tuple(axis.extent for axis in kernel.panel))))
    columns = read.substitute(kernel.b, placed)
    bounds = k_bounds(scope, kernel)
    height = extent(kernel.rows)
    direct = reads_in_place(columns, tile, height, schedule)
    if direct is None:
        pack_panel(scope, kernel, columns, tile, bounds)
    stores = [Store(store.buffer, store.offset.substitute(placed), read.substitute(store.expr, placed)) for store in kernel.stores]
    whole, rest = divmod(height, schedule.mr)
    per_block = -(-whole // blocks.extent) if whole else 0
    if whole:
        start = b.mul(scope.at[blocks], b.whole(per_block))
        stop = b.min(b.add(start, b.whole(per_block)), b.whole(whole))
        rows, row = Axis(whole, "rows"), Axis(schedule.mr, "row")
        with b.loop(start, stop) as i, scope.bind(rows, i):
            emit_tile(scope, kernel, tile, direct, as_index(rows) * schedule.mr + as_index(row), row, stores, bounds)
    if rest:
        row = Axis(rest, "row")
        with b.when(b.compare("==", scope.at[blocks], b.whole(blocks.extent - 1))):
            emit_tile(scope, kernel, tile, direct, as_index(row) + whole * schedule.mr, row, stores, bounds)


def k_bounds(scope: Scope, kernel: ContractKernel) -> list[tuple[Value, Value]]:
    """From where to where each loop of k runs in this part: only the first loop is split."""
    b, parts = scope.b, kernel.part
    bounds = [(b.whole(0), b.whole(axis.extent)) for axis in kernel.inner]
    if parts.extent > 1:
        first = kernel.inner[0].extent
        step = -(-first // parts.extent)
        start = b.mul(scope.at[parts], b.whole(step))
        bounds[0] = (start, b.min(b.add(start, b.whole(step)), b.whole(first)))
    return bounds


def emit_tile(scope: Scope, kernel: ContractKernel, tile: Tile, direct: list[tuple[Axis, Load]] | None, m: Index, row: Axis,
              stores: list[Store], bounds: list[tuple[Value, Value]]) -> None:
    """One micro-tile: all its sums start at zero, run over k in registers, and are finished and stored."""
    schedule, b, read = kernel.schedule, scope.b, Reader({})
    assert isinstance(kernel.a, Load)
    placed = dict(zip(kernel.rows, unlinear(m, tuple(axis.extent for axis in kernel.rows))))
    other = read.substitute(kernel.a, placed)
    assert isinstance(other, Load)
    offset = other.offset
    dtype, rows = kernel.node.dtype, row.extent
    whole = [count if direct is not None else schedule.lanes for count in tile.vectors]
    sums = [[b.variable(b.const(0, dtype=dtype, lanes=count)) for count in whole] for _ in range(rows)]
    finished = [Store(store.buffer, store.offset.substitute(placed), read.substitute(store.expr, placed)) for store in stores]
    prefetch_epilogue(scope, kernel, tile, row, finished)
    with ExitStack() as stack:
        moving, bases = row_bases(scope, kernel, offset, row)
        position = k_loops(scope, kernel, bounds, stack)
        vectors = load_vectors(scope, kernel, tile, direct, position)
        shift = scope.index(moving)
        for base, totals in zip(bases, sums):
            x = memory.load(b, scope.pointers[kernel.a.buffer], dtype, b.add(base, shift))
            for total, vector in zip(totals, vectors):
                total.set(b.multiply_add(b.splat(x, vector.lanes), vector, total.get()))
    if is_cheap(finished):
        store_tile(scope, tile, row, sums, finished)
    else:
        store_tile_by_rows(scope, tile, row, sums, finished, kernel.panel_elements, panel_pitch(tile, schedule))


def prefetch_epilogue(scope: Scope, kernel: ContractKernel, tile: Tile, row: Axis, stores: list[Store]) -> None:
    """Fetch what the epilogue reads and writes while k runs, where a tile touches a line or two of each row of large buffers.

    Such short runs at long distances are no stream that the processor would fetch by itself.
    """
    b, accesses = scope.b, epilogue_accesses(stores)
    near = kernel.schedule.nr * kernel.schedule.lanes * kernel.node.dtype.itemsize >= PREFETCHED_RUN
    if near or extent(kernel.inner) < PREFETCHED_STEPS or sum(buffer.nbytes for buffer in {buffer for buffer, _ in accesses}) < PREFETCHED:
        return
    for buffer, offset in accesses:
        if offset.coefficient(tile.lane) == 1 and row in axes_of(offset):
            for i, first in product(range(row.extent), range(0, tile.lane.extent, LINE // buffer.dtype.itemsize)):
                with scope.bind(row, b.whole(i)), scope.bind(tile.lane, b.whole(first)):
                    memory.prefetch(b, scope.pointers[buffer], buffer.dtype, scope.index(offset))


def epilogue_accesses(stores: list[Store]) -> list[tuple[Buffer, Index]]:
    """What an epilogue writes and reads, each once; where the index is read from data it is known too late."""
    loads = [expr for expr in expressions([store.expr for store in stores]) if isinstance(expr, Load)]
    accesses = dict.fromkeys([*((store.buffer, store.offset) for store in stores), *((load.buffer, load.offset) for load in loads)])
    return [(buffer, offset) for buffer, offset in accesses if not indirect_parts(offset)]


def row_bases(scope: Scope, kernel: ContractKernel, offset: Index, row: Axis) -> tuple[Index, list[Value]]:
    """The offset of A as a part that moves with k and, for each row, a part that does not."""
    inner = set(kernel.inner)
    moving = Index({atom: c for atom, c in offset.terms.items() if axes_of(Index({atom: 1})) & inner})
    fixed = offset - moving
    mixed = row in axes_of(moving)
    assert not mixed, "rows and steps of k do not separate"
    bases = []
    for i in range(row.extent):
        with scope.bind(row, scope.b.whole(i)):
            bases.append(scope.index(fixed))
    return moving, bases


def load_vectors(scope: Scope, kernel: ContractKernel, tile: Tile, direct: list[tuple[Axis, Load]] | None, position: Value) -> list[Value]:
    """One step of k of a panel of B: packed in scratch, or read in place."""
    b, schedule = scope.b, kernel.schedule
    if direct is not None:
        vectors = []
        for within, part in direct:
            with scope.along(within, b.whole(0), within.extent):
                vectors.append(scope.expr(part))
        return vectors
    base = b.mul(position, b.whole(panel_pitch(tile, schedule)))
    lanes, dtype = schedule.lanes, kernel.node.dtype
    return [memory.load(b, "%scratch", dtype, b.add(base, b.whole(i * lanes)), lanes) for i in range(len(tile.vectors))]


def store_tile(scope: Scope, tile: Tile, row: Axis, sums: list[list[Variable]], stores: list[Store]) -> None:
    """The epilogue on registers, unrolled over the registers of the tile."""
    b = scope.b
    for i, totals in enumerate(sums):
        with scope.bind(row, b.whole(i)):
            first = 0
            for count, total in zip(tile.vectors, totals):
                with scope.along(tile.lane, b.whole(first), count):
                    value = total.get()
                    scope.accumulator = b.first(value, count)
                    scope.forget()
                    scope.stores(stores)
                first += count
    scope.accumulator = None


def store_tile_by_rows(scope: Scope, tile: Tile, row: Axis, sums: list[list[Variable]], stores: list[Store], base: int, pitch: int) -> None:
    """A long epilogue once, in a loop over the rows: the sums are kept behind the panel in scratch."""
    b, dtype = scope.b, sums[0][0].dtype
    for i, totals in enumerate(sums):
        first = 0
        for count, total in zip(tile.vectors, totals):
            memory.store(b, b.first(total.get(), count), "%scratch", b.whole(base + i * pitch + first))
            first += count
    with b.loop(b.whole(0), b.whole(row.extent)) as row_index, scope.bind(row, row_index):
        first = 0
        for count in tile.vectors:
            with scope.along(tile.lane, b.whole(first), count):
                scope.accumulator = memory.load(b, "%scratch", dtype, b.add(b.whole(base + first), b.mul(row_index, b.whole(pitch))), count)
                scope.forget()
                scope.stores(stores)
            first += count
    scope.accumulator = None
