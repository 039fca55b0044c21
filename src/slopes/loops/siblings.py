"""Sibling reductions: reductions over the same loops that read the same memory become one kernel."""

from __future__ import annotations

from collections.abc import Sequence

from ..costs import MOST_SIBLINGS, SIBLING_REACH, SIBLING_WORK
from .choose import schedule_reduce
from .index import Axis, as_index
from .kernels import Kernel, Loop, ReduceKernel, buffers_read, buffers_written
from .lower import Reader
from .nest import memory
from .plan_nest import replace_loops
from .roots import keeps_position


def join_siblings(kernels: Sequence[Kernel | Loop], lanes: int) -> list[Kernel | Loop]:
    """Reductions over the same loops that read the same memory become one kernel, in the position of the first."""
    result: list[Kernel | Loop] = []
    for kernel in kernels:
        if isinstance(kernel, ReduceKernel) and (i := find_sibling(kernel, result)) is not None:
            earlier = result[i]
            assert isinstance(earlier, ReduceKernel)
            result[i] = join(earlier, kernel, lanes)
        else:
            result.append(kernel)
    return result


def find_sibling(kernel: ReduceKernel, earlier: Sequence[Kernel | Loop]) -> int | None:
    """The position of an earlier kernel that this one may join: nothing it reads is written there or later."""
    if keeps_position(kernel.first.node) or kernel.work < SIBLING_WORK:
        return None
    read = set(buffers_read(kernel))
    touched = memory(read)
    for i in range(len(earlier) - 1, max(-1, len(earlier) - SIBLING_REACH), -1):
        other = earlier[i]
        if touched & memory(buffers_written(other)):
            return None
        if not isinstance(other, ReduceKernel) or not have_same_loops(kernel, other):
            continue
        if any(buffer.size >= kernel.work for buffer in read.intersection(buffers_read(other))):
            return i
    return None


def have_same_loops(one: ReduceKernel, other: ReduceKernel) -> bool:
    """Whether two kernels may be one: loops of equal extents, one type, and room for another reduction."""
    return (not keeps_position(other.first.node) and len(other.reductions) <= MOST_SIBLINGS
            and one.first.node.dtype == other.first.node.dtype
            and [axis.extent for axis in one.axes] == [axis.extent for axis in other.axes]
            and [axis.extent for axis in one.inner] == [axis.extent for axis in other.inner])


def join(first: ReduceKernel, second: ReduceKernel, lanes: int) -> ReduceKernel:
    """One kernel that takes the reductions of both step by step, reading once what both read."""
    axes, inner = ([Axis(axis.extent, axis.name) for axis in loops] for loops in (first.axes, first.inner))
    read = Reader({})
    reductions = [replace_loops(reduction, dict(zip(kernel.loops, map(as_index, (*axes, *inner)))), read)
                  for kernel in (first, second) for reduction in kernel.reductions]
    return schedule_reduce(ReduceKernel(axes=axes, inner=inner, reductions=reductions, nodes=[*first.nodes, *second.nodes]), lanes)
