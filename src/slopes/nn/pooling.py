"""Max, average and power-average pooling with a fixed window size."""

from __future__ import annotations

import math
from typing import Any

from ..constraint import FLAG, MARGINS, OPTIONAL_COUNT, OPTIONAL_SIZES, POSITIVE, SIZES, check, per_axis
from ..errors import ArgumentError
from ..ops import composite
from ..tensor import Tensor
from .convolution import check_channels, options
from .module import Module


class MaxPooling(Module):
    """The base class of MaxPool1d, MaxPool2d and MaxPool3d, which define the number of spatial axes."""

    axes: int
    constraints = {"kernel_size": SIZES, "stride": OPTIONAL_SIZES, "padding": MARGINS, "dilation": SIZES, "return_indices": FLAG,
                   "ceil_mode": FLAG}

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, return_indices: bool = False,
                 ceil_mode: bool = False) -> None:
        owner = type(self).__name__
        check(owner, self.constraints, {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation,
                                        "return_indices": return_indices, "ceil_mode": ceil_mode})
        self.kernel_size, self.stride, self.padding = pooling_sizes(owner, kernel_size, stride, padding, self.axes)
        self.dilation, self.ceil_mode = per_axis(owner, "dilation", dilation, self.axes), ceil_mode
        self.return_indices = return_indices

    def forward(self, x: Tensor) -> Any:
        check_channels(self, x, self.axes, None)
        sizes = self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        values = composite.max_pool(x, *sizes)
        return (values, composite.max_pool_indices(x, *sizes)) if self.return_indices else values

    def details(self) -> str:
        return pooling_details(self) + options(self, dilation=1, return_indices=False, ceil_mode=False)


class MaxPool1d(MaxPooling):
    """y[n, c, l] = the maximum of x[n, c, s l - p + d k] over k in the window.

    x: (N, C, L), y: (N, C, L') with L' = floor((L + 2p - d (k - 1) - 1) / s) + 1; the default stride is the window size;
    padding is minus infinity. ceil_mode=True rounds L' up, if the last window begins inside of x or of the padding before it.
    Among equal maxima the first gets the gradient. With return_indices=True the result is the pair of y and the indices of the
    maxima (int64, as y) in the flattened spatial axes of x, which MaxUnpool1d takes.
    Raises ShapeError unless x has 3 axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.MaxPool1d(3, stride=1)(sl.tensor([[[2.0, 3.0, 1.0, 3.0, 2.0, 1.0]]])).numpy().tolist()
    [[[3.0, 3.0, 3.0, 3.0]]]
    """

    axes = 1


class MaxPool2d(MaxPooling):
    """y[n, c, i, j] = the maximum of the window at (s i - p, s j - p).

    x: (N, C, H, W), y: (N, C, H', W'); sizes, padding and ties as in MaxPool1d.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.MaxPool2d(2)(sl.zeros((1, 20, 24, 24))).shape
    (1, 20, 12, 12)
    """

    axes = 2


class MaxPool3d(MaxPooling):
    """MaxPool2d with one more axis: x: (N, C, D, H, W), y: (N, C, D', H', W').

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.MaxPool3d((1, 2, 2))(sl.zeros((1, 2, 3, 8, 8))).shape
    (1, 2, 3, 4, 4)
    """

    axes = 3


class AveragePooling(Module):
    """The base class of AvgPool1d, AvgPool2d and AvgPool3d, which define the number of spatial axes."""

    axes: int
    constraints = {"kernel_size": SIZES, "stride": OPTIONAL_SIZES, "padding": MARGINS, "ceil_mode": FLAG,
                   "count_include_pad": FLAG, "divisor_override": OPTIONAL_COUNT}

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True, divisor_override: int | None = None) -> None:
        owner = type(self).__name__
        check(owner, self.constraints, {
            "kernel_size": kernel_size, "stride": stride, "padding": padding, "ceil_mode": ceil_mode,
            "count_include_pad": count_include_pad, "divisor_override": divisor_override})
        self.kernel_size, self.stride, self.padding = pooling_sizes(owner, kernel_size, stride, padding, self.axes)
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def forward(self, x: Tensor) -> Tensor:
        check_channels(self, x, self.axes, None)
        return composite.avg_pool(x, self.kernel_size, stride=self.stride, padding=self.padding,
                                  count_include_pad=self.count_include_pad, ceil_mode=self.ceil_mode,
                                  divisor_override=self.divisor_override)

    def details(self) -> str:
        return pooling_details(self) + options(self, ceil_mode=False, count_include_pad=True, divisor_override=None)


