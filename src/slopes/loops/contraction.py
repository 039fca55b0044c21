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

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import gcd, prod
from typing import Any

from ..graph.node import Node
from .builder import Builder, Value, Variable
from .emit import Scope, outer_loops
from .index import Axis, Index, as_index, extent, linear, unlinear
from .lower import Reader, merge_axes
from .nest import Buffer, Choose, Expr, Kernel, Load, Places, Store, axes_of, expressions, indices_of
from .schedule import choose, even_blocks, expression_cost, inner_shape, map_kernel, read_root, used_indices

SMALL = 16384  # below this many multiply-adds the plain reduction schedule is as good and compiles faster
CHEAP_FINISH = 8  # instructions of an epilogue that is written out for every register of a tile
POINTERS = 12  # rows of a tile that lie unevenly: each needs a pointer in a register
UNEVEN = 1.1  # what those pointers cost
SCATTER = 2.5  # cycles for an element that is stored away from its neighbour
LONGEST_PANEL = 4096  # steps of k in one packed panel: it must stay in the second-level cache
APART = 2048  # bytes between steps of k from which on single elements come too slowly
LONG = 256  # steps of k
WORTH_COPYING = 2  # panels that read the same S
ENOUGH_BLOCKS = 12  # units of work that keep a few threads evenly busy
WAY, WAYS = 4096, 8  # bytes of the first-level cache that one line of each of its sets makes up, and how many lines a set has
MANY = 1 << 30
BLOCK_MULTIPLIES = 150_000


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
    return root.size * k >= SMALL and k >= 2 and min(rows, columns) >= 4 and max(rows, columns) >= 8


# ---------------------------------------------------------------------- planning
def plan_contract(group: Any, buffers: dict[Node, Buffer], target: Any) -> list[Kernel]:
    """The kernels of a contraction group: perhaps one that lays S out, the tiles, perhaps one that adds up parts."""
    root = group.root
    options = [sides_of(group, buffers, target, swap) for swap in (False, True)]
    best = min(options, key=lambda sides: side_cost(sides, target))
    before: list[Kernel] = []
    if not reads_single_elements(best):
        best.s, kernel = lay_out(best, root, target)
        before = [kernel]
    return before + tile_kernels(best, group, buffers, target)


def sides_of(group: Any, buffers: dict[Node, Buffer], target: Any, swap: bool) -> Sides:
    """The contraction with b (or, swapped, a) along the lanes."""
    root = group.root
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

    def chosen(test: Any) -> list[Axis]:
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


def side_cost(sides: Sides, target: Any) -> float:
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


def chosen_tile(sides: Sides, target: Any) -> tuple[int, int, float]:
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
                cycles *= UNEVEN if rows <= POINTERS else 1.5
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


def lay_out(sides: Sides, root: Node, target: Any) -> tuple[Load, Kernel]:
    """Write S, where it is more than an element of a buffer, into a buffer of its own."""
    axes = [axis for axis in (*sides.batch, *sides.s_axes, *sides.k_axes) if axis in sides.s.axes]
    place = linear([as_index(axis) for axis in axes], [axis.extent for axis in axes])
    buffer = Buffer("arena", extent(axes), root.dtype)
    return Load(buffer, place), map_kernel(axes, buffer, place, sides.s, [root], target.lanes)


