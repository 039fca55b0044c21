"""From graph to loops: reads an element of any node as a scalar expression over the buffers, composing all views on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import CompileError
from ..graph.build import Constant
from ..graph.dtype import DType
from ..graph.node import Node
from .index import Axis, Index, Indirect, as_index, extent
from .nest import (
    AccumulatorRef,
    BoundsChecked,
    Buffer,
    BufferMap,
    Compute,
    Condition,
    Expr,
    Literal,
    Load,
    Position,
    Select,
    axes_of,
    expressions,
    indirect_atoms,
)


class Reader:
    """read(node, index) -> Expr. Nodes with a buffer are loaded; all others are computed in place.

    `inside` are nodes that this kernel computes itself although they have a buffer: they may only be read where they are stored,
    at `here`. `root` is the reduction of this kernel: read at `here`, it is the finished accumulator.
    """

    def __init__(self, buffers: dict[Node, Buffer], here: tuple[Index, ...] = (), inside: frozenset[Node] = frozenset(),
                 root: Node | None = None) -> None:
        self.buffers, self.here, self.inside, self.root = buffers, here, inside, root
        self.outside = buffers.outside if isinstance(buffers, BufferMap) else {}
        self._known: dict[Any, Expr] = {}
        self._found: dict[tuple[Node, tuple[Index, ...]], Expr] = {}

    def __call__(self, node: Node, index: Sequence[Any]) -> Expr:
        index = tuple(as_index(step) for step in index)
        key = (node, index)
        if key not in self._found:
            self._found[key] = self._read(node, index)
        return self._found[key]

    def _read(self, node: Node, index: tuple[Index, ...]) -> Expr:
        if node is self.root:
            self._must_be_here(node, index)
            return self._once(("accumulator",), lambda: AccumulatorRef(node.dtype, [axis for step in index for axis in axes_of(step)]))
        if node in self.inside:
            self._must_be_here(node, index)
        elif node in self.buffers:
            offset = self.buffers[node].at(index, node.shape)
            return self._once(("load", self.buffers[node], offset), lambda: Load(self.buffers[node], offset))
        if node in self.outside:
            around, lead = self.outside[node]
            return self(around, (*lead, *index))
        if node.op is Constant and node.value is not None and node.value.size == 1:
            return self.constant(node.value.item(), node.dtype)
        return node.op.lower(self, index, node)  # type: ignore[attr-defined]

    def _must_be_here(self, node: Node, index: tuple[Index, ...]) -> None:
        if index != self.here:
            raise NotHereError(node)

    def _once(self, key: Any, make: Any) -> Expr:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    # ------------------------------------------------------------------ what an operation's `lower` may ask for
    def apply(self, node: Node, args: Sequence[Expr]) -> Expr:
        """The elementwise operation of `node` on these expressions."""
        key = ("compute", node.op, tuple(sorted(node.params.items())), node.dtype, tuple(id(arg) for arg in args))
        return self._once(key, lambda: Compute(node, tuple(args)))

    def constant(self, value: Any, dtype: DType) -> Expr:
        return self._once(("literal", repr(value), dtype), lambda: Literal(value, dtype))

    def index_value(self, index: Any, dtype: DType) -> Expr:
        """The index as a number."""
        index = as_index(index)
        return self._once(("position", index, dtype), lambda: Position(index, dtype))

    def select(self, conditions: Sequence[Condition], inner: Expr, fill: Expr) -> Expr:
        """`inner` where low <= index < high for every condition, `fill` elsewhere."""
        needed = []
        for index, low, high in conditions:
            index = as_index(index)
            first, last = index.bounds
            if first >= high or last < low:
                return fill
            if first < low or last >= high:
                needed.append((index, low, high))
        if not needed:
            return inner
        return self._once(("select", tuple(needed), id(inner), id(fill)), lambda: Select(tuple(needed), inner, fill))

    def apply_load(self, buffer: Buffer, offset: Index) -> Expr:
        """An element of a buffer that belongs to no node."""
        return self._once(("load", buffer, offset), lambda: Load(buffer, offset))

    def accumulator(self, dtype: DType, axes: Sequence[Axis]) -> Expr:
        """The finished reduction of a kernel with these parallel loops."""
        return self._once(("accumulator",), lambda: AccumulatorRef(dtype, axes))

    def substitute(self, expr: Expr, replacements: dict[Axis, Index]) -> Expr:
        """The expression with some loops expressed by others."""
        made: dict[int, Expr] = {}
        for inner in expressions([expr]):
            made[id(inner)] = self._substituted(inner, replacements, made)
        return made[id(expr)]

    def _substituted(self, expr: Expr, replacements: dict[Axis, Index], made: dict[int, Expr]) -> Expr:
        if not any(axis in expr.axes for axis in replacements):
            return expr
        if isinstance(expr, Load):
            return self.apply_load(expr.buffer, self._index(expr.offset, replacements, made))
        if isinstance(expr, Position):
            return self.index_value(self._index(expr.index, replacements, made), expr.dtype)
        if isinstance(expr, Compute):
            return self.apply(expr.node, tuple(made[id(arg)] for arg in expr.args))
        if isinstance(expr, BoundsChecked):
            return BoundsChecked(made[id(expr.inner)], expr.size, expr.node)
        if isinstance(expr, AccumulatorRef):
            new = [axes_of(replacements[axis]) if axis in replacements else {axis} for axis in expr.axes]
            return self.accumulator(expr.dtype, [axis for axes in new for axis in axes])
        assert isinstance(expr, Select)
        conditions = [(self._index(index, replacements, made), low, high) for index, low, high in expr.conditions]
        return self.select(conditions, made[id(expr.inner)], made[id(expr.fill)])

    def _index(self, index: Index, replacements: dict[Axis, Index], made: dict[int, Expr]) -> Index:
        changed = {atom: as_index(Indirect(made[id(atom.expr)], atom.size)) for atom in indirect_atoms(index)
                   if made.get(id(atom.expr), atom.expr) is not atom.expr}
        return index.substitute({**replacements, **changed})

    def dynamic(self, expr: Expr, size: int, node: Node) -> Index:
        """An index read from data; the generated code checks that it lies in 0..size-1."""
        key = ("indirect", id(expr), size)
        if key not in self._known:
            self._known[key] = as_index(Indirect(BoundsChecked(expr, size, node), size))  # type: ignore[assignment]
        return self._known[key]  # type: ignore[return-value]


class NotHereError(CompileError):
    """A value of this kernel is needed at another element than the one that is computed: the two cannot share one loop nest."""

    def __init__(self, node: Node) -> None:
        super().__init__(f"{node} is read elsewhere than it is stored")


def merge_axes(axes: list[Axis], indices: Sequence[Index]) -> tuple[list[Axis], dict[Axis, Index]]:
    """Merge neighbouring loops that every index walks through in one stride; returns the new axes and the old ones in their terms."""
    merged: list[Axis] = []
    groups: list[list[Axis]] = []
    for axis in axes:
        if groups and _one_stride(groups[-1][-1], axis, indices):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    replaced: dict[Axis, Index] = {}
    for group in groups:
        if len(group) == 1:
            merged.append(group[0])
            replaced[group[0]] = as_index(group[0])
            continue
        joint = Axis(extent(group), group[0].name)
        merged.append(joint)
        step = joint.extent
        for axis in group:
            step //= axis.extent
            replaced[axis] = (as_index(joint) // step) % axis.extent
    return merged, replaced


def _one_stride(outer: Axis, inner: Axis, indices: Sequence[Index]) -> bool:
    for index in indices:
        far, near = index.coefficient(outer), index.coefficient(inner)
        if far is None or near is None or far != near * inner.extent:
            return False
    return True
