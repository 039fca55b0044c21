"""What the devices of a compiled program send each other: its collectives, counted in XLA's text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

KINDS = "all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute", "collective-broadcast"
SENT = re.compile(rf"= (\(.*?\)|\S+) ({'|'.join(KINDS)})(-start)?\((.*?)\)[,\n]")
ARRAY = re.compile(r"\b(pred|[suf]\d+|bf16|c64|c128|f8\w*)\[([\d,]*)\]")
GROUPS = re.compile(r"replica_groups=(?:\{\{([\d,]*)\}|\[\d+,(\d+)\]|mesh\[([^\]]*)\] \{([^}]*)\})")
BITS = {"pred": 8, "bf16": 16, "c64": 64, "c128": 128}


class Collective(NamedTuple):
    """One collective of a program: its kind, the bytes of the arrays that are reduced, gathered or exchanged, their elements' types and
    sizes, and how many devices take part in one group."""

    kind: str
    bytes: int
    arrays: tuple[tuple[str, int], ...]
    devices: int


class Traffic(NamedTuple):
    """All collectives of one kind: how many, and their bytes."""

    kind: str
    calls: int
    bytes: int


def collectives_of(text: str) -> list[Collective]:
    """The collectives in the text of a compiled program; those of a loop's body are counted once.

    The bytes are those of a whole array: of an all-reduce its result, of an all-gather its result, of a reduce-scatter its operand.

    >>> collectives_of("%r = f32[4,2]{1,0} all-reduce(%x), channel_id=1, replica_groups={{0,1}}, to_apply=%add")
    [Collective(kind='all-reduce', bytes=32, arrays=(('f32', 8),), devices=2)]
    """
    return [read_collective(line, match) for line in text.splitlines() if (match := SENT.search(line + "\n")) is not None]


def read_collective(line: str, match: re.Match[str]) -> Collective:
    """The collective of one line."""
    kind, devices = match[2], group_size(line)
    results = [(name, math.prod(map(int, filter(None, sizes.split(","))))) for name, sizes in ARRAY.findall(match[1])]
    if match[3] and kind in ("all-gather", "collective-permute") and len(results) > 1:  # operands come first, context last
        results = results[len(results) // 2:] if kind == "all-gather" else results[1:2]
    if kind == "reduce-scatter":
        results = [(name, size * devices) for name, size in results]
    return Collective(kind, sum(size * width(name) // 8 for name, size in results), tuple(results), devices)


def width(name: str) -> int:
    """The bits of one element of this type.

    >>> width("f32"), width("pred")
    (32, 8)
    """
    return BITS.get(name) or int(re.findall(r"\d+", name)[0])


def group_size(line: str) -> int:
    """How many devices take part together; 0 where the text does not say."""
    match = GROUPS.search(line)
    if match is None:
        return 0
    if match[1] is not None:
        return len(match[1].split(","))
    if match[2] is not None:
        return int(match[2])
    sizes = dict(re.findall(r"'([^']+)'=(\d+)", match[3]))
    return math.prod(int(sizes[axis]) for axis in re.findall(r"'([^']+)'", match[4]) if axis in sizes)


def traffic(collectives: Iterable[Collective]) -> list[Traffic]:
    """The collectives by kind.

    >>> traffic([Collective("all-reduce", 32, (("f32", 8),), 2)] * 2)
    [Traffic(kind='all-reduce', calls=2, bytes=64)]
    """
    listed = list(collectives)
    of_kind = {kind: [item.bytes for item in listed if item.kind == kind] for kind in KINDS}
    return [Traffic(kind, len(sizes), sum(sizes)) for kind, sizes in of_kind.items() if sizes]


def step_collectives(function: Any) -> list[Collective]:
    """The collectives of one step of the latest program of a compiled function, which has to run on a mesh."""
    return collectives_of(function.executable().compile_step().as_text())
