"""What a contraction costs in cycles, and the micro-tile that wastes least: how many rows of A by how many vectors of B."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, inf

from ..costs import (
    BETTER_TILE,
    BROADCAST,
    FAR_UNEVEN,
    LAID_OUT,
    MOST_VECTORS,
    NARROW_TILE,
    PACK_COMPUTED,
    PACK_COPIED,
    PACK_GATHERED,
    PACK_TRANSPOSED,
    POINTERS,
    SCATTER,
    TILE_LATENCY,
    TILE_STEP,
    UNEVEN,
    WAY,
    WAYS,
)
from .index import Axis, extent
from .nest import Load, expressions
from .operands import Sides, outer_axes, panel_extent, reads_single_elements
from .target import Target


def side_cost(sides: Sides, target: Target) -> float:
    """Cycles, roughly: multiplying (with what the tiles waste), packing, storing."""
    *_, multiply = chosen_tile(sides, target)
    outer = extent(sides.batch) * extent(outer_axes(sides))
    k = extent(sides.k_axes)
    cost = multiply * k * outer
    elements = extent(sides.batch) * extent(sides.v_axes) * k
    cost += 0 if sides.fixed else elements * packing_cost(sides)
    if not reads_single_elements(sides):
        cost += LAID_OUT * extent(sides.batch) * extent(sides.s_axes) * k
    last = sides.v_axes[-1] if sides.v_axes else None
    for store in sides.stores:
        loads = 1 + sum(1 for expr in expressions([store.expr]) if isinstance(expr, Load) and last in expr.axes)
        beside = last is not None and store.offset.coefficient(last) == 1
        cost += loads * extent(sides.batch) * extent(sides.s_axes) * extent(sides.v_axes) * (1 / sides.lanes if beside else SCATTER)
    return cost


def packing_cost(sides: Sides) -> float:
    """Cycles for each packed element: neighbours along v are copied, neighbours along k transposed, others fetched one by one."""
    if not isinstance(sides.v, Load) or not sides.v_axes:
        return PACK_COMPUTED
    offset = sides.v.offset
    if offset.coefficient(sides.v_axes[-1]) == 1:
        return PACK_COPIED / min(sides.lanes, max(1, gcd(sides.v_axes[-1].extent, sides.lanes * 4)))
    if sides.k_axes and offset.coefficient(sides.k_axes[-1]) == 1:
        return PACK_TRANSPOSED
    return PACK_GATHERED


def evenly_spaced(rows: int, s_axes: Sequence[Axis]) -> bool:
    """Whether a tile's rows of S always lie at the same distances: they fill whole inner loops of s, or divide one evenly."""
    inner = 1
    for axis in reversed(s_axes):
        if rows <= inner * axis.extent:
            return inner * axis.extent % rows == 0 and rows % inner == 0
        inner *= axis.extent
    return len(s_axes) <= 1


def chosen_tile(sides: Sides, target: Target) -> tuple[int, int, float]:
    """(rows, vectors, cycles per step of k for all tiles): the tile shape for a contraction."""
    return best_tile(panel_extent(sides), extent(sides.s_axes), sides.lanes, target.registers, sides.s_axes, most_rows(sides))


def most_rows(sides: Sides) -> float:
    """How many rows of S the first-level cache holds at once, where each is read along its own memory.

    Rows that lie WAY bytes apart, or a multiple of that, share one set of the cache, which holds WAYS lines: one row more, and each
    line is thrown out before its next element is read.
    """
    if not isinstance(sides.s, Load) or not sides.s_axes or not sides.k_axes or sides.s.offset.coefficient(sides.k_axes[-1]) != 1:
        return inf
    apart = sides.s.offset.coefficient(sides.s_axes[-1])
    return inf if not apart else WAYS * (WAY // gcd(WAY, apart * sides.s.dtype.itemsize))


def best_tile(width: int, height: int, lanes: int, registers: int, s_axes: Sequence[Axis] = (), most_rows: float = inf,
              ) -> tuple[int, int, float]:
    """(rows, vectors, cycles per step of k for all tiles): the tile shape that wastes least for this size."""
    best = (1, 1, inf)
    for vectors in range(MOST_VECTORS, 0, -1):
        most = min((registers - 2 - vectors) // vectors, most_rows, height)
        if (vectors - 1) * lanes >= width:
            continue
        for rows in range(1, int(most) + 1):
            cycles = sum(count * tiles * tile_cycles(r, n)
                         for n, count in pieces(-(-width // lanes), vectors) for r, tiles in pieces(height, rows))
            if len(s_axes) > 1 and not evenly_spaced(rows, s_axes):
                cycles *= UNEVEN if rows <= POINTERS else FAR_UNEVEN
            if cycles < best[2] * BETTER_TILE:
                best = (rows, vectors, cycles)
    return best


def pieces(total: int, step: int) -> list[tuple[int, int]]:
    """(size, how many): whole steps, and what is left."""
    whole, rest = divmod(total, step)
    return ([(step, whole)] if whole else []) + ([(rest, 1)] if rest else [])


def tile_cycles(rows: int, vectors: int) -> float:
    """One step of k: multiply-adds, loads and broadcasts overlap; a narrow tile loads for each product, a small one waits for results."""
    return max(rows * vectors * (NARROW_TILE if vectors == 1 else 1), vectors + BROADCAST * rows, TILE_LATENCY) + TILE_STEP
