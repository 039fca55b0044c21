"""Reading images at positions between their elements: GridSample and RoiAlign."""

from __future__ import annotations

import functools
import itertools
import math
import operator as python_operator
from typing import Any

import numpy as np

from ... import functions as f
from ...tensor import Tensor, asarray
from ..call import Call
from ..operators import operator

CUBIC = -0.75  # the coefficient of the cubic kernel
Tap = tuple[Tensor, Tensor]  # index and weight of a neighbour


@operator("GridSample")
def grid_sample(call: Call, x: Tensor, grid: Tensor) -> Tensor:
    """x (N, C, *sizes) at the points (N, *out, axes) of a grid from -1 to 1; the grid's last axis counts from the last axis of x."""
    sizes, out = x.shape[2:], grid.shape[1:-1]
    axes = [axis_taps(call, grid[..., len(sizes) - 1 - i], n) for i, n in enumerate(sizes)]
    flat = x.reshape((*x.shape[:2], math.prod(sizes)))
    total: Any = 0
    for combination in itertools.product(*axes):
        index: Any = 0
        for (position, _), n in zip(combination, sizes):
            index = index * n + position
        weight = functools.reduce(python_operator.mul, [weight for _, weight in combination])
        total = total + gathered(flat, index) * weight.reshape((x.shape[0], 1, -1))
    return total.reshape((*x.shape[:2], *out))


def gathered(flat: Tensor, index: Tensor) -> Tensor:
    """Elements of images (N, C, size) at positions (N, ...), flattened."""
    lines = index.reshape((flat.shape[0], 1, -1))
    return f.take_along_axis(flat, f.broadcast_to(lines, (*flat.shape[:2], lines.shape[2])), axis=2)


def axis_taps(call: Call, g: Tensor, n: int) -> list[Tap]:
    """The neighbours of each point along one axis."""
    corners = bool(call["align_corners"])
    position = (g + 1) / 2 * (n - 1) if corners else ((g + 1) * n - 1) / 2
    low, high = (0.0, n - 1.0) if corners else (-0.5, n - 0.5)
    mode, padding = call["mode"], call["padding_mode"]
    if mode in ("nearest", "linear", "bilinear"):
        position = moved(position, padding, low, high, n)
    if mode == "nearest":
        return [tap(f.round(position), f.ones(position.shape, position.dtype), padding, low, high, n)]
    base = f.floor(position)
    ratio = position - base
    if mode in ("linear", "bilinear"):
        weights = [1 - ratio, ratio]
        return [tap(base + k, weight, padding, low, high, n) for k, weight in enumerate(weights)]
    return [tap(base + k, cubic_weight(f.abs(ratio - k)), padding, low, high, n) for k in range(-1, 3)]


def cubic_weight(x: Tensor) -> Tensor:
    a = CUBIC
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return f.where(x <= 1, near, far)


def moved(position: Tensor, padding: str, low: float, high: float, n: int) -> Tensor:
    """Positions outside brought inside, as the padding says."""
    if padding == "border":
        return f.clip(position, 0.0, n - 1.0)
    if padding == "reflection":
        return reflected(position, low, high)
    return position


def reflected(x: Tensor, low: float, high: float) -> Tensor:
    """Positions mirrored at both ends, as often as it takes."""
    span = high - low
    if span == 0:
        return x * 0 + low
    offset = f.remainder(x - low, 2 * span)
    return low + f.where(offset > span, 2 * span - offset, offset)


def tap(index: Tensor, weight: Tensor, padding: str, low: float, high: float, n: int) -> Tap:
    """A neighbour and its weight, which is 0 outside of an image that is padded with zeros."""
    if padding == "zeros":
        weight = f.where((index >= 0) & (index <= n - 1), weight, 0)
    else:
        index = moved(index, padding, low, high, n)
    return f.clip(index, 0.0, n - 1.0).astype("int64"), weight


@operator("RoiAlign", known=(1, 2))
def roi_align(call: Call, x: Tensor, rois: np.ndarray, batch: np.ndarray) -> Tensor:
    """Each region in a grid of bins; a bin is the mean (or the largest) of sample points between elements."""
    bins = [region(call, x, roi, int(n)) for roi, n in zip(rois.astype(np.float64), batch)]
    return f.stack(bins, axis=0) if bins else f.zeros((0, x.shape[1], call["output_height"], call["output_width"]), x.dtype)


def region(call: Call, x: Tensor, roi: np.ndarray, n: int) -> Tensor:
    """One region (C, height, width)."""
    half = call.version >= 16 and call["coordinate_transformation_mode"] == "half_pixel"
    start, end = (roi * call["spatial_scale"] - (0.5 if half else 0.0)).reshape(2, 2)[:, ::-1]  # (y, x)
    extent = end - start if half else np.maximum(end - start, 1.0)
    rows, columns = (line_samples(call, start[i], extent[i], size, x.shape[2 + i])
                     for i, size in enumerate((call["output_height"], call["output_width"])))
    image = x[n].reshape((x.shape[1], -1))
    corners = []
    for (row, row_weight), (column, weight) in itertools.product(rows, columns):
        index = row[:, None, :, None] * x.shape[3] + column[None, :, None, :]  # (height, width, samples, samples)
        share = (row_weight[:, None, :, None] * weight[None, :, None, :]).astype(x.dtype)
        corners.append(f.take(image, asarray(index), axis=1) * asarray(share))
    if call["mode"] == "avg":
        return f.mean(functools.reduce(f.add, corners), axis=(3, 4))
    return f.max(functools.reduce(f.maximum, corners), axis=(3, 4))


def line_samples(call: Call, start: float, extent: float, size: int, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Indices and weights (bins, samples) of the elements before and after each sample point of an axis."""
    count = call["sampling_ratio"] or max(1, math.ceil(extent / size))
    points = start + (np.arange(size)[:, None] + (np.arange(count) + 0.5) / count) * extent / size
    inside = (points >= -1) & (points <= n)
    points = np.clip(points, 0, n - 1)
    before = np.minimum(np.floor(points).astype(np.int64), n - 1)
    after, ratio = np.minimum(before + 1, n - 1), points - before
    return [(before, np.where(inside, 1 - ratio, 0)), (after, np.where(inside, ratio, 0))]
