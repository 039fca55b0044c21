"""Operands copied before the tiles run: an A that is computed, an A whose steps of k lie on different pages, a B that never changes."""

from __future__ import annotations

from collections.abc import Sequence

from ..costs import LONG_K, PACKED_STEPS, PAGE_STRIDE, WORTH_PACKING_A
from ..graph.node import Node
from .choose import schedule_map
from .index import Axis, Index, as_index, extent, linear
from .kernels import Kernel, MapKernel
from .lower import Reader, merge_axes
from .nest import Buffer, BufferMap, Load, PackedRows, Store
from .operands import Operands, outer_axes, panel_axes
from .plan_nest import map_kernel
from .target import Target


def materialize_a(operands: Operands, root: Node, target: Target) -> tuple[Load, Kernel]:
    """Write A, where it is more than an element of a buffer, into a buffer of its own."""
    axes = [axis for axis in (*operands.batch, *operands.m_axes, *operands.k_axes) if axis in operands.a.axes]
    offset = linear(indices(axes), extents(axes))
    buffer = Buffer("arena", extent(axes), root.dtype)
    return Load(buffer, offset), map_kernel(axes, buffer, offset, operands.a, [root], target.lanes)


def prepack_b(operands: Operands, width: int, root: Node, target: Target) -> tuple[Load, Kernel]:
    """All packed panels of B, one after the other as tiles read them: (B there, the kernel that packs)."""
    panel, outer = panel_axes(operands), [*operands.batch, *outer_axes(operands)]
    column, k = linear(indices(panel), extents(panel)), linear(indices(operands.k_axes), extents(operands.k_axes))
    panels, steps = -(-extent(panel) // width), extent(operands.k_axes)
    offset = ((linear(indices(outer), extents(outer)) * panels + column // width) * steps + k) * width + column % width
    buffer = Buffer("arena", extent(outer) * panels * steps * width, root.dtype)
    return Load(buffer, offset), map_kernel([*outer, *panel, *operands.k_axes], buffer, offset, operands.b, [root], target.lanes)


def strided_by_page(operands: Operands, panels: int) -> bool:
    """Whether neighbouring steps of k read A on different pages of memory, so often that packing A pays."""
    if len(operands.m_axes) != 1 or not operands.k_axes or not isinstance(operands.a, Load) or panels < WORTH_PACKING_A:
        return False
    step = operands.a.offset.coefficient(operands.k_axes[-1])
    return step is not None and step * operands.a.dtype.itemsize >= PAGE_STRIDE and extent(operands.k_axes) >= LONG_K and (
        operands.a.offset.coefficient(operands.m_axes[0]) == 1)


def pack_a(operands: Operands, mr: int, root: Node, buffers: BufferMap, target: Target) -> tuple[Load, list[Kernel]]:
    """A packed in panels of `mr` rows, as tiles read it: (A there, the kernels that copy whole panels and the rest).

    There are no kernels where another contraction of the same A has packed it already.
    """
    assert isinstance(operands.a, Load)
    m, = operands.m_axes
    panels, k = -(-m.extent // mr), linear(indices(operands.k_axes), extents(operands.k_axes))
    steps, batch = extent(operands.k_axes), linear(indices(operands.batch), extents(operands.batch))
    known = buffers.packed if isinstance(buffers, BufferMap) and operands.a.buffer.kind == "arena" else {}  # an argument may be overwritten
    form = PackedRows(operands.a.buffer, mr, walk_of(operands.a.offset, [*operands.batch, *operands.k_axes, m]))
    buffer = known.get(form) or Buffer("arena", extent(operands.batch) * panels * steps * mr, root.dtype)
    there = Load(buffer, ((batch * panels + as_index(m) // mr) * steps + k) * mr + as_index(m) % mr)
    if form in known:
        return there, []
    known[form] = buffer
    read, whole, rest = Reader({}), m.extent // mr, m.extent % mr
    kernels: list[Kernel] = []
    for first, count, height in ((0, whole, mr), (whole, 1, rest)):
        if count and height:
            panel, row = Axis(count, "panel"), Axis(height, "row")
            value = read.substitute(operands.a, {m: (as_index(panel) + first) * mr + as_index(row)})
            offset = ((batch * panels + as_index(panel) + first) * steps + k) * mr + as_index(row)
            kernels.append(copy_panels(operands, panel, row, Store(buffer, offset, value), root, target))
    return there, kernels


def copy_panels(operands: Operands, panel: Axis, row: Axis, store: Store, root: Node, target: Target) -> MapKernel:
    """The kernel that packs A: a few steps of k for all panels, then the next few.

    Panel by panel it would go through all of A's steps of k for a few rows, and load each cache line again for the next panel; step
    by step it would write to another panel with each vector. PACKED_STEPS lines of A are in the cache at once.
    """
    *slow, last = operands.k_axes
    few = max(size for size in range(1, min(PACKED_STEPS, last.extent) + 1) if last.extent % size == 0)
    outer, inner = Axis(last.extent // few, last.name), Axis(few, last.name)
    split = {last: as_index(outer) * few + as_index(inner)}
    read = Reader({})
    divided = Store(store.buffer, store.offset.substitute(split), read.substitute(store.expr, split))
    axes = [*operands.batch, *slow, outer, panel, inner, row]
    return schedule_map(MapKernel(axes=axes, stores=[divided], nodes=[root]), target.lanes)


def walk_of(offset: Index, axes: list[Axis]) -> tuple[object, ...]:
    """How loops walk through memory, whichever of them are one loop or several: extents and strides, and the first offset."""
    merged, terms = merge_axes(axes, [offset])
    moved = offset.substitute(terms)
    return tuple((axis.extent, moved.coefficient(axis)) for axis in merged) + (moved.constant,)


def indices(axes: Sequence[Axis]) -> list[Index]:
    """Each axis as an index."""
    return [as_index(axis) for axis in axes]


def extents(axes: Sequence[Axis]) -> list[int]:
    """The number of steps of each axis."""
    return [axis.extent for axis in axes]
