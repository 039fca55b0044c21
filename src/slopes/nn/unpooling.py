"""Unpooling: maxima written back to the indices that max pooling returned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..constraint import MARGINS, OPTIONAL_SIZES, SIZES, check
from ..errors import ShapeError
from ..functions import put_along_axis, zeros
from ..tensor import Tensor
from .convolution import check_channels
from .module import Module
from .pooling import pooling_details, pooling_sizes
from .where import layer_and_location


class MaxUnpooling(Module):
    """The base class of MaxUnpool1d, MaxUnpool2d and MaxUnpool3d, which define the number of spatial axes."""

    axes: int
    constraints = {"kernel_size": SIZES, "stride": OPTIONAL_SIZES, "padding": MARGINS}

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        owner = type(self).__name__
        check(owner, self.constraints, {"kernel_size": kernel_size, "stride": stride, "padding": padding})
        self.kernel_size, self.stride, self.padding = pooling_sizes(owner, kernel_size, stride, padding, self.axes)

    def forward(self, x: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        check_channels(self, x, self.axes, None)
        if indices.shape != x.shape:
            what, where = layer_and_location(self, x)
            raise ShapeError(f"{what} has x of shape {x.shape} and indices of shape {indices.shape}", where=where,
                             why="every element of x has one index", repair="pass both results of max pooling with return_indices=True")
        shape = *x.shape[:2], *self.spatial_sizes(x, output_size)
        flat = zeros((*shape[:2], math.prod(shape[2:])), dtype=x.dtype)
        lines = (*x.shape[:2], math.prod(x.shape[2:]))
        return put_along_axis(flat, indices.reshape(lines), x.reshape(lines), axis=2).reshape(shape)

    def spatial_sizes(self, x: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """The spatial sizes of the result: output_size, if pooling of that size gives x, or by default the one of exact windows."""
        smallest = tuple((n - 1) * s - 2 * p + k for n, s, p, k in zip(x.shape[2:], self.stride, self.padding, self.kernel_size))
        if output_size is None:
            return smallest
        sizes = tuple(output_size)[-self.axes:]
        fits = len(output_size) in (self.axes, self.axes + 2)
        if not fits or any(abs(size - n) >= s for size, n, s in zip(sizes, smallest, self.stride)):
            what, where = layer_and_location(self, x)
            raise ShapeError(f"{what} makes no output_size={tuple(output_size)} of x {x.shape}", where=where,
                             why=f"windows of x cover {smallest}, and a size may differ by less than the stride {self.stride}",
                             repair="pass the shape of the input of the max pooling")
        return sizes

    def details(self) -> str:
        return pooling_details(self)


class MaxUnpool1d(MaxUnpooling):
    """y[n, c, indices[n, c, l]] = x[n, c, l], and 0 elsewhere: the inverse of MaxPool1d but for the elements that were no maxima.

    x, indices: (N, C, L), the results of MaxPool1d(kernel_size, stride, padding, return_indices=True); y: (N, C, L') with
    L' = s (L - 1) - 2p + k, or the last size of `output_size`, the shape before pooling. Where windows overlap an index may occur
    twice: y is the mean of its values there, which are equal after pooling, and their gradient is divided among them; PyTorch writes
    one of them, and gives each the whole gradient. Raises ShapeError, and OutOfRangeError for an index that y does not have.
    Source: Zeiler, Taylor and Fergus, "Adaptive deconvolutional networks", 2011.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> y, indices = nn.MaxPool1d(2, return_indices=True)(sl.tensor([[[2.0, 3.0, 5.0, 1.0]]]))
    >>> nn.MaxUnpool1d(2)(y, indices).numpy().tolist()
    [[[0.0, 3.0, 5.0, 0.0]]]
    """

    axes = 1


class MaxUnpool2d(MaxUnpooling):
    """MaxUnpool1d over two axes: x, indices: (N, C, H, W), y: (N, C, H', W'); indices count row by row.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.MaxUnpool2d(2)(sl.ones((1, 1, 1, 1)), sl.tensor([[[[2]]]])).numpy().tolist()
    [[[[0.0, 0.0], [1.0, 0.0]]]]
    """

    axes = 2


class MaxUnpool3d(MaxUnpooling):
    """MaxUnpool1d over three axes: x, indices: (N, C, D, H, W), y: (N, C, D', H', W').

    >>> import slopes as sl
    >>> from slopes import nn
    >>> y, indices = nn.MaxPool3d(2, return_indices=True)(sl.ones((1, 2, 4, 5, 4)))
    >>> nn.MaxUnpool3d(2)(y, indices, (1, 2, 4, 5, 4)).shape
    (1, 2, 4, 5, 4)
    """

    axes = 3
