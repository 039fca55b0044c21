"""From groups of nodes to kernels with a schedule: which loops, in which order, which along the lanes, in how many blocks."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..graph.node import Node
from ..graph.operation import Operation, build_node, variable
from .index import Axis, Index, Quotient, Remainder, as_index, linear
from .lower import Reader, merge_axes
from .nest import Buffer, Compute, Expr, Kernel, Load, Loop, Store, axes_of, buffers_read, buffers_written, expressions, indices_of, memory

BLOCK_WORK = 16384  # about how many simple element steps a block should hold: some microseconds
MAXIMUM_BLOCKS = 64
SPLIT_WORK = 131_072  # from this much work on, a reduction to few elements is done in parts: less takes one thread a few microseconds
PART_WORK = 32_768  # about how much of it a part is
ROWS = 4  # of a matrix that are multiplied with a vector at once
ACCUMULATORS = 16  # vectors that stay in registers while rows share what they read
TWIN_WORK = 4096  # from this many element steps on, reductions are worth joining with others
TWIN_REACH = 12  # how many earlier kernels are looked at for a twin
MOST_TWINS = 3
SCATTERED = 10  # what a lane that is not beside its neighbour in memory costs, against 1 for one that is

Read = tuple[list[Store], Expr | None, Expr | None]


def axes_for(shape: Sequence[int], name: str) -> tuple[list[Axis], tuple[Index, ...]]:
    """A loop for each size other than 1, and the index that they form."""
    axes = [Axis(n, name) for n in shape]
    return [axis for axis in axes if axis.extent != 1], tuple(as_index(axis) if axis.extent != 1 else Index() for axis in axes)


def plan_nest(group: Any, buffers: dict[Node, Buffer], lanes: int) -> list[Kernel]:
    """The kernel (or two, for a reduction done in parts) of a map or reduce group."""
    axes, here = axes_for(group.shape, "i")
    inner, inside = axes_for(inner_shape(group.root), "r") if group.root is not None else ([], ())
    stores, body, _ = read_group(group, buffers, here, inside)
    used = used_indices(stores, body)
    axes, outer_terms = merge_axes(axes, used)
    inner, inner_terms = merge_axes(inner, used) if not keeps_place(group.root) else (inner, {axis: as_index(axis) for axis in inner})
    here = tuple(index.substitute(outer_terms) for index in here)
    inside = tuple(index.substitute(inner_terms) for index in inside)
    stores, body, _ = read_group(group, buffers, here, inside)
    axes, split_terms = split_axes(axes, used_indices(stores, body), lanes)
    if split_terms:
        here = tuple(index.substitute(split_terms) for index in here)
        stores, body, _ = read_group(group, buffers, here, inside)
    kernel = Kernel("map" if group.root is None else "reduce", axes, stores, inner, group.root, body, nodes=group.nodes)
    kernels = [kernel] if group.root is None else split_reduction(kernel)
    for each in kernels:
        each.schedule = choose(each, lanes)
    return [by_rows(each, lanes) for each in kernels]


def by_rows(kernel: Kernel, lanes: int) -> Kernel:
    """A contraction a few rows at a time, where they share what is costly to read, or to add up."""
    if kernel.reduction is None or kernel.reduction.op.kind != "contract":
        return kernel
    vector = kernel.schedule["vector"]
    row = next((axis for axis in reversed(kernel.axes) if axis is not vector), None)
    count = 1 if row is None else shared_rows(kernel, row, lanes)
    if row is None or count == 1:
        return kernel
    outer, few = Axis(row.extent // count, row.name), Axis(count, "row")
    axes = [part for axis in kernel.axes for part in ([outer] if axis is row else [axis]) if part.extent > 1] + [few]
    place = (as_index(outer) * count if outer.extent > 1 else Index()) + as_index(few)
    split = _replaced(kernel, {row: place}, axes, kernel.inner, Reader({}))
    split.nodes, split.schedule = kernel.nodes, choose(split, lanes, vector)
    loops = [axis for axis in axes if axis is not vector and axis is not few]
    prefix = min(split.schedule["prefix"], len(loops))
    units = prod(axis.extent for axis in loops[:prefix])
    split.schedule |= {"rows": few, "prefix": prefix, "blocks": even_blocks(units, split.schedule["blocks"])}
    return split


def shared_rows(kernel: Kernel, row: Axis, lanes: int) -> int:
    """How many rows to take at once: products with a vector share its elements and the sums across lanes, other products whole
    vectors, or what has to be collected from places apart."""
    vector = kernel.schedule["vector"]
    if vector in kernel.inner:
        return ROWS if row is kernel.axes[-1] and row.extent % ROWS == 0 and vector.extent >= 4 * lanes else 1
    if vector is None or not read_in_common(kernel, row, vector):
        return 1
    held = max(1, ACCUMULATORS // (kernel.schedule["lanes"] // lanes))
    return max(count for count in range(1, min(row.extent, held) + 1) if row.extent % count == 0)


def read_in_common(kernel: Kernel, row: Axis, vector: Axis) -> list[Load]:
    """What differs from lane to lane, but not from row to row."""
    return [expr for expr in expressions(kernel.combined)
            if isinstance(expr, Load) and expr.uses(vector) and not expr.uses(row)]


def split_axes(axes: list[Axis], indices: Sequence[Index], lanes: int) -> tuple[list[Axis], dict[Axis, Index]]:
    """Loops of which something takes quotients become two, so that neighbours in the inner one are neighbours everywhere.

    Returns the new loops and the split ones in their terms. Only where the inner loop fills a vector.
    """
    found: list[Axis] = []
    terms: dict[Axis, Index] = {}
    for axis in axes:
        runs = [each for each in run_lengths(axis, indices) if each >= lanes and axis.extent % each == 0]
        if not runs or min(runs) == axis.extent:
            found.append(axis)
            continue
        outer, inner = Axis(axis.extent // min(runs), axis.name), Axis(min(runs), axis.name)
        found += [outer, inner]
        terms[axis] = as_index(outer) * inner.extent + as_index(inner)
    return found, terms


def run_lengths(axis: Axis, indices: Sequence[Index]) -> set[int]:
    """By what the place on an axis is divided, where the runs between two steps of the quotient start at multiples of the divisor."""
    found: set[int] = set()
    stack = list(indices)
    while stack:
        for atom in stack.pop().terms:
            if isinstance(atom, (Quotient, Remainder)):
                stack.append(atom.inner)
                others = [c for each, c in atom.inner.terms.items() if each is not axis]
                if atom.inner.terms.get(axis) == 1 and not any(c % atom.divisor for c in (*others, atom.inner.constant)):
                    found.add(atom.divisor)
    return found


def keeps_place(root: Node | None) -> bool:
    """argmax and argmin report a place on their axis, so that the axis must stay one loop."""
    return root is not None and getattr(root.op, "kernel", None) == "position"


def inner_shape(root: Node) -> tuple[int, ...]:
    """The sizes that a root's reduction loops run over."""
    source, params = root.args[0], root.params
    if root.op.kind == "contract":
        sizes = dict(zip(params["a_axes"], source.shape))
        return tuple(sizes[label] for label in summed_labels(root))
    if root.op.name == "unwindow":
        return params["size"]
    return tuple(source.shape[axis] for axis in reduced_axes(root))