class AvgPool1d(AveragePooling):
    """y[n, c, l] = the mean of x[n, c, s l - p + k] over k in the window.

    x: (N, C, L), y: (N, C, L') with L' = floor((L + 2p - k) / s) + 1; the default stride is the window size; padding counts as
    zeros, or with count_include_pad=False is excluded. ceil_mode=True rounds L' up, if the last window begins inside of x or of the
    padding before it. AvgPool2d and AvgPool3d have a divisor_override, by which every sum is divided.
    Raises ShapeError unless x has 3 axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.AvgPool1d(6)(sl.tensor([[[2.0, 3.0, 1.0, 3.0, 2.0, 1.0]]])).numpy().tolist()
    [[[2.0]]]
    """

    axes = 1
    constraints = {name: constraint for name, constraint in AveragePooling.constraints.items() if name != "divisor_override"}

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)


class AvgPool2d(AveragePooling):
    """y[n, c, i, j] = the mean of the window at (s i - p, s j - p).

    x: (N, C, H, W), y: (N, C, H', W'); sizes and padding as in AvgPool1d.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.AvgPool2d(2)(sl.ones((1, 1, 6, 6))).shape
    (1, 1, 3, 3)
    """

    axes = 2


class AvgPool3d(AveragePooling):
    """AvgPool2d with one more axis: x: (N, C, D, H, W), y: (N, C, D', H', W').

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.AvgPool3d(2)(sl.ones((1, 1, 4, 4, 4))).shape
    (1, 1, 2, 2, 2)
    """

    axes = 3


class PowerPooling(Module):
    """The base class of LPPool1d, LPPool2d and LPPool3d, which define the number of spatial axes."""

    axes: int
    constraints = {"norm_type": POSITIVE, "kernel_size": SIZES, "stride": OPTIONAL_SIZES, "ceil_mode": FLAG}

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        owner = type(self).__name__
        check(owner, self.constraints, {"norm_type": norm_type, "kernel_size": kernel_size, "stride": stride, "ceil_mode": ceil_mode})
        self.ceil_mode = ceil_mode
        self.norm_type = float(norm_type)
        self.kernel_size, self.stride, self.padding = pooling_sizes(owner, kernel_size, stride, 0, self.axes)

    def forward(self, x: Tensor) -> Tensor:
        check_channels(self, x, self.axes, None)
        powers = x * x if self.norm_type == 2 else x.abs() ** self.norm_type
        if self.norm_type < 1:  # infinite slope at 0
            powers = composite.of_positive("pow", x.abs(), self.norm_type)
        mean = composite.avg_pool(powers, self.kernel_size, stride=self.stride, ceil_mode=self.ceil_mode)
        total = mean * float(math.prod(self.kernel_size))
        return composite.of_positive("pow", total, 1 / self.norm_type)

    def details(self) -> str:
        return f"{self.norm_type:g}, {pooling_details(self)}" + options(self, ceil_mode=False)


class LPPool1d(PowerPooling):
    """y[n, c, l] = (sum of |x[n, c, s l + k]|^p over k in the window)^(1/p), p = norm_type.

    x: (N, C, L), y: (N, C, L') with L' = floor((L - k) / s) + 1; the default stride is the window size. p = 1 is the sum, larger
    p approach the maximum. The gradient of a window of zeros is 0, and for p < 1 so is that of every zero.
    With ceil_mode=True, the sum of a window that reaches beyond x is scaled up to the window's size, as in PyTorch.
    Raises ShapeError unless x has 3 axes. Source: Gulcehre et al., "Learned-norm pooling", 2014.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.LPPool1d(2, 2)(sl.tensor([[[3.0, 4.0, 0.0, 0.0]]])).numpy().tolist()
    [[[5.0, 0.0]]]
    """

    axes = 1


class LPPool2d(PowerPooling):
    """LPPool1d over two axes: x: (N, C, H, W), y: (N, C, H', W').

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.LPPool2d(2, 3)(sl.ones((1, 2, 6, 6))).shape
    (1, 2, 2, 2)
    """

    axes = 2


class LPPool3d(PowerPooling):
    """LPPool1d over three axes: x: (N, C, D, H, W), y: (N, C, D', H', W').

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.LPPool3d(2, 2)(sl.ones((1, 2, 4, 4, 4))).shape
    (1, 2, 2, 2, 2)
    """

    axes = 3


def pooling_sizes(owner: str, kernel_size: Any, stride: Any, padding: Any, axes: int) -> tuple[tuple[int, ...], ...]:
    kernel = per_axis(owner, "kernel_size", kernel_size, axes)
    steps = kernel if stride is None else per_axis(owner, "stride", stride, axes)
    margins = per_axis(owner, "padding", padding, axes)
    if any(2 * margin > size for margin, size in zip(margins, kernel)):
        raise ArgumentError(f"{owner}: padding={margins} must be at most half of kernel_size={kernel}",
                            why="otherwise a window could contain only padding, which has no maximum or mean")
    return kernel, steps, margins


def pooling_details(layer: Any) -> str:
    stride = "" if layer.stride == layer.kernel_size else options(layer, stride=None)
    return "x".join(map(str, layer.kernel_size)) + stride + options(layer, padding=0)
