"""The loop language: scalar expressions, the buffers that they read, and the stores that write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..graph.dtype import DType
from ..graph.node import Node
from ..graph.shape import strides_of
from .index import Axis, Index, Indirect, Quotient, Remainder, strided


class Buffer:
    """A row of elements in memory: an argument of the program, a range of its arena or of a thread's scratch, or a part of another.

    base, start  of a part: the buffer that it is in, and the index of its first element there, which may move with a loop
    strides      of a part: from one element to the next on each axis, where it is not a run of the base's elements
    parts        the buffers that are parts of this one, at a fixed index
    """

    __slots__ = ("base", "dtype", "kind", "name", "node", "number", "parts", "size", "start", "strides")

    def __init__(self, kind: str, size: int, dtype: DType, node: Node | None = None, number: int = 0, name: str = "") -> None:
        # "argument": the caller's pointer of this number; "arena": an offset that the memory plan chooses; "thread": likewise, in
        # the memory that each thread has of its own; "part": of another buffer
        self.kind = kind
        self.size, self.dtype, self.node, self.number, self.name = size, dtype, node, number, name
        self.base: Buffer | None = None
        self.start: Index = Index()
        self.parts: list[Buffer] = []
        self.strides: tuple[int, ...] | None = None

    @staticmethod
    def part(base: Buffer, start: Index, node: Node) -> Buffer:
        """The elements of `base` from `start` on, an index that moves with the loop around."""
        made = Buffer("part", node.size, base.dtype, node)
        made.become_part(base, start)
        return made

    def become_part(self, base: Buffer, start: Index, strides: tuple[int, ...] | None = None) -> None:
        """Be a part of another buffer from now on; with `strides`, of its rows."""
        self.kind, self.base, self.start, self.strides = "part", base, start, strides
        if strides is not None:
            self.size = base.size - start.constant
        if not start.terms:
            base.parts.append(self)

    def at(self, index: Sequence[Index], shape: Sequence[int]) -> Index:
        """The index in the buffer of an element of a value of this shape."""
        return strided(index, self.strides or strides_of(shape))

    @property
    def nbytes(self) -> int:
        return max(1, self.size) * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"{self.kind}{self.number}{':' + self.name if self.name else ''}"


def axes_of(index: Index) -> frozenset[Axis]:
    """Every axis that an index depends on."""
    axes: set[Axis] = set()
    for atom in index.terms:
        if isinstance(atom, Axis):
            axes.add(atom)
        elif isinstance(atom, (Quotient, Remainder)):
            axes |= axes_of(atom.inner)
        else:
            axes |= atom.expr.axes
    return frozenset(axes)


class Expr:
    """A scalar value inside a loop nest. `axes` are the loops it varies with; one object per distinct expression of a kernel."""

    __slots__ = ("axes", "dtype")
    axes: frozenset[Axis]
    dtype: DType

    def uses(self, axis: Axis) -> bool:
        return axis in self.axes


class Load(Expr):
    """An element of a buffer."""

    __slots__ = ("buffer", "offset")

    def __init__(self, buffer: Buffer, offset: Index) -> None:
        self.buffer, self.offset, self.dtype, self.axes = buffer, offset, buffer.dtype, axes_of(offset)


class Literal(Expr):
    """A constant."""

    __slots__ = ("value",)

    def __init__(self, value: Any, dtype: DType) -> None:
        self.value, self.dtype, self.axes = value, dtype, frozenset()


class Position(Expr):
    """The value of an index itself."""

    __slots__ = ("index",)

    def __init__(self, index: Index, dtype: DType) -> None:
        self.index, self.dtype, self.axes = index, dtype, axes_of(index)


class Compute(Expr):
    """An elementwise operation on expressions; `node` knows how to emit it."""

    __slots__ = ("args", "node")

    def __init__(self, node: Node, args: tuple[Expr, ...]) -> None:
        self.node, self.args, self.dtype = node, args, node.dtype
        self.axes = frozenset().union(*(arg.axes for arg in args)) if args else frozenset()


Condition = tuple[Index, int, int]  # low <= index < high


class Select(Expr):
    """`inner` where all conditions hold (only there is it read at all), `fill` elsewhere."""

    __slots__ = ("conditions", "fill", "inner")

    def __init__(self, conditions: tuple[Condition, ...], inner: Expr, fill: Expr) -> None:
        self.conditions, self.inner, self.fill, self.dtype = conditions, inner, fill, inner.dtype
        self.axes = inner.axes | fill.axes | frozenset().union(*(axes_of(index) for index, _, _ in conditions))


class BoundsChecked(Expr):
    """An index from data, to be checked against an axis of `size` elements on behalf of `node`."""

    __slots__ = ("inner", "node", "size")

    def __init__(self, inner: Expr, size: int, node: Node) -> None:
        self.inner, self.size, self.node, self.dtype, self.axes = inner, size, node, inner.dtype, inner.axes


class AccumulatorRef(Expr):
    """The finished reduction of this kernel, as its epilogue sees it."""

    __slots__ = ()

    def __init__(self, dtype: DType, axes: Iterable[Axis]) -> None:
        self.dtype, self.axes = dtype, frozenset(axes)


class Carried(Expr):
    """A value that an earlier half of this kernel carries over, by its index."""

    __slots__ = ("index",)

    def __init__(self, index: int, dtype: DType) -> None:
        self.index, self.dtype, self.axes = index, dtype, frozenset()


@dataclass
class Store:
    """Write an expression to an element of a buffer."""

    buffer: Buffer
    offset: Index
    expr: Expr


def expressions(roots: Iterable[Expr]) -> list[Expr]:
    """Every expression below the roots, once, users after arguments."""
    done: dict[int, Expr] = {}
    stack: list[tuple[Expr, bool]] = [(root, False) for root in roots]
    while stack:
        expr, ready = stack.pop()
        if id(expr) in done:
            continue
        if ready:
            done[id(expr)] = expr
            continue
        stack.append((expr, True))
        stack.extend((child, False) for child in children(expr))
    return list(done.values())


def children(expr: Expr) -> list[Expr]:
    """The expressions that an expression is made of, those inside its indices included."""
    if isinstance(expr, Load):
        return indirect_parts(expr.offset)
    if isinstance(expr, Position):
        return indirect_parts(expr.index)
    if isinstance(expr, Compute):
        return list(expr.args)
    if isinstance(expr, BoundsChecked):
        return [expr.inner]
    if isinstance(expr, Select):
        return [expr.inner, expr.fill, *(part for index, _, _ in expr.conditions for part in indirect_parts(index))]
    return []


def indirect_parts(index: Index) -> list[Expr]:
    """The expressions whose values an index is made of."""
    return [atom.expr for atom in indirect_atoms(index)]


def indirect_atoms(index: Index) -> list[Indirect]:
    """The parts of an index that are read from data, those inside quotients and remainders included."""
    atoms: list[Indirect] = []
    for atom in index.terms:
        if isinstance(atom, Indirect):
            atoms.append(atom)
        elif isinstance(atom, (Quotient, Remainder)):
            atoms += indirect_atoms(atom.inner)
    return atoms


def indices_of(roots: Iterable[Expr]) -> list[Index]:
    """Every index that the expressions use."""
    indices: list[Index] = []
    for expr in expressions(roots):
        if isinstance(expr, Load):
            indices.append(expr.offset)
        elif isinstance(expr, Position):
            indices.append(expr.index)
        elif isinstance(expr, Select):
            indices += [index for index, _, _ in expr.conditions]
    return indices


def memory(buffers: Iterable[Buffer]) -> set[object]:
    """A set that intersects with that of other buffers which share their memory: arguments of one number, parts and their base."""
    shared: set[object] = set()
    for buffer in buffers:
        shared.add(("argument", buffer.number) if buffer.kind == "argument" else buffer)
        shared |= memory(buffer.parts)
    return shared


def root_of(buffer: Buffer) -> Buffer:
    """The buffer that a part of a part is in."""
    while buffer.base is not None:
        buffer = buffer.base
    return buffer


class PackedRows(NamedTuple):
    """Rows of a buffer, packed in panels of a height, and how loops walk through the buffer."""

    source: Buffer
    height: int
    walk: tuple[object, ...]


class BufferMap(dict[Node, Buffer]):
    """The buffer of each node that has memory; and the inputs of a loop's body as elements of nodes outside, at the current step."""

    def __init__(self, buffers: Mapping[Node, Buffer] | None = None) -> None:
        super().__init__(buffers or {})
        self.outside: dict[Node, tuple[Node, tuple[Index, ...]]] = dict(getattr(buffers, "outside", {}))
        self.origin: dict[Node, Node] = getattr(buffers, "origin", {})  # what a node of a body is in the graph
        self.fixed: frozenset[Buffer] = frozenset()  # what no step of the loop around writes
        self.axis: Axis | None = None  # that loop's
        self.packed: dict[PackedRows, Buffer] = {}  # what was laid out for one kernel and may serve another

    def is_fixed(self, expr: Expr) -> bool:
        """Whether an expression has the same values in all steps of the loop around."""
        loads = [inner for inner in expressions([expr]) if isinstance(inner, Load)]
        return self.axis is not None and self.axis not in expr.axes and all(load.buffer in self.fixed for load in loads)
