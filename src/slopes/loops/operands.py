"""The operands of a contraction: A, whose elements are broadcast, and B, whose elements run along the lanes; and the loops by role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..costs import PANEL_VECTORS
from ..passes.fuse import Group
from .index import Axis, Index, as_index, extent
from .lower import Reader, merge_axes
from .nest import Expr, Load, Places, Store, axes_of, indices_of
from .plan_nest import read_root, used_indices
from .roots import inner_shape
from .target import Target


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


def reads_single_elements(sides: Sides) -> bool:
    """Whether S is an element of a buffer whose place is a part that moves with k plus a part that does not."""
    if not isinstance(sides.s, Load):
        return False
    k = set(sides.k_axes)
    return all(axes <= k or not axes & k for axes in (axes_of(Index({atom: 1})) for atom in sides.s.offset.terms))


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
        if not beside and extent(chosen) >= PANEL_VECTORS * sides.lanes:
            break
        chosen.insert(0, axis)
    return chosen


def _continues(offset: Index, outer: Axis, inner: Axis) -> bool:
    far, near = offset.coefficient(outer), offset.coefficient(inner)
    return far is not None and near is not None and far == near * inner.extent
