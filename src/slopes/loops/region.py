"""From a graph to kernels in phases: each group of nodes by the planner of its kind, a scan as a loop of phases of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from ..costs import BLOCK_WORK, ENOUGH_BLOCKS, MAXIMUM_BLOCKS, STEP_BYTES
from ..graph.dtype import DType
from ..graph.node import Node
from ..graph.shape import size, strides_of
from ..graph.walk import topological
from ..ops.segments import extent, loop_key, segments
from ..passes.fuse import Group, group, is_leaf
from .choose import even_blocks
from .equal_groups import EqualGroups
from .index import Axis, Index, as_index, linear, strided
from .kernels import Kernel, Loop, MapKernel, Phases, buffers_read, buffers_written, leaves
from .lower import Reader
from .mixing import plan_mix
from .nest import Buffer, BufferMap, Load, memory, root_of
from .plan_contract import plan_contract, worth_packing
from .plan_nest import axes_for, map_kernel, plan_nest
from .special import is_special, plan_special
from .target import Target


@dataclass
class Grouped:
    """Groups of nodes whose results have memory.

    rows    the results of each loop, by type: they are one loop, planned at the first of them
    joined  the concats whose arguments are computed where they belong: those that must still be copied there, with their offsets
    """

    groups: list[Group] = field(default_factory=list)
    rows: dict[Hashable, dict[DType, Node]] = field(default_factory=dict)
    joined: dict[Node, list[tuple[Node, int]]] = field(default_factory=dict)


def group_nodes(roots: Iterable[Node], buffers: BufferMap) -> Grouped:
    """Which nodes are computed together; values that have no memory yet get a buffer in the arena."""
    result = Grouped(group(dict.fromkeys(root for root in roots if not is_leaf(root))))
    made: dict[Node, Buffer] = {}
    for part in result.groups:
        for node in part.stored:
            if node not in buffers:
                buffers[node] = made[node] = Buffer("arena", node.size, node.dtype, node)
        if part.root is not None and part.root.op.kind == "loop":
            result.rows.setdefault(loop_key(part.root), {})[part.root.dtype] = part.root
    result.joined = {part.nodes[0]: left for part in reversed(result.groups) if can_join(part)
                     if (left := join_parts(part.nodes[0], made, buffers)) is not None}
    return result


def plan_groups(grouped: Grouped, buffers: BufferMap, target: Target) -> list[Kernel | Loop]:
    """The kernels of all groups, in order."""
    result: list[Kernel | Loop] = []
    rows = dict(grouped.rows)
    equal = EqualGroups(buffers, lambda part: plan_group(part, buffers, target))
    for part in grouped.groups:
        node = part.nodes[0]
        if part.root is not None and part.root.op.kind == "loop":
            result += plan_loop(part.root, rows.pop(loop_key(part.root), {}), buffers, target)
        elif node in grouped.joined:
            buffer = buffers[node]
            strides = buffer.strides or strides_of(node.shape)
            result += [write_kernel(Reader(buffers), arg, buffer, start, target, strides) for arg, start in grouped.joined[node]]
        elif 0 not in part.shape:
            result += equal.kernels_of(part)
    return result


def kernels_of(roots: Iterable[Node], buffers: BufferMap, target: Target) -> list[Kernel | Loop]:
    """The kernels that compute the roots of a loop's body, in order."""
    return plan_groups(group_nodes(roots, buffers), buffers, target)


def can_join(group: Group) -> bool:
    """Whether a group is values put one behind the other."""
    node = group.nodes[0]
    return node.op.joins and len(group.nodes) == 1 and node.size > 0


def join_parts(node: Node, made: dict[Node, Buffer], buffers: BufferMap) -> list[tuple[Node, int]] | None:
    """Let the parts of a concat be computed where they belong; returns those that must be copied there, with their first elements.

    None when all of them must be copied, and side by side: then one kernel writes whole rows.
    """
    base, axis = buffers[node], node.params["axis"]
    strides = base.strides or strides_of(node.shape)
    whole = size(node.shape[:axis]) == 1 and base.strides is None  # the parts are runs of memory
    copied, start = [], 0
    for arg in node.args:
        source = arg
        while whole and source.op.keeps_order and source not in buffers:
            source = source.args[0]
        mine = made.get(source)
        if mine is not None and mine.kind == "arena" and mine.base is None and not mine.parts:
            mine.become_part(base, Index({}, start), None if whole else strides)
        elif arg.size:
            copied.append((arg, start))
        start += arg.shape[axis] * strides[axis]
    return copied if whole or len(copied) < len(node.args) else None


