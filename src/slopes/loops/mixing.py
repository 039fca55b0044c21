"""The kernel of a mix: a vector of lines is read and combined, line by line; then the results are combined across the lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from math import prod

from ..costs import FILLED_LANES
from ..graph.build import variable
from ..graph.node import Node
from ..ops.elementwise import Add, Multiply, Subtract
from ..passes.fuse import Group
from . import memory
from .choose import choose
from .emit_nest import over_elements
from .index import Axis, Index, as_index
from .kernels import Kernel, MixKernel
from .lanes import fetch, put
from .lower import Reader, merge_axes
from .nest import Buffer, BufferMap, Carried, Expr, Load, Store, expressions, indices_of
from .plan_nest import axes_for
from .scope import Scope

Matrix = tuple[tuple[float, ...], ...]


class AddProduct(Add, abstract=True):
    "x + y inside of a sum of products"

    def emit(b, x, y): return b.accumulate(x, y)


class SubtractProduct(Subtract, abstract=True):
    "x - y inside of a sum of products"

    def emit(b, x, y): return b.decrease(x, y)


def plan_mix(group: Group, buffers: BufferMap, lanes: int) -> list[Kernel]:
    """One kernel whose loops are the axes that are not mixed, in the order of the argument."""
    node = group.root
    assert node is not None
    shape, mixed, buffer = node.args[0].shape, node.params["axes"], buffers[node]
    axes, here = axes_for([1 if axis in mixed else n for axis, n in enumerate(shape)], "i")
    lines = Lines(node, here)
    used = [*indices_of(lines.elements(Reader(buffers), ends_only=True)), lines.offsets(buffer)[0]]
    axes, terms = merge_axes(axes, used)
    here = tuple(index.substitute(terms) for index in here)
    axes, terms, vector = filled(axes, lanes)
    lines.here = tuple(index.substitute(terms) for index in here)
    read = Reader(buffers)
    arithmetic, matrix = Arithmetic(read, node), node.params["matrix"]
    first = arithmetic.applied(matrix, lines.elements(read))
    carried: list[Expr] = [Carried(i, node.dtype) for i in range(lines.steps.extent)]
    results = first if lines.far is None else arithmetic.applied(matrix, carried)
    stores = [Store(buffer, offset, result) for offset, result in zip(lines.offsets(buffer), results)]
    kernel = MixKernel(axes=axes, stores=stores, nodes=[node])
    if lines.far is not None:
        kernel.inner, kernel.carried = [lines.steps, lines.turns], first
    kernel.schedule = choose(kernel, lanes, vector)
    if vector is not None:
        kernel.schedule = replace(kernel.schedule, lanes=min(lanes, vector.extent))
    return [kernel]


class Lines:
    """How the elements along the mixed axes are walked through: `steps` lines that run along the near axis, then `turns` along the far one.

    The near axis is unrolled while lines are read, the far one while they are stored: neighbours in memory should be near when they
    are read, or far when they are stored. Mixed axes that come last are those of tiles
    of an image, which is read; those that come first are planes of whole values, from which an image is stored.
    """

    def __init__(self, node: Node, here: tuple[Index, ...]) -> None:
        x, mixed = node.args[0], node.params["axes"]
        ordered = sorted(mixed, reverse=x.ndim - 1 in mixed)
        self.node, self.here, self.near, self.far = node, here, ordered[0], ordered[1] if len(mixed) > 1 else None
        self.steps, self.turns = Axis(x.shape[ordered[-1]], "line"), Axis(len(node.params["matrix"]), "turn")

    def elements(self, read: Reader, ends_only: bool = False) -> list[Expr]:
        """The elements of one line: of a step of the far axis."""
        count = self.node.args[0].shape[self.near]
        indices = {0, count - 1} if ends_only else range(count)  # those between have other constants in their indices, no other terms
        return [read(self.node.args[0], self.at(i, self.steps)) for i in indices]

    def offsets(self, buffer: Buffer) -> list[Index]:
        """Where the results along the far axis (or the only one) are stored, for one turn of the near one."""
        rows, order = range(len(self.node.params["matrix"])), self.node.params["order"]
        indices = [self.at(row, None) if self.far is None else self.at(self.turns, row) for row in rows]
        return [buffer.at([index[axis] for axis in order], self.node.shape) for index in indices]

    def at(self, near: Axis | int, far: Axis | int | None) -> tuple[Index, ...]:
        index = list(self.here)
        index[self.near] = as_index(near)
        if self.far is not None:
            index[self.far] = as_index(far)
        return tuple(index)


def emit_mix(scope: Scope, kernel: MixKernel) -> None:
    """for each vector of the loops: combine along the lines, then across them, and store."""
    over_elements(scope, kernel, lambda: _mix_vector(scope, kernel))


def _mix_vector(scope: Scope, kernel: MixKernel) -> None:
    if not kernel.inner:
        _load_rows(scope, kernel.results)
        _store_rows(scope, kernel.stores)
        return
    b, (steps, turns), bodies = scope.b, kernel.inner, kernel.carried
    carried = {expr.index: expr for expr in kernel.computed if isinstance(expr, Carried)}
    with b.loop(b.whole(0), b.whole(steps.extent)) as i, scope.bind(steps, i):
        _load_rows(scope, bodies)
        for j, body in enumerate(bodies):
            offset = b.add(b.mul(i, b.whole(scope.lanes)), b.whole(j * steps.extent * scope.lanes))
            memory.store(b, b.splat(scope.expr(body), scope.lanes), "%scratch", offset)
    with b.loop(b.whole(0), b.whole(turns.extent)) as turn, scope.bind(turns, turn):
        line = b.mul(turn, b.whole(steps.extent * scope.lanes))
        for j, expr in carried.items():
            scope.know(expr, memory.load(b, "%scratch", expr.dtype, b.add(line, b.whole(j * scope.lanes)), scope.lanes))
        _store_rows(scope, kernel.stores)


def _load_rows(scope: Scope, roots: Sequence[Expr]) -> None:
    """Load what these expressions read, as rows of memory where possible."""
    if scope.vector is not None and scope.lanes > 1:
        for load, value in fetch(scope, (expr for expr in expressions(roots) if isinstance(expr, Load))).items():
            scope.know(load, value)


def _store_rows(scope: Scope, stores: Sequence[Store]) -> None:
    if scope.vector is None or scope.lanes == 1:
        scope.stores(stores)
        return
    for store in put(scope, stores, [scope.expr(store.expr) for store in stores]):
        scope.store(store)


def filled(axes: list[Axis], lanes: int) -> tuple[list[Axis], dict[Axis, Index], Axis | None]:
    """The last loop, with parts of others as far as they still fit, along the lanes: (loops, the old ones in their terms, that one).

    A vector that is a whole loop has a known pattern: its elements can be fetched and stored as rows.
    """
    if not axes:
        return axes, {}, None
    if axes[-1].extent >= lanes and largest_part(axes[-1], lanes) < int(FILLED_LANES * lanes):
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


class Arithmetic:
    """Sums and products of expressions, few of them: rows and columns of a matrix that differ in signs only share sums."""

    def __init__(self, read: Reader, node: Node) -> None:
        number = variable((), node.dtype)
        self.read, self.dtype = read, node.dtype
        self.times, self.plus, self.minus = (operation.make(number, number) for operation in (Multiply, AddProduct, SubtractProduct))

    def applied(self, matrix: Matrix, column: list[Expr]) -> list[Expr]:
        """The matrix times a column."""
        for i, j in alike(tuple(zip(*matrix))):
            # c x + c y = c (x + y), c x - c y = c (x - y): the sum takes the place of x, the difference that of y
            column[i], column[j] = self.add(column[i], column[j]), self.subtract(column[i], column[j])
            matrix = tuple(tuple(0.0 if k == (j if row[i] == row[j] else i) else row[i] if k in (i, j) else c for k, c in enumerate(row))
                           for row in matrix)
        rows: dict[int, Expr] = {}
        for i, j in alike(matrix):
            same = self.weighted([c if c == d else 0.0 for c, d in zip(matrix[i], matrix[j])], column)
            other = self.weighted([c if c != d else 0.0 for c, d in zip(matrix[i], matrix[j])], column)
            rows[i], rows[j] = self.add(same, other), self.subtract(same, other)
        return [rows[i] if i in rows else self.weighted(row, column) for i, row in enumerate(matrix)]

    def weighted(self, row: Sequence[float], column: Sequence[Expr]) -> Expr:
        """The sum of products; an element times 1 or -1 needs no product, and the first term is one to add to."""
        total: Expr | None = None
        for c, element in sorted(((c, element) for c, element in zip(row, column) if c), key=lambda term: term[0] < 0):
            part = element if abs(c) == 1 else self.read.apply(self.times, (element, self.read.constant(abs(c), self.dtype)))
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
