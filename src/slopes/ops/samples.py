"""Descriptions of inputs for the tests that are generated from the table of operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph.dtype import int64

Domain = tuple[float, float] | Callable[[tuple[int, ...], np.random.Generator], np.ndarray]
Input = tuple[tuple[int, ...], Any, Domain]
"""Shape, data type (None: every type that the operation accepts), lowest and highest value, or a function that draws the array."""


def real(*shape: int, low: float = -2, high: float = 2) -> Input:
    """Numbers of whichever type is being tested."""
    return shape, None, (low, high)


def whole(*shape: int, below: int) -> Input:
    """Indices 0 .. below - 1."""
    return shape, int64, (0, below - 1)


def positive_definite(*shape: int) -> Input:
    """Positive definite matrices whose eigenvalues are far from 0 and from each other."""
    return shape, None, draw_positive_definite


def draw_positive_definite(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Q diag(1, 2, ..., n) Q^T with random rotations Q."""
    q = np.linalg.qr(rng.normal(size=shape))[0]
    return (q * np.arange(1, shape[-1] + 1)) @ np.swapaxes(q, -1, -2)
