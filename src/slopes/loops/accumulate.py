"""Accumulators of reductions: variables, combining of terms, reduction of lanes; long float32 sums in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod

import numpy as np

from ..costs import SUM_CHUNK
from ..graph.node import Node
from .builder import Builder
from .function_writer import Variable
from .index import Axis, Index
from .kernels import ReduceKernel, Reduction
from .nest import Expr
from .roots import combining, keeps_position
from .scope import Scope
from .values import BOOL, FLOAT32, FLOAT64, INT64, Value, type_text


class Accumulator:
    """A reduction with one accumulator: the operation says where it starts and how it combines."""

    def __init__(self, b: Builder, node: Node) -> None:
        self.b, self.node, self.op = b, node, combining(node)

    def start(self, lanes: int) -> list[Variable]:
        return [self.b.variable(self.b.const(self.op.identity(self.node.dtype), dtype=self.node.dtype, lanes=lanes))]

    def accumulate(self, variables: list[Variable], scope: Scope, body: Expr) -> None:
        x = scope.b.splat(scope.b.cast(scope.expr(body), self.node.dtype), variables[0].lanes)
        variables[0].set(self.combine(variables[0].get(), x))

    def combine(self, x: Value, y: Value) -> Value:
        return self.op.combine(self.b, x, y)

    def result(self, variables: list[Variable]) -> Value:
        return variables[0].get()

    def end_chunk(self) -> None:
        """A chunk of the terms has been combined."""

    def reduce_lanes(self, variables: list[Variable]) -> Value:
        """The lanes combined pairwise, always in the same order."""
        x = self.result(variables)
        while x.lanes > 1:
            half = x.lanes // 2
            low, high = self.b.shuffle(x, None, range(half)), self.b.shuffle(x, None, range(half, 2 * half))
            low, high = self._narrow(low), self._narrow(high)
            joined = self.combine(low, high)
            if x.lanes % 2:
                last = self.b.lane(x, x.lanes - 1)
                joined = self.combine(joined, last) if half == 1 else self._add_to_first(joined, last)
            x = joined
        return x

    def reduce_lanes_of_all(self, several: list[list[Variable]]) -> list[Value]:
        """The lanes of each combined in the order of `reduce_lanes`; where there are a few, halves of all of them at once."""
        count, lanes = len(several), several[0][0].lanes
        if count == 1 or lanes % count or lanes & (lanes - 1):
            return [self.reduce_lanes(variables) for variables in several]
        vectors = [self.result(variables) for variables in several]
        while vectors[0].lanes > self.b.lanes:
            half = vectors[0].lanes // 2
            vectors = [self.combine(self.b.shuffle(x, None, range(half)), self.b.shuffle(x, None, range(half, 2 * half))) for x in vectors]
        width = vectors[0].lanes  # lanes of each vector that are not combined yet
        while len(vectors) > 1 or width > 1:
            pairs: list[tuple[Value, Value | None]] = [*zip(vectors[::2], vectors[1::2])] or [(vectors[0], None)]
            starts = range(0, (1 if len(vectors) == 1 else 2) * vectors[0].lanes, width)
            low, high = ([start + lane for start in starts for lane in half]
                         for half in (range(width // 2), range(width // 2, width)))
            vectors = [self.combine(self.b.shuffle(x, y, low), self.b.shuffle(x, y, high)) for x, y in pairs]
            width //= 2
        return [self.b.lane(vectors[0], i) for i in range(count)]

    def _narrow(self, x: Value) -> Value:
        return self.b.lane(x, 0) if x.lanes == 1 else x

    def _add_to_first(self, x: Value, last: Value) -> Value:
        first = self.combine(self.b.lane(x, 0), last)
        return self.b.new(f"insertelement {type_text(x.dtype, x.lanes)} {x.ref}, {type_text(x.dtype)} {first.ref}, i64 0", x.dtype, x.lanes)


class ChunkedSum(Accumulator):
    """A sum of float32 with two accumulators: of the present chunk in float32, of the chunks before it in float64.

    Of n terms added one by one, each addition rounds a sum of up to n terms: an error of up to n eps of the sum of magnitudes.
    Here it is SUM_CHUNK eps, whatever n is, and float64 is touched once in SUM_CHUNK terms only.
    """

    def __init__(self, b: Builder, node: Node) -> None:
        super().__init__(b, node)
        self.pairs: list[tuple[Variable, Variable]] = []

    def start(self, lanes: int) -> list[Variable]:
        chunk, = super().start(lanes)
        before = self.b.variable(self.b.const(0, dtype=FLOAT64, lanes=lanes))
        self.pairs.append((chunk, before))
        return [chunk, before]

    def end_chunk(self) -> None:
        for chunk, before in self.pairs:
            before.set(self.combine(before.get(), self.b.cast(chunk.get(), FLOAT64)))
            chunk.set(self.b.const(0, dtype=FLOAT32, lanes=chunk.lanes))

    def result(self, variables: list[Variable]) -> Value:
        chunk, before = variables
        return self.b.cast(self.combine(before.get(), self.b.cast(chunk.get(), FLOAT64)), FLOAT32)


class Chunks:
    """How the loops of a long sum are divided into chunks: every few steps of one axis."""

    def __init__(self, axis: Axis, stride: int) -> None:
        self.axis, self.stride = axis, stride
        self.accumulators: list[Accumulator] = []

    @classmethod
    def of(cls, kernel: ReduceKernel, loops: Sequence[tuple[Axis, int]], lanes: int = 1) -> Chunks | None:
        """The cut for nested loops, outermost first, each with its number of steps; the last one strides by `lanes`."""
        total = prod(steps for _, steps in loops)
        if total <= SUM_CHUNK or not any(is_long_sum(reduction.node) for reduction in kernel.reductions):
            return None
        inside = 1
        for level, (axis, steps) in reversed(list(enumerate(loops))):
            if inside * steps > SUM_CHUNK:
                return cls(axis, SUM_CHUNK // inside * (lanes if level == len(loops) - 1 else 1))
            inside *= steps
        return None

    def end(self) -> None:
        for accumulator in self.accumulators:
            accumulator.end_chunk()


def is_long_sum(node: Node) -> bool:
    """Whether a reduction adds up numbers of so few digits that many of them lose some."""
    return node.dtype == FLOAT32 and combining(node).name == "sum" and not keeps_position(node)


@contextmanager
def reduction_loop(b: Builder, axis: Axis, chunks: Chunks | None, stop: int, step: int = 1) -> Iterator[Value]:
    """for i in range(0, stop, step), cut into chunks if this is the axis to cut."""
    if chunks is None or chunks.axis is not axis:
        with b.loop(b.whole(0), b.whole(stop), step) as i:
            yield i
        return
    with b.loop(b.whole(0), b.whole(stop), chunks.stride) as start:
        end = b.add(start, b.whole(chunks.stride))
        if stop % chunks.stride:
            end = b.select(b.compare("<", end, b.whole(stop)), end, b.whole(stop))
        with b.loop(start, end, step) as i:
            yield i
        chunks.end()


class FirstExtreme(Accumulator):
    """argmax and argmin: the best value so far and its first position; a NaN beats every number."""

    def __init__(self, b: Builder, node: Node, inner: Sequence[Axis], sign: str) -> None:
        super().__init__(b, node)
        self.inner, self.sign, self.source = inner, sign, node.args[0].dtype

    def start(self, lanes: int) -> list[Variable]:
        worst = _extreme_value(self.source, low=self.sign == ">")
        return [self.b.variable(self.b.const(worst, dtype=self.source, lanes=lanes)),
                self.b.variable(self.b.const(0, dtype=INT64, lanes=lanes))]

    def accumulate(self, variables: list[Variable], scope: Scope, body: Expr) -> None:
        b, (best, position) = self.b, variables
        x, old = b.splat(scope.expr(body), best.lanes), best.get()
        wins = self._beats(x, old)
        best.set(b.select(wins, x, old))
        here = scope.index(Index({self.inner[0]: 1})) if self.inner else b.whole(0)
        position.set(b.select(wins, b.splat(here, best.lanes), position.get()))

    def _beats(self, x: Value, old: Value) -> Value:
        b = self.b
        if x.dtype == BOOL:
            return b.bit_and(x, b.bit_not(old)) if self.sign == ">" else b.bit_and(b.bit_not(x), old)
        wins = b.compare(self.sign, x, old)
        if x.dtype.kind != "f":
            return wins
        return b.bit_or(wins, b.bit_and(b.compare("!=", x, x), b.compare("==", old, old)))

    def result(self, variables: list[Variable]) -> Value:
        return variables[1].get()


def _extreme_value(dtype: np.dtype, low: bool) -> float | int | bool:
    if dtype == BOOL:
        return not low
    if dtype.kind == "f":
        return -np.inf if low else np.inf
    limits = np.iinfo(dtype)
    return int(limits.min if low else limits.max)


def accumulator_of(reduction: Reduction, inner: Sequence[Axis], b: Builder, chunks: Chunks | None) -> Accumulator:
    """How a reduction over these loops accumulates."""
    if keeps_position(reduction.node):
        return FirstExtreme(b, reduction.node, inner, reduction.node.op.comparison)
    if chunks is None or not is_long_sum(reduction.node):
        return Accumulator(b, reduction.node)
    chunks.accumulators.append(ChunkedSum(b, reduction.node))
    return chunks.accumulators[-1]
