"""Resize and Upsample: interpolation along one axis after the other, with indices and weights that are known."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ... import functions as f
from ...tensor import Tensor, asarray
from ..call import Call
from ..operators import operator
from ..values import axes_of, integers


class Axis(NamedTuple):
    """How one axis is resized: its size before and after, the scale (not always their quotient), and the region of interest."""

    axis: int
    size: int
    target: int
    scale: float
    start: float
    end: float


@operator("Resize", since=11, known=(1, 2, 3))
def resize(call: Call, x: Tensor, roi: np.ndarray | None = None, scales: np.ndarray | None = None,
           sizes: np.ndarray | None = None) -> Tensor:
    axes = axes_of(call["axes"] if call["axes"] is not None else range(x.ndim), x.ndim)
    lengths = [x.shape[axis] for axis in axes]
    if sizes is not None and sizes.size:
        factors, targets = from_sizes(lengths, integers(sizes), call["keep_aspect_ratio_policy"])
    elif scales is not None:
        factors = scales.astype(np.float64).tolist()
        targets = [math.floor(n * scale) for n, scale in zip(lengths, factors)]
    else:
        raise call.unsupported("a node without scales and sizes")
    region = [0.0] * len(axes) + [1.0] * len(axes) if roi is None or not roi.size else roi.astype(np.float64).tolist()
    resized = [Axis(*values) for values in zip(axes, lengths, targets, factors, region[:len(axes)], region[len(axes):], strict=True)]
    return interpolate(call, x, resized, call["coordinate_transformation_mode"], call["nearest_mode"])


def from_sizes(lengths: list[int], sizes: tuple[int, ...], policy: str | None) -> tuple[list[float], list[int]]:
    """Scales and sizes; with a policy, one scale for all axes: the smallest or the largest."""
    scales = [size / n for size, n in zip(sizes, lengths, strict=True)]
    if policy in (None, "stretch"):
        return scales, list(sizes)
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [scale] * len(sizes), [math.floor(scale * n + 0.5) for n in lengths]


@operator("Resize", "Upsample", known=(1,))
def upsample(call: Call, x: Tensor, scales: np.ndarray | None = None) -> Tensor:
    """Before operator set 11: positions are multiples of 1 / scale, and the nearest element is the one before."""
    factors = call["scales"] if scales is None else scales.astype(np.float64).tolist()
    axes = [Axis(axis, n, math.floor(n * scale), scale, 0.0, 1.0) for axis, (n, scale) in enumerate(zip(x.shape, factors, strict=True))]
    return interpolate(call, x, axes, "asymmetric", "floor")


def interpolate(call: Call, x: Tensor, axes: list[Axis], coordinates: str, nearest: str) -> Tensor:
    """One axis after the other; what is beyond the region's input has a fixed value."""
    outside = []
    for axis in axes:
        if (axis.scale, axis.target) == (1, axis.size) and coordinates != "tf_crop_and_resize":
            continue
        positions = origins(coordinates, axis)
        x = taken(x, axis, *taps(call, positions, axis, nearest))
        if coordinates == "tf_crop_and_resize":
            line = [1] * x.ndim
            line[axis.axis] = axis.target
            outside.append(((positions < 0) | (positions > axis.size - 1)).reshape(line))
    for mask in outside:
        x = f.where(asarray(mask), asarray(np.array(call["extrapolation_value"], x.dtype)), x)
    return x


def origins(mode: str, axis: Axis) -> np.ndarray:
    """The position in the input of every element of the output."""
    i, n, width = np.arange(axis.target, dtype=np.float64), axis.size, axis.scale * axis.size
    if mode == "align_corners":
        return i * 0 if width == 1 else i * (n - 1) / (width - 1)
    if mode == "asymmetric":
        return i / axis.scale
    if mode == "tf_crop_and_resize":
        span = (axis.end - axis.start) * (n - 1)
        return axis.start * (n - 1) + (np.full_like(i, span / 2) if width == 1 else i * span / (width - 1))
    if mode == "pytorch_half_pixel" and width == 1:
        return np.full_like(i, -0.5)
    offset = n / 2 * (1 - axis.target / width) if mode == "half_pixel_symmetric" else 0.0
    return offset + (i + 0.5) / axis.scale - 0.5


def taps(call: Call, positions: np.ndarray, axis: Axis, nearest: str) -> tuple[np.ndarray, np.ndarray]:
    """Which elements contribute (target, taps), and their weights; the position is right of its element by a ratio in (0, 1]."""
    base = np.ceil(positions).astype(np.int64) - 1
    ratio = positions - base
    weights = weights_of(call, ratio, min(axis.scale, 1.0) if call["antialias"] else 1.0, nearest)
    indices = base[:, None] + np.arange(weights.shape[1]) - weights.shape[1] // 2 + 1
    if call["exclude_outside"]:
        weights = np.where((indices < 0) | (indices >= axis.size), 0, weights)
        weights = weights / weights.sum(1, keepdims=True)
    return np.clip(indices, 0, axis.size - 1), weights


def weights_of(call: Call, ratio: np.ndarray, scale: float, nearest: str) -> np.ndarray:
    """The weights of neighbours; a scale below 1 widens the kernel."""
    if call["mode"] == "nearest":
        upper = UPPER[nearest](ratio) | (ratio == 1)
        return np.stack([~upper, upper], axis=1).astype(np.float64)
    reach = 1 if call["mode"] in ("linear", "bilinear") else 2
    start = math.floor(-reach / scale) + 1
    distances = np.abs(np.arange(start, 2 - start) - ratio[:, None]) * scale
    weights = np.clip(1 - distances, 0, 1) if reach == 1 else cubic(distances, call["cubic_coeff_a"])
    return weights / weights.sum(1, keepdims=True) if scale < 1 else weights


UPPER: dict[str, Any] = {"round_prefer_floor": lambda ratio: ratio > 0.5, "round_prefer_ceil": lambda ratio: ratio >= 0.5,
                         "floor": lambda ratio: ratio > 1, "ceil": lambda ratio: ratio > 0}


def cubic(x: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel (Keys 1981) of distances."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def taken(x: Tensor, axis: Axis, indices: np.ndarray, weights: np.ndarray) -> Tensor:
    """Weighted sums of elements along an axis; taps that weigh nothing are left out."""
    exact = np.isin(weights, (0, 1)).all()
    if exact:
        return f.take(x, np.take_along_axis(indices, weights.argmax(1)[:, None], 1)[:, 0], axis=axis.axis)
    line = [1] * x.ndim
    line[axis.axis] = axis.target
    used = [k for k in range(weights.shape[1]) if weights[:, k].any()]
    terms = [f.take(x, indices[:, k], axis=axis.axis) * asarray(weights[:, k].astype(x.dtype).reshape(line)) for k in used]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
