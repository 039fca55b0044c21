"""Elements that lie apart in a known pattern, fetched and stored as whole rows of memory whose lanes are then put in order.

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
    """Where the lanes of accesses lie along an axis: at a base, the same for many accesses, plus a known number for each lane."""

    def __init__(self, axis: Axis, lanes: int) -> None:
        self.axis, self.lanes = axis, lanes
        self._known: dict[Index, tuple[Index, list[int]] | None] = {}

    def of(self, offset: Index) -> tuple[Index, list[int]] | None:
        """(base, the places of the lanes from there), if these are the same wherever the vector starts."""
        moving = Index(offset.terms)
        if moving not in self._known:
            self._known[moving] = self._found(moving)
        known = self._known[moving]
        return known and (known[0], [offset.constant + place for place in known[1]])

    def _found(self, offset: Index) -> tuple[Index, list[int]] | None:
        step = offset.coefficient(self.axis)
        if step is not None:
            return offset, [step * lane for lane in range(self.lanes)]
        if self.axis.extent != self.lanes:
            return None
        each = [offset.substitute({self.axis: as_index(lane)}) for lane in range(self.lanes)]
        base = Index(each[0].terms)
        return (base, [one.constant for one in each]) if all(one.terms == base.terms for one in each) else None


def fetch(scope: Scope, loads: Iterable[Load]) -> dict[Load, Value]:
    """The values of those loads whose rows hold enough of what they want."""
    assert scope.vector is not None
    patterns, rows = Patterns(scope.vector, scope.lanes), dict[tuple[Buffer, Index], dict[Load, list[int]]]()
    for load in loads:
        if load.uses(scope.vector) and (pattern := patterns.of(load.offset)):
            rows.setdefault((load.buffer, pattern[0]), {})[load] = pattern[1]
    found: dict[Load, Value] = {}
    for (buffer, base), wanted in rows.items():
        found |= _fetch_rows(scope, buffer, base, wanted)
    return found


def _fetch_rows(scope: Scope, buffer: Buffer, base: Index, wanted: dict[Load, list[int]]) -> dict[Load, Value]:
    """The loads of one row: as few vectors as hold all of it, and each load's lanes picked from them."""
    width = scope.b.lanes  # of 32 bits; LLVM takes longer elements in two halves
    pieces = pieces_of({place for places in wanted.values() for place in places}, width)
    start_of = {place: start for start, places in pieces.items() for place in places}
    if len(pieces) >= sum(map(len, wanted.values())) // 2:
        return {}  # next to nothing in common
    b, begin = scope.b, scope.index(base, scalar=True)
    vectors: dict[int, Value] = {}
    for start, places in pieces.items():
        at, reach = b.add(begin, b.whole(start)), places[-1] - start + 1
        mask = None if reach == width else b.compare("<", b.lane_numbers(width), b.const(reach, like=b.lane_numbers(width)))
        vectors[start] = memory.load(b, scope.pointers[buffer], buffer.dtype, at, width, mask)
    return {load: picked(scope, [(vectors[start_of[place]], place - start_of[place]) for place in places])
            for load, places in wanted.items()}


def pieces_of(places: Iterable[int], width: int) -> dict[int, list[int]]:
    """The places by pieces of at most `width`, each named by its first place."""
    pieces: dict[int, list[int]] = {}
    start = None
    for place in sorted(places):
        if start is None or place >= start + width:
            start = place
        pieces.setdefault(start, []).append(place)
    return pieces


def picked(scope: Scope, lanes: Sequence[tuple[Value, int]]) -> Value:
    """A vector of lanes (vector, number) of other vectors that are all of one width."""
    b, width = scope.b, lanes[0][0].lanes
    if len(lanes) == 1:
        return b.lane(*lanes[0])
    sources = list({vector.ref: vector for vector, _ in lanes}.values())
    if len(sources) == 1 and len(lanes) == width and all(number == lane for lane, (_, number) in enumerate(lanes)):
        return sources[0]
    found, known = sources[0], {lane: number for lane, (vector, number) in enumerate(lanes) if vector.ref == sources[0].ref}
    if len(sources) == 1:
        return b.shuffle(found, None, [number for _, number in lanes])
    for turn, source in enumerate(sources[1:]):
        picks = [known.get(lane, lane) if turn == 0 else lane for lane in range(width)]
        for lane, (vector, number) in enumerate(lanes):
            if vector.ref == source.ref:
                picks[lane] = width + number
        found = b.shuffle(found, source, picks)
    return b.first(found, len(lanes)) if len(lanes) < width else found


def put(scope: Scope, stores: Sequence[Store], values: Sequence[Value]) -> list[Store]:
    """Write the stores whose lanes lie in known places, neighbours together; returns the others."""
    assert scope.vector is not None
    patterns, rows = Patterns(scope.vector, scope.lanes), dict[tuple[Buffer, Index], dict[int, tuple[Value, int]]]()
    left = []
    for store, value in zip(stores, values):
        pattern = patterns.of(store.offset)
        if pattern is None:
            left.append(store)
            continue
        lanes = scope.b.splat(value, scope.lanes)
        rows.setdefault((store.buffer, pattern[0]), {}).update((place, (lanes, lane)) for lane, place in enumerate(pattern[1]))
    for (buffer, base), sources in rows.items():
        _put_rows(scope, buffer, base, sources)
    return left


def _put_rows(scope: Scope, buffer: Buffer, base: Index, sources: dict[int, tuple[Value, int]]) -> None:
    """Runs of neighbouring elements, whichever lanes of whichever values they are."""
    b, begin, run = scope.b, scope.index(base, scalar=True), list[int]()
    for place in [*sorted(sources), None]:
        if run and (place != run[-1] + 1 or len(run) == scope.lanes):
            memory.store(b, picked(scope, [sources[each] for each in run]), scope.pointers[buffer], b.add(begin, b.whole(run[0])))
            run = []
        if place is not None:
            run.append(place)
