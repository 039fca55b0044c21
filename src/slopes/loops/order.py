"""The order of kernels: the program's state is updated as early as possible, while the values that an update reads are in the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from ..costs import FEW_ELEMENTS
from .index import Axis
from .kernels import Kernel, Loop, buffers_read, buffers_written
from .nest import BoundsChecked, Buffer, Compute, Expr, Load, Select, memory, root_of


def place_updates(kernels: Sequence[Kernel | Loop], updates: Sequence[Kernel | Loop], olds: Mapping[Buffer, Buffer],
                  results: Set[Buffer]) -> list[Kernel | Loop]:
    """The kernels with each update after everything that it depends on: `olds` are the old values by the buffers of the new ones,
    `results` the buffers of the program's other results.

    An update runs after all kernels that write what it reads, all that read the value which it replaces, and all that may report
    an error. The order of updates that depend on each other is kept. What only updates read (parts of a
    sum), and a few numbers (an optimizer's factors), are computed as soon as they can be too.
    """
    before: list[list[Kernel | Loop]] = [[] for _ in range(len(kernels) + 1)]  # what is moved to run before kernel i
    writer: dict[object, int] = {}
    reader: dict[object, int] = {}
    earliest = min(len(kernels), last_failing([*kernels, *updates]) + 1)
    moved: set[int] = set()
    read = memory(buffer for kernel in kernels for buffer in buffers_read(kernel))
    for i, kernel in enumerate(kernels):
        position, written = i + 1, buffers_written(kernel)
        external = {root_of(buffer) for buffer in written} & (olds.keys() | results)
        if not external and (kernel.work <= FEW_ELEMENTS or not memory(written) & read):
            position = max((writer.get(buffer, 0) for buffer in memory(buffers_read(kernel))), default=0)
            before[position].append(kernel)
            moved.add(i)
        _note(kernel, position, reader, writer)
    for update in updates:
        replaced = memory(olds[root_of(buffer)] for buffer in buffers_written(update) if root_of(buffer) in olds)
        needed = memory(buffers_read(update))
        position = max([earliest, *(writer.get(buffer, 0) for buffer in needed), *(reader.get(buffer, 0) for buffer in replaced)])
        before[position].append(update)
        _note(update, position, reader, writer)
    kept = [[kernel] if i not in moved else [] for i, kernel in enumerate(kernels)]
    return [kernel for pair in zip(before, [*kept, []]) for part in pair for kernel in part]


def place_observers(kernels: Sequence[Kernel | Loop], observers: Sequence[Kernel | Loop]) -> list[Kernel | Loop]:
    """The kernels with each observer behind all that writes what it reads, while that is still in the cache."""
    behind: list[list[Kernel | Loop]] = [[] for _ in range(len(kernels) + 1)]
    written = {name: i + 1 for i, kernel in enumerate(kernels) for name in memory(buffers_written(kernel))}
    for observer in observers:
        slot = max((written.get(name, 0) for name in memory(buffers_read(observer))), default=0)
        behind[slot].append(observer)
        written |= dict.fromkeys(memory(buffers_written(observer)), slot)
    return [*behind[0], *(moved for i, kernel in enumerate(kernels) for moved in (kernel, *behind[i + 1]))]


def _note(kernel: Kernel | Loop, position: int, reader: dict[object, int], writer: dict[object, int]) -> None:
    for noted, buffers in ((reader, buffers_read(kernel)), (writer, buffers_written(kernel))):
        for shared in memory(buffers):
            noted[shared] = max(noted.get(shared, 0), position)


# ---------------------------------------------------------------------- errors
def last_failing(kernels: Sequence[Kernel | Loop]) -> int:
    """The index of the last kernel that may be the first to report an error; -1 when none reports any."""
    checked: set[tuple[Buffer, int]] = set()
    last = -1
    for i, kernel in enumerate(kernels):
        if may_fail(kernel, checked):
            last = i
        checked |= checks(kernel)
    return last


def may_fail(kernel: Kernel | Loop, checked: set[tuple[Buffer, int]]) -> bool:
    """Whether a kernel checks a divisor, or an index that no earlier kernel has checked: given as (buffer, bound)."""
    if isinstance(kernel, Loop):
        return any(may_fail(inner, set()) for inner in kernel.kernels)
    return any((isinstance(expr, BoundsChecked) and (whole_buffer(expr.inner), expr.size) not in checked)
               or (isinstance(expr, Compute) and checks_divisor(expr))
               for expr in kernel.computed)


def checks(kernel: Kernel | Loop) -> set[tuple[Buffer, int]]:
    """The buffers whose every element a kernel checks, with the bounds."""
    if isinstance(kernel, Loop):
        return set()
    if any(isinstance(expr, Select) for expr in kernel.computed):  # some are checked only where a condition holds
        return set()
    checked = {(whole_buffer(expr.inner), expr.size) for expr in kernel.computed if isinstance(expr, BoundsChecked)}
    return {(buffer, bound) for buffer, bound in checked if buffer is not None}


def whole_buffer(expr: Expr) -> Buffer | None:
    """The buffer that an expression reads whole, over all steps of the loops; None where it reads a part."""
    if not isinstance(expr, Load) or expr.offset.constant:
        return None
    step = 1
    for atom, coefficient in sorted(expr.offset.terms.items(), key=lambda term: term[1]):
        if not isinstance(atom, Axis) or coefficient != step:
            return None
        step *= atom.extent
    return expr.buffer if step == expr.buffer.size else None


def checks_divisor(expr: Compute) -> bool:
    return expr.node.op.may_trap(expr.dtype)