def summed_labels(root: Node) -> tuple[int, ...]:
    p = root.params
    return tuple(label for label in p["a_axes"] if label in p["b_axes"] and label not in p["out_axes"])


def reduced_axes(root: Node) -> tuple[int, ...]:
    return root.params["axes"] if "axes" in root.params else (root.params["axis"],)


def used_indices(stores: Sequence[Store], body: Expr | None, other: Expr | None = None) -> list[Index]:
    roots = [store.expr for store in stores] + [each for each in (body, other) if each is not None]
    return [*indices_of(roots), *(store.offset for store in stores)]


def read_group(group: Any, buffers: dict[Node, Buffer], here: tuple[Index, ...], inside: tuple[Index, ...]) -> Read:
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
    if root.op.name == "unwindow":
        return read_overlap(root, read, here, inside), None
    axes = reduced_axes(root)
    outer, step = iter(here), iter(inside)
    index = tuple(next(step) if axis in axes else next(outer) for axis in range(root.args[0].ndim))
    return read(root.args[0], index), None


def read_overlap(root: Node, read: Reader, here: tuple[Index, ...], inside: tuple[Index, ...]) -> Expr:
    """The contribution to one element from the windows in which it stands at place `inside`: at most one per axis."""
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


def combining(root: Node) -> type[Operation]:
    """The reduction that a root performs: contractions and overlaps add up."""
    return root.op if root.op.kind == "reduce" else Operation.table["sum"]


