"""Fourier transforms, as products with cosines and sines; windows and mel filters."""

from __future__ import annotations

import math

import numpy as np

from ... import functions as f
from ...errors import ArgumentError
from ...graph.shape import normalize_axis
from ...tensor import Tensor, asarray
from ..call import Call
from ..element_types import DTYPES
from ..operators import operator


@operator("DFT", since=20, known=(1, 2))
def dft(call: Call, x: Tensor, length: np.ndarray | None = None, axis: np.ndarray | None = None) -> Tensor:
    return transformed(call, x, length, -2 if axis is None else int(axis.item()))


@operator("DFT", known=(1,))
def dft_attribute(call: Call, x: Tensor, length: np.ndarray | None = None) -> Tensor:
    return transformed(call, x, length, call["axis"])


def transformed(call: Call, x: Tensor, length: np.ndarray | None, axis: int) -> Tensor:
    """The transform along an axis of x (..., 1 or 2): real, or real and imaginary parts."""
    axis = normalize_axis(axis, x.ndim, "DFT")
    one_sided, inverse = bool(call["onesided"]), bool(call["inverse"])
    size = x.shape[axis] if length is None else int(length.item())
    if one_sided and inverse:
        size = 2 * (x.shape[axis] - 1) if length is None else size
        x = mirrored(x, axis, size)
    x = f.moveaxis(fitted(x, axis, size), axis, -2)
    y = fourier(x, size, inverse)
    if one_sided and inverse:
        y = y[..., :1]
    elif one_sided:
        y = y[..., :size // 2 + 1, :]
    return f.moveaxis(y, -2, axis)


def mirrored(x: Tensor, axis: int, size: int) -> Tensor:
    """The whole spectrum of real values, from its first half: the rest are the conjugates in reverse order."""
    half = fitted(x, axis, size // 2 + 1)
    indices = np.arange(size // 2 + 1, size)
    rest = f.take(half, size - indices, axis=axis) * asarray(np.array([1, -1], x.dtype))
    return f.concat([half, rest], axis=axis)


def fitted(x: Tensor, axis: int, size: int) -> Tensor:
    """x with an axis cut, or filled up with zeros, to a size."""
    n = x.shape[axis]
    x = x[(*[slice(None)] * axis, slice(0, min(n, size)))]
    return f.pad(x, [(0, max(0, size - n)) if i == axis else (0, 0) for i in range(x.ndim)])


def fourier(x: Tensor, size: int, inverse: bool) -> Tensor:
    """The transform of x (..., size, 1 or 2) as (..., size, 2)."""
    angles = 2 * math.pi / size * (np.outer(np.arange(size), np.arange(size)) % size)
    cosine, sine = (asarray(values.astype(x.dtype)) for values in (np.cos(angles), np.sin(angles) * (1 if inverse else -1)))
    real = x[..., 0]
    re, im = real @ cosine, real @ sine
    if x.shape[-1] == 2:
        imaginary = x[..., 1]
        re, im = re - imaginary @ sine, im + imaginary @ cosine
    y = f.stack([re, im], axis=-1)
    return y / size if inverse else y


@operator("STFT", known=(1, 3), statistics=(2,))
def stft(call: Call, signal: Tensor, step: np.ndarray, window: Tensor | None = None, length: np.ndarray | None = None) -> Tensor:
    """The transforms of overlapping frames (batch, frames, frequencies, 2) of a signal (batch, samples, 1 or 2)."""
    size = window.shape[0] if length is None and window is not None else int(length.item()) if length is not None else 0
    signal = signal[..., None] if signal.ndim == 2 else signal
    starts = np.arange(0, signal.shape[1] - size + 1, int(step.item()))
    frames = f.take(signal, asarray(starts[:, None] + np.arange(size)), axis=1)  # (batch, frames, size, parts)
    frames = frames if window is None else frames * window[:, None]
    y = fourier(frames, size, False)
    return y[:, :, :size // 2 + 1] if call["onesided"] else y


@operator("MelWeightMatrix", known=(0, 1, 2, 3, 4))
def mel_weights(call: Call, bins: np.ndarray, length: np.ndarray, rate: np.ndarray, low: np.ndarray, high: np.ndarray) -> Tensor:
    """Triangles between frequencies that are equally far apart on the mel scale, over the bins of a spectrum."""
    count, size = int(bins.item()), int(length.item())
    first, last = 2595 * np.log10(1 + np.array([low.item(), high.item()], np.float64) / 700)
    mels = first + (last - first) / (count + 2) * np.arange(count + 2)
    edges = np.floor((size + 1) * 700 * (10 ** (mels / 2595) - 1) / rate.item()).astype(np.int64)
    if edges.min() < 0 or edges.max() > size // 2 + 1:
        raise ArgumentError(f"MelWeightMatrix: {low.item()} to {high.item()} Hz are not within 0 and half of the rate {rate.item()}")
    weights = np.zeros((size // 2 + 1, count))
    for i, (start, middle, end) in enumerate(zip(edges, edges[1:], edges[2:])):
        weights[start:middle, i] = (np.arange(start, middle) - start) / max(1, middle - start)
        weights[middle:end, i] = (end - np.arange(middle, end)) / max(1, end - middle)
        weights[middle, i] = 1
    return asarray(weights.astype(DTYPES[call["output_datatype"]]))
