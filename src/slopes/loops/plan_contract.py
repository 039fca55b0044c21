"""The packed kernel behind matrix products and convolutions, explained.

A contraction is C[m, n] = sum over k of A[m, k] B[k, n], where m, n and k each stand for several loops.

* B runs along the lanes of vectors; A is read one element at a time and broadcast to all lanes.
* A micro-tile of C, MR rows by NR vectors, is kept in registers while k runs: for each k, NR loads of B and MR broadcasts of A
  feed MR NR fused multiply-adds. That ratio is what reaches the machine's peak.
* Before that, a panel of B (all k, as many columns as a tile has lanes) is packed into a scratch row of memory, in the order in
  which the tile reads it. Windows, padding, transposes and cheap arithmetic happen during packing: a convolution never exists as a
  matrix in memory. A panel whose elements are already in this order is read where it is.
* A is packed only where its steps of k lie on different pages: single elements may be read from anywhere.
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
from .nest import Buffer, BufferMap, Store
from .operands import Operands, operands_of, outer_axes, panel_axes, panel_extent, reads_single_elements
from .pack_ahead import materialize_a, pack_a, prepack_b, strided_by_page
from .plan_nest import used_indices
from .roots import inner_shape
from .schedule import ContractSchedule
from .target import Target
from .tile_shape import choose_tile, contraction_cost


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


def plan_contract(group: Group, buffers: BufferMap, target: Target) -> list[Kernel]:
    """The kernels of a contraction group: perhaps one that writes A out, the tiles, perhaps one that adds up parts."""
    root = group.root
    assert root is not None
    options = [operands_of(group, buffers, target, swap) for swap in (False, True)]
    best = min(options, key=lambda operands: contraction_cost(operands, target))
    before: list[Kernel] = []
    if not reads_single_elements(best):
        best.a, kernel = materialize_a(best, root, target)
        before = [kernel]
    return before + tile_kernels(best, group, buffers, target)


def tile_kernels(operands: Operands, group: Group, buffers: BufferMap, target: Target) -> list[Kernel]:
    """The tiles as one kernel; with k in parts, a second one adds them up."""
    root = group.root
    assert root is not None
    panel, height = panel_extent(operands), extent(operands.m_axes)
    mr, nr, _ = choose_tile(operands, target)
    outer = [*operands.batch, *outer_axes(operands)]
    panels = -(-panel // (nr * operands.lanes))
    units = extent(outer) * panels
    before: list[Kernel] = []
    if operands.fixed:
        operands.b, packing = prepack_b(operands, nr * operands.lanes, root, target)
        before = [packing]
    if strided_by_page(operands, panels):
        operands.a, copying = pack_a(operands, mr, root, buffers, target)
        before += copying
    least = mr if operands.fixed else max(REPACK_TILES * mr, REPACK_ROWS)  # rows for which packing a panel again pays
    row_blocks = min(-(-ENOUGH_BLOCKS // units), max(1, height // least)) if units < ENOUGH_BLOCKS else 1
    parts = 1 if operands.fixed else k_parts(operands, units * row_blocks)
    added, stores, part = [], operands.stores, Axis(1, "part")
    if parts > 1:
        part, stores, adding = add_parts(operands, parts, group, target)
        added = [adding]
    axes = [*operands.batch, *operands.n_axes, *operands.m_axes]
    kernel = ContractKernel(axes=axes, inner=operands.k_axes, stores=stores, nodes=group.nodes, node=root, a=operands.a, b=operands.b,
                            part=part)
    blocks = even_blocks(units * row_blocks * parts, max(ENOUGH_BLOCKS, min(MAXIMUM_BLOCKS, kernel.work // BLOCK_MULTIPLIES)))
    first_row = len(axes) - len(operands.m_axes)
    kernel.schedule = ContractSchedule(
        blocks, mr, nr, operands.lanes, tuple(range(len(outer))), tuple(range(len(outer), first_row)),
        tuple(range(first_row, len(axes))), row_blocks, parts, operands.fixed)
    return [*before, kernel, *added]


def k_parts(operands: Operands, units: int) -> int:
    """Into how many parts k is split: for panels that stay in the cache, and for enough work to share."""
    k = extent(operands.k_axes)
    if not operands.k_axes:
        return 1
    count = -(-k // LONGEST_PANEL)
    multiplies = k * extent(operands.batch) * extent(operands.n_axes) * extent(operands.m_axes)
    if units < ENOUGH_BLOCKS and multiplies > SPLIT_MULTIPLIES:
        count = max(count, min(-(-ENOUGH_BLOCKS // units), k // SHORTEST_PART))
    first = operands.k_axes[0].extent
    count = min(count, first)
    if count <= 1:
        return 1
    step = -(-first // count)
    shorter = [even for even in range(step, 0, -1) if first % even == 0 and even >= EVEN_PART * step]
    return -(-first // (shorter[0] if shorter else step))  # parts of one size: no thread waits for a larger one


def add_parts(operands: Operands, parts: int, group: Group, target: Target) -> tuple[Axis, list[Store], ReduceKernel]:
    """(the loop over the parts of k, the stores of the tiles' results by parts, the kernel that adds those and computes the epilogue)."""
    root = group.root
    assert root is not None
    order = [*operands.batch, *outer_axes(operands), *operands.m_axes, *panel_axes(operands)]
    offset = linear([as_index(axis) for axis in order], [axis.extent for axis in order])
    size = extent(order)
    partial = Buffer("arena", parts * size, root.dtype)
    part, total = Axis(parts, "part"), Axis(parts, "part")
    read = Reader({})
    store = Store(partial, as_index(part) * size + offset, read.accumulator(root.dtype, order))
    body = read.apply_load(partial, as_index(total) * size + offset)
    axes = [axis for axis in (*operands.batch, *operands.n_axes, *operands.m_axes) if axis.extent > 1]
    merged, terms = merge_axes(axes, used_indices(operands.stores, body))
    stores = [Store(store.buffer, store.offset.substitute(terms), read.substitute(store.expr, terms)) for store in operands.stores]
    adding = ReduceKernel(axes=merged, inner=[total], reductions=[Reduction(root, read.substitute(body, terms), stores)],
                          nodes=group.nodes)
    return part, [store], schedule_reduce(adding, target.lanes)
