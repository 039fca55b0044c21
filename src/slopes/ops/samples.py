"""Descriptions of inputs for the tests that are generated from the table of operations."""

from __future__ import annotations

from typing import Any

from ..graph.dtype import int64

Input = tuple[tuple[int, ...], Any, tuple[float, float]]
"""Shape, data type (None: every type that the operation accepts), lowest and highest value."""


def real(*shape: int, low: float = -2, high: float = 2) -> Input:
    """Numbers of whichever type is being tested."""
    return shape, None, (low, high)


def whole(*shape: int, below: int) -> Input:
    """Indices 0 .. below - 1."""
    return shape, int64, (0, below - 1)