def split_reduction(kernel: Kernel) -> list[Kernel]:
    """A large reduction to few elements, done in parts that are added in a fixed order: the same bits for any number of threads."""
    if kernel.work < SPLIT_WORK or kernel.elements >= 256 or not kernel.inner or keeps_place(kernel.reduction):
        return [kernel]
    assert kernel.reduction is not None and kernel.body is not None
    wanted = min(MAXIMUM_BLOCKS, -(-kernel.work // PART_WORK))
    # the outermost loop that is long enough, so that each part reads long runs of memory
    axis = next((each for each in kernel.inner if each.extent >= wanted), max(kernel.inner, key=lambda each: each.extent))
    parts = min(axis.extent, wanted)
    step = -(-axis.extent // parts)
    parts = -(-axis.extent // step)
    if parts < 2:
        return [kernel]
    part, within = Axis(parts, "part"), Axis(step, axis.name)
    dtype = kernel.reduction.dtype
    read = Reader({})
    body = replace_axis(read, kernel.body, axis, as_index(part) * step + as_index(within))
    if parts * step > axis.extent:
        identity = read.constant(combining(kernel.reduction).identity(dtype).item(), dtype)  # type: ignore[attr-defined]
        body = read.select([(as_index(part) * step + as_index(within), 0, axis.extent)], body, identity)
    partial = Buffer("arena", parts * kernel.elements, dtype)
    place = linear([as_index(each) for each in kernel.axes], [each.extent for each in kernel.axes])
    finished = _accumulator(kernel, read)
    first = Kernel("reduce", [part, *kernel.axes], [Store(partial, as_index(part) * kernel.elements + place, finished)],
                   [within if each is axis else each for each in kernel.inner], kernel.reduction, body, nodes=kernel.nodes)
    total = Axis(parts, "part")
    second = Kernel("reduce", kernel.axes, kernel.stores, [total], kernel.reduction,
                    read.apply_load(partial, as_index(total) * kernel.elements + place), nodes=kernel.nodes)
    return [first, second]


def _accumulator(kernel: Kernel, read: Reader) -> Expr:
    assert kernel.reduction is not None
    return read.accumulated(kernel.reduction.dtype, kernel.axes)


def replace_axis(read: Reader, expr: Expr, axis: Axis, index: Index) -> Expr:
    """The expression with one loop expressed by others."""
    return read.substitute(expr, {axis: index})


def map_kernel(axes: list[Axis], buffer: Buffer, place: Index, value: Expr, nodes: list[Node], lanes: int) -> Kernel:
    """The kernel that writes one value to `place` in a buffer, for all steps of the loops."""
    read = Reader({})
    axes, terms = merge_axes(axes, [place, *indices_of([value])])
    kernel = Kernel("map", axes, [Store(buffer, place.substitute(terms), read.substitute(value, terms))], nodes=nodes)
    kernel.schedule = choose(kernel, lanes)
    return kernel


# ---------------------------------------------------------------------- choices
def choose(kernel: Kernel, lanes: int, vector: Axis | None = None) -> dict[str, Any]:
    """The schedule of a map or reduce nest: a value that can be printed and replayed. The vector axis is chosen, if none is given."""
    vector = vector or choose_vector(kernel, lanes)
    outer = [axis for axis in kernel.axes if axis is not vector]
    cost = kernel.work * max(1, body_cost(kernel) // 4)
    wanted = max(1, min(MAXIMUM_BLOCKS, cost // BLOCK_WORK))
    prefix, units = 0, 1
    while prefix < len(outer) and units < wanted:
        units *= outer[prefix].extent
        prefix += 1
    width = lanes
    if kernel.kind == "reduce" and vector is not None:
        while width < 4 * lanes and 2 * width <= vector.extent:
            width *= 2
    schedule = {"vector": vector, "lanes": width, "prefix": prefix, "blocks": even_blocks(units, wanted), "split": 0}
    if not outer and vector in kernel.axes and vector is not None and wanted > 1:
        pieces = vector.extent // width  # a single long loop: blocks are runs of whole vectors
        split = -(-pieces // min(wanted, max(1, pieces))) * width if pieces > 1 else 0
        schedule.update(split=split, blocks=-(-(pieces * width) // split) if split else 1)
    return schedule


def even_blocks(units: int, wanted: int) -> int:
    """How many blocks of equal size (the last one perhaps smaller) cover the units, at most about `wanted`."""
    if units == 0:
        return 0
    chunk = -(-units // min(units, wanted))
    return -(-units // chunk)


def body_cost(kernel: Kernel) -> int:
    """Simple instructions per element."""
    return expression_cost([*kernel.results, *kernel.combined])


def expression_cost(roots: Sequence[Expr]) -> int:
    """Simple instructions for one element of these expressions."""
    return sum(getattr(expr.node.op, "cost", 1) if isinstance(expr, Compute) else 1 for expr in expressions(roots))


# ---------------------------------------------------------------------- twins
def join_twins(kernels: Sequence[Kernel | Loop], lanes: int) -> list[Kernel | Loop]:
    """Reductions over the same loops that read the same memory become one kernel, where the first of them stands."""
    found: list[Kernel | Loop] = []
    for kernel in kernels:
        place = _twin(kernel, found)
        if place is None:
            found.append(kernel)
            continue
        first = found[place]
        assert isinstance(first, Kernel) and isinstance(kernel, Kernel)
        found[place] = joined(first, kernel, lanes)
    return found


def _twin(kernel: Kernel | Loop, earlier: Sequence[Kernel | Loop]) -> int | None:
    """The place of an earlier kernel that this one may join: nothing it reads is written there or later."""
    if isinstance(kernel, Loop) or kernel.kind != "reduce" or keeps_place(kernel.reduction) or kernel.work < TWIN_WORK:
        return None
    read = set(buffers_read(kernel))
    touched = memory(read)
    for place in range(len(earlier) - 1, max(-1, len(earlier) - TWIN_REACH), -1):
        other = earlier[place]
        if touched & memory(buffers_written(other)):
            return None
        if isinstance(other, Loop) or not _same_loops(kernel, other):
            continue
        if any(buffer.size >= kernel.work for buffer in read.intersection(buffers_read(other))):
            return place
    return None


def _same_loops(one: Kernel, other: Kernel) -> bool:
    return (other.kind == "reduce" and not keeps_place(other.reduction) and len(other.twins) < MOST_TWINS
            and one.reduction is not None and other.reduction is not None and one.reduction.dtype == other.reduction.dtype
            and [axis.extent for axis in one.axes] == [axis.extent for axis in other.axes]
            and [axis.extent for axis in one.inner] == [axis.extent for axis in other.inner])


def joined(first: Kernel, second: Kernel, lanes: int) -> Kernel:
    """One kernel that takes both reductions step by step, reading once what both read."""
    axes, inner = ([Axis(axis.extent, axis.name) for axis in loops] for loops in (first.axes, first.inner))
    read = Reader({})
    parts = [_replaced(part, dict(zip((*part.axes, *part.inner), map(as_index, (*axes, *inner)))), axes, inner, read)
             for kernel in (first, second) for part in (kernel, *kernel.twins)]
    parts[0].twins = parts[1:]
    parts[0].nodes = [*first.nodes, *second.nodes]
    parts[0].schedule = choose(parts[0], lanes)
    return parts[0]


def _replaced(kernel: Kernel, terms: dict[Axis, Index], axes: list[Axis], inner: list[Axis], read: Reader) -> Kernel:
    """A reduction in other loops."""
    assert kernel.body is not None
    stores = [Store(each.buffer, each.offset.substitute(terms), read.substitute(each.expr, terms)) for each in kernel.stores]
    return Kernel("reduce", axes, stores, inner, kernel.reduction, read.substitute(kernel.body, terms))


def choose_vector(kernel: Kernel, lanes: int) -> Axis | None:
    """The loop whose neighbouring steps touch neighbouring memory, weighed by how often each access happens."""
    candidates = [axis for axis in kernel.axes if axis.extent > 1]
    if kernel.kind == "reduce" and not keeps_place(kernel.reduction):
        candidates += [axis for axis in kernel.inner if axis.extent > 1]
    if not candidates:
        return None
    return min(reversed(candidates), key=lambda axis: vector_cost(kernel, axis, lanes))


def vector_cost(kernel: Kernel, axis: Axis, lanes: int) -> float:
    steps = prod(each.extent for each in kernel.inner) or 1
    reads = [expr.offset for expr in expressions(kernel.combined) if isinstance(expr, Load)]
    finish = [expr.offset for expr in expressions(kernel.results) if isinstance(expr, Load)]
    finish += [store.offset for store in kernel.written]
    total = float(steps * sum(access_cost(offset, axis, lanes) for offset in reads))
    inside = axis in kernel.inner
    total += sum(1.0 if inside else access_cost(offset, axis, lanes) for offset in finish)
    total += 2 * np.log2(lanes) if inside else 0  # joining the lanes at the end
    vectors = -(-axis.extent // lanes)
    occupied = axis.extent / (vectors * lanes)
    work = (steps * max(1, body_cost(kernel) // 4) + len(finish)) / lanes
    return (total + work) / occupied


def repeats_along(offset: Index, axis: Axis) -> bool:
    """Whether neighbours along an axis read the same element a few times, then the next: ... + (axis + constant) // n."""
    moving = [atom for atom in offset.terms if isinstance(atom, Quotient) and atom.inner.terms == {axis: 1}]
    return len(moving) == 1 and offset.terms[moving[0]] == 1 and (offset - as_index(moving[0])).coefficient(axis) == 0


def access_cost(offset: Index, axis: Axis, lanes: int) -> float:
    """Per element: 1/lanes for neighbours, less for one element that serves all lanes, much for strangers, more for distant ones."""
    if axis not in axes_of(offset):
        return 0.5 / lanes
    step = offset.coefficient(axis)
    if step is None and repeats_along(offset, axis):
        return 2 / lanes
    if step is None or abs(step) > 2:
        return (SCATTERED if step is None or abs(step) < 64 else 2 * SCATTERED) / lanes
    return (1 if step == 1 else 3) / lanes
