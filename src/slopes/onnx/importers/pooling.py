"""Pooling: the largest, the mean, the norm of windows or of whole images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ... import functions as f
from ...tensor import Tensor, asarray, perform
from ..call import Call
from ..operators import operator
from ..values import integers
from .convolution import Pairs, ones_or, pads_of


class Windows(NamedTuple):
    """How windows lie over the spatial axes of a padded input."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: Pairs
    extra: tuple[int, ...]  # elements more at the end, for windows that ceil_mode lets begin inside


def windows_of(call: Call, x: Tensor) -> Windows:
    rank = x.ndim - 2
    kernel = ones_or(call["kernel_shape"], rank)
    strides, dilations = ones_or(call["strides"], rank), ones_or(call["dilations"], rank)
    pads = pads_of(call, x.shape[2:], kernel, strides, dilations)
    values = zip(x.shape[2:], kernel, strides, dilations, pads)
    extra = tuple(overhang(*value) if call["ceil_mode"] else 0 for value in values)
    return Windows(kernel, strides, dilations, pads, extra)


def overhang(size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]) -> int:
    """How many elements the last window, if it begins inside, reaches beyond the padded end."""
    room = size + sum(pads) - dilation * (kernel - 1) - 1
    count = -(-room // stride)
    if count * stride >= size + pads[0]:  # it would begin in the padding at the end
        count -= 1
    return max(0, count * stride - room)


def take_windows(x: Tensor, w: Windows, value: Any) -> Tensor:
    """All windows (N, C, *counts, *kernel) of x, padded with a value."""
    widths = [(0, 0), (0, 0), *((low, high + more) for (low, high), more in zip(w.pads, w.extra))]
    axes = tuple(range(2, x.ndim))
    return perform("window", (f.pad(x, widths, value),), {"axes": axes, "size": w.kernel, "stride": w.strides, "dilation": w.dilations})


def inner_axes(x: Tensor) -> tuple[int, ...]:
    """The axes inside a window."""
    return tuple(range(x.ndim, 2 * x.ndim - 2))


def lowest(dtype: np.dtype) -> Any:
    return -math.inf if dtype.kind == "f" else int(np.iinfo(dtype).min)


@operator("MaxPool")
def max_pool(call: Call, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
    """The largest element of each window; the second output is its position in the flattened input."""
    w = windows_of(call, x)
    view = take_windows(x, w, lowest(x.dtype))
    largest = perform("max_first", (view,), {"axes": inner_axes(x)})
    if len(call.outputs) < 2:
        return largest
    best = f.argmax(view.reshape((*view.shape[:x.ndim], -1)), axis=-1)
    positions = take_windows(padded_positions(x.shape, bool(call["storage_order"])), w, 0)
    chosen = f.take_along_axis(positions.reshape((*view.shape[:x.ndim], -1)), best[..., None], axis=-1)[..., 0]
    return largest, chosen


def padded_positions(shape: tuple[int, ...], column_major: bool) -> Tensor:
    """The position of each element in the flattened input; with column_major, the last axis varies slowest within an image."""
    size = math.prod(shape[2:])
    spatial = np.arange(size).reshape(shape[2:], order="F" if column_major else "C")
    images = np.arange(math.prod(shape[:2])).reshape((*shape[:2], *[1] * (len(shape) - 2))) * size
    return asarray(images + spatial)


@operator("AveragePool")
def average_pool(call: Call, x: Tensor) -> Tensor:
    """Means of windows, of which padded elements are a part if the node says so; elements beyond the padding are not."""
    w = windows_of(call, x)
    total = f.sum(take_windows(x, w, 0), axis=inner_axes(x))
    counts = window_sizes(x.shape[2:], w, bool(call["count_include_pad"]))
    return total / constant_like(counts, x)


def window_sizes(sizes: tuple[int, ...], w: Windows, padding_counts: bool) -> np.ndarray:
    """How many elements of each window are counted."""
    result = np.ones((), np.int64)
    for n, k, s, d, (low, high), more in zip(sizes, *w):
        length = n + low + high
        counted = np.ones(length + more, np.int64)
        counted[length:] = 0
        if not padding_counts:
            counted[:low] = 0
            counted[low + n:] = 0
        starts = range(0, length + more - d * (k - 1), s)
        result = np.multiply.outer(result, np.array([counted[i:i + d * (k - 1) + 1:d].sum() for i in starts]))
    return np.maximum(result, 1)


def constant_like(array: np.ndarray, x: Tensor) -> Tensor:
    return asarray(array.astype(x.dtype))


@operator("LpPool")
def lp_pool(call: Call, x: Tensor) -> Tensor:
    """(sum |x|^p)^(1/p) of each window."""
    p = call["p"]
    return f.sum(f.abs(take_windows(x, windows_of(call, x), 0)) ** p, axis=inner_axes(x)) ** (1 / p)


def over_image(function: Callable[..., Tensor], x: Tensor) -> Tensor:
    return function(x, axis=tuple(range(2, x.ndim)), keepdims=True)


@operator("GlobalAveragePool")
def global_average_pool(call: Call, x: Tensor) -> Tensor:
    return over_image(f.mean, x)


@operator("GlobalMaxPool")
def global_max_pool(call: Call, x: Tensor) -> Tensor:
    return over_image(f.max, x)


@operator("GlobalLpPool")
def global_lp_pool(call: Call, x: Tensor) -> Tensor:
    return over_image(f.sum, f.abs(x) ** call["p"]) ** (1 / call["p"])


@operator("MaxUnpool", known=(2,))
def max_unpool(call: Call, x: Tensor, positions: Tensor, shape: np.ndarray | None = None) -> Tensor:
    """Elements put back where MaxPool had them, zeros elsewhere."""
    rank = x.ndim - 2
    kernel, strides, pads = call["kernel_shape"], ones_or(call["strides"], rank), call["pads"] or [0] * (2 * rank)
    natural = [(n - 1) * s - low - high + k for n, s, k, low, high in zip(x.shape[2:], strides, kernel, pads[:rank], pads[rank:])]
    inner = (*x.shape[:2], *natural)
    size = math.prod(inner)
    flat = perform("scatter_add", (positions.reshape(-1), x.reshape(-1)), {"axis": 0, "size": size})
    y = flat.reshape(inner)
    if shape is None:
        return y
    return f.pad(y, [(0, goal - n) for goal, n in zip(integers(shape), inner)])
