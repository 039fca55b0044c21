"""Convolutions, transposed ones too, and the sums of windows put back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import functions as f
from ...errors import ArgumentError
from ...ops import composite
from ...tensor import Tensor, asarray, perform
from ..call import Call
from ..operators import operator
from ..values import integers

Pairs = tuple[tuple[int, int], ...]


def ones_or(values: Any, rank: int) -> tuple[int, ...]:
    """An attribute with a positive integer for each spatial axis; 1 by default."""
    result = tuple(values) if values else (1,) * rank
    if len(result) != rank or min(result) < 1:
        raise ArgumentError(f"{result} are not {rank} positive numbers", why="strides, dilations and kernels have one for each axis")
    return result


def pads_of(call: Call, sizes: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]) -> Pairs:
    """(before, after) for each spatial axis, stated or such that the output has ceil(size / stride) elements."""
    mode, rank = call["auto_pad"], len(kernel)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        return tuple(same_padding(mode, *values) for values in zip(sizes, kernel, strides, dilations))
    pads = call["pads"] if mode in (None, "NOTSET") and call["pads"] else [0] * (2 * rank)
    return tuple(zip(pads[:rank], pads[rank:], strict=True))


def same_padding(mode: str, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """The odd element of the padding is after the end, or before the beginning."""
    total = max(0, (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size)
    return (total // 2, total - total // 2) if mode == "SAME_UPPER" else (total - total // 2, total // 2)


@operator("Conv")
def conv(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    rank = x.ndim - 2
    strides, dilations = ones_or(call["strides"], rank), ones_or(call["dilations"], rank)
    pads = pads_of(call, x.shape[2:], weight.shape[2:], strides, dilations)
    y = convolve(x, weight, strides, pads, dilations, call["group"])
    return y if bias is None else y + bias.reshape((-1, *[1] * rank))


def convolve(x: Tensor, weight: Tensor, strides: tuple[int, ...], pads: Pairs, dilations: tuple[int, ...], groups: int) -> Tensor:
    """The convolution of slopes, after padding of elements that may be negative."""
    if any(min(pair) < 0 for pair in pads):
        x = x[(..., *(slice(max(0, -low), n - max(0, -high)) for (low, high), n in zip(pads, x.shape[2:])))]
        pads = tuple((max(0, low), max(0, high)) for low, high in pads)
    return composite.convolution(x, weight, strides, pads, dilations, groups)


@operator("ConvTranspose")
def conv_transpose(call: Call, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Whole, then cut at both ends, or with zeros more, so that the shape is as stated."""
    rank = x.ndim - 2
    strides, dilations = ones_or(call["strides"], rank), ones_or(call["dilations"], rank)
    y = composite.transposed_convolution(x, weight, strides, 0, 0, dilations, call["group"])
    extra = tuple(call["output_padding"] or (0,) * rank)
    pads = transposed_pads(call, x.shape[2:], y.shape[2:], strides, extra)
    y = fitted(y, tuple((low, high - more) for (low, high), more in zip(pads, extra)))
    return y if bias is None else y + bias.reshape((-1, *[1] * rank))


