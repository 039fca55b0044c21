"""The packed kernel behind matrix products and convolutions, explained.

A contraction is C[s, v] = sum over k of S[s, k] * V[v, k], where s, v and k each stand for several loops.

* One side, V, runs along the lanes of vectors; the other, S, is read one element at a time and broadcast to all lanes.
* A tile of C, `rows` x `vectors` registers, is kept in registers while k runs: for each k, `vectors` loads of V and `rows`
  broadcasts of S feed rows * vectors fused multiply-adds. That ratio is what reaches the machine's peak.
* Before that, a panel of V (all k, as many v as a tile has lanes) is packed into a scratch row of memory, in the order in which
  the tile reads it. Windows, padding, transposes and cheap arithmetic happen during packing: a convolution never exists as a
  matrix in memory. A panel that already lies right is read where it is.
* S needs no packing, because single elements may lie anywhere.
* When the tile is finished, the epilogue (bias, activation, an optimizer's update ...) is computed on the registers and stored.
* When there are too few tiles for all threads, k is split into fixed parts whose results a second kernel adds in a fixed order.
"""

from __future__ import annotations

from math import prod

from ..costs import (
    BLOCK_MULTIPLIES,
    ENOUGH_BLOCKS,
    EVEN_PART,
    FEW_COLUMNS,
    FEW_ROWS,
    LONGEST_PANEL,
    MAXIMUM_BLOCKS,
    REPACK_ROWS,
    REPACK_TILES,
    SHORTEST_PART,
    SMALL_PRODUCT,
    SPLIT_MULTIPLIES,
)
from ..graph.node import Node
from ..passes.fuse import Group
from .choose import even_blocks, schedule_reduce
from .index import Axis, as_index, extent, linear
from .kernels import ContractKernel, Kernel, ReduceKernel, Reduction
from .lower import Reader, merge_axes
from .nest import Buffer, Places, Store
from .operands import Sides, outer_axes, panel_axes, panel_extent, reads_single_elements, sides_of
from .pack_ahead import lay_out, lies_apart, packed_once, strips_once
from .plan_nest import used_indices
from .roots import inner_shape
from .schedule import ContractSchedule
from .target import Target
from .tile_shape import chosen_tile, side_cost


def worth_packing(root: Node) -> bool:
    """Whether a contraction is large enough, and of a type, for the packed kernel."""
    p, (a, b) = root.params, root.args
    if root.dtype.kind != "f":
        return False
    k = prod(inner_shape(root))
    shared = {label for label in p["out_axes"] if label in p["a_axes"] and label in p["b_axes"]}
    rows = prod(n for label, n in zip(p["a_axes"], a.shape) if label in p["out_axes"] and label not in shared)
    columns = prod(n for label, n in zip(p["b_axes"], b.shape) if label in p["out_axes"] and label not in shared)
    return root.size * k >= SMALL_PRODUCT and k >= 2 and min(rows, columns) >= FEW_COLUMNS and max(rows, columns) >= FEW_ROWS


def plan_contract(group: Group, buffers: Places, target: Target) -> list[Kernel]:
    """The kernels of a contraction group: perhaps one that lays S out, the tiles, perhaps one that adds up parts."""
    root = group.root
    assert root is not None
    options = [sides_of(group, buffers, target, swap) for swap in (False, True)]
    best = min(options, key=lambda sides: side_cost(sides, target))
    before: list[Kernel] = []
    if not reads_single_elements(best):
        best.s, kernel = lay_out(best, root, target)
        before = [kernel]
    return before + tile_kernels(best, group, buffers, target)


