"""The kernels of map and reduce groups: which loops, in which order, a few rows at once, and long reductions in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from ..costs import ACCUMULATORS, MAXIMUM_BLOCKS, PART_WORK, ROW_VECTORS, ROWS, SPLIT_ELEMENTS, SPLIT_WORK
from ..graph.build import build_node, variable
from ..graph.node import Node
from ..passes.fuse import Group
from .choose import even_blocks, schedule_map, schedule_reduce
from .index import Axis, Index, Quotient, Remainder, as_index, linear
from .kernels import Kernel, MapKernel, ReduceKernel, Reduction
from .lower import Reader, merge_axes
from .nest import Buffer, Expr, Load, Store, expressions, indices_of
from .roots import combining, inner_shape, keeps_position, reduced_axes, summed_labels
from .target import Target

Read = tuple[list[Store], Expr | None, Expr | None]


def axes_for(shape: Sequence[int], name: str) -> tuple[list[Axis], tuple[Index, ...]]:
    """A loop for each size other than 1, and the index that they form."""
    axes = [Axis(n, name) for n in shape]
    return [axis for axis in axes if axis.extent != 1], tuple(as_index(axis) if axis.extent != 1 else Index() for axis in axes)


def plan_nest(group: Group, buffers: dict[Node, Buffer], target: Target) -> list[Kernel]:
    """The kernel (or two, for a reduction done in parts) of a map or reduce group."""
    lanes = target.lanes
    axes, here = axes_for(group.shape, "i")
    inner, inside = axes_for(inner_shape(group.root), "r") if group.root is not None else ([], ())
    stores, body, _ = read_group(group, buffers, here, inside)
    used = used_indices(stores, body)
    axes, outer_terms = merge_axes(axes, used)
    inner, inner_terms = merge_axes(inner, used) if not keeps_position(group.root) else (inner, {axis: as_index(axis) for axis in inner})
    here = tuple(index.substitute(outer_terms) for index in here)
    inside = tuple(index.substitute(inner_terms) for index in inside)
    stores, body, _ = read_group(group, buffers, here, inside)
    axes, split_terms = split_axes(axes, used_indices(stores, body), lanes)
    if split_terms:
        here = tuple(index.substitute(split_terms) for index in here)
        stores, body, _ = read_group(group, buffers, here, inside)
    if group.root is None:
        return [schedule_map(MapKernel(axes=axes, stores=stores, nodes=group.nodes), lanes)]
    assert body is not None
    kernel = ReduceKernel(axes=axes, inner=inner, reductions=[Reduction(group.root, body, stores)], nodes=group.nodes)
    return [by_rows(schedule_reduce(part, lanes), target) for part in split_reduction(kernel)]


def by_rows(kernel: ReduceKernel, target: Target) -> ReduceKernel:
    """A contraction a few rows at a time, where they share what is costly to read, or to add up."""
    if kernel.first.node.op.kind != "contract":
        return kernel
    vector = kernel.vector
    row = next((axis for axis in reversed(kernel.axes) if axis is not vector), None)
    count = 1 if row is None else shared_rows(kernel, row, target)
    if row is None or count == 1:
        return kernel
    outer, few = Axis(row.extent // count, row.name), Axis(count, "row")
    axes = [part for axis in kernel.axes for part in ([outer] if axis is row else [axis]) if part.extent > 1] + [few]
    split_row = (as_index(outer) * count if outer.extent > 1 else Index()) + as_index(few)
    reductions = [replace_loops(kernel.first, {row: split_row}, Reader({}))]
    divided = schedule_reduce(ReduceKernel(axes=axes, inner=kernel.inner, reductions=reductions, nodes=kernel.nodes), target.lanes, vector)
    loops = [axis for axis in axes if axis is not vector and axis is not few]
    prefix = min(divided.schedule.prefix, len(loops))
    units = prod(axis.extent for axis in loops[:prefix])
    divided.schedule = replace(divided.schedule, row_axis=axes.index(few), prefix=prefix, blocks=even_blocks(units, divided.blocks))
    return divided


def replace_loops(reduction: Reduction, terms: dict[Axis, Index], read: Reader) -> Reduction:
    """The reduction with its loops expressed by others."""
    stores = [Store(store.buffer, store.offset.substitute(terms), read.substitute(store.expr, terms)) for store in reduction.stores]
    return Reduction(reduction.node, read.substitute(reduction.body, terms), stores)


def shared_rows(kernel: ReduceKernel, row: Axis, target: Target) -> int:
    """How many rows to take at once: products with a vector share its elements and the sums across lanes, other products whole
    vectors, or elements that have to be gathered."""
    vector = kernel.vector
    if vector is not None and vector in kernel.inner:
        return ROWS if row is kernel.axes[-1] and row.extent % ROWS == 0 and vector.extent >= ROW_VECTORS * target.lanes else 1
    if vector is None or not read_in_common(kernel, row, vector):
        return 1
    vectors = kernel.schedule.lanes // target.lanes  # of each row; as many are read for all rows, and one element is in all lanes
    held = max(1, min(ACCUMULATORS, target.registers - 2 - vectors) // vectors)
    return max(count for count in range(1, min(row.extent, held) + 1) if row.extent % count == 0)


def read_in_common(kernel: Kernel, row: Axis, vector: Axis) -> list[Load]:
    """The loads that differ from lane to lane, but not from row to row."""
    return [expr for expr in expressions(kernel.combined)
            if isinstance(expr, Load) and expr.uses(vector) and not expr.uses(row)]


def split_axes(axes: list[Axis], indices: Sequence[Index], lanes: int) -> tuple[list[Axis], dict[Axis, Index]]:
    """Loops whose index is divided somewhere become two, so that neighbours in the inner one are neighbours everywhere.

    Returns the new loops and the split ones in their terms. Only where the inner loop fills a vector.
    """
    result: list[Axis] = []
    terms: dict[Axis, Index] = {}
    for axis in axes:
        runs = [length for length in run_lengths(axis, indices) if length >= lanes and axis.extent % length == 0]
        if not runs or min(runs) == axis.extent:
            result.append(axis)
            continue
        outer, inner = Axis(axis.extent // min(runs), axis.name), Axis(min(runs), axis.name)
        result += [outer, inner]
        terms[axis] = as_index(outer) * inner.extent + as_index(inner)
    return result, terms


def run_lengths(axis: Axis, indices: Sequence[Index]) -> set[int]:
    """The divisors of an axis, where the runs between two steps of the quotient start at multiples of the divisor."""
    lengths: set[int] = set()
    stack = list(indices)
    while stack:
        for atom in stack.pop().terms:
            if isinstance(atom, (Quotient, Remainder)):
                stack.append(atom.inner)
                others = [c for other, c in atom.inner.terms.items() if other is not axis]
                if atom.inner.terms.get(axis) == 1 and not any(c % atom.divisor for c in (*others, atom.inner.constant)):
                    lengths.add(atom.divisor)
    return lengths


def used_indices(stores: Sequence[Store], body: Expr | None, other: Expr | None = None) -> list[Index]:
    roots = [store.expr for store in stores] + [expr for expr in (body, other) if expr is not None]
    return [*indices_of(roots), *(store.offset for store in stores)]


def read_group(group: Group, buffers: dict[Node, Buffer], here: tuple[Index, ...], inside: tuple[Index, ...]) -> Read:
    """The stores of a group, and what its root reduces: one expression, or the two factors of a contraction."""
    body = other = None
    read = Reader(buffers)
    if group.root is not None:
        body, other = read_root(group.root, read, here, inside)
        if group.root.op.kind == "contract" and other is not None:
            body = read.apply(product_node(group.root), (body, other))
    finish = Reader(buffers, here, frozenset(group.nodes), group.root)
    stores = [Store(buffers[node], buffers[node].at(here, node.shape), finish(node, here))
              for node in group.stored]
    return stores, body, other


def product_node(root: Node) -> Node:
    """A node that stands for the product of two numbers of the root's type."""
    return build_node("multiply", (variable((), root.dtype), variable((), root.dtype)), {})


