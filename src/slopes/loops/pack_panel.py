"""Panels of B for the tiles: read in place, or copied, transposed or computed into scratch."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from math import gcd

from ..costs import IN_PLACE_TILES
from . import memory
from .builder import Builder
from .index import Axis, Index, as_index
from .kernels import ContractKernel
from .lower import Reader
from .nest import Expr, Load, Select, expressions
from .schedule import ContractSchedule
from .scope import Scope
from .values import Value


@dataclass
class Tile:
    """One variant of the tile's code.

    column   the column of B, an index of the panel's loops and of `lane`
    lane     the axis of the columns of one tile
    vectors  how many lanes of each vector are columns
    """

    column: Index
    lane: Axis
    vectors: list[int]


def reads_in_place(columns: Expr, tile: Tile, height: int, schedule: ContractSchedule) -> list[tuple[Axis, Load]] | None:
    """The vectors of B as loads of neighbours, to be read in place; None where they are none, or are read so often that packing pays."""
    if not isinstance(columns, Load) or not (schedule.prepacked or height <= IN_PLACE_TILES * schedule.mr):
        return None
    read, first, loads = Reader({}), 0, []
    for count in tile.vectors:
        within = Axis(count, "within")
        part = read.substitute(columns, {tile.lane: as_index(within) + first})
        if not isinstance(part, Load) or part.offset.coefficient(within) != 1:
            return None
        loads.append((within, part))
        first += count
    return loads


def k_loops(scope: Scope, kernel: ContractKernel, bounds: list[tuple[Value, Value]], stack: ExitStack) -> Value:
    """Open the loops over k; returns the position in the packed panel."""
    b = scope.b
    position = b.whole(0)
    for axis, (start, stop) in zip(kernel.inner, bounds):
        k = stack.enter_context(b.loop(start, stop))
        stack.enter_context(scope.bind(axis, k))
        relative = k if start.literal == 0 else b.sub(k, start)
        position = b.add(b.mul(position, b.whole(axis.extent)), relative)
    return position


def panel_pitch(tile: Tile, schedule: ContractSchedule) -> int:
    return len(tile.vectors) * schedule.lanes


def pack_panel(scope: Scope, kernel: ContractKernel, columns: Expr, tile: Tile, bounds: list[tuple[Value, Value]]) -> None:
    """Write the panel into scratch: for each k, the lanes side by side."""
    schedule = kernel.schedule
    chunk = run_length(columns, tile, kernel)
    if chunk == 0 and can_transpose(columns, kernel, scope.b.lanes):
        pack_transposed(scope, kernel, columns, tile, bounds)
        return
    size = chunk or min(schedule.lanes, tile.lane.extent)
    pieces_of = [size] * (tile.lane.extent // size) + ([tile.lane.extent % size] if tile.lane.extent % size else [])
    read, group, within = Reader({}), Axis(len(pieces_of), "run"), Axis(size, "within")
    lanes = read.substitute(columns, {tile.lane: as_index(group) * size + as_index(within)})
    with ExitStack() as stack:
        position = k_loops(scope, kernel, bounds, stack)
        base = scope.b.mul(position, scope.b.whole(panel_pitch(tile, schedule)))
        for i, count in enumerate(pieces_of):
            with scope.bind(group, scope.b.whole(i)), scope.along(within, scope.b.whole(0), count):
                value = scope.b.splat(scope.expr(lanes), count)
                memory.store(scope.b, value, "%scratch", scope.b.add(base, scope.b.whole(i * size)))


def run_length(columns: Expr, tile: Tile, kernel: ContractKernel) -> int:
    """How many consecutive lanes are neighbours in memory in every panel; 0 when too few to copy as vectors."""
    lanes = kernel.schedule.lanes
    loads = [expr for expr in expressions([columns]) if isinstance(expr, Load) and tile.lane in expr.axes]
    if not loads or any(isinstance(expr, Select) for expr in expressions([columns])):
        return 0
    innermost = kernel.panel[-1].extent if kernel.panel else 1
    for size in (lanes, lanes // 2, lanes // 4):
        if size < 2 or (len(kernel.panel) > 1 and gcd(innermost, size) < size) or tile.lane.extent < size:
            continue
        if _runs(loads, tile, size):
            return size
    return 0


def _runs(loads: list[Load], tile: Tile, size: int) -> bool:
    group, within = Axis(max(1, tile.lane.extent // size), "run"), Axis(size, "within")
    return all(load.offset.substitute({tile.lane: as_index(group) * size + as_index(within)}).coefficient(within) == 1 for load in loads)


def can_transpose(columns: Expr, kernel: ContractKernel, lanes: int) -> bool:
    """Whether elements of B are neighbours along the innermost k."""
    return (isinstance(columns, Load) and bool(kernel.inner) and columns.offset.coefficient(kernel.inner[-1]) == 1
            and kernel.inner[-1].extent >= kernel.schedule.lanes)


def pack_transposed(scope: Scope, kernel: ContractKernel, columns: Expr, tile: Tile, bounds: list[tuple[Value, Value]]) -> None:
    """Squares of lanes x lanes elements are loaded along k, turned in registers and stored along n."""
    b, schedule, last = scope.b, kernel.schedule, kernel.inner[-1]
    lanes, pitch = schedule.lanes, panel_pitch(tile, schedule)
    start, stop = bounds[-1]
    with ExitStack() as stack:
        position = b.whole(0)
        for axis, (first, end) in zip(kernel.inner[:-1], bounds[:-1]):
            k = stack.enter_context(b.loop(first, end))
            stack.enter_context(scope.bind(axis, k))
            relative = k if first.literal == 0 else b.sub(k, first)
            position = b.add(b.mul(position, b.whole(axis.extent)), relative)
        position = b.mul(position, b.whole(last.extent))
        count = b.sub(stop, start)
        square = b.sub(count, b.binary("urem", count, b.whole(lanes)))
        with b.loop(b.whole(0), square, lanes) as i:
            _turn_squares(scope, columns, tile, last, b.add(start, i), b.add(position, i), lanes, pitch)
        with b.loop(square, count) as i, scope.bind(last, b.add(start, i)):
            _single_steps(scope, columns, tile, b.mul(b.add(position, i), b.whole(pitch)), lanes)


def _turn_squares(scope: Scope, columns: Expr, tile: Tile, last: Axis, k: Value, position: Value, lanes: int, pitch: int) -> None:
    """The squares of one run of k: the code of a whole square is large, and therefore written once for all of them."""
    whole, rest = divmod(tile.lane.extent, lanes)
    if whole > 1:
        with scope.b.loop(scope.b.whole(0), scope.b.whole(whole * lanes), lanes) as first:
            _turn_square(scope, columns, tile, last, k, position, first, lanes, lanes, pitch)
    elif whole:
        _turn_square(scope, columns, tile, last, k, position, scope.b.whole(0), lanes, lanes, pitch)
    if rest:
        _turn_square(scope, columns, tile, last, k, position, scope.b.whole(whole * lanes), rest, lanes, pitch)


def _turn_square(scope: Scope, columns: Expr, tile: Tile, last: Axis, k: Value, position: Value, first: Value, count: int, lanes: int,
                 pitch: int) -> None:
    """A square whose first `count` columns are columns of the tile; lanes beyond them hold anything: they are never stored in a result."""
    b, rows = scope.b, []
    for lane in range(count):
        with scope.bind(tile.lane, b.add(first, b.whole(lane))), scope.along(last, k, lanes):
            rows.append(scope.expr(columns))
    rows += [rows[-1]] * (lanes - count)
    for step, row in enumerate(transpose(b, rows)):
        memory.store(b, row, "%scratch", b.add(b.mul(b.add(position, b.whole(step)), b.whole(pitch)), first))


def _single_steps(scope: Scope, columns: Expr, tile: Tile, base: Value, lanes: int) -> None:
    b = scope.b
    for first in range(0, tile.lane.extent, lanes):
        count = min(lanes, tile.lane.extent - first)
        with scope.along(tile.lane, b.whole(first), count):
            memory.store(b, b.splat(scope.expr(columns), count), "%scratch", b.add(base, b.whole(first)))


def transpose(b: Builder, rows: list[Value]) -> list[Value]:
    """A square of registers, turned: at each stage, rows `distance` apart exchange their halves of that width."""
    n, distance = len(rows), len(rows) // 2
    while distance:
        low = [lane if lane // distance % 2 == 0 else n + lane - distance for lane in range(n)]
        high = [lane + distance if lane // distance % 2 == 0 else n + lane for lane in range(n)]
        for i in range(n):
            if i // distance % 2 == 0:
                x, y = rows[i], rows[i + distance]
                rows[i], rows[i + distance] = b.shuffle(x, y, low), b.shuffle(x, y, high)
        distance //= 2
    return rows
