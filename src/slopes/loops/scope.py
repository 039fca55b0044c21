"""The values of indices and expressions inside a loop nest: scalars, or vectors along one of its axes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from ..graph.node import Node
from . import mathlib  # noqa: F401  (fills the builder's table of functions)
from .access import load_lanes, store_lanes
from .builder import Builder
from .index import Axis, Index, Indirect, Quotient, Remainder
from .nest import AccumulatorRef, BoundsChecked, Buffer, Compute, Expr, Literal, Load, Position, Select, Store, axes_of, indirect_atoms
from .values import INT32, INT64, Value

UINT32, UINT64 = np.dtype("uint32"), np.dtype("uint64")


class Scope:
    """Emits expressions inside a loop nest, where each axis has a value and one of them runs along the lanes."""

    def __init__(self, b: Builder, pointers: dict[Buffer, str], site_of: Callable[[Node], str]) -> None:
        self.b, self.pointers, self.site_of = b, pointers, site_of
        self.at: dict[Axis, Value] = {}
        self.vector: Axis | None = None
        self.lanes = 1
        self.full_lanes = b.lanes  # vectors start at multiples of this
        self.accumulator: Value | None = None
        self._memo: dict[tuple[int, str], Value] = {}
        self._keep: list[Expr] = []  # the memo goes by id: what it knows must stay alive

    @contextmanager
    def bind(self, axis: Axis, value: Value) -> Iterator[None]:
        """Inside, `axis` has this value."""
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
        with self.bind(axis, start):
            yield
        self.vector, self.lanes = before

    def forget(self) -> None:
        """Drop the values computed so far: they belong to another step of the loops."""
        self._memo.clear()
        self._keep.clear()

    # ------------------------------------------------------------------ indices
    def index(self, index: Index, scalar: bool = False, mask: Value | None = None, narrow: bool = False) -> Value:
        """The value of an index: per lane where it varies with the vector axis, unless only the first lane is asked for.

        Parts that are read from data are read, and checked, only where the mask holds. `narrow` lanes have 32 bits, if the index fits.
        """
        b = self.b
        total: Value | None = None
        narrow = narrow and fits_narrow(index)
        for atom, c in index.terms.items():
            value = self._atom(atom, scalar, mask, narrow)
            if c != 1:
                value = b.mul(value, b.const(c, like=value))
            total = value if total is None else b.add(total, value)
        if total is None:
            return b.whole(index.constant)
        return b.add(total, b.const(index.constant, like=total)) if index.constant else total

    def _atom(self, atom: object, scalar: bool, mask: Value | None, narrow: bool) -> Value:
        b = self.b
        if isinstance(atom, Axis):
            start = b.cast(self.at[atom], INT32) if narrow else self.at[atom]
            if atom is not self.vector or scalar or self.lanes == 1:
                return start
            return b.add(b.splat(start, self.lanes), b.lane_numbers(self.lanes, start.dtype))
        if isinstance(atom, Indirect):
            return self.expr(atom.expr, mask)
        assert isinstance(atom, (Quotient, Remainder))
        return self._divided(atom, scalar, mask, narrow)

    def _divided(self, atom: Quotient | Remainder, scalar: bool, mask: Value | None, narrow: bool) -> Value:
        b, inner = self.b, self.index(atom.inner, scalar, mask, narrow)
        low, high = atom.inner.bounds
        lift = -(low // atom.divisor) * atom.divisor if low < 0 else 0  # unsigned division needs a value of 0 or more
        if lift:
            inner = b.add(inner, b.const(lift, like=inner))
        short = high + lift < 2**31  # 32-bit lanes divide by multiplying; 64-bit ones would not
        x = Value(b.cast(inner, INT32).ref, UINT32, inner.lanes) if short else Value(inner.ref, UINT64, inner.lanes)
        divisor = b.const(atom.divisor, like=x)
        result = b.binary("udiv" if isinstance(atom, Quotient) else "urem", x, divisor)
        own = Value(result.ref, INT32 if short else INT64, result.lanes)
        whole = own if narrow and short else b.cast(result, INT64) if short else own
        if isinstance(atom, Quotient) and lift:
            whole = b.sub(whole, b.const(lift // atom.divisor, like=whole))
        return whole

    # ------------------------------------------------------------------ expressions
    def expr(self, expr: Expr, mask: Value | None = None) -> Value:
        """The value of an expression here: a scalar where it does not vary along the lanes."""
        key = (id(expr), mask.ref if mask is not None else "")
        if key not in self._memo:
            self._memo[key] = self._expr(expr, mask)
            self._keep.append(expr)
        return self._memo[key]

    def know(self, expr: Expr, value: Value) -> None:
        """Take an expression's value as computed until an axis takes another value."""
        self._memo[id(expr), ""] = value
        self._keep.append(expr)

    def _expr(self, expr: Expr, mask: Value | None) -> Value:
        b = self.b
        if isinstance(expr, Load):
            return load_lanes(self, expr, mask)
        if isinstance(expr, Literal):
            return b.const(expr.value, dtype=expr.dtype)
        if isinstance(expr, AccumulatorRef):
            assert self.accumulator is not None
            return self.accumulator
        if isinstance(expr, Position):
            return b.cast(self.index(expr.index, mask=mask), expr.dtype)
        if isinstance(expr, Select):
            return self._select(expr, mask)
        if isinstance(expr, BoundsChecked):
            return self._bounds_checked(expr, mask)
        assert isinstance(expr, Compute)
        args = [self.expr(arg, mask) for arg in expr.args]
        if expr.node.op.may_trap(expr.dtype):
            b.site = self.site_of(expr.node)
            if mask is not None:  # where the result is not used, a zero divisor is no error
                args[1] = b.select(mask, args[1], b.const(1, like=args[1]))
        return emit_operation(b, expr.node, b.match(*args))

    def _select(self, expr: Select, mask: Value | None) -> Value:
        b = self.b
        chosen = self._hold(expr, mask)
        inside = chosen if mask is None else b.bit_and(chosen, mask)
        return b.select(chosen, self.expr(expr.inner, inside), self.expr(expr.fill, mask))

    def _hold(self, expr: Select, mask: Value | None) -> Value:
        """Whether all conditions hold: in one lane, or in each."""
        b = self.b
        common: Value | None = None  # of all lanes
        several: list[tuple[str, Value, int]] = []
        for index, low, high in expr.conditions:
            first, last = index.bounds
            value = self.index(index, mask=mask, narrow=self.vector is not None and self.vector in axes_of(index))
            for needed, sign, bound in ((first < low, ">=", low), (last >= high, "<", high)):
                if needed and value.lanes > 1:
                    several.append((sign, value, bound))
                elif needed:
                    holds = b.compare(sign, value, b.const(bound, like=value))
                    common = holds if common is None else b.bit_and(common, holds)
        chosen = None if several else common
        for sign, value, bound in several:
            limit = b.const(bound, like=value)
            if chosen is None and common is not None:  # else a limit that no lane reaches: a comparison less
                never = np.iinfo(value.dtype).max if sign == ">=" else np.iinfo(value.dtype).min
                limit = b.splat(b.select(common, b.const(bound, dtype=value.dtype), b.const(never, dtype=value.dtype)), value.lanes)
            holds = b.compare(sign, value, limit)
            chosen = holds if chosen is None else b.bit_and(chosen, holds)
        assert chosen is not None
        return chosen

    def _bounds_checked(self, expr: BoundsChecked, mask: Value | None) -> Value:
        b = self.b
        x = b.cast(self.expr(expr.inner, mask), INT64)
        zero = b.const(0, like=x)
        bad = b.bit_or(b.compare("<", x, zero), b.compare(">=", x, b.const(expr.size, like=x)))
        b.site = self.site_of(expr.node)
        b.check_not(bad if mask is None else b.bit_and(bad, mask))
        return b.select(bad, zero, x)

    # ------------------------------------------------------------------ stores
    def store(self, store: Store) -> None:
        """Write one store's value for all lanes."""
        store_lanes(self, store, self.expr(store.expr))

    def stores(self, stores: Sequence[Store]) -> None:
        """All values first, then all stores: a kernel may overwrite an element that it read."""
        for store in stores:
            self.expr(store.expr)
        for store in stores:
            self.store(store)


def fits_narrow(index: Index) -> bool:
    """Whether an index, and all that it is made of, can be computed in 32 bits; what is read from data has more."""
    low, high = index.bounds
    parts = [atom.inner for atom in index.terms if isinstance(atom, (Quotient, Remainder))]
    return not indirect_atoms(index) and low >= -(2**30) and high < 2**30 and all(map(fits_narrow, parts))


def emit_operation(b: Builder, node: Node, args: Sequence[Value]) -> Value:
    """The native code of one elementwise operation."""
    return node.op.emit(b, *args, **node.params)
