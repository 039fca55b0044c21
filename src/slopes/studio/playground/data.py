"""The data sets of the playground: functions that need nothing but NumPy, so that their text is part of the program to take home."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

RADIUS = 5.0
HALF = 6.0  # the plane is shown from -6 to 6 along both axes


def circle(rng: np.random.Generator, count: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Points inside of a circle and in a ring around it."""
    classes = np.arange(count) % 2
    radius = np.where(classes == 1, rng.uniform(0.0, 2.5, count), rng.uniform(3.5, 5.0, count))
    angle = rng.uniform(0.0, 2 * np.pi, count)
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    moved = points + rng.uniform(-5.0, 5.0, (count, 2)) * noise
    return points, (np.hypot(moved[:, 0], moved[:, 1]) < 2.5).astype(np.int64)


def xor(rng: np.random.Generator, count: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Four squares; the class is whether both coordinates have the same sign."""
    points = rng.uniform(-5.0, 5.0, (count, 2))
    points += np.where(points > 0, 0.3, -0.3)
    moved = points + rng.uniform(-5.0, 5.0, (count, 2)) * noise
    return points, (moved[:, 0] * moved[:, 1] >= 0).astype(np.int64)


def gauss(rng: np.random.Generator, count: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two normal distributions, which overlap more with more noise."""
    classes = np.arange(count) % 2
    centre = np.where(classes == 1, 2.0, -2.0)[:, None]
    return centre + rng.normal(0.0, np.sqrt(0.5 + 7.0 * noise), (count, 2)), classes


def spiral(rng: np.random.Generator, count: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two spirals."""
    classes, share = np.arange(count) % 2, np.arange(count) // 2 / max(1, count // 2)
    radius, angle = 5.0 * share, 1.75 * share * 2 * np.pi + np.pi * classes
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    return points + rng.uniform(-1.0, 1.0, (count, 2)) * 2 * noise, classes


def moons(rng: np.random.Generator, count: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles, one inside of the other's opening."""
    classes, angle = np.arange(count) % 2, rng.uniform(0.0, np.pi, count)
    across = np.where(classes == 1, np.cos(angle), 1 - np.cos(angle)) * 3 - 1.5
    up = np.where(classes == 1, np.sin(angle), 0.4 - np.sin(angle)) * 3 - 0.5
    return np.stack([across, up], axis=1) + rng.normal(0.0, 0.15 + 2 * noise, (count, 2)), classes


def rings(rng: np.random.Generator, count: int, noise: float, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """A disc and rings around it, a class each."""
    labels = np.arange(count) % classes
    radius = (labels + rng.uniform(0.15, 0.85, count)) * 5.0 / classes
    angle = rng.uniform(0.0, 2 * np.pi, count)
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    return points + rng.normal(0.0, 1.0, (count, 2)) * 2 * noise, labels


def blobs(rng: np.random.Generator, count: int, noise: float, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """A normal distribution for each class, their centres on a circle."""
    labels = np.arange(count) % classes
    angle = 2 * np.pi * labels / classes
    centre = 3.2 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return centre + rng.normal(0.0, 0.6 + 2.5 * noise, (count, 2)), labels


def pinwheel(rng: np.random.Generator, count: int, noise: float, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """An arm for each class, which bends with its distance from the centre."""
    labels, radius = np.arange(count) % classes, rng.uniform(0.4, 5.0, count)
    angle = 2 * np.pi * labels / classes + 0.45 * radius + rng.normal(0.0, 0.12 + noise, count)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1), labels


def checkerboard(rng: np.random.Generator, count: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Sixteen squares of two colours."""
    points = rng.uniform(-5.0, 5.0, (count, 2))
    moved = points + rng.normal(0.0, 1.0, (count, 2)) * 2 * noise
    return points, (np.floor(moved / 2.5).sum(axis=1) % 2).astype(np.int64)


def plane(rng: np.random.Generator, count: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """A figure that rises along the diagonal."""
    points = rng.uniform(-6.0, 6.0, (count, 2))
    moved = points + rng.uniform(-6.0, 6.0, (count, 2)) * noise
    return points, np.clip((moved[:, 0] + moved[:, 1]) / 10, -1.0, 1.0)


def hills(rng: np.random.Generator, count: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Six hills and valleys."""
    points = rng.uniform(-6.0, 6.0, (count, 2))
    moved = points + rng.uniform(-6.0, 6.0, (count, 2)) * noise
    centres = np.array([(-4, 2.5), (0, 2.5), (4, 2.5), (-4, -2.5), (0, -2.5), (4, -2.5)])
    heights = np.maximum(0.0, 1 - np.linalg.norm(moved[:, None] - centres, axis=2) / 2) * np.array([1, -1, 1, -1, 1, -1])
    return points, heights[np.arange(count), np.abs(heights).argmax(axis=1)]


def waves(rng: np.random.Generator, count: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """A wave along one axis, whose height changes along the other."""
    points = rng.uniform(-6.0, 6.0, (count, 2))
    moved = points + rng.uniform(-6.0, 6.0, (count, 2)) * noise
    return points, np.sin(moved[:, 0]) * moved[:, 1] / 6


DATA: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    maker.__name__: maker for maker in (circle, xor, gauss, spiral, moons, rings, blobs, pinwheel, checkerboard, plane, hills, waves)}
SEVERAL = ("rings", "blobs", "pinwheel")  # those with a choice of how many classes
