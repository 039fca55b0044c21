"""Convolution layers over one, two or three axes, transposed and separable convolutions."""

from __future__ import annotations

import math
from typing import Any

from ..constraint import COUNT, FACTORY, FLAG, MARGINS, PADDING, SIZES, check, one_of, per_axis
from ..errors import ArgumentError, ShapeError
from ..ops import composite
from ..parameter import Parameter
from ..tensor import Tensor
from . import init
from .module import Module
from .sequential import Sequential
from .where import layer_and_location

LETTERS = {1: "L", 2: "HW", 3: "DHW"}


class Convolution(Module):
    """The base class of Conv1d, Conv2d and Conv3d, which define the number of spatial axes."""

    axes: int
    weight: Parameter  # (out_channels, in_channels / groups, *kernel_size)
    bias: Parameter | None  # (out_channels,)
    constraints = {"in_channels": COUNT, "out_channels": COUNT, "kernel_size": SIZES, "stride": SIZES, "padding": PADDING,
                   "dilation": SIZES, "groups": COUNT, "bias": FLAG, "padding_mode": one_of("zeros", *composite.PADDING_MODES), **FACTORY}

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None) -> None:
        owner = type(self).__name__
        check(owner, self.constraints, {
            "in_channels": in_channels, "out_channels": out_channels, "kernel_size": kernel_size, "stride": stride,
            "padding": padding, "dilation": dilation, "groups": groups, "bias": bias, "padding_mode": padding_mode})
        check_groups(owner, groups, in_channels, out_channels)
        self.in_channels, self.out_channels, self.groups = int(in_channels), int(out_channels), int(groups)
        self.kernel_size = per_axis(owner, "kernel_size", kernel_size, self.axes)
        self.stride = per_axis(owner, "stride", stride, self.axes)
        self.dilation = per_axis(owner, "dilation", dilation, self.axes)
        self.padding, self.padding_mode = check_padding(owner, padding, self.stride, self.axes), padding_mode
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self.weight = init.kaiming_uniform(init.blank(shape), a=math.sqrt(5))
        self.bias = init.bias_for(self.weight, self.out_channels) if bias else None
        self.to(device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        check_channels(self, x, self.axes, self.in_channels)
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            pairs = composite.padding_pairs(self.padding, self.kernel_size, self.stride, self.dilation, type(self).__name__)
            x, padding = composite.pad_edges(x, pairs, self.padding_mode), 0
        y = composite.convolution(x, self.weight, stride=self.stride, padding=padding, dilation=self.dilation, groups=self.groups)
        return y if self.bias is None else y + per_channel(self.bias, self.axes)

    def details(self) -> str:
        return channels_and_kernel(self) + options(self, stride=1, padding=0, dilation=1, groups=1, padding_mode="zeros")


class Conv1d(Convolution):
    """y[n, o, l] = b[o] + sum over c, k of x[n, c, s l + d k - p] W[o, c, k] (cross-correlation, as is usual).

    x: (N, in_channels, L), y: (N, out_channels, L') with L' = floor((L + 2p - d (k - 1) - 1) / s) + 1.
    weight: (out_channels, in_channels / groups, k), bias: (out_channels,); both initially uniform in
    (-1/sqrt(fan_in), 1/sqrt(fan_in)), fan_in = in_channels / groups * k, as in PyTorch. padding="same" keeps L (stride 1 only).
    padding_mode: padding has "zeros", or values of x: "reflect" mirrors it, "replicate" repeats its ends, "circular" closes it.
    Raises ShapeError for another number of channels or axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Conv1d(3, 8, 5, stride=2, padding=2)(sl.zeros((4, 3, 20))).shape
    (4, 8, 10)
    """

    axes = 1


class Conv2d(Convolution):
    """y[n, o, i, j] = b[o] + sum over c, u, v of x[n, c, s i + d u - p, s j + d v - p] W[o, c, u, v].

    x: (N, in_channels, H, W), y: (N, out_channels, H', W') with H' = floor((H + 2p - d (k - 1) - 1) / s) + 1.
    weight: (out_channels, in_channels / groups, k, k), bias: (out_channels,); both initially uniform in
    (-1/sqrt(fan_in), 1/sqrt(fan_in)), fan_in = in_channels / groups * k * k, as in PyTorch. groups = in_channels is a depthwise
    convolution; padding="same" keeps H and W (stride 1 only). Source: LeCun et al., "Gradient-based learning applied to
    document recognition", 1998. Raises ShapeError for another number of channels or axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Conv2d(3, 6, 5)(sl.zeros((1, 3, 32, 32))).shape
    (1, 6, 28, 28)
    """

    axes = 2


class Conv3d(Convolution):
    """Conv2d with one more axis: x: (N, in_channels, D, H, W), y: (N, out_channels, D', H', W').

    weight: (out_channels, in_channels / groups, k, k, k), bias: (out_channels,); initial values, sizes and errors as in Conv2d.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Conv3d(1, 2, (1, 3, 3))(sl.zeros((1, 1, 4, 8, 8))).shape
    (1, 2, 4, 6, 6)
    """

    axes = 3


class TransposedConvolution(Module):
    """The base class of ConvTranspose1d, ConvTranspose2d and ConvTranspose3d, which define the number of spatial axes."""

    axes: int
    weight: Parameter  # (in_channels, out_channels / groups, *kernel_size)
    bias: Parameter | None  # (out_channels,)
    constraints = {"in_channels": COUNT, "out_channels": COUNT, "kernel_size": SIZES, "stride": SIZES, "padding": MARGINS,
                   "output_padding": MARGINS, "groups": COUNT, "bias": FLAG, "dilation": SIZES, "padding_mode": one_of("zeros"),
                   **FACTORY}

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros",
                 device: Any = None, dtype: Any = None) -> None:
        owner = type(self).__name__
        check(owner, self.constraints, {
            "in_channels": in_channels, "out_channels": out_channels, "kernel_size": kernel_size, "stride": stride,
            "padding": padding, "output_padding": output_padding, "groups": groups, "bias": bias, "dilation": dilation,
            "padding_mode": padding_mode})
        check_groups(owner, groups, in_channels, out_channels)
        self.in_channels, self.out_channels, self.groups = int(in_channels), int(out_channels), int(groups)
        self.kernel_size = per_axis(owner, "kernel_size", kernel_size, self.axes)
        self.stride = per_axis(owner, "stride", stride, self.axes)
        self.padding = per_axis(owner, "padding", padding, self.axes)
        self.output_padding = per_axis(owner, "output_padding", output_padding, self.axes)
        self.dilation = per_axis(owner, "dilation", dilation, self.axes)
        check_output_padding(owner, self.output_padding, self.stride, self.dilation)
        shape = (self.in_channels, self.out_channels // self.groups, *self.kernel_size)
        self.weight = init.kaiming_uniform(init.blank(shape), a=math.sqrt(5))
        self.bias = init.bias_for(self.weight, self.out_channels) if bias else None
        self.to(device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        check_channels(self, x, self.axes, self.in_channels)
        y = composite.transposed_convolution(x, self.weight, stride=self.stride, padding=self.padding, dilation=self.dilation,
                                             groups=self.groups, output_padding=self.output_padding)
        return y if self.bias is None else y + per_channel(self.bias, self.axes)

    def details(self) -> str:
        return channels_and_kernel(self) + options(self, stride=1, padding=0, output_padding=0, dilation=1, groups=1)


class ConvTranspose1d(TransposedConvolution):
    """The adjoint of Conv1d: each input value adds a scaled copy of the kernel to the output.

    x: (N, in_channels, L), y: (N, out_channels, (L - 1) s - 2p + d (k - 1) + output_padding + 1).
    weight: (in_channels, out_channels / groups, k), bias: (out_channels,); both initially uniform within 1/sqrt(fan_in) with
    fan_in = out_channels / groups * k, as in PyTorch. Source: Dumoulin and Visin, "A guide to convolution arithmetic", 2016.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.ConvTranspose1d(3, 2, 4, stride=2, padding=1)(sl.zeros((1, 3, 5))).shape
    (1, 2, 10)
    """

    axes = 1


class ConvTranspose2d(TransposedConvolution):
    """The adjoint of Conv2d: each input value adds a scaled copy of the kernel to the output.

    x: (N, in_channels, H, W), y: (N, out_channels, H', W') with H' = (H - 1) s - 2p + d (k - 1) + output_padding + 1.
    weight: (in_channels, out_channels / groups, k, k), bias: (out_channels,); initial values as in ConvTranspose1d.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.ConvTranspose2d(8, 3, 2, stride=2)(sl.zeros((1, 8, 7, 7))).shape
    (1, 3, 14, 14)
    """

    axes = 2


class ConvTranspose3d(TransposedConvolution):
    """The adjoint of Conv3d: x: (N, in_channels, D, H, W), y: (N, out_channels, D', H', W'), sizes as in ConvTranspose2d.

    weight: (in_channels, out_channels / groups, k, k, k), bias: (out_channels,); initial values as in ConvTranspose1d.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.ConvTranspose3d(2, 1, 2, stride=2)(sl.zeros((1, 2, 3, 3, 3))).shape
    (1, 1, 6, 6, 6)
    """

    axes = 3


def separable_convolution(in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                          dilation: Any = 1, bias: bool = True) -> Sequential:
    """A depthwise separable 2-d convolution: one filter per channel (depthwise), then a 1x1 convolution (pointwise).

    It has in (k^2 + out) weights instead of k^2 in out. x: (N, in_channels, H, W), y: (N, out_channels, H', W'),
    sizes, initial values and errors as in Conv2d. Source: Chollet, "Xception", 2017; Howard et al., "MobileNets", 2017.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> net = nn.separable_convolution(8, 16, 3, padding=1)
    >>> net(sl.ones((1, 8, 5, 5))).shape, net.summary((1, 8, 5, 5)).parameters
    ((1, 16, 5, 5), 224)
    """
    return Sequential(Conv2d(in_channels, in_channels, kernel_size, stride, padding, dilation, groups=in_channels, bias=bias),
                      Conv2d(in_channels, out_channels, 1, bias=bias))


def check_groups(owner: str, groups: int, *channels: int) -> None:
    if any(count % groups for count in channels):
        raise ArgumentError(f"{owner}: groups={groups} must divide both in_channels={channels[0]} and out_channels={channels[1]}",
                            why="each group takes an equal share of the channels",
                            repair=f"groups that fit: {', '.join(map(str, divisors(math.gcd(*channels))))}")


def divisors(count: int) -> list[int]:
    return [n for n in range(1, count + 1) if count % n == 0]


def check_output_padding(owner: str, output_padding: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> None:
    if any(extra >= max(step, spread) for extra, step, spread in zip(output_padding, stride, dilation)):
        raise ArgumentError(f"{owner}: output_padding={output_padding} must be smaller than stride={stride} or "
                            f"dilation={dilation}",
                            why="it selects one of the lengths that a convolution with this stride maps to the same length")


def check_padding(owner: str, padding: Any, stride: tuple[int, ...], axes: int) -> str | tuple[int, ...]:
    if padding == "same" and set(stride) != {1}:
        raise ArgumentError(f"{owner}: padding='same' needs stride 1, not {stride}",
                            why="with a larger stride the output is always shorter",
                            repair="pass integers, such as padding=kernel_size // 2")
    return padding if isinstance(padding, str) else per_axis(owner, "padding", padding, axes)


def per_channel(bias: Tensor, axes: int) -> Tensor:
    """Reshape the bias so that it broadcasts along axis 1."""
    return bias.reshape((bias.shape[0],) + (1,) * axes)


def check_channels(layer: Any, x: Tensor, axes: int, channels: int | None) -> None:
    """x must be (N, channels, one size per spatial axis); channels None accepts any number."""
    shape = tuple(x.shape)
    if len(shape) == axes + 2 and channels in (None, shape[1]):
        return
    what, where = layer_and_location(layer, x)
    expected = f"(N, {'C' if channels is None else channels}, {', '.join(LETTERS[axes])})"
    needs = f"{what} needs x of shape {expected}"
    if len(shape) == axes + 2:
        needs = f"{what} needs {channels} {'channel' if channels == 1 else 'channels'} on axis 1"
    raise ShapeError(f"{needs}, but x is {shape}", repair=channel_repair(shape, axes, channels), where=where)


def channel_repair(shape: tuple[int, ...], axes: int, channels: int | None) -> str:
    """The repair for an input whose axes are not (N, channels, ...)."""
    if len(shape) == axes + 2 and shape[-1] == channels:
        order = ", ".join(map(str, (0, axes + 1, *range(1, axes + 1))))
        return f"the channels are the last axis of x: put them second with x.permute_dims(({order}))"
    if len(shape) == axes + 2:
        return f"build it for this input: {shape[1]} as its first argument"
    if len(shape) == axes + 1 and channels in (None, shape[0]):
        return f"for one example, add the batch axis: x.reshape({', '.join(map(str, (1, *shape)))})"
    if len(shape) == axes + 1 and channels == 1:
        return f"add the axis of the one channel: x.reshape({', '.join(map(str, (shape[0], 1, *shape[1:])))})"
    count = "1 axis" if len(shape) == 1 else f"{len(shape)} axes"
    return f"x has {count}, it needs {axes + 2}: batch, channels, and {axes} in space"


def channels_and_kernel(layer: Any) -> str:
    return f"{layer.in_channels} -> {layer.out_channels}, {'x'.join(map(str, layer.kernel_size))}"


def options(layer: Any, **defaults: Any) -> str:
    """The non-default arguments, such as ", stride=2"."""
    text = ""
    for name, default in defaults.items():
        value = getattr(layer, name)
        if value != default and value != (default,) * getattr(layer, "axes", 1):
            text += f", {name}={format_option(value)}"
    return text + ("" if getattr(layer, "bias", True) is not None else ", bias=False")


def format_option(value: Any) -> str:
    return repr(value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value)