def read_root(root: Node, read: Reader, here: tuple[Index, ...], inside: tuple[Index, ...]) -> tuple[Expr, Expr | None]:
    """What a root combines for one output element and one step of its reduction loops."""
    if root.op.kind == "contract":
        p = root.params
        at = dict(zip(p["out_axes"], here)) | dict(zip(summed_labels(root), inside))
        return (read(root.args[0], tuple(at[label] for label in p["a_axes"])),
                read(root.args[1], tuple(at[label] for label in p["b_axes"])))
    if root.op.kernel == "unwindow":
        return read_overlap(root, read, here, inside), None
    axes = reduced_axes(root)
    outer, step = iter(here), iter(inside)
    index = tuple(next(step) if axis in axes else next(outer) for axis in range(root.args[0].ndim))
    return read(root.args[0], index), None


def read_overlap(root: Node, read: Reader, here: tuple[Index, ...], inside: tuple[Index, ...]) -> Expr:
    """The contribution to one element from the windows that have it at position `inside`: at most one per axis."""
    p, source = root.params, root.args[0]
    index, conditions = list(here), []
    for axis, k, stride, dilation in zip(p["axes"], inside, p["stride"], p["dilation"]):
        count, reach = source.shape[axis], here[axis] - k * dilation
        if stride > 1:
            conditions.append((reach % stride, 0, 1))
            reach = reach // stride
        conditions.append((reach, 0, count))
        index[axis] = reach
    return read.select(conditions, read(source, (*index, *inside)), read.constant(0, root.dtype))


