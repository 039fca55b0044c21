"""In which order kernels run: updates of the program's state as soon as they may, while what they read is still in the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from ..costs import FEW_ELEMENTS
from .index import Axis
from .kernels import Kernel, Loop, buffers_read, buffers_written
from .nest import BoundsChecked, Buffer, Compute, Expr, Load, Select, memory, root_of


def place_updates(kernels: Sequence[Kernel | Loop], updates: Sequence[Kernel | Loop], olds: Mapping[Buffer, Buffer],
                  results: Set[Buffer]) -> list[Kernel | Loop]:
    """The kernels with each update behind all that it needs: `olds` are the old values by the buffers of the new ones,
    `results` the buffers of what else the program gives.

    An update stands behind everything that writes what it reads, everything that reads the value which it replaces, and every
    kernel that may report an error. The order of updates that depend on each other is kept. What only updates read (parts of a
    sum), and a few numbers (an optimizer's factors), are computed as soon as they can be too.
    """
    before: list[list[Kernel | Loop]] = [[] for _ in range(len(kernels) + 1)]  # what is moved to run before kernel i
    writer: dict[object, int] = {}
    reader: dict[object, int] = {}
    earliest = min(len(kernels), last_failing([*kernels, *updates]) + 1)
    moved: set[int] = set()
    read = memory(buffer for kernel in kernels for buffer in buffers_read(kernel))
    for number, kernel in enumerate(kernels):
        place, written = number + 1, buffers_written(kernel)
        given = {root_of(each) for each in written} & (olds.keys() | results)
        if not given and (kernel.work <= FEW_ELEMENTS or not memory(written) & read):
            place = max((writer.get(each, 0) for each in memory(buffers_read(kernel))), default=0)
            before[place].append(kernel)
            moved.add(number)
        _note(kernel, place, reader, writer)
    for update in updates:
        replaced = memory(olds[root_of(buffer)] for buffer in buffers_written(update) if root_of(buffer) in olds)
        needed = memory(buffers_read(update))
        place = max([earliest, *(writer.get(each, 0) for each in needed), *(reader.get(each, 0) for each in replaced)])
        before[place].append(update)
        _note(update, place, reader, writer)
    kept = [[kernel] if number not in moved else [] for number, kernel in enumerate(kernels)]
    return [each for pair in zip(before, [*kept, []]) for part in pair for each in part]


def place_observers(kernels: Sequence[Kernel | Loop], observers: Sequence[Kernel | Loop]) -> list[Kernel | Loop]:
    """The kernels with each observer behind all that writes what it reads, while that is still in the cache."""
    behind: list[list[Kernel | Loop]] = [[] for _ in range(len(kernels) + 1)]
    written = {name: i + 1 for i, kernel in enumerate(kernels) for name in memory(buffers_written(kernel))}
    for observer in observers:
        slot = max((written.get(name, 0) for name in memory(buffers_read(observer))), default=0)
        behind[slot].append(observer)
        written |= dict.fromkeys(memory(buffers_written(observer)), slot)
    return [*behind[0], *(moved for i, kernel in enumerate(kernels) for moved in (kernel, *behind[i + 1]))]


def _note(kernel: Kernel | Loop, place: int, reader: dict[object, int], writer: dict[object, int]) -> None:
    for noted, buffers in ((reader, buffers_read(kernel)), (writer, buffers_written(kernel))):
        for each in memory(buffers):
            noted[each] = max(noted.get(each, 0), place)


# ---------------------------------------------------------------------- errors
def last_failing(kernels: Sequence[Kernel | Loop]) -> int:
    """The place of the last kernel that may be the first to report an error; -1 when none reports any."""
    checked: set[tuple[Buffer, int]] = set()
    found = -1
    for place, kernel in enumerate(kernels):
        if may_fail(kernel, checked):
            found = place
        checked |= checks(kernel)
    return found


def may_fail(kernel: Kernel | Loop, checked: set[tuple[Buffer, int]]) -> bool:
    """Whether a kernel checks a divisor, or an index that no earlier kernel has checked: (whose numbers, their bound)."""
    if isinstance(kernel, Loop):
        return any(may_fail(inner, set()) for inner in kernel.kernels)
    return any((isinstance(expr, BoundsChecked) and (whole_buffer(expr.inner), expr.size) not in checked)
               or (isinstance(expr, Compute) and checks_divisor(expr))
               for expr in kernel.computed)


def checks(kernel: Kernel | Loop) -> set[tuple[Buffer, int]]:
    """The buffers of which a kernel checks every number against a bound."""
    if isinstance(kernel, Loop):
        return set()
    if any(isinstance(expr, Select) for expr in kernel.computed):  # some are checked only where a condition holds
        return set()
    found = {(whole_buffer(expr.inner), expr.size) for expr in kernel.computed if isinstance(expr, BoundsChecked)}
    return {(buffer, bound) for buffer, bound in found if buffer is not None}


def whole_buffer(expr: Expr) -> Buffer | None:
    """The buffer of which an expression reads every element, as the loops run."""
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
