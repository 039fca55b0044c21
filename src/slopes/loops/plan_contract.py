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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd, prod

from ..costs import (
    BLOCK_MULTIPLIES,
    ENOUGH_BLOCKS,
    FAR_UNEVEN,
    LONG_K,
    LONGEST_PANEL,
    PAGE_STRIDE,
    POINTERS,
    REPACK_ROWS,
    SCATTER,
    SMALL_PRODUCT,
    UNEVEN,
    WAY,
    WAYS,
    WORTH_PACKING_A,
)
from ..graph.node import Node
from ..passes.fuse import Group
from .choose import even_blocks, schedule_map, schedule_reduce
from .index import Axis, Index, as_index, extent, linear
from .kernels import ContractKernel, Kernel, MapKernel, ReduceKernel, Reduction
from .lower import Reader, merge_axes
from .nest import Buffer, Expr, Load, Places, Store, axes_of, expressions, indices_of
from .plan_nest import map_kernel, read_root, used_indices
from .roots import inner_shape
from .schedule import ContractSchedule
from .target import Target

MANY = 1 << 30


@dataclass
class Sides:
    """A contraction with its sides chosen: the operands as expressions, and the loops by role."""

    v: Expr
    s: Expr
    batch: list[Axis]
    v_axes: list[Axis]
    s_axes: list[Axis]
    k_axes: list[Axis]
    stores: list[Store]
    lanes: int
    fixed: bool = False  # whether V is the same in all steps of a loop around: it is packed once, before it


def worth_packing(root: Node) -> bool:
    """Whether a contraction is large enough, and of a type, for the packed kernel."""
    p, (a, b) = root.params, root.args
    if root.dtype.kind != "f":
        return False
    k = prod(inner_shape(root))
    shared = {label for label in p["out_axes"] if label in p["a_axes"] and label in p["b_axes"]}
    rows = prod(n for label, n in zip(p["a_axes"], a.shape) if label in p["out_axes"] and label not in shared)
    columns = prod(n for label, n in zip(p["b_axes"], b.shape) if label in p["out_axes"] and label not in shared)
    return root.size * k >= SMALL_PRODUCT and k >= 2 and min(rows, columns) >= 4 and max(rows, columns) >= 8


# ---------------------------------------------------------------------- planning
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


def sides_of(group: Group, buffers: Places, target: Target, swap: bool) -> Sides:
    """The contraction with b (or, swapped, a) along the lanes."""
    root = group.root
    assert root is not None
    p, out = root.params, root.params["out_axes"]
    axes = {label: Axis(n, "i") for label, n in zip(out, root.shape)}
    inner = [Axis(n, "k") for n in inner_shape(root)]
    read = Reader(buffers)
    here = tuple(as_index(axes[label]) if axes[label].extent > 1 else Index() for label in out)
    inside = tuple(as_index(axis) if axis.extent > 1 else Index() for axis in inner)
    a, b = read_root(root, read, here, inside)
    assert b is not None
    finish = Reader(buffers, here, frozenset(group.nodes), root)
    stores = [Store(buffers[node], buffers[node].at(here, node.shape), finish(node, here)) for node in group.stored]
    v, s = (a, b) if swap else (b, a)
    v_labels, s_labels = (p["a_axes"], p["b_axes"]) if swap else (p["b_axes"], p["a_axes"])

    def chosen(test: Callable[[int], bool]) -> list[Axis]:
        return [axes[label] for label in out if test(label) and axes[label].extent > 1]

    lanes = target.lanes * 4 // root.dtype.itemsize
    sides = Sides(v, s, chosen(lambda n: n in v_labels and n in s_labels), chosen(lambda n: n in v_labels and n not in s_labels),
                  chosen(lambda n: n in s_labels and n not in v_labels), [axis for axis in inner if axis.extent > 1], stores, lanes)
    join_loops(sides)
    sides.fixed = isinstance(buffers, Places) and buffers.is_fixed(sides.v)
    return sides


