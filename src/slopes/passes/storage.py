"""The memory plan: every buffer gets an offset in one arena, and memory is reused once a buffer is dead."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..costs import BEST_FIT_BUFFERS

ALIGNMENT = 64
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Life:
    """A buffer's size in bytes, and the first and last phase that touch it."""

    nbytes: int
    first: int
    last: int


def assign_offsets(lives: Mapping[Name, Life]) -> tuple[dict[Name, int], int]:
    """An offset for each buffer, so that no two that live at once overlap, and the size of the arena.

    Two orders are tried, and the smaller arena is taken: buffers as they are born into the smallest gap that holds each (best
    fit), and the largest first, each as low as its neighbours in time allow. The second is left out for very many buffers.
    """
    by_birth = assign_by_birth(lives)
    if len(lives) > BEST_FIT_BUFFERS:
        return by_birth
    return min(by_birth, assign_by_size(lives), key=lambda plan: plan[1])


def assign_by_size(lives: Mapping[Name, Life]) -> tuple[dict[Name, int], int]:
    """The largest buffers first, each at the lowest offset where it overlaps no buffer that lives at the same time."""
    placed: list[tuple[int, int, int, int]] = []  # (first phase, last phase, offset, end)
    offsets: dict[Name, int] = {}
    for name, life in sorted(lives.items(), key=lambda item: (-item[1].nbytes, item[1].first)):
        size = aligned(life.nbytes)
        offset = 0
        for start, end in sorted((low, high) for first, last, low, high in placed if first <= life.last and life.first <= last):
            if start - offset >= size:
                break
            offset = max(offset, end)
        placed.append((life.first, life.last, offset, offset + size))
        offsets[name] = offset
    return offsets, max((end for *_, end in placed), default=0)


def aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def assign_by_birth(lives: Mapping[Name, Life]) -> tuple[dict[Name, int], int]:
    """Buffers in order of birth, larger ones first, each into the smallest gap that holds it."""
    offsets: dict[Name, int] = {}
    free: list[tuple[int, int]] = []  # (offset, size), by offset
    living: list[tuple[int, int, int]] = []  # (last phase, offset, size)
    top = 0
    for name, life in sorted(lives.items(), key=lambda item: (item[1].first, -item[1].nbytes)):
        dead = [buffer for buffer in living if buffer[0] < life.first]
        if dead:
            living = [buffer for buffer in living if buffer[0] >= life.first]
            for _, offset, size in dead:
                free = _release(free, offset, size)
        size = aligned(life.nbytes)
        offset, free = _take(free, size)
        if offset < 0:
            offset, top = top, top + size
        offsets[name] = offset
        living.append((life.last, offset, size))
    return offsets, top


def _take(free: list[tuple[int, int]], size: int) -> tuple[int, list[tuple[int, int]]]:
    fitting = [(extent, offset) for offset, extent in free if extent >= size]
    if not fitting:
        return -1, free
    extent, offset = min(fitting)
    rest = [gap for gap in free if gap[0] != offset]
    if extent > size:
        rest.append((offset + size, extent - size))
    return offset, sorted(rest)


def _release(free: list[tuple[int, int]], offset: int, size: int) -> list[tuple[int, int]]:
    """Return memory to the free list, joined with free neighbours."""
    joined: list[tuple[int, int]] = []
    for start, extent in sorted([*free, (offset, size)]):
        if joined and joined[-1][0] + joined[-1][1] == start:
            joined[-1] = (joined[-1][0], joined[-1][1] + extent)
        else:
            joined.append((start, extent))
    return joined
