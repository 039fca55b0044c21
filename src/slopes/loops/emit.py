"""From loops to LLVM: expressions, indices and the plain schedules (map, reduce); contraction and special kernels build on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import numpy as np

from ..costs import UNROLLED
from ..graph.node import Node
from . import mathlib  # noqa: F401  (fills the builder's table of functions)
from .accumulate import Chunks, folding_of, reduction_loop
from .builder import INT32, INT64, Builder, Value
from .choose import repeats_along
from .index import Axis, Index, Quotient, Remainder, RunTime
from .kernels import MapKernel, NestKernel, ReduceKernel, Reduction
from .nest import Accumulated, Buffer, Checked, Choose, Compute, Expr, Literal, Load, Position, Store, expressions
from .plan_nest import read_in_common

UINT32, UINT64 = np.dtype("uint32"), np.dtype("uint64")
WOVEN = (2, 4, 8, 16)  # so many vectors are put between each other, lane by lane, in memory


class Scope:
    """Emits expressions at one place of a loop nest: knows where each axis stands and which one runs along the lanes."""

    def __init__(self, b: Builder, pointers: dict[Buffer, str], site_of: Callable[[Node], int]) -> None:
        self.b, self.pointers, self.site_of = b, pointers, site_of
        self.at: dict[Axis, Value] = {}
        self.vector: Axis | None = None
        self.lanes = 1
        self._full_lanes = b.lanes  # vectors start at multiples of this
        self.accumulated: Value | None = None
        self._memo: dict[tuple[int, str], Value] = {}
        self._keep: list[Expr] = []  # the memo goes by id: what it knows must stay alive

    @contextmanager
    def place(self, axis: Axis, value: Value) -> Iterator[None]:
        """Inside, `axis` stands at `value`."""
        self.at[axis] = value
        self.forget()
        yield
        del self.at[axis]
        self.forget()

    @contextmanager
    def along(self, axis: Axis, start: Value, lanes: int) -> Iterator[None]:
        """Inside, `axis` runs over the lanes from `start` on."""
        before = self.vector, self.lanes
        self.vector, self.lanes = axis, lanes
        with self.place(axis, start):
            yield
        self.vector, self.lanes = before

    def forget(self) -> None:
        """Values known so far belong to another place."""
        self._memo.clear()
        self._keep.clear()

    # ------------------------------------------------------------------ indices
    def index(self, index: Index, scalar: bool = False, mask: Value | None = None) -> Value:
        """The value of an index: per lane where it varies with the vector axis, unless only the first lane is asked for.

        Parts that are read from data are read, and checked, only where the mask holds.
        """
        b = self.b
        total: Value | None = None
        for atom, c in index.terms.items():
            value = self._atom(atom, scalar, mask)
            if c != 1:
                value = b.mul(value, b.const(c, like=value))
            total = value if total is None else b.add(total, value)
        if total is None:
            return b.whole(index.constant)
        return b.add(total, b.const(index.constant, like=total)) if index.constant else total

    def _atom(self, atom: object, scalar: bool, mask: Value | None) -> Value:
        b = self.b
        if isinstance(atom, Axis):
            start = self.at[atom]
            if atom is not self.vector or scalar or self.lanes == 1:
                return start
            return b.add(b.splat(start, self.lanes), b.lane_numbers(self.lanes))
        if isinstance(atom, RunTime):
            return self.expr(atom.expr, mask)
        assert isinstance(atom, (Quotient, Remainder))
        return self._divided(atom, scalar, mask)

    def _divided(self, atom: Quotient | Remainder, scalar: bool, mask: Value | None) -> Value:
        b, inner = self.b, self.index(atom.inner, scalar, mask)
        low, high = atom.inner.bounds
        lift = -(low // atom.divisor) * atom.divisor if low < 0 else 0  # unsigned division needs a value of 0 or more
        if lift:
            inner = b.add(inner, b.const(lift, like=inner))
        narrow = high + lift < 2**31  # 32-bit lanes divide by multiplying; 64-bit ones would not
        x = Value(b.cast(inner, INT32).ref, UINT32, inner.lanes) if narrow else Value(inner.ref, UINT64, inner.lanes)
        divisor = b.const(atom.divisor, like=x)
        found = b._two("udiv" if isinstance(atom, Quotient) else "urem", x, divisor)
        wide = b.cast(found, INT64) if narrow else Value(found.ref, INT64, found.lanes)
        if isinstance(atom, Quotient) and lift:
            wide = b.sub(wide, b.const(lift // atom.divisor, like=wide))
        return wide

    # ------------------------------------------------------------------ expressions
    def expr(self, expr: Expr, mask: Value | None = None) -> Value:
        """The value of an expression here: a scalar where it does not vary along the lanes."""
        key = (id(expr), mask.ref if mask is not None else "")
        if key not in self._memo:
            self._memo[key] = self._expr(expr, mask)
            self._keep.append(expr)
        return self._memo[key]

    def know(self, expr: Expr, value: Value) -> None:
        """Take an expression's value as computed, until this place is left."""
        self._memo[id(expr), ""] = value
        self._keep.append(expr)

    def _expr(self, expr: Expr, mask: Value | None) -> Value:
        b = self.b
        if isinstance(expr, Load):
            return self.load(expr, mask)
        if isinstance(expr, Literal):
            return b.const(expr.value, dtype=expr.dtype)
        if isinstance(expr, Accumulated):
            assert self.accumulated is not None
            return self.accumulated
        if isinstance(expr, Position):
            return b.cast(self.index(expr.index, mask=mask), expr.dtype)
        if isinstance(expr, Choose):
            return self._choose(expr, mask)
        if isinstance(expr, Checked):
            return self._checked(expr, mask)
        assert isinstance(expr, Compute)
        args = [self.expr(arg, mask) for arg in expr.args]
        if expr.node.op.may_trap(expr.dtype):
            b.site = self.site_of(expr.node)
            if mask is not None:  # where the result is not used, a zero divisor is no error
                args[1] = b.select(mask, args[1], b.const(1, like=args[1]))
        return emit_operation(b, expr.node, b.match(*args))

    def _choose(self, expr: Choose, mask: Value | None) -> Value:
        b, inside = self.b, mask
        chosen: Value | None = None
        for index, low, high in expr.conditions:
            first, last = index.bounds
            value = self.index(index, mask=mask)
            for needed, sign, bound in ((first < low, ">=", low), (last >= high, "<", high)):
                if needed:
                    holds = b.compare(sign, value, b.const(bound, like=value))
                    chosen = holds if chosen is None else b.bit_and(chosen, holds)
        assert chosen is not None
        inside = chosen if mask is None else b.bit_and(chosen, mask)
        return b.select(chosen, self.expr(expr.inner, inside), self.expr(expr.fill, mask))

    def _checked(self, expr: Checked, mask: Value | None) -> Value:
        b = self.b
        x = b.cast(self.expr(expr.inner, mask), INT64)
        zero = b.const(0, like=x)
        bad = b.bit_or(b.compare("<", x, zero), b.compare(">=", x, b.const(expr.size, like=x)))
        b.site = self.site_of(expr.node)
        b.check_not(bad if mask is None else b.bit_and(bad, mask))
        return b.select(bad, zero, x)

    def load(self, expr: Load, mask: Value | None) -> Value:
        """Side by side, the same for all lanes, or from anywhere; the mask matters only where the address could be wrong."""
        b, pointer = self.b, self.pointers[expr.buffer]
        where, (low, high) = mask, expr.offset.bounds
        if low >= 0 and high < expr.buffer.size:
            mask = None
        if self.vector is None or self.lanes == 1 or self.vector not in expr.axes:
            if mask is not None and mask.lanes > 1:
                mask = b.horizontal("or", mask)
            return b.load(pointer, expr.dtype, self.index(expr.offset, True, where), 1, mask)
        step = expr.offset.coefficient(self.vector)
        if step == 1:
            return b.load(pointer, expr.dtype, self.index(expr.offset, True, where), self.lanes, mask)
        if step in (-1, 2) and mask is None:
            return self._strided(expr, step, where)
        times, shift = repetition(expr.offset, self.vector)
        if times and self._full_lanes % times == 0:
            picks = [(lane + shift) // times for lane in range(self.lanes)]
            keep = None if mask is None else self._any_of_each(mask, picks)
            few = b.load(pointer, expr.dtype, self.index(expr.offset, True, where), picks[-1] + 1, keep)
            return b.splat(few, self.lanes) if few.lanes == 1 else b.shuffle(few, None, picks)
        if step is not None and mask is None and b.may_write_out(self.lanes):
            return b.collect(pointer, expr.dtype, self.index(expr.offset, True, where), step, self.lanes)
        return b.gather(pointer, expr.dtype, self.index(expr.offset, mask=where), mask)

    def _any_of_each(self, mask: Value, picks: Sequence[int]) -> Value:
        """For each element that several lanes share: whether one of them wants it."""
        b, lanes = self.b, range(len(picks))
        if picks[-1] == 0:
            return mask if mask.lanes == 1 else b.horizontal("or", mask)
        sharing = [[lane for lane in lanes if picks[lane] == pick] for pick in range(picks[-1] + 1)]
        mask, found = b.splat(mask, len(picks)), None
        for turn in range(max(map(len, sharing))):
            each = b.shuffle(mask, None, [own[min(turn, len(own) - 1)] for own in sharing])
            found = each if found is None else b.bit_or(found, each)
        assert found is not None
        return found

    def _strided(self, expr: Load, step: int, where: Value | None) -> Value:
        """Every second element, or elements backwards: whole vectors and a shuffle, where a gather would fetch one by one."""
        b, pointer, n = self.b, self.pointers[expr.buffer], self.lanes
        first = self.index(expr.offset, True, where)
        if step == -1:
            found = b.load(pointer, expr.dtype, b.sub(first, b.whole(n - 1)), n)
            return b.shuffle(found, None, range(n - 1, -1, -1))
        # two vectors that together cover the 2 n - 1 elements without touching what lies behind them
        low, high = b.load(pointer, expr.dtype, first, n), b.load(pointer, expr.dtype, b.add(first, b.whole(n - 1)), n)
        return b.shuffle(low, high, [2 * lane if 2 * lane < n else 2 * lane + 1 for lane in range(n)])

    def store(self, store: Store) -> None:
        """Write one store's value at this place, for all lanes."""
        b, pointer = self.b, self.pointers[store.buffer]
        value = self.expr(store.expr)
        if self.vector is None or self.lanes == 1:
            b.store(value, pointer, self.index(store.offset))
        elif store.offset.coefficient(self.vector) == 1:
            b.store(b.splat(value, self.lanes), pointer, self.index(store.offset, scalar=True))
        elif (step := store.offset.coefficient(self.vector)) is not None and b.may_write_out(self.lanes):
            b.distribute(b.splat(value, self.lanes), pointer, self.index(store.offset, scalar=True), step)
        else:
            b.scatter(b.splat(value, self.lanes), pointer, self.index(store.offset))

    def stores(self, stores: Sequence[Store]) -> None:
        """All values first, then all stores: a kernel may overwrite what it read at the same place."""
        for store in stores:
            self.expr(store.expr)
        for store in stores:
            self.store(store)


def repetition(offset: Index, axis: Axis) -> tuple[int, int]:
    """(how often in a row the same element is read along an axis, how many of the first run are behind us); (0, 0) without such a pattern.

    Vectors start at multiples of their lanes, so that repetition in step with the lanes is a short load and a shuffle.
    """
    if not repeats_along(offset, axis):
        return 0, 0
    atom = next(atom for atom in offset.terms if isinstance(atom, Quotient) and atom.inner.uses(axis))
    return atom.divisor, atom.inner.constant % atom.divisor


def emit_operation(b: Builder, node: Node, args: Sequence[Value]) -> Value:
    """The native code of one elementwise operation."""
    return node.op.emit(b, *args, **node.params)


# ---------------------------------------------------------------------- loops
def outer_loops(scope: Scope, axes: Sequence[Axis], dealt: int, blocks: int) -> ExitStack:
    """Open the loops over `axes` inside this block: a block is a run of consecutive units of the first `dealt` axes."""
    b, stack = scope.b, ExitStack()
    prefix = axes[:dealt]
    units = int(np.prod([axis.extent for axis in prefix], dtype=np.int64))
    chunk = -(-units // blocks)
    if units > 1:
        start = b.mul(Value("%block", INT64), b.whole(chunk))
        stop = b.add(start, b.whole(chunk))
        if units % chunk:
            stop = b.select(b.compare("<", stop, b.whole(units)), stop, b.whole(units))
        unit = stack.enter_context(b.loop(start, stop)) if chunk > 1 else start
        rest = unit
        for position, axis in reversed(list(enumerate(prefix))):
            value = rest if position == 0 else b._two("urem", rest, b.whole(axis.extent))
            rest = rest if position == 0 else b._two("udiv", rest, b.whole(axis.extent))
            stack.enter_context(scope.place(axis, value))
    else:
        for axis in prefix:
            stack.enter_context(scope.place(axis, b.whole(0)))
    for axis in axes[dealt:]:
        stack.enter_context(scope.place(axis, stack.enter_context(b.loop(b.whole(0), b.whole(axis.extent)))))
    return stack


def vector_loop(scope: Scope, axis: Axis | None, lanes: int, body: Callable[[], None], chunks: Chunks | None = None) -> None:
    """Run `body` along the lanes of an axis: full vectors in a loop, then the rest as one narrower vector."""
    b = scope.b
    if axis is None:
        body()
        return
    full = axis.extent - axis.extent % lanes
    if full:
        with reduction_loop(b, axis, chunks, full, lanes) as i, scope.along(axis, i, lanes):
            body()
    if axis.extent > full:
        with scope.along(axis, b.whole(full), axis.extent - full):
            body()


def split_vector_loop(scope: Scope, kernel: NestKernel, body: Callable[[], None]) -> None:
    """A single long loop: each block takes its run of whole vectors, the last one also the rest."""
    b, axis, lanes, chunk = scope.b, kernel.vector, kernel.schedule.lanes, kernel.schedule.split
    assert axis is not None
    full = axis.extent - axis.extent % lanes
    block = Value("%block", INT64)
    start = b.mul(block, b.whole(chunk))
    stop = b.add(start, b.whole(chunk))
    if full % chunk:
        stop = b.select(b.compare("<", stop, b.whole(full)), stop, b.whole(full))
    with b.loop(start, stop, lanes) as i, scope.along(axis, i, lanes):
        body()
    if axis.extent > full:
        last = b.compare("==", block, b.whole(kernel.blocks - 1))
        with b.when(last), scope.along(axis, b.whole(full), axis.extent - full):
            body()


def over_elements(scope: Scope, kernel: NestKernel, body: Callable[[], None]) -> None:
    """Run `body` for every element of the parallel loops in this block, the schedule's vector loop along the lanes."""
    schedule, rows = kernel.schedule, kernel.row_axis if isinstance(kernel, ReduceKernel) else None
    if schedule.split:
        split_vector_loop(scope, kernel, body)
        return
    axes = [axis for axis in kernel.axes if axis is not kernel.vector and axis is not rows]
    with outer_loops(scope, axes, schedule.prefix, schedule.blocks):
        vector_loop(scope, kernel.vector, schedule.lanes, body)


def emit_map(scope: Scope, kernel: MapKernel) -> None:
    """for each element: store it."""
    over_elements(scope, kernel, lambda: scope.stores(kernel.stores))


def emit_reduce(scope: Scope, kernel: ReduceKernel) -> None:
    """for each output element: start, combine over the inner loops, store what the epilogue makes of it."""
    if kernel.vector not in kernel.inner:
        over_elements(scope, kernel, lambda: _reduce_per_lane(scope, kernel))
        return
    axes = [axis for axis in kernel.axes if axis is not kernel.row_axis]
    with outer_loops(scope, axes, kernel.schedule.prefix, kernel.blocks):
        _reduce_along_lanes(scope, kernel)


def _reduce_per_lane(scope: Scope, kernel: ReduceKernel) -> None:
    """Each lane an element of its own: for every reduction, or for each of a few rows that share what they read."""
    rows, vector = kernel.row_axis, kernel.vector
    chunks = Chunks.of(kernel, [(axis, axis.extent) for axis in kernel.inner])
    foldings = [(each, folding_of(each, kernel.inner, scope.b, chunks)) for each in kernel.reductions]
    variables = [[folding.start(scope.lanes) for _ in row_numbers(kernel)] for _, folding in foldings]
    shared = read_in_common(kernel, rows, vector) if rows is not None and vector is not None else []
    lines = {load: parts for load in shared if (parts := _fetched_lines(scope, kernel, load))}
    for number in inner_steps(scope, kernel, chunks):
        values = [lines[load][number] if load in lines else scope.expr(load) for load in shared]
        for row in row_numbers(kernel):
            with standing(scope, kernel, row):
                for load, value in zip(shared, values):
                    scope.know(load, value)
                for (each, folding), own in zip(foldings, variables):
                    folding.combine(own[row], scope, each.body)
    for (each, folding), own in zip(foldings, variables):
        _finish_rows(scope, kernel, each, [folding.result(mine) for mine in own])


def _fetched_lines(scope: Scope, kernel: ReduceKernel, load: Load) -> list[Value]:
    """What a load reads in each step of the inner loop, if that is all of a run of memory: whole vectors, with their lanes sorted."""
    if len(kernel.inner) != 1 or not written_out(kernel) or scope.lanes == 1:
        return []
    step, = kernel.inner
    if not side_by_side(load.offset, step, kernel.vector):
        return []
    with scope.place(step, scope.b.whole(0)):
        first = scope.index(load.offset, scalar=True)
    return unwoven(scope.b, scope.b.load(scope.pointers[load.buffer], load.dtype, first, scope.lanes * step.extent), step.extent)


def _finish_rows(scope: Scope, kernel: ReduceKernel, own: Reduction, totals: Sequence[Value]) -> None:
    """Store what becomes of the sums of a few rows; together, where they are neighbours in memory."""
    rows, vector = kernel.row_axis, kernel.vector
    if rows is None or scope.lanes == 1 or not all(side_by_side(store.offset, rows, vector) for store in own.stores):
        for row, total in enumerate(totals):
            with standing(scope, kernel, row):
                _finish(scope, own, total)
        return
    values: list[list[Value]] = []
    for row, total in enumerate(totals):
        scope.accumulated = total
        with standing(scope, kernel, row):
            values.append([scope.b.splat(scope.expr(store.expr), scope.lanes) for store in own.stores])
    scope.accumulated = None
    with standing(scope, kernel, 0):
        for store, several in zip(own.stores, zip(*values)):
            scope.b.store(woven(scope.b, several), scope.pointers[store.buffer], scope.index(store.offset, scalar=True))


def side_by_side(offset: Index, few: Axis, vector: Axis | None) -> bool:
    """Whether places lie without gaps along two axes, of which the first is short."""
    return vector is not None and few.extent in WOVEN and offset.coefficient(few) == 1 and offset.coefficient(vector) == few.extent


def woven(b: Builder, vectors: Sequence[Value]) -> Value:
    """The first lanes of all vectors, then their second ones, and so on."""
    if len(vectors) == 1:
        return vectors[0]
    even, odd = woven(b, vectors[::2]), woven(b, vectors[1::2])
    return b.shuffle(even, odd, [start + lane for lane in range(even.lanes) for start in (0, even.lanes)])


def unwoven(b: Builder, vector: Value, count: int) -> list[Value]:
    """The vectors of which this one is woven."""
    if count == 1:
        return [vector]
    even, odd = (unwoven(b, b.shuffle(vector, None, range(start, vector.lanes, 2)), count // 2) for start in (0, 1))
    return [each for pair in zip(even, odd) for each in pair]


def row_numbers(kernel: ReduceKernel) -> range:
    """The rows that are taken at once."""
    rows = kernel.row_axis
    return range(1 if rows is None else rows.extent)


def standing(scope: Scope, kernel: ReduceKernel, number: int) -> AbstractContextManager[None]:
    """At one of the rows that are taken at once."""
    rows = kernel.row_axis
    return nullcontext() if rows is None else scope.place(rows, scope.b.whole(number))


def inner_steps(scope: Scope, kernel: ReduceKernel, chunks: Chunks | None) -> Iterator[int]:
    """Stand at every step of the inner loops: one after another where they are few (then their numbers are constants), else in loops."""
    b, axes = scope.b, kernel.inner
    with ExitStack() as stack:
        if written_out(kernel):
            for step, numbers in enumerate(np.ndindex(*[axis.extent for axis in axes])):
                with ExitStack() as places:
                    for axis, number in zip(axes, numbers):
                        places.enter_context(scope.place(axis, b.whole(number)))
                    yield step
            return
        for axis in axes:
            stack.enter_context(scope.place(axis, stack.enter_context(reduction_loop(b, axis, chunks, axis.extent))))
        yield 0


def written_out(kernel: ReduceKernel) -> bool:
    """Whether the steps of the inner loops are few."""
    return bool(np.prod([axis.extent for axis in kernel.inner]) * len(expressions(kernel.combined)) <= UNROLLED)


def _reduce_along_lanes(scope: Scope, kernel: ReduceKernel) -> None:
    """One sum along the lanes for each reduction, or for each of a few rows side by side, whose lanes are then added up together."""
    b, vector, lanes, numbers = scope.b, kernel.vector, kernel.schedule.lanes, row_numbers(kernel)
    assert vector is not None
    outer = [axis for axis in kernel.inner if axis is not vector]
    chunks = Chunks.of(kernel, [*((axis, axis.extent) for axis in outer), (vector, -(-vector.extent // lanes))], lanes)
    foldings = [(each, folding_of(each, kernel.inner, b, chunks)) for each in kernel.reductions]
    full = vector.extent - vector.extent % lanes
    sizes = ([lanes] if full else []) + ([vector.extent - full] if vector.extent > full else [])
    variables = [[{size: folding.start(size) for size in sizes} for _ in numbers] for _, folding in foldings]

    def combine() -> None:
        for (each, folding), own in zip(foldings, variables):
            for number in numbers:
                with standing(scope, kernel, number):
                    folding.combine(own[number][scope.lanes], scope, each.body)

    with ExitStack() as stack:
        for axis in outer:
            stack.enter_context(scope.place(axis, stack.enter_context(reduction_loop(b, axis, chunks, axis.extent))))
        vector_loop(scope, vector, lanes, combine, chunks)
    for (each, folding), own in zip(foldings, variables):
        parts = [folding.fold_all([mine[size] for mine in own]) for size in sizes]
        for number in numbers:
            total = parts[0][number]
            for part in parts[1:]:
                total = folding.two(total, part[number])
            with standing(scope, kernel, number):
                _finish(scope, each, total)


def _finish(scope: Scope, reduction: Reduction, total: Value) -> None:
    scope.accumulated = total
    scope.forget()
    scope.stores(reduction.stores)
    scope.accumulated = None
