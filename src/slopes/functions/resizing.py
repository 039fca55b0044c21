"""Resizing of signals, images and volumes by interpolation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..constraint import POSITIVE, is_count
from ..errors import ArgumentError, ShapeError
from ..graph.build import build, constant
from ..ops import composite
from ..tensor import Tensor, asarray

__all__ = ["interpolate"]

AXES = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,)}
STEEPNESS = -0.75  # the slope of the cubic kernel at distance 1, as in PyTorch

Taps = tuple[list[np.ndarray], list[np.ndarray]]  # the indices that a new element is made of, and their weights


def interpolate(x: Any, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None,
                mode: str = "nearest", align_corners: bool | None = None, recompute_scale_factor: bool | None = None) -> Tensor:
    """x (N, C, ...) with one, two or three spatial axes of other lengths.

    The lengths are `size`, or floor(length scale_factor), one number for all axes or one for each. mode: "nearest" (the element
    at floor(i n / m) of n for the i-th of m), "nearest-exact" (at floor((i + 1/2) n / m)), "linear", "bilinear" and "trilinear" (the
    two neighbours along one, two and three axes, weighted by their distances), "bicubic" (four neighbours along two axes). With
    align_corners the first and last elements stay where they are; otherwise elements are cells of equal length, as in PyTorch.
    recompute_scale_factor: distances are those of the new lengths, not of the scale factor.
    Raises ArgumentError for other modes and unless one of size and scale_factor is given, ShapeError for another number of axes.
    Source: Keys, "Cubic convolution interpolation for digital image processing", 1981 (bicubic).

    >>> sl.interpolate([[[1., 2.]]], scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    >>> sl.interpolate([[[1., 2.]]], size=3, mode="linear", align_corners=True)
    tensor([[[1. , 1.5, 2. ]]])
    """
    x = composite.as_float(asarray(x))
    check_mode(x, mode, align_corners)
    factors = per_axis(x, "scale_factor", scale_factor)
    lengths = new_lengths(x, per_axis(x, "size", size), factors)
    for axis, length in enumerate(lengths, start=2):
        factor = None if factors is None or recompute_scale_factor else factors[axis - 2]
        x = resize_axis(x, axis, length, step(x.shape[axis], length, factor, bool(align_corners)), mode, bool(align_corners))
    return x


def check_mode(x: Tensor, mode: str, align_corners: bool | None) -> None:
    if mode not in AXES:
        raise ArgumentError(f"interpolate: mode={mode!r} is not known", why=f"the modes are {', '.join(AXES)}",
                            repair="nn.AdaptiveAvgPool2d averages areas" if mode == "area" else "")
    if x.ndim - 2 not in AXES[mode]:
        raise ShapeError(f"interpolate: x {x.shape} with mode={mode!r}",
                         why=f"it needs batch, channels and {' or '.join(map(str, AXES[mode]))} spatial axes",
                         repair="linear has one spatial axis, bilinear and bicubic two, trilinear three" if "linear" in mode else "")
    if align_corners is not None and mode.startswith("nearest"):
        raise ArgumentError(f"interpolate: align_corners={align_corners} with mode={mode!r}", why="nothing is between elements there")


def per_axis(x: Tensor, name: str, value: Any) -> list[Any] | None:
    """One number for each spatial axis."""
    if value is None:
        return None
    values = list(value) if isinstance(value, (tuple, list)) else [value] * (x.ndim - 2)
    fits = is_count if name == "size" else POSITIVE.holds
    if len(values) != x.ndim - 2 or not all(map(fits, values)):
        raise ArgumentError(f"interpolate: {name}={value!r} for {x.ndim - 2} spatial axes",
                            why="it is one positive number, or one per axis")
    return values


def new_lengths(x: Tensor, sizes: list[int] | None, factors: list[float] | None) -> list[int]:
    if (sizes is None) == (factors is None):
        raise ArgumentError("interpolate: give either size or scale_factor", why="each of them decides the new lengths")
    lengths = sizes if sizes is not None else [math.floor(n * factor) for n, factor in zip(x.shape[2:], factors or ())]
    if 0 in lengths or 0 in x.shape[2:]:
        raise ShapeError(f"interpolate: {tuple(x.shape[2:])} elements become {tuple(lengths)}", why="every axis keeps at least one")
    return lengths


def step(n: int, m: int, factor: float | None, align_corners: bool) -> float:
    """How far apart new elements are, in elements of x."""
    if align_corners:
        return (n - 1) / (m - 1) if m > 1 else 0.0
    return n / m if factor is None else 1 / factor


def resize_axis(x: Tensor, axis: int, length: int, distance: float, mode: str, align_corners: bool) -> Tensor:
    n = x.shape[axis]
    if mode.startswith("nearest"):
        return pick(x, axis, nearest(n, length, distance, mode))
    at = np.arange(length) * distance if align_corners else (np.arange(length) + 0.5) * distance - 0.5
    indices, weights = cubic(at) if mode == "bicubic" else linear(np.maximum(at, 0))
    total = None
    for index, weight in zip(indices, weights):
        shape = [-1 if i == axis else 1 for i in range(x.ndim)]
        term = pick(x, axis, np.clip(index, 0, n - 1)) * asarray(weight.astype(x.dtype)).reshape(shape)
        total = term if total is None else total + term
    return total  # type: ignore[return-value]


def nearest(n: int, length: int, distance: float, mode: str) -> np.ndarray:
    """The nearest elements, computed in float32 as PyTorch does."""
    at = np.arange(length, dtype=np.float32) + np.float32(0.5 if mode == "nearest-exact" else 0)
    return np.minimum(np.floor(at * np.float32(distance)).astype(np.int64), n - 1)


def linear(at: np.ndarray) -> Taps:
    low = np.floor(at).astype(np.int64)
    return [low, low + 1], [1 - (at - low), at - low]


def cubic(at: np.ndarray) -> Taps:
    low = np.floor(at).astype(np.int64)
    t, a = at - low, STEEPNESS
    inner = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (t, 1 - t)]
    outer = [((a * d - 5 * a) * d + 8 * a) * d - 4 * a for d in (t + 1, 2 - t)]
    return [low - 1, low, low + 1, low + 2], [outer[0], inner[0], inner[1], outer[1]]


def pick(x: Tensor, axis: int, index: np.ndarray) -> Tensor:
    """The elements at these indices; repeated ones without a gather where each is repeated equally often."""
    n, m = x.shape[axis], len(index)
    if m % n == 0 and np.array_equal(index, np.arange(m) // (m // n)):
        return x if m == n else composite.repeat(x, m // n, axis)
    return build("take", x, constant(index), axis=axis)
