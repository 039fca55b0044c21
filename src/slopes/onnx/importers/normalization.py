"""Normalisations, and dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as f
from ... import random
from ...tensor import Tensor
from ..call import Call
from ..operators import operator
from ..values import axes_of


def per_channel(x: Tensor, rank: int) -> Tensor:
    """A value for each channel, in the shape that meets (N, C, *spatial)."""
    return x.reshape((-1, *[1] * (rank - 2)))


@operator("BatchNormalization", statistics=(3, 4))
def batch_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> Any:
    """With the running statistics, or, in the training mode of the node, with those of the batch (then also their new running values)."""
    if call["spatial"] == 0:
        raise call.unsupported("spatial=0")
    rank = x.ndim
    if not call["training_mode"]:
        y = normalized(x, per_channel(mean, rank), per_channel(var, rank), call["epsilon"])
        return y * per_channel(scale, rank) + per_channel(bias, rank)
    axes, momentum = (0, *range(2, rank)), call["momentum"]
    batch_mean, batch_var = f.mean(x, axis=axes), f.var(x, axis=axes)
    y = normalized(x, per_channel(batch_mean, rank), per_channel(batch_var, rank), call["epsilon"])
    y = y * per_channel(scale, rank) + per_channel(bias, rank)
    return y, mean * momentum + batch_mean * (1 - momentum), var * momentum + batch_var * (1 - momentum)


def normalized(x: Tensor, mean: Tensor, var: Tensor, epsilon: float) -> Tensor:
    return (x - mean) / f.sqrt(var + epsilon)


def standardized(x: Tensor, axes: tuple[int, ...], epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """x with mean 0 and variance 1 over some axes; the mean, and 1 / standard deviation."""
    mean = f.mean(x, axis=axes, keepdims=True)
    centred = x - mean
    inverse = 1 / f.sqrt(f.mean(centred * centred, axis=axes, keepdims=True) + epsilon)
    return centred * inverse, mean, inverse


@operator("InstanceNormalization")
def instance_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    y, _, _ = standardized(x, tuple(range(2, x.ndim)), call["epsilon"])
    return y * per_channel(scale, x.ndim) + per_channel(bias, x.ndim)


@operator("LayerNormalization")
def layer_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> tuple[Tensor, ...]:
    axis = call.axis(x.ndim)
    y, mean, inverse = standardized(x, tuple(range(axis, x.ndim)), call["epsilon"])
    y = y * scale
    return (y if bias is None else y + bias, mean, inverse)[:len(call.outputs)]


@operator("RMSNormalization")
def rms_norm(call: Call, x: Tensor, scale: Tensor) -> Tensor:
    axes = tuple(range(call.axis(x.ndim), x.ndim))
    return x / f.sqrt(f.mean(x * x, axis=axes, keepdims=True) + call["epsilon"]) * scale


@operator("GroupNormalization")
def group_norm(call: Call, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Before operator set 21 scale and bias are one for each group, then one for each channel."""
    groups, (batch, channels) = call["num_groups"], x.shape[:2]
    parts = x.reshape((batch, groups, -1))
    y, _, _ = standardized(parts, (2,), call["epsilon"])
    if scale.shape[0] == channels:
        return y.reshape(x.shape) * per_channel(scale, x.ndim) + per_channel(bias, x.ndim)
    return (y * scale.reshape((groups, 1)) + bias.reshape((groups, 1))).reshape(x.shape)


@operator("MeanVarianceNormalization")
def mean_variance_norm(call: Call, x: Tensor) -> Tensor:
    axes = axes_of(call["axes"], x.ndim)
    mean = f.mean(x, axis=axes, keepdims=True)
    return (x - mean) / (f.sqrt(f.mean(x * x, axis=axes, keepdims=True) - mean * mean) + 1e-9)


@operator("LpNormalization")
def lp_norm(call: Call, x: Tensor) -> Tensor:
    """x / norm along an axis; zeros stay zeros."""
    axis = call["axis"]
    if call["p"] == 1:
        norm = f.sum(f.abs(x), axis=axis, keepdims=True)
    else:
        norm = f.sqrt(f.sum(x * x, axis=axis, keepdims=True))
    return f.where(norm == 0, 0, x / f.where(norm == 0, 1, norm))


@operator("LRN")
def local_response_norm(call: Call, x: Tensor) -> Tensor:
    """x / (bias + alpha / size * sum of squares over neighbouring channels)^beta."""
    size = call["size"]
    before = (size - 1) // 2
    squares = f.pad(x * x, [(0, 0), (before, size - 1 - before), *[(0, 0)] * (x.ndim - 2)])
    total = squares[:, :x.shape[1]]
    for i in range(1, size):
        total = total + squares[:, i:i + x.shape[1]]
    return x / (call["bias"] + call["alpha"] / size * total) ** call["beta"]


@operator("Dropout", known=(1, 2), random=True)
def dropout(call: Call, x: Tensor, ratio: np.ndarray | None = None, training: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
    """The identity, unless the node itself says that it is in training mode."""
    share = 0.5 if ratio is None else float(ratio.item())
    if training is None or not training.item() or share == 0:
        return x, f.ones(x.shape, "bool")
    keep = random.uniform(x.shape) >= share
    return f.where(keep, x / (1 - share), 0), keep
