"""Aligned memory for tensors, arenas and contexts."""

from __future__ import annotations

import numpy as np

ALIGNMENT = 64


def aligned_bytes(count: int) -> np.ndarray:
    """Uninitialised bytes whose first address is a multiple of a cache line."""
    raw = np.empty(count + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start:start + count]
