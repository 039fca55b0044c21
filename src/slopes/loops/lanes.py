"""Strided elements in a known pattern, loaded and stored as whole rows of memory whose lanes are then put in order.

A gather fetches one element after the other. Where several loads of a kernel read, between them, all of a row (the elements of a
tile, each for a vector of neighbouring tiles), it is quicker to load the row once and to shuffle; and so for stores.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import memory
from .index import Axis, Index, as_index
from .nest import Buffer, Load, Store
from .scope import Scope
from .values import Value


class Patterns:
    """The indices of the lanes of accesses along an axis: a base, the same for many accesses, plus a constant for each lane."""

    def __init__(self, axis: Axis, lanes: int) -> None:
        self.axis, self.lanes = axis, lanes
        self._known: dict[Index, tuple[Index, list[int]] | None] = {}

    def of(self, offset: Index) -> tuple[Index, list[int]] | None:
        """(base, the indices of the lanes from there), if these are the same wherever the vector starts."""
        moving = Index(offset.terms)
        if moving not in self._known:
            self._known[moving] = self._pattern(moving)
        known = self._known[moving]
        return known and (known[0], [offset.constant + index for index in known[1]])

    def _pattern(self, offset: Index) -> tuple[Index, list[int]] | None:
        step = offset.coefficient(self.axis)
        if step is not None:
            return offset, [step * lane for lane in range(self.lanes)]
        if self.axis.extent != self.lanes:
            return None
        lanes = [offset.substitute({self.axis: as_index(lane)}) for lane in range(self.lanes)]
        base = Index(lanes[0].terms)
        return (base, [lane.constant for lane in lanes]) if all(lane.terms == base.terms for lane in lanes) else None


def fetch(scope: Scope, loads: Iterable[Load]) -> dict[Load, Value]:
    """The values of those loads that share enough of a row of memory to be loaded together."""
    assert scope.vector is not None
    patterns, rows = Patterns(scope.vector, scope.lanes), dict[tuple[Buffer, Index], dict[Load, list[int]]]()
    for load in loads:
        if load.uses(scope.vector) and (pattern := patterns.of(load.offset)):
            rows.setdefault((load.buffer, pattern[0]), {})[load] = pattern[1]
    values: dict[Load, Value] = {}
    for (buffer, base), indices in rows.items():
        values |= _fetch_rows(scope, buffer, base, indices)
    return values


def _fetch_rows(scope: Scope, buffer: Buffer, base: Index, lanes: dict[Load, list[int]]) -> dict[Load, Value]:
    """The loads of one row: as few vectors as hold all of it, and each load's lanes picked from them."""
    width = scope.b.lanes  # of 32 bits; LLVM takes longer elements in two halves
    pieces = pieces_of({index for indices in lanes.values() for index in indices}, width)
    start_of = {index: start for start, indices in pieces.items() for index in indices}
    if len(pieces) >= sum(map(len, lanes.values())) // 2:
        return {}  # next to nothing in common
    b, begin = scope.b, scope.index(base, scalar=True)
    vectors: dict[int, Value] = {}
    for start, indices in pieces.items():
        at, reach = b.add(begin, b.whole(start)), indices[-1] - start + 1
        mask = None if reach == width else b.compare("<", b.lane_numbers(width), b.const(reach, like=b.lane_numbers(width)))
        vectors[start] = memory.load(b, scope.pointers[buffer], buffer.dtype, at, width, mask)
    return {load: picked(scope, [(vectors[start_of[index]], index - start_of[index]) for index in indices])
            for load, indices in lanes.items()}


def pieces_of(indices: Iterable[int], width: int) -> dict[int, list[int]]:
    """The indices in runs of at most `width`, by the first index of each."""
    pieces: dict[int, list[int]] = {}
    start = None
    for index in sorted(indices):
        if start is None or index >= start + width:
            start = index
        pieces.setdefault(start, []).append(index)
    return pieces


def picked(scope: Scope, lanes: Sequence[tuple[Value, int]]) -> Value:
    """A vector of lanes (vector, number) of other vectors that are all of one width."""
    b, width = scope.b, lanes[0][0].lanes
    if len(lanes) == 1:
        return b.lane(*lanes[0])
    sources = list({vector.ref: vector for vector, _ in lanes}.values())
    if len(sources) == 1 and len(lanes) == width and all(i == lane for lane, (_, i) in enumerate(lanes)):
        return sources[0]
    result, known = sources[0], {lane: i for lane, (vector, i) in enumerate(lanes) if vector.ref == sources[0].ref}
    if len(sources) == 1:
        return b.shuffle(result, None, [i for _, i in lanes])
    for turn, source in enumerate(sources[1:]):
        picks = [known.get(lane, lane) if turn == 0 else lane for lane in range(width)]
        for lane, (vector, i) in enumerate(lanes):
            if vector.ref == source.ref:
                picks[lane] = width + i
        result = b.shuffle(result, source, picks)
    return b.first(result, len(lanes)) if len(lanes) < width else result


def put(scope: Scope, stores: Sequence[Store], values: Sequence[Value]) -> list[Store]:
    """Write the stores whose lanes have known indices, neighbours together; returns the others."""
    assert scope.vector is not None
    patterns, rows = Patterns(scope.vector, scope.lanes), dict[tuple[Buffer, Index], dict[int, tuple[Value, int]]]()
    left = []
    for store, value in zip(stores, values):
        pattern = patterns.of(store.offset)
        if pattern is None:
            left.append(store)
            continue
        lanes = scope.b.splat(value, scope.lanes)
        rows.setdefault((store.buffer, pattern[0]), {}).update((index, (lanes, lane)) for lane, index in enumerate(pattern[1]))
    for (buffer, base), sources in rows.items():
        _put_rows(scope, buffer, base, sources)
    return left


def _put_rows(scope: Scope, buffer: Buffer, base: Index, sources: dict[int, tuple[Value, int]]) -> None:
    """Store runs of neighbouring elements, each run a shuffle of lanes of the values."""
    b, begin, run = scope.b, scope.index(base, scalar=True), list[int]()
    for index in [*sorted(sources), None]:
        if run and (index != run[-1] + 1 or len(run) == scope.lanes):
            memory.store(b, picked(scope, [sources[i] for i in run]), scope.pointers[buffer], b.add(begin, b.whole(run[0])))
            run = []
        if index is not None:
            run.append(index)