def tile_kernels(sides: Sides, group: Any, buffers: dict[Node, Buffer], target: Any) -> list[Kernel]:
    """The tiles as one kernel; with k in parts, a second one adds them up."""
    panel, height = panel_extent(sides), extent(sides.s_axes)
    rows, vectors, _ = chosen_tile(sides, target)
    outer = [*sides.batch, *outer_axes(sides)]
    panels = -(-panel // (vectors * sides.lanes))
    units = extent(outer) * panels
    before: list[Kernel] = []
    if sides.fixed:
        sides.v, packing = packed_once(sides, vectors * sides.lanes, group.root, target)
        before = [packing]
    if lies_apart(sides, panels):
        sides.s, copying = strips_once(sides, rows, group.root, buffers, target)
        before += copying
    least = rows if sides.fixed else max(8 * rows, 160)  # rows for which packing a panel again pays
    s_blocks = min(-(-ENOUGH_BLOCKS // units), max(1, height // least)) if units < ENOUGH_BLOCKS else 1
    parts = 1 if sides.fixed else k_parts(sides, units * s_blocks)
    kernel = Kernel("contract", [*sides.batch, *sides.v_axes, *sides.s_axes], sides.stores, sides.k_axes, group.root, sides.v, sides.s,
                    nodes=group.nodes)
    kernel.schedule = {"rows": rows, "vectors": vectors, "lanes": sides.lanes, "outer": outer, "panel": panel_axes(sides),
                       "s": sides.s_axes, "s_blocks": s_blocks, "parts": parts, "packed": sides.fixed}
    added = [add_parts(kernel, sides, group, buffers, target)] if parts > 1 else []
    total_units = units * s_blocks * parts
    multiplies = kernel.work
    kernel.schedule["units"] = total_units
    kernel.schedule["blocks"] = even_blocks(total_units, max(ENOUGH_BLOCKS, min(64, multiplies // BLOCK_MULTIPLIES)))
    return [*before, kernel, *added]


def packed_once(sides: Sides, width: int, root: Node, target: Any) -> tuple[Load, Kernel]:
    """All panels of V, written one after the other as tiles read them: (V there, the kernel that packs)."""
    panel, outer = panel_axes(sides), [*sides.batch, *outer_axes(sides)]
    v, k = linear(indices(panel), extents(panel)), linear(indices(sides.k_axes), extents(sides.k_axes))
    panels, steps = -(-extent(panel) // width), extent(sides.k_axes)
    place = ((linear(indices(outer), extents(outer)) * panels + v // width) * steps + k) * width + v % width
    buffer = Buffer("arena", extent(outer) * panels * steps * width, root.dtype)
    return Load(buffer, place), map_kernel([*outer, *panel, *sides.k_axes], buffer, place, sides.v, [root], target.lanes)


def lies_apart(sides: Sides, panels: int) -> bool:
    """Whether neighbouring steps of k read S on different pages of memory, so often that copying S pays."""
    if len(sides.s_axes) != 1 or not sides.k_axes or not isinstance(sides.s, Load) or panels < WORTH_COPYING:
        return False
    step = sides.s.offset.coefficient(sides.k_axes[-1])
    return step is not None and step * sides.s.dtype.itemsize >= APART and extent(sides.k_axes) >= LONG and (
        sides.s.offset.coefficient(sides.s_axes[0]) == 1)


def strips_once(sides: Sides, rows: int, root: Node, buffers: dict[Node, Buffer], target: Any) -> tuple[Load, list[Kernel]]:
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
    kernels = []
    for first, count, height in ((0, whole, rows), (whole, 1, rest)):
        if count and height:
            strip, row = Axis(count, "strip"), Axis(height, "row")
            value = read.substitute(sides.s, {s: (as_index(strip) + first) * rows + as_index(row)})
            place = ((batch * strips + as_index(strip) + first) * steps + k) * rows + as_index(row)
            kernel = Kernel("map", [*sides.batch, strip, *sides.k_axes, row], [Store(buffer, place, value)], nodes=[root])
            kernel.schedule = choose(kernel, target.lanes)
            kernels.append(kernel)
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


def add_parts(kernel: Kernel, sides: Sides, group: Any, buffers: dict[Node, Buffer], target: Any) -> Kernel:
    """Send the tiles' results to a buffer of parts, and make the kernel that adds those and computes the epilogue."""
    assert kernel.reduction is not None
    order = [*sides.batch, *outer_axes(sides), *sides.s_axes, *panel_axes(sides)]
    place = linear([as_index(axis) for axis in order], [axis.extent for axis in order])
    parts, size = kernel.schedule["parts"], extent(order)
    partial = Buffer("arena", parts * size, kernel.reduction.dtype)
    part, total = Axis(parts, "part"), Axis(parts, "part")
    read = Reader({})
    final_stores = kernel.stores
    kernel.stores = [Store(partial, as_index(part) * size + place, read.accumulated(kernel.reduction.dtype, order))]
    kernel.schedule["part"] = part
    body = read.apply_load(partial, as_index(total) * size + place)
    axes = [axis for axis in kernel.axes if axis.extent > 1]
    merged, terms = merge_axes(axes, used_indices(final_stores, body))
    stores = [Store(store.buffer, store.offset.substitute(terms), read.substitute(store.expr, terms)) for store in final_stores]
    second = Kernel("reduce", merged, stores, [total], kernel.reduction, read.substitute(body, terms), nodes=group.nodes)
    second.schedule = choose(second, target.lanes)
    return second


# ---------------------------------------------------------------------- code
@dataclass
class Tile:
    """One variant of the tile code: `lanes_used` positions of v from `v` on, `rows` rows from `s` on."""

    v: Index
    lane: Axis
    vectors: list[int]  # lanes of each vector


def emit_contract(scope: Scope, kernel: Kernel) -> None:
    """for each unit (outer loops, panel, block of rows, part of k): pack the panel, then run all its tiles."""
    plan, b = kernel.schedule, scope.b
    width = plan["vectors"] * plan["lanes"]
    total = extent(plan["panel"])
    panels = Axis(-(-total // width), "panel")
    blocks = Axis(plan["s_blocks"], "rows")
    parts = plan.get("part") or Axis(1, "part")
    axes = [*plan["outer"], panels, blocks, parts]
    kernel.schedule["prefix"] = len(axes)
    with outer_loops(scope, kernel, axes):
        whole, rest = divmod(total, width)
        if whole:
            with b.when(b.compare("<", scope.at[panels], b.whole(whole))):
                full = Axis(whole, "panel")
                with scope.place(full, scope.at[panels]):
                    lane = Axis(width, "lane")
                    tile = Tile(as_index(full) * width + as_index(lane), lane, [plan["lanes"]] * plan["vectors"])
                    emit_panel(scope, kernel, tile, blocks, parts)
        if rest:
            with b.when(b.compare("==", scope.at[panels], b.whole(whole))):
                lane = Axis(rest, "lane")
                sizes = [plan["lanes"]] * (rest // plan["lanes"]) + ([rest % plan["lanes"]] if rest % plan["lanes"] else [])
                emit_panel(scope, kernel, Tile(as_index(lane) + whole * width, lane, sizes), blocks, parts)


def emit_panel(scope: Scope, kernel: Kernel, tile: Tile, blocks: Axis, parts: Axis) -> None:
    """Pack one panel (unless it can be read in place), then the tiles of this block's rows."""
    plan, b, read = kernel.schedule, scope.b, Reader({})
    assert kernel.body is not None and kernel.other is not None
    placed = dict(zip(plan["panel"], unlinear(tile.v, tuple(axis.extent for axis in plan["panel"]))))
    v = read.substitute(kernel.body, placed)
    bounds = k_bounds(scope, kernel, parts)
    height = extent(plan["s"])
    direct = reads_in_place(v, tile, height, plan)
    if direct is None:
        pack_panel(scope, kernel, v, tile, bounds)
    stores = [Store(store.buffer, store.offset.substitute(placed), read.substitute(store.expr, placed)) for store in kernel.stores]
    whole, rest = divmod(height, plan["rows"])
    per_block = -(-whole // blocks.extent) if whole else 0
    if whole:
        start = b.mul(scope.at[blocks], b.whole(per_block))
        stop = b.min(b.add(start, b.whole(per_block)), b.whole(whole))
        strip, row = Axis(whole, "strip"), Axis(plan["rows"], "row")
        with b.loop(start, stop) as i, scope.place(strip, i):
            emit_tile(scope, kernel, tile, direct, as_index(strip) * plan["rows"] + as_index(row), row, stores, bounds)
    if rest:
        row = Axis(rest, "row")
        with b.when(b.compare("==", scope.at[blocks], b.whole(blocks.extent - 1))):
            emit_tile(scope, kernel, tile, direct, as_index(row) + whole * plan["rows"], row, stores, bounds)


def k_bounds(scope: Scope, kernel: Kernel, parts: Axis) -> list[tuple[Value, Value]]:
    """From where to where each loop of k runs in this part: only the first loop is split."""
    b = scope.b
    bounds = [(b.whole(0), b.whole(axis.extent)) for axis in kernel.inner]
    if parts.extent > 1:
        first = kernel.inner[0].extent
        step = -(-first // parts.extent)
        start = b.mul(scope.at[parts], b.whole(step))
        bounds[0] = (start, b.min(b.add(start, b.whole(step)), b.whole(first)))
    return bounds


def reads_in_place(v: Expr, tile: Tile, height: int, plan: dict[str, Any]) -> list[tuple[Axis, Load]] | None:
    """The vectors of V as they can be loaded where they lie, each side by side; None where they are not, or so often that packing pays."""
    if not isinstance(v, Load) or not (plan["packed"] or height <= 6 * plan["rows"]):
        return None
    read, first, found = Reader({}), 0, []
    for count in tile.vectors:
        within = Axis(count, "within")
        part = read.substitute(v, {tile.lane: as_index(within) + first})
        if not isinstance(part, Load) or part.offset.coefficient(within) != 1:
            return None
        found.append((within, part))
        first += count
    return found


def k_loops(scope: Scope, kernel: Kernel, bounds: list[tuple[Value, Value]], stack: ExitStack) -> Value:
    """Open the loops over k; returns the position in the packed panel."""
    b = scope.b
    position = b.whole(0)
    for axis, (start, stop) in zip(kernel.inner, bounds):
        k = stack.enter_context(b.loop(start, stop))
        stack.enter_context(scope.place(axis, k))
        relative = k if start.literal == 0 else b.sub(k, start)
        position = b.add(b.mul(position, b.whole(axis.extent)), relative)
    return position


def panel_pitch(tile: Tile, plan: dict[str, Any]) -> int:
    return len(tile.vectors) * plan["lanes"]


# ---------------------------------------------------------------------- packing
def pack_panel(scope: Scope, kernel: Kernel, v: Expr, tile: Tile, bounds: list[tuple[Value, Value]]) -> None:
    """Write the panel into scratch: for each k, the lanes side by side."""
    plan = kernel.schedule
    chunk = run_length(v, tile, kernel)
    if chunk == 0 and can_transpose(v, kernel, scope.b.lanes):
        pack_transposed(scope, kernel, v, tile, bounds)
        return
    size = chunk or min(plan["lanes"], tile.lane.extent)
    pieces_of = [size] * (tile.lane.extent // size) + ([tile.lane.extent % size] if tile.lane.extent % size else [])
    read, group, within = Reader({}), Axis(len(pieces_of), "run"), Axis(size, "within")
    lanes = read.substitute(v, {tile.lane: as_index(group) * size + as_index(within)})
    with ExitStack() as stack:
        position = k_loops(scope, kernel, bounds, stack)
        base = scope.b.mul(position, scope.b.whole(panel_pitch(tile, plan)))
        for number, count in enumerate(pieces_of):
            with scope.place(group, scope.b.whole(number)), scope.along(within, scope.b.whole(0), count):
                value = scope.b.splat(scope.expr(lanes), count)
                scope.b.store(value, "%scratch", scope.b.add(base, scope.b.whole(number * size)))


def run_length(v: Expr, tile: Tile, kernel: Kernel) -> int:
    """How many lanes in a row lie side by side in memory wherever the panel stands; 0 when too few to copy as vectors."""
    lanes, plan = kernel.schedule["lanes"], kernel.schedule
    loads = [expr for expr in expressions([v]) if isinstance(expr, Load) and tile.lane in expr.axes]
    if not loads or any(isinstance(expr, Choose) for expr in expressions([v])):
        return 0
    innermost = plan["panel"][-1].extent if plan["panel"] else 1
    for size in (lanes, lanes // 2, lanes // 4):
        if size < 2 or (len(plan["panel"]) > 1 and gcd(innermost, size) < size) or tile.lane.extent < size:
            continue
        if _runs(loads, tile, size):
            return size
    return 0


def _runs(loads: list[Load], tile: Tile, size: int) -> bool:
    group, within = Axis(max(1, tile.lane.extent // size), "run"), Axis(size, "within")
    return all(load.offset.substitute({tile.lane: as_index(group) * size + as_index(within)}).coefficient(within) == 1 for load in loads)


def can_transpose(v: Expr, kernel: Kernel, lanes: int) -> bool:
    """Whether V lies side by side along the innermost k."""
    return (isinstance(v, Load) and bool(kernel.inner) and v.offset.coefficient(kernel.inner[-1]) == 1
            and kernel.inner[-1].extent >= kernel.schedule["lanes"])


def pack_transposed(scope: Scope, kernel: Kernel, v: Expr, tile: Tile, bounds: list[tuple[Value, Value]]) -> None:
    """Squares of lanes x lanes elements are loaded along k, turned in registers and stored along v."""
    b, plan, last = scope.b, kernel.schedule, kernel.inner[-1]
    lanes, pitch = plan["lanes"], panel_pitch(tile, plan)
    start, stop = bounds[-1]
    with ExitStack() as stack:
        position = b.whole(0)
        for axis, (first, end) in zip(kernel.inner[:-1], bounds[:-1]):
            k = stack.enter_context(b.loop(first, end))
            stack.enter_context(scope.place(axis, k))
            relative = k if first.literal == 0 else b.sub(k, first)
            position = b.add(b.mul(position, b.whole(axis.extent)), relative)
        position = b.mul(position, b.whole(last.extent))
        count = b.sub(stop, start)
        square = b.sub(count, b._two("urem", count, b.whole(lanes)))
        with b.loop(b.whole(0), square, lanes) as i:
            _turn_squares(scope, v, tile, last, b.add(start, i), b.add(position, i), lanes, pitch)
        with b.loop(square, count) as i, scope.place(last, b.add(start, i)):
            _single_steps(scope, v, tile, b.mul(b.add(position, i), b.whole(pitch)), lanes)


def _turn_squares(scope: Scope, v: Expr, tile: Tile, last: Axis, k: Value, position: Value, lanes: int, pitch: int) -> None:
    b = scope.b
    for first in range(0, tile.lane.extent, lanes):
        rows = []
        for lane in range(first, min(first + lanes, tile.lane.extent)):
            with scope.place(tile.lane, b.whole(lane)), scope.along(last, k, lanes):
                rows.append(scope.expr(v))
        rows += [rows[-1]] * (lanes - len(rows))  # lanes beyond the end hold anything: they are never stored
        for step, row in enumerate(transpose(b, rows)):
            b.store(row, "%scratch", b.add(b.mul(b.add(position, b.whole(step)), b.whole(pitch)), b.whole(first)))


def _single_steps(scope: Scope, v: Expr, tile: Tile, base: Value, lanes: int) -> None:
    b = scope.b
    for first in range(0, tile.lane.extent, lanes):
        count = min(lanes, tile.lane.extent - first)
        with scope.along(tile.lane, b.whole(first), count):
            b.store(b.splat(scope.expr(v), count), "%scratch", b.add(base, b.whole(first)))


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


# ---------------------------------------------------------------------- tiles
def emit_tile(scope: Scope, kernel: Kernel, tile: Tile, v: list[tuple[Axis, Load]] | None, s: Index, row: Axis, stores: list[Store],
              bounds: list[tuple[Value, Value]]) -> None:
    """One tile: all its sums start at zero, run over k in registers, and are finished and stored."""
    plan, b, read = kernel.schedule, scope.b, Reader({})
    assert isinstance(kernel.other, Load) and kernel.reduction is not None
    placed = dict(zip(plan["s"], unlinear(s, tuple(axis.extent for axis in plan["s"]))))
    other = read.substitute(kernel.other, placed)
    assert isinstance(other, Load)
    offset = other.offset
    dtype, rows = kernel.reduction.dtype, row.extent
    whole = [count if v is not None else plan["lanes"] for count in tile.vectors]
    sums = [[b.variable(b.const(0, dtype=dtype, lanes=count)) for count in whole] for _ in range(rows)]
    with ExitStack() as stack:
        moving, bases = row_bases(scope, kernel, offset, row)
        position = k_loops(scope, kernel, bounds, stack)
        vectors = load_vectors(scope, kernel, tile, v, position)
        shift = scope.index(moving)
        for number in range(rows):
            place = b.add(bases[number], shift)
            x = b.load(scope.pointers[kernel.other.buffer], dtype, place)
            for total, vector in zip(sums[number], vectors):
                total.set(b.multiply_add(b.splat(x, vector.lanes), vector, total.get()))
    finished = [Store(store.buffer, store.offset.substitute(placed), read.substitute(store.expr, placed)) for store in stores]
    if expression_cost([store.expr for store in finished]) <= CHEAP_FINISH:
        store_tile(scope, tile, row, sums, finished)
    else:
        store_tile_by_rows(scope, tile, row, sums, finished, panel_elements(kernel), panel_pitch(tile, plan))


def row_bases(scope: Scope, kernel: Kernel, offset: Index, row: Axis) -> tuple[Index, list[Value]]:
    """S's offset as a part that moves with k and, for each row, a part that does not."""
    inner = set(kernel.inner)
    moving = Index({atom: c for atom, c in offset.terms.items() if axes_of(Index({atom: 1})) & inner})
    fixed = offset - moving
    mixed = row in axes_of(moving)
    assert not mixed, "rows and steps of k do not separate"
    bases = []
    for number in range(row.extent):
        with scope.place(row, scope.b.whole(number)):
            bases.append(scope.index(fixed))
    return moving, bases


def load_vectors(scope: Scope, kernel: Kernel, tile: Tile, v: list[tuple[Axis, Load]] | None, position: Value) -> list[Value]:
    """One step of k of the panel, from scratch or from where it lies."""
    b, plan = scope.b, kernel.schedule
    assert kernel.reduction is not None
    if v is not None:
        found = []
        for within, part in v:
            with scope.along(within, b.whole(0), within.extent):
                found.append(scope.expr(part))
        return found
    base = b.mul(position, b.whole(panel_pitch(tile, plan)))
    lanes, dtype = plan["lanes"], kernel.reduction.dtype
    return [b.load("%scratch", dtype, b.add(base, b.whole(number * lanes)), lanes) for number in range(len(tile.vectors))]


def store_tile(scope: Scope, tile: Tile, row: Axis, sums: list[list[Variable]], stores: list[Store]) -> None:
    """The epilogue on registers, written out for every register of the tile."""
    b = scope.b
    for number, totals in enumerate(sums):
        with scope.place(row, b.whole(number)):
            first = 0
            for count, total in zip(tile.vectors, totals):
                with scope.along(tile.lane, b.whole(first), count):
                    value = total.get()
                    scope.accumulated = b.first(value, count)
                    scope.forget()
                    scope.stores(stores)
                first += count
    scope.accumulated = None


def store_tile_by_rows(scope: Scope, tile: Tile, row: Axis, sums: list[list[Variable]], stores: list[Store], base: int, pitch: int) -> None:
    """A long epilogue once, in a loop over the rows: the sums wait behind the panel in scratch."""
    b, dtype = scope.b, sums[0][0].dtype
    for number, totals in enumerate(sums):
        first = 0
        for count, total in zip(tile.vectors, totals):
            b.store(b.first(total.get(), count), "%scratch", b.whole(base + number * pitch + first))
            first += count
    with b.loop(b.whole(0), b.whole(row.extent)) as i, scope.place(row, i):
        first = 0
        for count in tile.vectors:
            with scope.along(tile.lane, b.whole(first), count):
                scope.accumulated = b.load("%scratch", dtype, b.add(b.whole(base + first), b.mul(i, b.whole(pitch))), count)
                scope.forget()
                scope.stores(stores)
            first += count
    scope.accumulated = None


def panel_elements(kernel: Kernel) -> int:
    """How many elements a packed panel holds at most."""
    plan = kernel.schedule
    k = extent(kernel.inner)
    if plan["parts"] > 1:
        first = kernel.inner[0].extent
        k = k // first * -(-first // plan["parts"])
    return k * plan["vectors"] * plan["lanes"]


def scratch_bytes(kernel: Kernel) -> int:
    """How much scratch one thread needs for this kernel: a panel, and a tile behind it."""
    if kernel.kind != "contract":
        return 0
    assert kernel.reduction is not None
    tile = kernel.schedule["rows"] * kernel.schedule["vectors"] * kernel.schedule["lanes"]
    return (panel_elements(kernel) + tile) * kernel.reduction.dtype.itemsize + 64
