"""What a contraction costs in cycles, and the micro-tile that wastes least: MR rows of A by NR vectors of B."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, inf

from ..costs import (
    BETTER_TILE,
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
    TILE_STEP,
    UNEVEN,
    WAY,
    WAYS,
)
from .index import Axis, extent
from .nest import Load, expressions
from .operands import Operands, outer_axes, panel_extent, reads_single_elements
from .target import Target


def contraction_cost(operands: Operands, target: Target) -> float:
    """Cycles, roughly: multiplying (with what the tiles waste), packing, storing."""
    *_, multiply = choose_tile(operands, target)
    outer = extent(operands.batch) * extent(outer_axes(operands))
    k = extent(operands.k_axes)
    cost = multiply * k * outer
    elements = extent(operands.batch) * extent(operands.n_axes) * k
    cost += 0 if operands.fixed else elements * packing_cost(operands)
    if not reads_single_elements(operands):
        cost += LAID_OUT * extent(operands.batch) * extent(operands.m_axes) * k
    last = operands.n_axes[-1] if operands.n_axes else None
    for store in operands.stores:
        loads = 1 + sum(1 for expr in expressions([store.expr]) if isinstance(expr, Load) and last in expr.axes)
        beside = last is not None and store.offset.coefficient(last) == 1
        elements = extent(operands.batch) * extent(operands.m_axes) * extent(operands.n_axes)
        cost += loads * elements * (1 / operands.lanes if beside else SCATTER)
    return cost


def packing_cost(operands: Operands) -> float:
    """Cycles for each packed element: neighbours along n are copied, neighbours along k transposed, others fetched one by one."""
    if not isinstance(operands.b, Load) or not operands.n_axes:
        return PACK_COMPUTED
    offset = operands.b.offset
    if offset.coefficient(operands.n_axes[-1]) == 1:
        return PACK_COPIED / min(operands.lanes, max(1, gcd(operands.n_axes[-1].extent, operands.lanes * 4)))
    if operands.k_axes and offset.coefficient(operands.k_axes[-1]) == 1:
        return PACK_TRANSPOSED
    return PACK_GATHERED


def evenly_spaced(mr: int, m_axes: Sequence[Axis]) -> bool:
    """Whether the rows of A in a tile always lie at the same distances: they fill whole inner loops of m, or divide one evenly."""
    inner = 1
    for axis in reversed(m_axes):
        if mr <= inner * axis.extent:
            return inner * axis.extent % mr == 0 and mr % inner == 0
        inner *= axis.extent
    return len(m_axes) <= 1


def choose_tile(operands: Operands, target: Target) -> tuple[int, int, float]:
    """(MR, NR, cycles per step of k for all tiles): the micro-tile of a contraction."""
    return best_micro_tile(panel_extent(operands), extent(operands.m_axes), operands.lanes, target, operands.m_axes,
                           most_rows(operands))


def most_rows(operands: Operands) -> float:
    """How many rows of A the first-level cache holds at once, where each is read along its own memory.

    Rows that lie WAY bytes apart, or a multiple of that, share one set of the cache, which holds WAYS lines: one row more, and each
    line is thrown out before its next element is read.
    """
    if not isinstance(operands.a, Load) or not operands.m_axes or not operands.k_axes:
        return inf
    offset = operands.a.offset
    stride = offset.coefficient(operands.m_axes[-1])
    if offset.coefficient(operands.k_axes[-1]) != 1 or not stride:
        return inf
    return WAYS * (WAY // gcd(WAY, stride * operands.a.dtype.itemsize))


def best_micro_tile(width: int, height: int, lanes: int, target: Target, m_axes: Sequence[Axis] = (), most_rows: float = inf,
                    ) -> tuple[int, int, float]:
    """(MR, NR, cycles per step of k for all tiles): the micro-tile that wastes least for this size."""
    best = (1, 1, inf)
    for nr in range(MOST_VECTORS, 0, -1):
        most = min((target.registers - 2 - nr) // nr, target.sums // nr, most_rows, height)
        if (nr - 1) * lanes >= width:
            continue
        for mr in range(1, int(most) + 1):
            cycles = sum(count * tiles * tile_cycles(rows, vectors, target)
                         for vectors, count in pieces(-(-width // lanes), nr) for rows, tiles in pieces(height, mr))
            if len(m_axes) > 1 and not evenly_spaced(mr, m_axes):
                cycles *= UNEVEN if mr <= POINTERS else FAR_UNEVEN
            if cycles < best[2] * BETTER_TILE:
                best = (mr, nr, cycles)
    return best


def pieces(total: int, step: int) -> list[tuple[int, int]]:
    """(size, count): whole steps, and the remainder."""
    whole, rest = divmod(total, step)
    return ([(step, whole)] if whole else []) + ([(rest, 1)] if rest else [])


def tile_cycles(mr: int, nr: int, target: Target) -> float:
    """One step of k: multiply-adds, loads and broadcasts overlap; a narrow tile loads for each product, a small one waits for results."""
    return max(mr * nr * (NARROW_TILE if nr == 1 else 1), nr + target.broadcast * mr, target.latency) + TILE_STEP
