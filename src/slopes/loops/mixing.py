"""The kernel of a mix: all elements along the mixed axes are read, combined in registers and stored, vector by vector of the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import cache
from math import prod
from typing import Any

from ..graph.node import Node
from ..graph.operation import build_node, variable
from .emit import Scope, over_elements
from .index import Axis, Index, as_index
from .lanes import fetch, put
from .lower import Reader, merge_axes
from .nest import Buffer, Expr, Kernel, Load, Store, indices_of
from .schedule import axes_for, choose

Numbers = tuple[int, ...]
Matrix = tuple[tuple[float, ...], ...]


def plan_mix(group: Any, buffers: dict[Node, Buffer], lanes: int) -> list[Kernel]:
    """One kernel whose loops are the axes that are not mixed, in the order of the argument."""
    node = group.root
    x, mixed = node.args[0], node.params["axes"]
    axes, here = axes_for([1 if axis in mixed else n for axis, n in enumerate(x.shape)], "i")
    corners = list(itertools.product(*((0, x.shape[axis] - 1) for axis in mixed)))  # elsewhere are other constants, no other terms
    used = [*indices_of(values(node, Reader(buffers), here, corners).values()), places(node, buffers[node], here)[0][1]]
    axes, terms = merge_axes(axes, used)
    here = tuple(index.substitute(terms) for index in here)
    axes, terms, vector = filled(axes, lanes)
    here = tuple(index.substitute(terms) for index in here)
    read = Reader(buffers)
    every = itertools.product(*(range(x.shape[axis]) for axis in mixed))
    results = combined(node, read, values(node, read, here, every))
    stores = [Store(buffers[node], offset, results[at]) for at, offset in places(node, buffers[node], here)]
    kernel = Kernel("mix", axes, stores, nodes=[node])
    kernel.schedule = choose(kernel, lanes, vector)
    if vector is not None:
        kernel.schedule["lanes"] = min(lanes, vector.extent)
    return [kernel]


def emit_mix(scope: Scope, kernel: Kernel) -> None:
    """for each vector of the loops: fetch all elements, combine, store."""
    over_elements(scope, kernel, lambda: _mix_vector(scope, kernel))


def _mix_vector(scope: Scope, kernel: Kernel) -> None:
    if scope.vector is None or scope.lanes == 1:
        scope.stores(kernel.stores)
        return
    for load, value in fetch(scope, (each for each in kernel.computed if isinstance(each, Load))).items():
        scope.know(load, value)
    values = [scope.expr(store.expr) for store in kernel.stores]
    for store in put(scope, kernel.stores, values):
        scope.store(store)


def filled(axes: list[Axis], lanes: int) -> tuple[list[Axis], dict[Axis, Index], Axis | None]:
    """The last loop, with parts of others as far as they still fit, along the lanes: (loops, the old ones in their terms, that one).

    A vector that is a whole loop has a known pattern: its elements can be fetched and stored as rows.
    """
    if not axes:
        return axes, {}, None
    if axes[-1].extent >= lanes and largest_part(axes[-1], lanes) < 3 * lanes // 4:
        return axes, {}, axes[-1]
    parts: dict[Axis, int] = {}
    room = lanes
    for axis in reversed(axes):
        parts[axis] = largest_part(axis, room)
        room //= parts[axis]
    vector = Axis(prod(parts.values()), axes[-1].name)
    outer, terms, rest = list[Axis](), {}, as_index(vector)
    for axis in reversed(axes):
        inside = rest % parts[axis]
        rest = rest // parts[axis]
        whole = Axis(axis.extent // parts[axis], axis.name)
        outer.insert(0, whole)
        terms[axis] = (as_index(whole) * parts[axis] if whole.extent > 1 else Index()) + inside
    return [*(axis for axis in outer if axis.extent > 1), vector], terms, vector


def largest_part(axis: Axis, room: int) -> int:
    """The largest number of at most `room` that divides a loop evenly."""
    return max(part for part in range(1, room + 1) if axis.extent % part == 0)


def values(node: Node, read: Reader, here: tuple[Index, ...], wanted: Iterable[Numbers]) -> dict[Numbers, Expr]:
    """Some elements of the argument for one step of the loops, by their places on the mixed axes."""
    return {at: read(node.args[0], placed(here, node.params["axes"], at)) for at in wanted}


def places(node: Node, buffer: Buffer, here: tuple[Index, ...]) -> list[tuple[Numbers, Index]]:
    """Where each result of one step of the loops is stored."""
    mixed, order, rows = node.params["axes"], node.params["order"], range(len(node.params["matrix"]))
    found = []
    for at in itertools.product(*(rows for _ in mixed)):
        index = placed(here, mixed, at)
        found.append((at, buffer.at([index[axis] for axis in order], node.shape)))
    return found


def placed(here: tuple[Index, ...], axes: Numbers, at: Numbers) -> tuple[Index, ...]:
    """The index with these numbers on some axes."""
    index = list(here)
    for axis, number in zip(axes, at):
        index[axis] = as_index(number)
    return tuple(index)


def combined(node: Node, read: Reader, found: dict[Numbers, Expr]) -> dict[Numbers, Expr]:
    """The matrix applied along one mixed axis after the other."""
    arithmetic, matrix = Arithmetic(read, node), node.params["matrix"]
    for place in range(len(node.params["axes"])):
        lines: dict[Numbers, dict[int, Expr]] = {}
        for at, each in found.items():
            lines.setdefault((*at[:place], *at[place + 1:]), {})[at[place]] = each
        found = {}
        for rest, line in lines.items():
            results = arithmetic.applied(matrix, [line[i] for i in range(len(line))])
            found |= {(*rest[:place], number, *rest[place:]): each for number, each in enumerate(results)}
    return found


class Arithmetic:
    """Sums and products of expressions, few of them: rows and columns of a matrix that differ in signs only share sums."""

    def __init__(self, read: Reader, node: Node) -> None:
        number = variable((), node.dtype)
        self.read, self.dtype = read, node.dtype
        self.times, self.plus, self.minus = (build_node(name, (number, number), {}) for name in ("multiply", "add", "subtract"))

    def applied(self, matrix: Matrix, column: list[Expr]) -> list[Expr]:
        """The matrix times a column."""
        for i, j in alike(tuple(zip(*matrix))):
            # c x + c y = c (x + y), c x - c y = c (x - y): the sum takes the place of x, the difference that of y
            column[i], column[j] = self.add(column[i], column[j]), self.subtract(column[i], column[j])
            matrix = tuple(tuple(0.0 if k == (j if row[i] == row[j] else i) else row[i] if k in (i, j) else c for k, c in enumerate(row))
                           for row in matrix)
        found: dict[int, Expr] = {}
        for i, j in alike(matrix):
            same = self.weighted([c if c == d else 0.0 for c, d in zip(matrix[i], matrix[j])], column)
            other = self.weighted([c if c != d else 0.0 for c, d in zip(matrix[i], matrix[j])], column)
            found[i], found[j] = self.add(same, other), self.subtract(same, other)
        return [found[i] if i in found else self.weighted(row, column) for i, row in enumerate(matrix)]

    def weighted(self, row: Sequence[float], column: Sequence[Expr]) -> Expr:
        """The sum of products; an element times 1 or -1 needs no product, and the first term is one to add to."""
        total: Expr | None = None
        for c, each in sorted(((c, each) for c, each in zip(row, column) if c), key=lambda term: term[0] < 0):
            part = each if abs(c) == 1 else self.read.apply(self.times, (each, self.read.constant(abs(c), self.dtype)))
            if total is None:
                total = part if c > 0 else self.subtract(self.read.constant(0.0, self.dtype), part)
            else:
                total = (self.add if c > 0 else self.subtract)(total, part)
        return self.read.constant(0.0, self.dtype) if total is None else total

    def add(self, x: Expr, y: Expr) -> Expr:
        return self.read.apply(self.plus, (x, y))

    def subtract(self, x: Expr, y: Expr) -> Expr:
        return self.read.apply(self.minus, (x, y))


@cache
def alike(lines: Matrix) -> list[tuple[int, int]]:
    """Pairs of rows whose numbers differ in their signs only: in some, not in all."""
    pairs: list[tuple[int, int]] = []
    for i, first in enumerate(lines):
        for j in range(i + 1, len(lines)):
            sizes = [(abs(c), abs(d)) for c, d in zip(first, lines[j])]
            signs = {c == d for c, d in zip(first, lines[j]) if c}
            if len(signs) == 2 and all(c == d for c, d in sizes) and not any({i, j} & set(pair) for pair in pairs):
                pairs.append((i, j))
    return pairs
