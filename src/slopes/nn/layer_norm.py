"""Normalization within each example: LayerNorm, RMSNorm, GroupNorm and InstanceNorm."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..constraint import COUNT, FACTORY, FLAG, OPTIONAL_POSITIVE, POSITIVE, SIZES, check
from ..errors import ArgumentError, ShapeError
from ..graph.build import build
from ..modes import no_grad
from ..ops.composite import mean
from ..tensor import Tensor
from . import init
from .convolution import divisors, per_channel
from .module import Module
from .normalization import BatchNorm
from .where import layer_and_location


class LayerNorm(Module):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and (biased) variance of each example over its last axes.

    x and y: (..., *normalized_shape). weight, bias: normalized_shape, initially ones and zeros. It is the same in training and eval
    mode. Raises ShapeError for other last axes of x. Source: Ba, Kiros, Hinton, "Layer normalization", 2016.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.LayerNorm(2)(sl.tensor([[1.0, 3.0], [10.0, 30.0]])).detach().numpy().round(3).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """

    weight: Any  # Parameter normalized_shape, ones; None without elementwise_affine
    bias: Any  # Parameter normalized_shape, zeros; None without elementwise_affine or bias
    constraints = {"normalized_shape": SIZES, "eps": POSITIVE, "elementwise_affine": FLAG, "bias": FLAG, **FACTORY}

    def __init__(self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True,
                 device: Any = None, dtype: Any = None) -> None:
        check("LayerNorm", self.constraints, {"normalized_shape": normalized_shape, "eps": eps,
                                              "elementwise_affine": elementwise_affine, "bias": bias})
        self.normalized_shape, self.eps = sizes(normalized_shape), float(eps)
        self.weight = init.ones(init.blank(self.normalized_shape)) if elementwise_affine else None
        self.bias = init.blank(self.normalized_shape) if elementwise_affine and bias else None
        self.to(device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        check_last(self, x)
        return affine(standardize(x, last_axes(self, x), self.eps), self.weight, self.bias)

    def details(self) -> str:
        return norm_details(self)


class RMSNorm(Module):
    """y = x / sqrt(mean of x^2 + eps) * weight, with the mean of each example over its last axes.

    x and y: (..., *normalized_shape). weight: normalized_shape, initially ones; eps=None is the machine epsilon of x's dtype.
    Raises ShapeError for other last axes of x.
    Source: Zhang and Sennrich, "Root mean square layer normalization", 2019.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.RMSNorm(2)(sl.tensor([[1.0, 1.0], [3.0, -3.0]])).detach().numpy().round(3).tolist()
    [[1.0, 1.0], [1.0, -1.0]]
    """

    weight: Any  # Parameter normalized_shape, ones; None without elementwise_affine
    constraints = {"normalized_shape": SIZES, "eps": OPTIONAL_POSITIVE, "elementwise_affine": FLAG, **FACTORY}

    def __init__(self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        check("RMSNorm", self.constraints, {"normalized_shape": normalized_shape, "eps": eps,
                                            "elementwise_affine": elementwise_affine})
        self.normalized_shape, self.eps = sizes(normalized_shape), None if eps is None else float(eps)
        self.weight = init.ones(init.blank(self.normalized_shape)) if elementwise_affine else None
        self.to(device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        check_last(self, x)
        eps = float(np.finfo(x.dtype).eps) if self.eps is None else self.eps
        return affine(x * build("rsqrt", mean(x * x, axis=last_axes(self, x), keepdims=True) + eps), self.weight, None)

    def details(self) -> str:
        return norm_details(self)


class GroupNorm(Module):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and variance of each example over each of `num_groups` equal
    groups of channels and all positions.

    x and y: (N, num_channels, ...). weight, bias: (num_channels,), initially ones and zeros; one group normalizes over all
    channels, num_channels groups normalize each channel separately. Raises ArgumentError unless num_channels is divisible by
    num_groups, ShapeError for another number of channels. Source: Wu and He, "Group normalization", 2018.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.GroupNorm(2, 6)(sl.ones((4, 6, 5, 5))).shape
    (4, 6, 5, 5)
    """

    weight: Any  # Parameter (num_channels,), ones; None without affine
    bias: Any  # Parameter (num_channels,), zeros; None without affine or bias
    constraints = {"num_groups": COUNT, "num_channels": COUNT, "eps": POSITIVE, "affine": FLAG, "bias": FLAG, **FACTORY}

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None,
                 dtype: Any = None, *, bias: bool = True) -> None:
        check("GroupNorm", self.constraints, {"num_groups": num_groups, "num_channels": num_channels, "eps": eps, "affine": affine,
                                              "bias": bias})
        if num_channels % num_groups:
            raise ArgumentError(f"GroupNorm: num_groups={num_groups} must divide num_channels={num_channels}",
                                why="each group takes an equal share of the channels",
                                repair=f"groups that fit: {', '.join(map(str, divisors(num_channels)))}")
        self.num_groups, self.num_channels, self.eps = int(num_groups), int(num_channels), float(eps)
        self.weight = init.ones(init.blank((self.num_channels,))) if affine else None
        self.bias = init.blank((self.num_channels,)) if affine and bias else None
        self.to(device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        shape = tuple(x.shape)
        if len(shape) < 2 or shape[1] != self.num_channels:
            raise self.wrong_shape(x)
        grouped = x.reshape((shape[0], self.num_groups, self.num_channels // self.num_groups, *shape[2:]))
        y = standardize(grouped, tuple(range(2, grouped.ndim)), self.eps).reshape(shape)
        if self.weight is None:
            return y
        bias = None if self.bias is None else per_channel(self.bias, len(shape) - 2)
        return affine(y, per_channel(self.weight, len(shape) - 2), bias)

    def wrong_shape(self, x: Tensor) -> ShapeError:
        what, where = layer_and_location(self, x)
        repair = f"build it for this input: nn.GroupNorm(groups, {x.shape[1]})" if x.ndim > 1 else ""
        return ShapeError(f"{what} needs {self.num_channels} channels on axis 1, but x is {tuple(x.shape)}", repair=repair, where=where)

    def details(self) -> str:
        bias = ", bias=False" if self.bias is None and self.weight is not None else ""
        return f"{self.num_groups}, {self.num_channels}" + ("" if self.weight is not None else ", affine=False") + bias


class InstanceNorm(BatchNorm):
    """The base class of InstanceNorm1d, InstanceNorm2d and InstanceNorm3d, which define the number of axes of x."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = False,
                 track_running_stats: bool = False, device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def axes(self, x: Tensor) -> tuple[int, ...]:
        return tuple(range(2, x.ndim))

    def track(self, batch_mean: Tensor, batch_var: Tensor, count: int) -> None:
        """Update the running statistics with the mean of those of all examples."""
        if self.momentum is None:
            return
        with no_grad():
            share = self.momentum.astype(self.running_mean.dtype)
            for running, new in ((self.running_mean, batch_mean.detach()), (self.running_var, batch_var.detach() * (count / (count - 1)))):
                running.assign((1 - share) * running + share * mean(new, axis=(0, *range(2, new.ndim))).astype(running.dtype))

    def details(self) -> str:
        return f"{self.num_features}" + ("" if self.weight is None else ", affine=True")

    def too_few(self, x: Tensor) -> ShapeError:
        what, where = layer_and_location(self, x)
        return ShapeError(f"{what} needs more than one position per channel, but x is {tuple(x.shape)}",
                          why="mean and variance are computed for each channel of each example, and one value has no variance",
                          repair="use nn.LayerNorm or nn.GroupNorm, which normalize several channels together", where=where)


class InstanceNorm1d(InstanceNorm):
    """y = (x - mean) / sqrt(var + eps), with mean and (biased) variance of each channel of each example over its positions.

    x and y: (N, C, L). affine=True adds weight and bias (C,), initially ones and zeros; track_running_stats=True keeps running
    statistics for eval mode, as in BatchNorm1d. Raises ShapeError for another number of channels, and for one position per channel.
    Source: Ulyanov, Vedaldi, Lempitsky, "Instance normalization", 2016.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.InstanceNorm1d(1)(sl.tensor([[[1.0, 3.0]], [[10.0, 30.0]]])).numpy().round(3).tolist()
    [[[-1.0, 1.0]], [[-1.0, 1.0]]]
    """

    ranks = (3,)


class InstanceNorm2d(InstanceNorm):
    """InstanceNorm1d for images: x and y: (N, C, H, W), with mean and variance over both spatial axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.InstanceNorm2d(3)(sl.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    ranks = (4,)


class InstanceNorm3d(InstanceNorm):
    """InstanceNorm2d with one more axis: x and y: (N, C, D, H, W).

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.InstanceNorm3d(3)(sl.ones((2, 3, 2, 4, 4))).shape
    (2, 3, 2, 4, 4)
    """

    ranks = (5,)


def sizes(shape: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in shape) if isinstance(shape, (tuple, list)) else (int(shape),)


def last_axes(layer: Any, x: Tensor) -> tuple[int, ...]:
    return tuple(range(x.ndim - len(layer.normalized_shape), x.ndim))


def standardize(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """Normalize x to mean 0 and variance 1 over these axes."""
    centred = x - mean(x, axis=axes, keepdims=True)
    return centred * build("rsqrt", mean(centred * centred, axis=axes, keepdims=True) + eps)


def affine(x: Tensor, weight: Any, bias: Any) -> Tensor:
    scaled = x if weight is None else x * weight
    return scaled if bias is None else scaled + bias


def check_last(layer: Any, x: Tensor) -> None:
    expected, shape = layer.normalized_shape, tuple(x.shape)
    if shape[max(0, len(shape) - len(expected)):] == expected:
        return
    what, where = layer_and_location(layer, x)
    axes = f"the last axis to be {expected[0]}" if len(expected) == 1 else f"the last axes to be {expected}"
    own = shape[-1] if len(expected) == 1 and shape else shape[max(0, len(shape) - len(expected)):]
    repair = f"build it for this input: nn.{type(layer).__name__}({own})" if len(shape) >= len(expected) else ""
    raise ShapeError(f"{what} needs {axes}, but x is {shape}", repair=repair, where=where)


def norm_details(layer: Any) -> str:
    return "x".join(map(str, layer.normalized_shape)) + ("" if layer.weight is not None else ", elementwise_affine=False")
