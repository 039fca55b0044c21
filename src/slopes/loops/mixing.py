"""The kernel of a mix: all elements along the mixed axes are read, combined in registers and stored, vector by vector of the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from math import prod
from typing import Any

from ..graph.node import Node
from ..graph.operation import build_node, variable
from .emit import Scope, over_elements
from .index import Axis, Index, as_index, linear
from .lanes import fetch, put
from .lower import Reader, merge_axes
from .nest import Buffer, Expr, Kernel, Load, Store, indices_of
from .schedule import axes_for, choose

Numbers = tuple[int, ...]


def plan_mix(group: Any, buffers: dict[Node, Buffer], lanes: int) -> list[Kernel]:
    """One kernel whose loops are the axes that are not mixed, in the order of the argument."""
    node = group.root
    x, mixed = node.args[0], node.params["axes"]
    axes, here = axes_for([1 if axis in mixed else n for axis, n in enumerate(x.shape)], "i")
    corners = list(itertools.product(*((0, x.shape[axis] - 1) for axis in mixed)))  # elsewhere are other constants, no other terms
    used = [*indices_of(values(node, Reader(buffers), here, corners).values()), places(node, here)[0][1]]
    axes, terms = merge_axes(axes, used)
    here = tuple(index.substitute(terms) for index in here)
    axes, terms, vector = filled(axes, lanes)
    here = tuple(index.substitute(terms) for index in here)
    read = Reader(buffers)
    every = itertools.product(*(range(x.shape[axis]) for axis in mixed))
    results = combined(node, read, values(node, read, here, every))
    stores = [Store(buffers[node], offset, results[at]) for at, offset in places(node, here)]
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


def places(node: Node, here: tuple[Index, ...]) -> list[tuple[Numbers, Index]]:
    """Where each result of one step of the loops is stored."""
    mixed, order, rows = node.params["axes"], node.params["order"], range(len(node.params["matrix"]))
    found = []
    for at in itertools.product(*(rows for _ in mixed)):
        index = placed(here, mixed, at)
        found.append((at, linear([index[axis] for axis in order], node.shape)))
    return found


def placed(here: tuple[Index, ...], axes: Numbers, at: Numbers) -> tuple[Index, ...]:
    """The index with these numbers on some axes."""
    index = list(here)
    for axis, number in zip(axes, at):
        index[axis] = as_index(number)
    return tuple(index)


def combined(node: Node, read: Reader, found: dict[Numbers, Expr]) -> dict[Numbers, Expr]:
    """The matrix applied along one mixed axis after the other."""
    matrix, dtype = node.params["matrix"], node.dtype
    number = variable((), dtype)
    times, plus, minus = (build_node(name, (number, number), {}) for name in ("multiply", "add", "subtract"))

    def dot(row: tuple[float, ...], column: list[Expr]) -> Expr:
        """The sum of products; an element times 1 or -1 needs no product, and the first term is one to add to."""
        terms = sorted(((c, each) for c, each in zip(row, column) if c), key=lambda term: term[0] < 0)
        total: Expr | None = None
        for c, each in terms:
            part = each if abs(c) == 1 else read.apply(times, (each, read.constant(abs(c), dtype)))
            if total is None:
                total = part if c > 0 else read.apply(minus, (read.constant(0.0, dtype), part))
            else:
                total = read.apply(plus if c > 0 else minus, (total, part))
        return read.constant(0.0, dtype) if total is None else total

    for place in range(len(node.params["axes"])):
        lines: dict[Numbers, dict[int, Expr]] = {}
        for at, each in found.items():
            lines.setdefault((*at[:place], *at[place + 1:]), {})[at[place]] = each
        found = {(*rest[:place], number, *rest[place:]): dot(row, [line[i] for i in range(len(row))])
                 for rest, line in lines.items() for number, row in enumerate(matrix)}
    return found
