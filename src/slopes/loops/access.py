"""Loads and stores along the lanes of a vector: which instructions reach the elements that an offset names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from . import memory
from .builder import Builder
from .choose import repeats_along
from .index import Axis, Index, Quotient
from .nest import Buffer, Load, Store
from .values import Value


class VectorPosition(Protocol):
    """The position of a vector in a loop nest, as loads and stores need it.

    vector      the axis that runs along the lanes; None where values are scalars
    lanes       of the vector here
    full_lanes  vectors start at multiples of this
    """

    b: Builder
    pointers: dict[Buffer, str]
    vector: Axis | None
    lanes: int
    full_lanes: int

    def index(self, index: Index, scalar: bool = False, mask: Value | None = None) -> Value:
        """The value of an index, per lane or of the first lane; parts that are read from data are read only where the mask holds."""


def load_lanes(at: VectorPosition, expr: Load, mask: Value | None) -> Value:
    """A vector of neighbours, one element for all lanes, strided elements, or a gather; the mask matters where an index may be wrong."""
    b, pointer = at.b, at.pointers[expr.buffer]
    where, (low, high) = mask, expr.offset.bounds
    if low >= 0 and high < expr.buffer.size:
        mask = None
    if at.vector is None or at.lanes == 1 or at.vector not in expr.axes:
        if mask is not None:
            mask = b.any_lane(mask)
        return memory.load(b, pointer, expr.dtype, at.index(expr.offset, True, where), 1, mask)
    step = expr.offset.coefficient(at.vector)
    if step == 1:
        return memory.load(b, pointer, expr.dtype, at.index(expr.offset, True, where), at.lanes, mask)
    if step in (-1, 2) and mask is None:
        return _load_strided(at, expr, step, where)
    times, shift = repetition(expr.offset, at.vector)
    if times and at.full_lanes % times == 0:
        picks = [(lane + shift) // times for lane in range(at.lanes)]
        keep = None if mask is None else _any_of_each(at, mask, picks)
        few = memory.load(b, pointer, expr.dtype, at.index(expr.offset, True, where), picks[-1] + 1, keep)
        return b.splat(few, at.lanes) if few.lanes == 1 else b.shuffle(few, None, picks)
    if step is not None and mask is None and memory.may_scalarize(b, at.lanes):
        return memory.load_strided(b, pointer, expr.dtype, at.index(expr.offset, True, where), step, at.lanes)
    return memory.gather(b, pointer, expr.dtype, at.index(expr.offset, mask=where), mask)


def _any_of_each(at: VectorPosition, mask: Value, picks: Sequence[int]) -> Value:
    """For each element that several lanes share: whether the mask holds for one of them."""
    b, lanes = at.b, range(len(picks))
    if picks[-1] == 0:
        return b.any_lane(mask)
    sharing = [[lane for lane in lanes if picks[lane] == pick] for pick in range(picks[-1] + 1)]
    mask, active = b.splat(mask, len(picks)), None
    for turn in range(max(map(len, sharing))):
        one = b.shuffle(mask, None, [own[min(turn, len(own) - 1)] for own in sharing])
        active = one if active is None else b.bit_or(active, one)
    assert active is not None
    return active


def _load_strided(at: VectorPosition, expr: Load, step: int, where: Value | None) -> Value:
    """Every second element, or elements in reverse: whole vectors and a shuffle, where a gather would load them one by one."""
    b, pointer, n = at.b, at.pointers[expr.buffer], at.lanes
    first = at.index(expr.offset, True, where)
    if step == -1:
        ascending = memory.load(b, pointer, expr.dtype, b.sub(first, b.whole(n - 1)), n)
        return b.shuffle(ascending, None, range(n - 1, -1, -1))
    # two vectors that together cover the 2 n - 1 elements without reading beyond them
    low, high = memory.load(b, pointer, expr.dtype, first, n), memory.load(b, pointer, expr.dtype, b.add(first, b.whole(n - 1)), n)
    return b.shuffle(low, high, [2 * lane if 2 * lane < n else 2 * lane + 1 for lane in range(n)])


def store_lanes(at: VectorPosition, store: Store, value: Value) -> None:
    """Write a store's value for all lanes."""
    b, pointer = at.b, at.pointers[store.buffer]
    if at.vector is None or at.lanes == 1:
        memory.store(b, value, pointer, at.index(store.offset))
    elif store.offset.coefficient(at.vector) == 1:
        memory.store(b, b.splat(value, at.lanes), pointer, at.index(store.offset, scalar=True))
    elif (step := store.offset.coefficient(at.vector)) is not None and memory.may_scalarize(b, at.lanes):
        memory.store_strided(b, b.splat(value, at.lanes), pointer, at.index(store.offset, scalar=True), step)
    else:
        memory.scatter(b, b.splat(value, at.lanes), pointer, at.index(store.offset))


def repetition(offset: Index, axis: Axis) -> tuple[int, int]:
    """(how often in a row the same element is read along an axis, how many of the first run are behind us); (0, 0) without such a pattern.

    Vectors start at multiples of their lanes, so that repetition in step with the lanes is a short load and a shuffle.
    """
    if not repeats_along(offset, axis):
        return 0, 0
    atom = next(atom for atom in offset.terms if isinstance(atom, Quotient) and atom.inner.uses(axis))
    return atom.divisor, atom.inner.constant % atom.divisor
