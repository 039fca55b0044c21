"""The operands of a contraction: A, whose elements are broadcast, and B, whose elements run along the lanes; and the loops by role."""

from __future__ import annotations

from dataclasses import dataclass

from ..costs import PANEL_VECTORS
from ..passes.fuse import Group
from .index import Axis, Index, as_index, extent
from .lower import Reader, merge_axes
from .nest import BufferMap, Expr, Load, Store, axes_of, indices_of
from .plan_nest import read_root, used_indices
from .roots import inner_shape
from .target import Target


@dataclass
class Operands:
    """C[m, n] = sum over k of A[m, k] B[k, n], each of m, n and k several loops: which argument is A, and the loops by role.

    a, b    what the sum multiplies, as expressions
    lanes   elements of a vector
    fixed   whether B is the same in all steps of a loop around the contraction: it is packed once, before that loop
    """

    a: Expr
    b: Expr
    batch: list[Axis]
    m_axes: list[Axis]
    n_axes: list[Axis]
    k_axes: list[Axis]
    stores: list[Store]
    lanes: int
    fixed: bool = False


def operands_of(group: Group, buffers: BufferMap, target: Target, swap: bool) -> Operands:
    """The contraction with the second argument as B (or, swapped, the first)."""
    root = group.root
    assert root is not None
    p, out = root.params, root.params["out_axes"]
    axes = {label: Axis(n, "i") for label, n in zip(out, root.shape)}
    inner = [Axis(n, "k") for n in inner_shape(root)]
    read = Reader(buffers)
    here = tuple(as_index(axes[label]) if axes[label].extent > 1 else Index() for label in out)
    inside = tuple(as_index(axis) if axis.extent > 1 else Index() for axis in inner)
    first, second = read_root(root, read, here, inside)
    assert second is not None
    finish = Reader(buffers, here, frozenset(group.nodes), root)
    stores = [Store(buffers[node], buffers[node].at(here, node.shape), finish(node, here)) for node in group.stored]
    a, b = (second, first) if swap else (first, second)
    a_labels, b_labels = (p["b_axes"], p["a_axes"]) if swap else (p["a_axes"], p["b_axes"])

    def loops(in_a: bool, in_b: bool) -> list[Axis]:
        labels = (label for label in out if (label in a_labels) == in_a and (label in b_labels) == in_b)
        return [axes[label] for label in labels if axes[label].extent > 1]

    lanes = target.lanes * 4 // root.dtype.itemsize
    operands = Operands(a, b, batch=loops(True, True), m_axes=loops(True, False), n_axes=loops(False, True),
                        k_axes=[axis for axis in inner if axis.extent > 1], stores=stores, lanes=lanes)
    join_loops(operands)
    operands.fixed = isinstance(buffers, BufferMap) and buffers.is_fixed(operands.b)
    return operands


def join_loops(operands: Operands) -> None:
    """Loops of one role that everything walks through in one stride become one."""
    read = Reader({})
    for role in ("n_axes", "m_axes", "k_axes"):
        used = [*indices_of([operands.b, operands.a]), *used_indices(operands.stores, None)]
        axes, terms = merge_axes(getattr(operands, role), used)
        setattr(operands, role, axes)
        operands.b, operands.a = read.substitute(operands.b, terms), read.substitute(operands.a, terms)
        operands.stores = [Store(store.buffer, store.offset.substitute(terms), read.substitute(store.expr, terms))
                           for store in operands.stores]


def reads_single_elements(operands: Operands) -> bool:
    """Whether A is an element of a buffer at an offset that is a sum of a part that depends on k alone and one that does not."""
    if not isinstance(operands.a, Load):
        return False
    k = set(operands.k_axes)
    return all(axes <= k or not axes & k for axes in (axes_of(Index({atom: 1})) for atom in operands.a.offset.terms))


def outer_axes(operands: Operands) -> list[Axis]:
    """The loops of n around the panels."""
    return operands.n_axes[: len(operands.n_axes) - len(panel_axes(operands))]


def panel_extent(operands: Operands) -> int:
    """How many columns of B the loops of a panel cover."""
    return extent(panel_axes(operands))


def panel_axes(operands: Operands) -> list[Axis]:
    """The last loops of n that are neighbours in the result; more where these do not fill vectors."""
    offsets = [store.offset for store in operands.stores]
    chosen: list[Axis] = []
    for axis in reversed(operands.n_axes):
        beside = not chosen or all(_continues(offset, axis, chosen[0]) for offset in offsets)
        if not beside and extent(chosen) >= PANEL_VECTORS * operands.lanes:
            break
        chosen.insert(0, axis)
    return chosen


def _continues(offset: Index, outer: Axis, inner: Axis) -> bool:
    far, near = offset.coefficient(outer), offset.coefficient(inner)
    return far is not None and near is not None and far == near * inner.extent