def join_loops(sides: Sides) -> None:
    """Loops of one role that everything walks through in one stride become one."""
    read = Reader({})
    for role in ("v_axes", "s_axes", "k_axes"):
        used = [*indices_of([sides.v, sides.s]), *used_indices(sides.stores, None)]
        axes, terms = merge_axes(getattr(sides, role), used)
        setattr(sides, role, axes)
        sides.v, sides.s = read.substitute(sides.v, terms), read.substitute(sides.s, terms)
        sides.stores = [Store(store.buffer, store.offset.substitute(terms), read.substitute(store.expr, terms)) for store in sides.stores]


def side_cost(sides: Sides, target: Target) -> float:
    """Cycles, roughly: multiplying (with what the tiles waste), packing, storing."""
    *_, multiply = chosen_tile(sides, target)
    outer = extent(sides.batch) * extent(outer_axes(sides))
    k = extent(sides.k_axes)
    cost = multiply * k * outer
    elements = extent(sides.batch) * extent(sides.v_axes) * k
    cost += 0 if sides.fixed else elements * packing_cost(sides)
    if not reads_single_elements(sides):
        cost += extent(sides.batch) * extent(sides.s_axes) * k
    last = sides.v_axes[-1] if sides.v_axes else None
    for store in sides.stores:
        loads = 1 + sum(1 for expr in expressions([store.expr]) if isinstance(expr, Load) and last in expr.axes)
        beside = last is not None and store.offset.coefficient(last) == 1
        cost += loads * extent(sides.batch) * extent(sides.s_axes) * extent(sides.v_axes) * (1 / sides.lanes if beside else SCATTER)
    return cost


def reads_single_elements(sides: Sides) -> bool:
    """Whether S is an element of a buffer whose place is a part that moves with k plus a part that does not."""
    if not isinstance(sides.s, Load):
        return False
    k = set(sides.k_axes)
    return all(axes <= k or not axes & k for axes in (axes_of(Index({atom: 1})) for atom in sides.s.offset.terms))


def packing_cost(sides: Sides) -> float:
    """Cycles for each packed element: neighbours along v are copied, neighbours along k transposed, others fetched one by one."""
    if not isinstance(sides.v, Load) or not sides.v_axes:
        return 1.0
    offset = sides.v.offset
    if offset.coefficient(sides.v_axes[-1]) == 1:
        return 2 / min(sides.lanes, max(1, gcd(sides.v_axes[-1].extent, sides.lanes * 4)))
    if sides.k_axes and offset.coefficient(sides.k_axes[-1]) == 1:
        return 0.4
    return 1.2


def outer_axes(sides: Sides) -> list[Axis]:
    return sides.v_axes[: len(sides.v_axes) - len(panel_axes(sides))]


def panel_extent(sides: Sides) -> int:
    return extent(panel_axes(sides))


def panel_axes(sides: Sides) -> list[Axis]:
    """The last loops of v that lie side by side in the result; more when those are too few to fill vectors."""
    offsets = [store.offset for store in sides.stores]
    chosen: list[Axis] = []
    for axis in reversed(sides.v_axes):
        beside = not chosen or all(_continues(offset, axis, chosen[0]) for offset in offsets)
        if not beside and extent(chosen) >= 1.5 * sides.lanes:
            break
        chosen.insert(0, axis)
    return chosen


def _continues(offset: Index, outer: Axis, inner: Axis) -> bool:
    far, near = offset.coefficient(outer), offset.coefficient(inner)
    return far is not None and near is not None and far == near * inner.extent


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