def split_reduction(kernel: ReduceKernel) -> list[ReduceKernel]:
    """A large reduction to few elements, done in parts that are added in a fixed order: the same bits for any number of threads."""
    node, body, stores = kernel.first.node, kernel.first.body, kernel.first.stores
    if kernel.work < SPLIT_WORK or kernel.elements >= SPLIT_ELEMENTS or not kernel.inner or keeps_position(node):
        return [kernel]
    count = min(MAXIMUM_BLOCKS, -(-kernel.work // PART_WORK))
    # the outermost loop that is long enough, so that each part reads long runs of memory
    axis = next((loop for loop in kernel.inner if loop.extent >= count), max(kernel.inner, key=lambda loop: loop.extent))
    parts = min(axis.extent, count)
    step = -(-axis.extent // parts)
    parts = -(-axis.extent // step)
    if parts < 2:
        return [kernel]
    part, within = Axis(parts, "part"), Axis(step, axis.name)
    read = Reader({})
    body = read.substitute(body, {axis: as_index(part) * step + as_index(within)})
    if parts * step > axis.extent:
        identity = read.constant(combining(node).identity(node.dtype).item(), node.dtype)
        body = read.select([(as_index(part) * step + as_index(within), 0, axis.extent)], body, identity)
    partial = Buffer("arena", parts * kernel.elements, node.dtype)
    offset = linear([as_index(loop) for loop in kernel.axes], [loop.extent for loop in kernel.axes])
    store = Store(partial, as_index(part) * kernel.elements + offset, read.accumulator(node.dtype, kernel.axes))
    first = ReduceKernel(axes=[part, *kernel.axes], inner=[within if loop is axis else loop for loop in kernel.inner],
                         reductions=[Reduction(node, body, [store])], nodes=kernel.nodes)
    total = Axis(parts, "part")
    added = Reduction(node, read.apply_load(partial, as_index(total) * kernel.elements + offset), stores)
    return [first, ReduceKernel(axes=kernel.axes, inner=[total], reductions=[added], nodes=kernel.nodes)]


def map_kernel(axes: list[Axis], buffer: Buffer, offset: Index, value: Expr, nodes: list[Node], lanes: int) -> MapKernel:
    """The kernel that writes one value to `offset` in a buffer, for all steps of the loops."""
    read = Reader({})
    axes, terms = merge_axes(axes, [offset, *indices_of([value])])
    store = Store(buffer, offset.substitute(terms), read.substitute(value, terms))
    return schedule_map(MapKernel(axes=axes, stores=[store], nodes=nodes), lanes)
