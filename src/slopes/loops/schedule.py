"""Schedules: how a kernel's loops are executed, as values that are decided before code is emitted, printed, and read back.

An axis is named by its position in the kernel's `loops`: first the parallel loops, then the inner ones. `print(schedule)` writes
text that `parse_schedule` turns into an equal value, so that a schedule can be recorded, changed by hand and replayed.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, fields
from typing import ClassVar

from ..errors import ArgumentError


@dataclass(frozen=True)
class Schedule:
    """What all schedules say: into how many blocks, the units of work that threads share, a kernel is divided."""

    kind: ClassVar[str]
    blocks: int = 1

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(f'{field.name}={getattr(self, field.name)}' for field in fields(self))})"


@dataclass(frozen=True)
class NestSchedule(Schedule):
    """A plain loop nest; without arguments, one block of scalar loops.

    vector   the axis whose steps run along the lanes of vectors, or None
    lanes    of one vector
    prefix   how many of the leading parallel loops are dealt out to the blocks
    split    elements of the vector axis in each block, where that is the only loop; 0 where blocks are runs of other loops
    """

    kind = "nest"
    vector: int | None = None
    lanes: int = 1
    prefix: int = 0
    split: int = 0


@dataclass(frozen=True)
class ReduceSchedule(NestSchedule):
    """A reduction: `row_axis` is the short parallel loop whose steps are taken at once, sharing what they read, or None."""

    kind = "reduce"
    row_axis: int | None = None


@dataclass(frozen=True)
class ContractSchedule(Schedule):
    """A packed contraction, in tiles of `mr` rows of A by `nr` vectors of B, each of `lanes` elements.

    outer       the axes around the panels: of the batch, and of B's columns where a panel does not hold them all
    panel       the axes of B's columns that a panel packs
    rows        the axes of A's rows
    row_blocks  into how many blocks the rows are divided
    k_parts     into how many parts the sum is divided; a second kernel adds these up
    prepacked   whether B is already in memory as packed panels
    """

    kind = "contract"
    mr: int = 1
    nr: int = 1
    lanes: int = 1
    outer: tuple[int, ...] = ()
    panel: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    row_blocks: int = 1
    k_parts: int = 1
    prepacked: bool = False


CLASSES: dict[str, type[Schedule]] = {schedule.kind: schedule for schedule in (NestSchedule, ReduceSchedule, ContractSchedule)}


def parse_schedule(text: str) -> Schedule:
    """The schedule that was printed as this text.

    >>> print(NestSchedule(blocks=4, vector=1, lanes=16))
    nest(blocks=4, vector=1, lanes=16, prefix=0, split=0)
    >>> parse_schedule("nest(blocks=4, vector=1, lanes=16)").lanes
    16
    """
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError("not of the form kind(name=value, ...)")
        return CLASSES[call.func.id](**{str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords})
    except (SyntaxError, ValueError, KeyError, TypeError) as error:
        raise ArgumentError(f"{text!r} is no schedule", why=str(error),
                            repair=f"write kind(name=value, ...), as print(schedule) does; the kinds are {', '.join(CLASSES)}") from None
