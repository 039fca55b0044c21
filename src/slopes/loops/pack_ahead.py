"""Operands copied before the tiles run: an A that is no single element of a buffer, rows of A far apart, and a B that never changes."""

from __future__ import annotations

from collections.abc import Sequence

from ..costs import LONG_K, PAGE_STRIDE, WORTH_PACKING_A
from ..graph.node import Node
from .choose import schedule_map
from .index import Axis, Index, as_index, extent, linear
from .kernels import Kernel, MapKernel
from .lower import Reader, merge_axes
from .nest import Buffer, Load, Places, Store
from .operands import Sides, outer_axes, panel_axes
from .plan_nest import map_kernel
from .target import Target


def lay_out(sides: Sides, root: Node, target: Target) -> tuple[Load, Kernel]:
    """Write S, where it is more than an element of a buffer, into a buffer of its own."""
    axes = [axis for axis in (*sides.batch, *sides.s_axes, *sides.k_axes) if axis in sides.s.axes]
    place = linear([as_index(axis) for axis in axes], [axis.extent for axis in axes])
    buffer = Buffer("arena", extent(axes), root.dtype)
    return Load(buffer, place), map_kernel(axes, buffer, place, sides.s, [root], target.lanes)


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
