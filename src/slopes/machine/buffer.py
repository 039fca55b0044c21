"""Aligned memory for tensors, arenas and contexts."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import lru_cache

import numpy as np

ALIGNMENT = 64


def aligned_bytes(count: int) -> np.ndarray:
    """Uninitialised bytes whose first address is a multiple of a cache line."""
    raw = np.empty(count + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start:start + count]


def available_memory() -> int | None:
    """The bytes that a process may still take without others having to give up theirs; None when the system does not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None


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
