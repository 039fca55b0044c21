"""Points of the plane in two classes, as in playgrounds: heaps, a disc in a ring, crossed corners, two spirals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import ArgumentError


def heaps(random: np.random.Generator, y: np.ndarray, noise: float) -> np.ndarray:
    """Two normal heaps, one up right, one down left: a straight line separates them."""
    return np.where(y[:, None] == 1, 1.0, -1.0) * 1.5 + random.normal(size=(len(y), 2)) * (0.6 + noise)


def circle(random: np.random.Generator, y: np.ndarray, noise: float) -> np.ndarray:
    """A disc (class 1) in a ring: linear in the distance from the middle."""
    radius = np.where(y == 1, random.uniform(0, 1.1, len(y)), random.uniform(1.6, 2.7, len(y)))
    angle = random.uniform(0, 2 * np.pi, len(y))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1) + random.normal(size=(len(y), 2)) * noise


def xor(random: np.random.Generator, y: np.ndarray, noise: float) -> np.ndarray:
    """Class 1 where the signs of both coordinates differ: linear in their product."""
    sizes, sign = random.uniform(0.15, 2.5, (len(y), 2)), random.choice([-1.0, 1.0], len(y))
    return sizes * np.stack([sign, np.where(y == 1, -sign, sign)], axis=1) + random.normal(size=(len(y), 2)) * noise


def spirals(random: np.random.Generator, y: np.ndarray, noise: float) -> np.ndarray:
    """Two arms that wind around each other one and a half times: no given feature helps much."""
    turn = np.sqrt(random.uniform(0.02, 1, len(y)))
    angle = 3 * np.pi * turn + np.pi * y
    return 2.6 * turn[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) + random.normal(size=(len(y), 2)) * noise


KINDS: dict[str, Callable[[np.random.Generator, np.ndarray, float], np.ndarray]] = {
    "heaps": heaps, "circle": circle, "xor": xor, "spirals": spirals}


def points(kind: str, count: int = 400, noise: float = 0.05, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(x, y): `count` points (N, 2) float32 and their classes (N,) 0 or 1, half of each; kind: one of KINDS.

    >>> x, y = points("circle", 100)
    >>> x.shape, int(y.sum()), bool(np.linalg.norm(x[y == 1], axis=1).max() < np.linalg.norm(x[y == 0], axis=1).min())
    ((100, 2), 50, True)
    """
    if kind not in KINDS:
        raise ArgumentError(f"points: {kind!r} is no kind of points", repair=f"choose one of {', '.join(KINDS)}")
    random = np.random.default_rng(seed)
    y = random.permutation(np.arange(count) % 2)
    return KINDS[kind](random, y, noise).astype(np.float32), y