def tile_kernels(sides: Sides, group: Group, buffers: Places, target: Target) -> list[Kernel]:
    """The tiles as one kernel; with k in parts, a second one adds them up."""
    root = group.root
    assert root is not None
    panel, height = panel_extent(sides), extent(sides.s_axes)
    rows, vectors, _ = chosen_tile(sides, target)
    outer = [*sides.batch, *outer_axes(sides)]
    panels = -(-panel // (vectors * sides.lanes))
    units = extent(outer) * panels
    before: list[Kernel] = []
    if sides.fixed:
        sides.v, packing = packed_once(sides, vectors * sides.lanes, root, target)
        before = [packing]
    if lies_apart(sides, panels):
        sides.s, copying = strips_once(sides, rows, root, buffers, target)
        before += copying
    least = rows if sides.fixed else max(REPACK_TILES * rows, REPACK_ROWS)  # rows for which packing a panel again pays
    row_blocks = min(-(-ENOUGH_BLOCKS // units), max(1, height // least)) if units < ENOUGH_BLOCKS else 1
    parts = 1 if sides.fixed else k_parts(sides, units * row_blocks)
    added, stores, part = [], sides.stores, Axis(1, "part")
    if parts > 1:
        part, stores, adding = add_parts(sides, parts, group, target)
        added = [adding]
    axes = [*sides.batch, *sides.v_axes, *sides.s_axes]
    kernel = ContractKernel(axes=axes, inner=sides.k_axes, stores=stores, nodes=group.nodes, node=root, a=sides.s, b=sides.v, part=part)
    blocks = even_blocks(units * row_blocks * parts, max(ENOUGH_BLOCKS, min(MAXIMUM_BLOCKS, kernel.work // BLOCK_MULTIPLIES)))
    first_row = len(axes) - len(sides.s_axes)
    kernel.schedule = ContractSchedule(
        blocks, rows, vectors, sides.lanes, tuple(range(len(outer))), tuple(range(len(outer), first_row)),
        tuple(range(first_row, len(axes))), row_blocks, parts, sides.fixed)
    return [*before, kernel, *added]


def k_parts(sides: Sides, units: int) -> int:
    """Into how many parts k is split: for panels that stay in the cache, and for enough work to share."""
    k = extent(sides.k_axes)
    if not sides.k_axes:
        return 1
    wanted = -(-k // LONGEST_PANEL)
    multiplies = k * extent(sides.batch) * extent(sides.v_axes) * extent(sides.s_axes)
    if units < ENOUGH_BLOCKS and multiplies > SPLIT_MULTIPLIES:
        wanted = max(wanted, min(-(-ENOUGH_BLOCKS // units), k // SHORTEST_PART))
    first = sides.k_axes[0].extent
    wanted = min(wanted, first)
    if wanted <= 1:
        return 1
    step = -(-first // wanted)
    shorter = [even for even in range(step, 0, -1) if first % even == 0 and even >= EVEN_PART * step]
    return -(-first // (shorter[0] if shorter else step))  # parts of one size: no thread waits for a larger one


def add_parts(sides: Sides, parts: int, group: Group, target: Target) -> tuple[Axis, list[Store], ReduceKernel]:
    """(the loop over the parts of k, the stores of the tiles' results by parts, the kernel that adds those and computes the epilogue)."""
    root = group.root
    assert root is not None
    order = [*sides.batch, *outer_axes(sides), *sides.s_axes, *panel_axes(sides)]
    offset = linear([as_index(axis) for axis in order], [axis.extent for axis in order])
    size = extent(order)
    partial = Buffer("arena", parts * size, root.dtype)
    part, total = Axis(parts, "part"), Axis(parts, "part")
    read = Reader({})
    store = Store(partial, as_index(part) * size + offset, read.accumulator(root.dtype, order))
    body = read.apply_load(partial, as_index(total) * size + offset)
    axes = [axis for axis in (*sides.batch, *sides.v_axes, *sides.s_axes) if axis.extent > 1]
    merged, terms = merge_axes(axes, used_indices(sides.stores, body))
    stores = [Store(store.buffer, store.offset.substitute(terms), read.substitute(store.expr, terms)) for store in sides.stores]
    adding = ReduceKernel(axes=merged, inner=[total], reductions=[Reduction(root, read.substitute(body, terms), stores)],
                          nodes=group.nodes)
    return part, [store], schedule_reduce(adding, target.lanes)