def transposed_pads(call: Call, sizes: tuple[int, ...], full: tuple[int, ...], strides: tuple[int, ...], extra: tuple[int, ...]) -> Pairs:
    """What is cut off at both ends of each axis."""
    rank, mode, target = len(sizes), call["auto_pad"], call["output_shape"]
    if target is None and mode in ("SAME_UPPER", "SAME_LOWER"):
        target = [n * s for n, s in zip(sizes, strides)]
    if target is None:
        pads = call["pads"] or [0] * (2 * rank)
        return tuple(zip(pads[:rank], pads[rank:], strict=True))
    totals = [n + more - goal for n, more, goal in zip(full, extra, target[-rank:])]
    halves = [(total // 2, total - total // 2) for total in totals]
    return tuple(halves if mode == "SAME_UPPER" else [(high, low) for low, high in halves])


def fitted(y: Tensor, cuts: Pairs) -> Tensor:
    """y without what is cut off at the ends of its spatial axes; a negative cut adds zeros."""
    y = y[(..., *(slice(max(0, low), n - max(0, high)) for (low, high), n in zip(cuts, y.shape[2:])))]
    return f.pad(y, [(0, 0), (0, 0), *((max(0, -low), max(0, -high)) for low, high in cuts)])


@operator("Col2Im", known=(1, 2))
def col2im(call: Call, x: Tensor, image: np.ndarray, block: np.ndarray) -> Tensor:
    """Columns of windows added up in an image: the adjoint of taking windows."""
    sizes, kernel = integers(image), integers(block)
    rank = len(sizes)
    strides, dilations = ones_or(call["strides"], rank), ones_or(call["dilations"], rank)
    pads = call["pads"] or [0] * (2 * rank)
    lengths = tuple(n + low + high for n, low, high in zip(sizes, pads[:rank], pads[rank:]))
    counts = tuple((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(lengths, kernel, strides, dilations))
    channels = x.shape[1] // math.prod(kernel)
    inner, outer = tuple(range(2, 2 + rank)), tuple(range(2 + rank, 2 + 2 * rank))
    windows = x.reshape((x.shape[0], channels, *kernel, *counts)).permute_dims((0, 1, *outer, *inner))
    y = perform("unwindow", (windows,), {"axes": inner, "size": kernel, "stride": strides, "dilation": dilations, "lengths": lengths})
    return y[(..., *(slice(low, low + n) for low, n in zip(pads[:rank], sizes)))]


@operator("DeformConv")
def deform_conv(call: Call, x: Tensor, weight: Tensor, offset: Tensor, bias: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
    """A convolution whose kernel reads at positions moved by offsets, between elements by bilinear interpolation."""
    if x.ndim != 4:
        raise call.unsupported("an input that is no batch of images")
    kernel, strides, dilations = weight.shape[2:], ones_or(call["strides"], 2), ones_or(call["dilations"], 2)
    pads = pads_of(call, x.shape[2:], kernel, strides, dilations)
    groups, (rows, columns) = call["offset_group"], offset.shape[2:]
    batch, points = x.shape[0], math.prod(kernel)
    moves = offset.reshape((batch, groups, points, 2, rows, columns))
    base = [np.add.outer(np.arange(k) * d, np.arange(n) * s) - low
            for k, d, s, n, (low, _) in zip(kernel, dilations, strides, (rows, columns), pads)]
    y = asarray(np.repeat(base[0], kernel[1], axis=0)[:, :, None].astype(x.dtype)) + moves[:, :, :, 0]
    z = asarray(np.tile(base[1], (kernel[0], 1))[:, None, :].astype(x.dtype)) + moves[:, :, :, 1]
    parts = x.reshape((batch, groups, x.shape[1] // groups, *x.shape[2:]))
    values = bilinear(parts, y, z)  # (batch, groups, channels, points, rows, columns)
    if mask is not None:
        values = values * mask.reshape((batch, groups, 1, points, rows, columns))
    result = product(values.reshape((batch, call["group"], -1, points, rows, columns)), weight, call["group"])
    return result if bias is None else result + bias.reshape((-1, 1, 1))


def product(values: Tensor, weight: Tensor, groups: int) -> Tensor:
    """Sums over channels and kernel points of a group."""
    outputs = weight.shape[0] // groups
    w = weight.reshape((groups, outputs, values.shape[2], -1))
    return f.einsum("ngcpyx,gocp->ngoyx", values, w).reshape((values.shape[0], groups * outputs, *values.shape[4:]))


def bilinear(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """x (N, G, C, H, W) at the points y, z (N, G, P, R, Q); 0 outside."""
    batch, groups, channels, height, width = x.shape
    flat = x.reshape((batch, groups, channels, height * width))
    top, left = f.floor(y), f.floor(z)
    total = f.zeros((batch, groups, channels, *y.shape[2:]), x.dtype)
    for row, row_share in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, share in ((left, 1 - (z - left)), (left + 1, z - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            index = (f.clip(row, 0, height - 1) * width + f.clip(column, 0, width - 1)).astype("int64")
            lines = f.broadcast_to(index.reshape((batch, groups, 1, -1)), (batch, groups, channels, math.prod(index.shape[2:])))
            values = f.take_along_axis(flat, lines, axis=-1).reshape((batch, groups, channels, *index.shape[2:]))
            total = total + values * f.where(inside, row_share * share, 0)[:, :, None]
    return total