def plan_group(group: Group, buffers: BufferMap, target: Target) -> list[Kernel]:
    if group.root is None:
        return plan_nest(group, buffers, target)
    if is_special(group.root):
        return plan_special(group, buffers, target.lanes)
    if group.root.op.kind == "mix":
        return plan_mix(group, buffers, target.lanes)
    if group.root.op.kind == "contract" and worth_packing(group.root):
        return plan_contract(group, buffers, target)
    return plan_nest(group, buffers, target)


def phases_of(kernels: Sequence[Kernel | Loop], guarded: Kernel | Loop | None = None) -> Phases:
    """Runs of kernels that do not touch each other's results; `guarded` starts one, a loop is one of its own."""
    phases: Phases = []
    reads: set[object] = set()
    writes: set[object] = set()
    for kernel in kernels:
        r, w = memory(buffers_read(kernel)), memory(buffers_written(kernel))
        alone = isinstance(kernel, Loop) or (bool(phases) and isinstance(phases[-1][0], Loop))
        if not phases or kernel is guarded or alone or r & writes or w & writes or w & reads:
            phases.append([])
            reads, writes = set(), set()
        phases[-1].append(kernel)
        reads |= r
        writes |= w
    return phases


def copy_kernel(source: Buffer, start: int, destination: Buffer, first: int, node: Node, target: Target) -> MapKernel:
    """Copy the value of a node: `start` and `first` are the indices of its first element in the two buffers."""
    axes, here = axes_for((node.size,), "i")
    offset = linear(here, (node.size,))
    return map_kernel(axes, destination, offset + first, Load(source, offset + start), [node], target.lanes)


def write_kernel(read: Reader, node: Node, destination: Buffer, first: int, target: Target,
                 strides: tuple[int, ...] | None = None) -> MapKernel:
    """Write a value that is a view, an element of a sequence or a constant to the elements of a buffer from index `first` on."""
    axes, here = axes_for(node.shape, "i")
    at = strided(here, strides or strides_of(node.shape)) + first
    return map_kernel(axes, destination, at, read(node, here), [node], target.lanes)


# ---------------------------------------------------------------------- loops
def shaped(node: Node) -> Node:
    """The value that a node shows in another shape: computed where the node belongs, it need not be copied there."""
    while node.op.keeps_order and not is_leaf(node.args[0]):
        node = node.args[0]
    return node


def plan_loop(scan: Node, rows: dict[DType, Node], buffers: BufferMap, target: Target) -> list[Kernel | Loop]:
    """The kernels that copy the first states, the loop, and those that copy the last states of carries without a row of states."""
    if not rows:
        return []  # planned with another type of its results
    return _LoopPlan(scan, rows, buffers, target).kernels()


