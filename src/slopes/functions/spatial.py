"""Functions over one, two or three spatial axes: convolution and pooling. Shapes are (batch, channels, *spatial)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from ..ops import composite
from ..tensor import Tensor, asarray

__all__ = [
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "max_pool1d", "max_pool2d", "max_pool3d",
]

Sizes = int | Sequence[int]


def check_input(name: str, x: Any, axes: int) -> Tensor:
    """x as a tensor; ShapeError unless it has batch, channels and this many spatial axes."""
    x = asarray(x)
    if x.ndim != axes + 2:
        raise ShapeError(f"{name}: x of shape {x.shape} has {x.ndim} axes, not {axes + 2}",
                         why="the axes are batch, channels, " + ("length", "height, width", "depth, height, width")[axes - 1],
                         repair="give a single example a batch axis: x[None]" if x.ndim == axes + 1 else "")
    return x


def convolve(axes: int, x: Any, weight: Any, bias: Any, stride: Sizes, padding: Any, dilation: Sizes, groups: int) -> Tensor:
    y = composite.convolution(check_input(f"conv{axes}d", x, axes), asarray(weight), stride, padding, dilation, groups)
    return with_bias(y, bias, axes)


def with_bias(y: Tensor, bias: Any, axes: int) -> Tensor:
    return y if bias is None else y + asarray(bias).reshape(-1, *[1] * axes)


def conv1d(x: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Any = 0, dilation: Sizes = 1,
           groups: int = 1) -> Tensor:
    """y[n, o, l] = bias[o] + sum over c, k of x[n, c, stride l + dilation k - padding] weight[o, c, k].

    x (N, C, L), weight (O, C / groups, K), bias (O,) -> (N, O, L'):
    L' = floor((L + 2 padding - dilation (K - 1) - 1) / stride) + 1.
    padding: an integer, integers or pairs per axis, "same" or "valid". Raises ShapeError for channels or axes that do not match.
    (This is a cross-correlation, as is usual.)

    >>> sl.conv1d([[[2., 3., 1., 3., 2., 1.]]], [[[1., 2., 1.]]])
    tensor([[[9., 8., 9., 8.]]])
    """
    return convolve(1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(x: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Any = 0, dilation: Sizes = 1,
           groups: int = 1) -> Tensor:
    """y[n, o, p] = bias[o] + sum over c, k of x[n, c, stride p + dilation k - padding] weight[o, c, k], p and k over two axes.

    x (N, C, H, W), weight (O, C / groups, KH, KW), bias (O,) -> (N, O, H', W'), sizes and errors as in conv1d.

    >>> x = sl.arange(9, dtype="float32").reshape(1, 1, 3, 3)
    >>> sl.conv2d(x, [[[[0., 1.], [2., 3.]]]])
    tensor([[[[19., 25.],
              [37., 43.]]]])
    """
    return convolve(2, x, weight, bias, stride, padding, dilation, groups)


def conv3d(x: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Any = 0, dilation: Sizes = 1,
           groups: int = 1) -> Tensor:
    """The convolution of conv1d over three spatial axes: x (N, C, D, H, W), weight (O, C / groups, KD, KH, KW).

    >>> sl.conv3d(sl.ones((1, 2, 3, 3, 3)), sl.ones((1, 2, 3, 3, 3)))
    tensor([[[[[54.]]]]])
    """
    return convolve(3, x, weight, bias, stride, padding, dilation, groups)


def transposed_convolve(axes: int, x: Any, weight: Any, bias: Any, stride: Sizes, padding: Any, output_padding: Sizes, dilation: Sizes,
               groups: int) -> Tensor:
    x = check_input(f"conv_transpose{axes}d", x, axes)
    y = composite.transposed_convolution(x, asarray(weight), stride, padding, output_padding, dilation, groups)
    return with_bias(y, bias, axes)


def conv_transpose1d(x: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Any = 0, output_padding: Sizes = 0,
                     groups: int = 1, dilation: Sizes = 1) -> Tensor:
    """The transposed convolution: each element of x adds a scaled copy of the kernel to the output.

    x (N, C, L), weight (C, O / groups, K) -> (N, O, L'), L' = (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1.

    >>> sl.conv_transpose1d([[[1., 2.]]], [[[1., 1.]]], stride=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    return transposed_convolve(1, x, weight, bias, stride, padding, output_padding, dilation, groups)


def conv_transpose2d(x: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Any = 0, output_padding: Sizes = 0,
                     groups: int = 1, dilation: Sizes = 1) -> Tensor:
    """The transposed convolution of conv_transpose1d over two spatial axes: x (N, C, H, W), weight (C, O / groups, KH, KW).

    >>> kernel = [[[[0., 1.], [2., 3.]]]]
    >>> sl.conv_transpose2d(kernel, kernel)
    tensor([[[[ 0.,  0.,  1.],
              [ 0.,  4.,  6.],
              [ 4., 12.,  9.]]]])
    """
    return transposed_convolve(2, x, weight, bias, stride, padding, output_padding, dilation, groups)


def conv_transpose3d(x: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Any = 0, output_padding: Sizes = 0,
                     groups: int = 1, dilation: Sizes = 1) -> Tensor:
    """The transposed convolution of conv_transpose1d over three spatial axes.

    >>> sl.conv_transpose3d(sl.ones((1, 1, 1, 1, 1)), sl.ones((1, 1, 2, 2, 2))).shape
    (1, 1, 2, 2, 2)
    """
    return transposed_convolve(3, x, weight, bias, stride, padding, output_padding, dilation, groups)


def per_axis(size: Sizes, axes: int) -> Sizes:
    return (size,) * axes if isinstance(size, int) else size


def max_pool(x: Tensor, size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool,
             return_indices: bool) -> Tensor | tuple[Tensor, Tensor]:
    """The maxima of windows, or with return_indices the pair of the maxima and their indices."""
    values = composite.max_pool(x, size, stride, padding, dilation, ceil_mode)
    return (values, composite.max_pool_indices(x, size, stride, padding, dilation, ceil_mode)) if return_indices else values


def max_pool1d(x: Any, kernel_size: Sizes, stride: Any = None, padding: Any = 0, dilation: Sizes = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Tensor | tuple[Tensor, Tensor]:
    """The maximum of each window: x (N, C, L) -> (N, C, L'), sizes as in conv1d; the default stride is the window size.

    Among equal maxima the first gets the gradient. Padding is minus infinity. ceil_mode rounds L' up, if the last window begins
    inside of x or of the padding before it. With return_indices, the pair of the maxima and their indices (int64) in the flattened
    spatial axes of x, which nn.MaxUnpool1d takes.

    >>> sl.max_pool1d([[[2., 3., 1., 3., 2., 1.]]], 3)
    tensor([[[3., 3.]]])
    >>> sl.max_pool1d([[[2., 3., 1., 3., 2., 1.]]], 3, return_indices=True)[1]
    tensor([[[1, 3]]])
    """
    return max_pool(check_input("max_pool1d", x, 1), per_axis(kernel_size, 1), stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(x: Any, kernel_size: Sizes, stride: Any = None, padding: Any = 0, dilation: Sizes = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Tensor | tuple[Tensor, Tensor]:
    """The maximum of each window: x (N, C, H, W) -> (N, C, H', W'); the default stride is the window size.

    >>> sl.max_pool2d(sl.arange(9, dtype="float32").reshape(1, 1, 3, 3), 2, stride=1)
    tensor([[[[4., 5.],
              [7., 8.]]]])
    """
    return max_pool(check_input("max_pool2d", x, 2), per_axis(kernel_size, 2), stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(x: Any, kernel_size: Sizes, stride: Any = None, padding: Any = 0, dilation: Sizes = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Tensor | tuple[Tensor, Tensor]:
    """The maximum of each window over three spatial axes.

    >>> sl.max_pool3d(sl.zeros((1, 2, 4, 4, 4)), 2).shape
    (1, 2, 2, 2, 2)
    """
    return max_pool(check_input("max_pool3d", x, 3), per_axis(kernel_size, 3), stride, padding, dilation, ceil_mode, return_indices)


def avg_pool1d(x: Any, kernel_size: Sizes, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Tensor:
    """The mean of each window: x (N, C, L) -> (N, C, L'); padded zeros count as elements unless count_include_pad=False.

    ceil_mode is that of max_pool1d; what is beyond the padding does not count.

    >>> sl.avg_pool1d([[[2., 3., 1., 3., 2., 1.]]], 3)
    tensor([[[2., 2.]]])
    """
    return composite.avg_pool(check_input("avg_pool1d", x, 1), per_axis(kernel_size, 1), stride, padding, count_include_pad, ceil_mode)


def avg_pool2d(x: Any, kernel_size: Sizes, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor:
    """The mean of each window: x (N, C, H, W) -> (N, C, H', W'); with divisor_override, the sum divided by this number.

    >>> sl.avg_pool2d(sl.arange(9, dtype="float32").reshape(1, 1, 3, 3), 2, stride=1)
    tensor([[[[2., 3.],
              [5., 6.]]]])
    """
    return composite.avg_pool(check_input("avg_pool2d", x, 2), per_axis(kernel_size, 2), stride, padding, count_include_pad, ceil_mode,
                              divisor_override)


def avg_pool3d(x: Any, kernel_size: Sizes, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor:
    """The mean of each window over three spatial axes.

    >>> sl.avg_pool3d(sl.ones((1, 1, 2, 2, 2)), 2)
    tensor([[[[[1.]]]]])
    """
    return composite.avg_pool(check_input("avg_pool3d", x, 3), per_axis(kernel_size, 3), stride, padding, count_include_pad, ceil_mode,
                              divisor_override)
