"""Aligned memory for tensors, arenas and contexts."""

from __future__ import annotations

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