class _LoopPlan:
    """One scan: its body's inputs are views of values outside, its states and outputs parts of its results' rows.

    A carry that is kept has a row of states: a step reads one and writes the next. Of any other there are two, in turn.
    """

    def __init__(self, scan: Node, rows: dict[DType, Node], buffers: BufferMap, target: Target) -> None:
        p = scan.params
        self.scan, self.target, self.buffers, self.carries, self.kept = scan, target, buffers, p["carries"], p["kept"]
        self.inputs, self.outputs = p["body"].fresh()
        buffers.origin.update(zip(topological(self.outputs), topological(p["body"].outputs)))
        self.parts = segments(p["body"], p["carries"], p["length"], p["kept"])
        self.rows = {dtype: buffers[rows[dtype]] if dtype in rows else Buffer("arena", extent(self.parts, dtype), dtype)
                     for dtype in dict.fromkeys(part.dtype for part in self.parts)}
        self.axis = Axis(p["length"], "t")
        step = as_index(self.axis)
        self.element = self.axis.extent - 1 - step if p["reverse"] else step
        self.step = step
        self.states = [self.rows[part.dtype] if every else Buffer("arena", 2 * part.size, part.dtype)
                       for part, every in zip(self.parts, self.kept)]

    def state(self, i: int, later: int) -> Index:
        """The index of the first element of the state before (0) or after (1) a step."""
        part = self.parts[i]
        if self.kept[i]:
            return (self.step + later) * part.size + part.start
        return (self.step + later) % 2 * part.size

    def kernels(self) -> list[Kernel | Loop]:
        inner, end = BufferMap(self.buffers), self.carries + self.scan.params["moving"]
        for node in topological(self.outputs):
            inner.pop(node, None)  # the same constant outside may not have been written yet: it is written here too
        for i, (node, arg) in enumerate(zip(self.inputs, self.scan.args)):
            if i < self.carries:
                inner[node] = Buffer.part(self.states[i], self.state(i, 0), node)
            else:
                inner.outside[node] = arg, (self.element,) if i < end else ()
        inner.fixed, inner.axis = frozenset({*self.buffers.values(), *self.buffers.fixed} - {*self.rows.values(), *self.states}), self.axis
        copies = self.assign_results(inner)
        body = kernels_of(self.outputs, inner, self.target)
        body += [write_kernel(Reader(inner), node, part, 0, self.target) for node, part in copies]
        before, inside = self.parted([kernel for kernel in body if kernel.elements], inner)
        for kernel in leaves(inside):
            kernel.steps *= self.axis.extent
        loop = [Loop(self.axis, phases_of(inside), [self.scan], runs=self.runs(inside))] if inside else []
        return [*self.first_states(), *before, *loop, *self.last_states()]

    def runs(self, kernels: list[Kernel | Loop]) -> int:
        """Into how many runs of steps threads may divide the loop, each with its own memory for what a step computes; 0 if they may not."""
        if self.carries or self.axis.extent < ENOUGH_BLOCKS or any(isinstance(kernel, Loop) for kernel in kernels):
            return 0
        results = {root_of(row) for row in self.rows.values()}
        own = {buffer for kernel in kernels for buffer in map(root_of, buffers_written(kernel))} - results
        if sum(buffer.nbytes for buffer in own) > STEP_BYTES:
            return 0
        for buffer in own:
            buffer.kind = "thread"
        work = self.axis.extent * sum(kernel.work for kernel in kernels)
        return even_blocks(self.axis.extent, max(ENOUGH_BLOCKS, min(MAXIMUM_BLOCKS, work // BLOCK_WORK)))

    def parted(self, kernels: list[Kernel | Loop], inner: BufferMap) -> tuple[list[Kernel | Loop], list[Kernel | Loop]]:
        """The kernels that do the same in each step, to be run once before the loop, and the others."""
        before: list[Kernel | Loop] = []
        inside: list[Kernel | Loop] = []
        fixed = set(inner.fixed)
        writers = Counter(buffer for kernel in kernels for buffer in buffers_written(kernel))
        for kernel in kernels:
            alone = all(writers[buffer] == 1 for buffer in buffers_written(kernel))
            if alone and not isinstance(kernel, Loop) and self.is_fixed(kernel, fixed):
                before.append(kernel)
                fixed |= set(buffers_written(kernel))
            else:
                inside.append(kernel)
        return before, inside

    def is_fixed(self, kernel: Kernel, fixed: set[Buffer]) -> bool:
        """Whether a kernel reads nothing that moves with the step, and writes memory of its own."""
        moves = any(self.axis in expr.axes for expr in (*kernel.results, *kernel.combined, *kernel.indirect))
        own = all(buffer.kind == "arena" for buffer in buffers_written(kernel))
        return own and not moves and all(buffer in fixed for buffer in buffers_read(kernel))

    def assign_results(self, inner: BufferMap) -> list[tuple[Node, Buffer]]:
        """Let each result be computed in its part of a row; returns those that must be copied there."""
        copies = []
        for i, (node, part) in enumerate(zip(self.outputs, self.parts)):
            if i < self.carries:
                result = Buffer.part(self.states[i], self.state(i, 1), node)
            else:
                node = self.outputs[i] = shaped(node)
                result = Buffer.part(self.rows[part.dtype], self.element * part.size + part.start, node)
            if is_leaf(node) or node in inner:
                copies.append((node, result))
            else:
                inner[node] = result
        return copies

    def first_states(self) -> list[Kernel]:
        read = Reader(self.buffers)
        return [write_kernel(read, arg, state, part.start if every else 0, self.target)
                for arg, state, part, every in zip(self.scan.args, self.states, self.parts, self.kept) if part.size]

    def last_states(self) -> list[Kernel]:
        copies: list[Kernel] = []
        for i, (state, part) in enumerate(zip(self.states, self.parts)):
            if not self.kept[i] and part.size:
                start = self.axis.extent % 2 * part.size
                copies.append(copy_kernel(state, start, self.rows[part.dtype], part.start, self.outputs[i], self.target))
        return copies
