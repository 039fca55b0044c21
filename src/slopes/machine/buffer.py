"""Aligned memory for tensors, arenas and contexts."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

ALIGNMENT = 64
UNLIMITED = 1 << 60  # bytes: what version 1 writes where nothing is limited is larger


def aligned_bytes(count: int) -> np.ndarray:
    """Uninitialised bytes whose first address is a multiple of a cache line."""
    raw = np.empty(count + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start:start + count]


def available_memory() -> int | None:
    """The bytes that a process may still take: what the machine has free, or less where its container may have less.

    None when the system does not tell.
    """
    known = [limit for limit in (machine_memory(), container_memory()) if limit is not None]
    return min(known, default=None)


def machine_memory() -> int | None:
    """The bytes that the machine can give without others having to give up theirs."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None


VERSION_2, VERSION_1 = ("memory.max", "memory.high"), ("memory.limit_in_bytes",)


def container_memory(root: str = "/sys/fs/cgroup", membership: str = "/proc/self/cgroup") -> int | None:
    """The bytes that the control groups of this process, the innermost and all around it, leave; None when none has a limit."""
    left = []
    for folder, limits, usage in control_groups(root, membership):
        bounds = [bound for name in limits if (bound := number_in(os.path.join(folder, name))) is not None]
        if bounds:
            left.append(max(0, min(bounds) - (number_in(os.path.join(folder, usage)) or 0) + cached_files(folder)))
    return min(left, default=None)


def control_groups(root: str, membership: str) -> Iterator[tuple[str, Sequence[str], str]]:
    """(folder, names of its limits, name of its usage) of every memory control group that this process is in."""
    try:
        with open(membership, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return
    for hierarchy, controllers, path in (line for line in lines if len(line) == 3):
        if hierarchy == "0":
            yield from ((folder, VERSION_2, "memory.current") for folder in around(root, path))
        elif "memory" in controllers.split(","):
            yield from ((folder, VERSION_1, "memory.usage_in_bytes") for folder in around(os.path.join(root, "memory"), path))


def around(root: str, path: str) -> Iterator[str]:
    """The folder at a path below the root, and all above it up to the root; in a container only the root may be in sight."""
    parts = [part for part in path.split("/") if part and part != ".."]
    yield from (os.path.join(root, *parts[:count]) for count in range(len(parts), -1, -1))


def number_in(path: str) -> int | None:
    """The number in a file; None when there is none, or it means no limit."""
    try:
        with open(path, encoding="ascii") as file:
            limit = int(file.read())
    except (OSError, ValueError):  # "max" too
        return None
    return limit if limit < UNLIMITED else None


def cached_files(folder: str) -> int:
    """The bytes of files that count as used, but are given up as soon as memory is needed."""
    names = "inactive_file ", "total_inactive_file "  # the second includes the groups inside, the first of version 2 does too
    try:
        with open(os.path.join(folder, "memory.stat"), encoding="ascii") as file:
            return max((int(line.split()[1]) for line in file if line.startswith(names)), default=0)
    except (OSError, ValueError):
        return 0


def give_back_freed() -> None:
    """Give memory that is free inside of this process back to the system.

    glibc keeps freed blocks of up to 32 MB for later requests of that kind. A large arena is none: what was needed for a moment to
    build a network would stay beside it for as long as the process lives.
    """
    if trim := heap_trimmer():
        trim(0)


@lru_cache(maxsize=1)
def heap_trimmer() -> Callable[[int], int] | None:
    """The C library's malloc_trim; None where it has none."""
    return None if os.name == "nt" else getattr(ctypes.CDLL(None), "malloc_trim", None)