def most_rows(sides: Sides) -> int:
    """How many rows of S the first-level cache holds at once, where each is read along its own memory.

    Rows that lie WAY bytes apart, or a multiple of that, share one set of the cache, which holds WAYS lines: one row more, and each
    line is thrown out before its next element is read.
    """
    if not isinstance(sides.s, Load) or not sides.s_axes or not sides.k_axes or sides.s.offset.coefficient(sides.k_axes[-1]) != 1:
        return MANY
    apart = sides.s.offset.coefficient(sides.s_axes[-1])
    return MANY if not apart else WAYS * (WAY // gcd(WAY, apart * sides.s.dtype.itemsize))


def best_tile(width: int, height: int, lanes: int, registers: int, s_axes: Sequence[Axis] = (), most_rows: int = MANY,
              ) -> tuple[int, int, float]:
    """(rows, vectors, cycles per step of k for all tiles): the tile shape that wastes least for this size."""
    best = (1, 1, float("inf"))
    for vectors in (4, 3, 2, 1):
        most = min((registers - 2 - vectors) // vectors, most_rows)
        if (vectors - 1) * lanes >= width:
            continue
        for rows in range(1, min(most, height) + 1):
            cycles = sum(count * tiles * tile_cycles(r, n)
                         for n, count in pieces(-(-width // lanes), vectors) for r, tiles in pieces(height, rows))
            if len(s_axes) > 1 and not evenly_spaced(rows, s_axes):
                cycles *= UNEVEN if rows <= POINTERS else FAR_UNEVEN
            if cycles < best[2] * 0.999:
                best = (rows, vectors, cycles)
    return best


def pieces(total: int, step: int) -> list[tuple[int, int]]:
    """(size, how many): whole steps, and what is left."""
    whole, rest = divmod(total, step)
    return ([(step, whole)] if whole else []) + ([(rest, 1)] if rest else [])


def tile_cycles(rows: int, vectors: int) -> float:
    """One step of k: multiply-adds, loads and broadcasts overlap; a narrow tile loads for each product, a small one waits for results."""
    return max(rows * vectors * (1.15 if vectors == 1 else 1.0), vectors + 0.5 * rows, 5.0) + 0.75


def lay_out(sides: Sides, root: Node, target: Target) -> tuple[Load, Kernel]:
    """Write S, where it is more than an element of a buffer, into a buffer of its own."""
    axes = [axis for axis in (*sides.batch, *sides.s_axes, *sides.k_axes) if axis in sides.s.axes]
    place = linear([as_index(axis) for axis in axes], [axis.extent for axis in axes])
    buffer = Buffer("arena", extent(axes), root.dtype)
    return Load(buffer, place), map_kernel(axes, buffer, place, sides.s, [root], target.lanes)


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
    least = rows if sides.fixed else max(8 * rows, REPACK_ROWS)  # rows for which packing a panel again pays
    row_blocks = min(-(-ENOUGH_BLOCKS // units), max(1, height // least)) if units < ENOUGH_BLOCKS else 1
    parts = 1 if sides.fixed else k_parts(sides, units * row_blocks)
    added, stores, part = [], sides.stores, Axis(1, "part")
    if parts > 1:
        part, stores, adding = add_parts(sides, parts, group, target)
        added = [adding]
    axes = [*sides.batch, *sides.v_axes, *sides.s_axes]
    kernel = ContractKernel(axes=axes, inner=sides.k_axes, stores=stores, nodes=group.nodes, node=root, a=sides.s, b=sides.v, part=part)
    blocks = even_blocks(units * row_blocks * parts, max(ENOUGH_BLOCKS, min(64, kernel.work // BLOCK_MULTIPLIES)))
    first_row = len(axes) - len(sides.s_axes)
    kernel.schedule = ContractSchedule(
        blocks, rows, vectors, sides.lanes, tuple(range(len(outer))), tuple(range(len(outer), first_row)),
        tuple(range(first_row, len(axes))), row_blocks, parts, sides.fixed)
    return [*before, kernel, *added]


def packed_once(sides: Sides, width: int, root: Node, target: Target) -> tuple[Load, Kernel]:
    """All panels of V, written one after the other as tiles read them: (V there, the kernel that packs)."""
    panel, outer = panel_axes(sides), [*sides.batch, *outer_axes(sides)]
    v, k = linear(indices(panel), extents(panel)), linear(indices(sides.k_axes), extents(sides.k_axes))
    panels, steps = -(-extent(panel) // width), extent(sides.k_axes)
    place = ((linear(indices(outer), extents(outer)) * panels + v // width) * steps + k) * width + v % width
    buffer = Buffer("arena", extent(outer) * panels * steps * width, root.dtype)
    return Load(buffer, place), map_kernel([*outer, *panel, *sides.k_axes], buffer, place, sides.v, [root], target.lanes)


def lies_apart(sides: Sides, panels: int) -> bool:
    """Whether neighbouring steps of k read S on different pages of memory, so often that copying S pays."""
    if len(sides.s_axes) != 1 or not sides.k_axes or not isinstance(sides.s, Load) or panels < WORTH_PACKING_A:
        return False
    step = sides.s.offset.coefficient(sides.k_axes[-1])
    return step is not None and step * sides.s.dtype.itemsize >= PAGE_STRIDE and extent(sides.k_axes) >= LONG_K and (
        sides.s.offset.coefficient(sides.s_axes[0]) == 1)


def strips_once(sides: Sides, rows: int, root: Node, buffers: Places, target: Target) -> tuple[Load, list[Kernel]]:
    """S written strip by strip, as tiles read it: (S there, the kernels that copy whole strips and the rest).

    There are no kernels where another contraction of the same S has its strips already.
    """
    assert isinstance(sides.s, Load)
    s, = sides.s_axes
    strips, k = -(-s.extent // rows), linear(indices(sides.k_axes), extents(sides.k_axes))
    steps, batch = extent(sides.k_axes), linear(indices(sides.batch), extents(sides.batch))
    here = as_index(s)
    known = buffers.copies if isinstance(buffers, Places) and sides.s.buffer.kind == "arena" else {}  # an argument may be overwritten
    form = "strips", sides.s.buffer, rows, walk_of(sides.s.offset, [*sides.batch, *sides.k_axes, s])
    buffer = known.get(form) or Buffer("arena", extent(sides.batch) * strips * steps * rows, root.dtype)
    there = Load(buffer, ((batch * strips + here // rows) * steps + k) * rows + here % rows)
    if form in known:
        return there, []
    known[form] = buffer
    read, whole, rest = Reader({}), s.extent // rows, s.extent % rows
    kernels: list[Kernel] = []
    for first, count, height in ((0, whole, rows), (whole, 1, rest)):
        if count and height:
            strip, row = Axis(count, "strip"), Axis(height, "row")
            value = read.substitute(sides.s, {s: (as_index(strip) + first) * rows + as_index(row)})
            place = ((batch * strips + as_index(strip) + first) * steps + k) * rows + as_index(row)
            axes = [*sides.batch, strip, *sides.k_axes, row]
            kernels.append(schedule_map(MapKernel(axes=axes, stores=[Store(buffer, place, value)], nodes=[root]), target.lanes))
    return there, kernels


def walk_of(offset: Index, axes: list[Axis]) -> tuple[object, ...]:
    """How loops walk through memory, whichever of them are one loop or several: extents and steps, and the first place."""
    merged, terms = merge_axes(axes, [offset])
    moved = offset.substitute(terms)
    return tuple((axis.extent, moved.coefficient(axis)) for axis in merged) + (moved.constant,)


def indices(axes: Sequence[Axis]) -> list[Index]:
    return [as_index(axis) for axis in axes]


def extents(axes: Sequence[Axis]) -> list[int]:
    return [axis.extent for axis in axes]


def k_parts(sides: Sides, units: int) -> int:
    """Into how many parts k is split: for panels that stay in the cache, and for enough work to share."""
    k = extent(sides.k_axes)
    if not sides.k_axes:
        return 1
    wanted = -(-k // LONGEST_PANEL)
    multiplies = k * extent(sides.batch) * extent(sides.v_axes) * extent(sides.s_axes)
    if units < ENOUGH_BLOCKS and multiplies > 4 * BLOCK_MULTIPLIES:
        wanted = max(wanted, min(-(-ENOUGH_BLOCKS // units), k // 128))
    first = sides.k_axes[0].extent
    wanted = min(wanted, first)
    if wanted <= 1:
        return 1
    step = -(-first // wanted)
    shorter = [each for each in range(step, 0, -1) if first % each == 0 and 3 * each >= 2 * step]
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
    store = Store(partial, as_index(part) * size + offset, read.accumulated(root.dtype, order))
    body = read.apply_load(partial, as_index(total) * size + offset)
    axes = [axis for axis in (*sides.batch, *sides.v_axes, *sides.s_axes) if axis.extent > 1]
    merged, terms = merge_axes(axes, used_indices(sides.stores, body))
    stores = [Store(store.buffer, store.offset.substitute(terms), read.substitute(store.expr, terms)) for store in sides.stores]
    adding = ReduceKernel(axes=merged, inner=[total], reductions=[Reduction(root, read.substitute(body, terms), stores)],
                          nodes=group.nodes)
    return part, [store], schedule_reduce(adding, target.lanes)
