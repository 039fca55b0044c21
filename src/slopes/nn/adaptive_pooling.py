"""Adaptive and global pooling: windows chosen from the output size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..constraint import FLAG, Constraint, check, is_count, per_axis
from ..errors import ShapeError, missing_method
from ..functions import argmax, broadcast_to, take, take_along_axis
from ..graph.build import build
from ..ops import composite
from ..tensor import Tensor, tensor
from .convolution import check_channels, options
from .module import Module
from .where import layer_and_location

OUTPUT_SIZES = Constraint("a whole number of at least 1 or None, or one per axis",
                          lambda value: all(n is None or is_count(n) for n in (value if isinstance(value, (tuple, list)) else (value,)))
                          and value not in ((), []), (0, -2, 1.5, (3, 0), (), "3"))


class AdaptivePooling(Module):
    """The base class of adaptive pooling; subclasses define the number of spatial axes and how one axis is pooled."""

    axes: int
    constraints = {"output_size": OUTPUT_SIZES}

    def __init__(self, output_size: Any) -> None:
        check(type(self).__name__, self.constraints, {"output_size": output_size})
        self.output_size = output_sizes(type(self).__name__, output_size, self.axes)

    def forward(self, x: Tensor) -> Tensor:
        check_channels(self, x, self.axes, None)
        for axis in range(self.axes + 1, 1, -1):
            x = self.pool(x, axis, self.output_size[axis - 2] or x.shape[axis])
        return x

    def pool(self, x: Tensor, axis: int, count: int) -> Tensor:
        """Pool one axis of x to `count` values."""
        raise missing_method(self, "pooled")

    def details(self) -> str:
        return "x".join(map(str, self.output_size))


class AdaptiveAveraging(AdaptivePooling):
    """The mean of each window."""

    def pool(self, x: Tensor, axis: int, count: int) -> Tensor:
        return average_pool(x, axis, count)


class AdaptiveMaximum(AdaptivePooling):
    """The largest value of each window."""

    constraints = {"output_size": OUTPUT_SIZES, "return_indices": FLAG}

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        check(type(self).__name__, self.constraints, {"return_indices": return_indices})
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, x: Tensor) -> Any:
        values = super().forward(x)
        return (values, self.indices(x)) if self.return_indices else values

    def pool(self, x: Tensor, axis: int, count: int) -> Tensor:
        return max_pool(x, axis, count)

    def indices(self, x: Tensor) -> Tensor:
        """The indices of the maxima in the flattened spatial axes of x: those of each axis choose among those of the axis before."""
        spatial = x.shape[2:]
        indices = broadcast_to(tensor(np.arange(math.prod(spatial)).reshape(spatial)), x.shape)
        for axis in range(self.axes + 1, 1, -1):
            members = tensor(window_indices(x.shape[axis], self.output_size[axis - 2] or x.shape[axis]))
            candidates, x = take(indices, members, axis), take(x, members, axis)
            best = argmax(x, axis + 1, keepdims=True)
            indices, x = (take_along_axis(y, best, axis + 1).squeeze(axis + 1) for y in (candidates, x))
        return indices

    def details(self) -> str:
        return super().details() + options(self, return_indices=False)


class AdaptiveAvgPool1d(AdaptiveAveraging):
    """The mean over n = output_size windows that cover the axis evenly: window i is [floor(i L / n), ceil((i + 1) L / n)).

    x: (N, C, L), y: (N, C, n); n = 1 is global average pooling. Raises ShapeError unless x has 3 axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.AdaptiveAvgPool1d(2)(sl.tensor([[[1.0, 2.0, 3.0]]])).numpy().tolist()
    [[[1.5, 2.5]]]
    """

    axes = 1


class AdaptiveAvgPool2d(AdaptiveAveraging):
    """AdaptiveAvgPool1d over two axes: x: (N, C, H, W), y: (N, C, n, m); None keeps the size of an axis. output_size=1 is the global
    average pooling of Lin et al., "Network in network", 2013.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.AdaptiveAvgPool2d(1)(sl.ones((2, 8, 5, 7))).shape
    (2, 8, 1, 1)
    """

    axes = 2


class AdaptiveAvgPool3d(AdaptiveAveraging):
    """AdaptiveAvgPool1d over three axes: x: (N, C, D, H, W), y: (N, C, n, m, k).

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.AdaptiveAvgPool3d((1, 2, 2))(sl.ones((1, 2, 3, 5, 7))).shape
    (1, 2, 1, 2, 2)
    """

    axes = 3


class AdaptiveMaxPool1d(AdaptiveMaximum):
    """The maximum of n = output_size windows that cover the axis evenly: window i is [floor(i L / n), ceil((i + 1) L / n)).

    x: (N, C, L), y: (N, C, n). Among equal maxima the first gets the gradient. With return_indices=True the result is the pair of y
    and the indices of the maxima (int64, as y) in the flattened spatial axes of x. Raises ShapeError unless x has 3 axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.AdaptiveMaxPool1d(2)(sl.tensor([[[1.0, 3.0, 2.0]]])).numpy().tolist()
    [[[3.0, 3.0]]]
    """

    axes = 1


class AdaptiveMaxPool2d(AdaptiveMaximum):
    """AdaptiveMaxPool1d over two axes: x: (N, C, H, W), y: (N, C, n, m).

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.AdaptiveMaxPool2d((3, 2))(sl.ones((2, 8, 5, 7))).shape
    (2, 8, 3, 2)
    """

    axes = 2


class AdaptiveMaxPool3d(AdaptiveMaximum):
    """AdaptiveMaxPool1d over three axes: x: (N, C, D, H, W), y: (N, C, n, m, k).

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.AdaptiveMaxPool3d((None, 2, 2))(sl.ones((1, 2, 3, 5, 7))).shape
    (1, 2, 3, 2, 2)
    """

    axes = 3


class GlobalAvgPool(Module):
    """y[n, c] = the mean of channel c of example n over all positions: AdaptiveAvgPool(1) and Flatten in one.

    x: (N, C, ...) with at least one position, y: (N, C). Raises ShapeError for fewer than 3 axes or no position.
    Source: Lin, Chen, Yan, "Network in network", 2013.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.GlobalAvgPool()(sl.ones((2, 8, 5, 7))).shape
    (2, 8)
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.mean(x, axis=spatial_axes(self, x))


class GlobalMaxPool(Module):
    """y[n, c] = the maximum of channel c of example n over all positions; among equal maxima the first gets the gradient.

    x: (N, C, ...) with at least one position, y: (N, C). Raises ShapeError for fewer than 3 axes or no position.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.GlobalMaxPool()(sl.tensor([[[1.0, 3.0, 2.0]]])).numpy().tolist()
    [[3.0]]
    """

    def forward(self, x: Tensor) -> Tensor:
        return build("max_first", x, axes=spatial_axes(self, x))


def output_sizes(owner: str, value: Any, axes: int) -> tuple[int | None, ...]:
    """A size, or None for that of x, for each axis."""
    if value is None:
        return (None,) * axes
    if isinstance(value, (tuple, list)):
        known = per_axis(owner, "output_size", [1 if n is None else n for n in value], axes)
        return tuple(None if n is None else size for n, size in zip(value, known))
    return per_axis(owner, "output_size", value, axes)


def average_pool(x: Tensor, axis: int, count: int) -> Tensor:
    """Average `axis` of x to `count` values."""
    length = x.shape[axis]
    if count == 1:
        return composite.mean(x, axis=axis, keepdims=True)
    if count == length:
        return x
    weights = tensor(averaging_matrix(length, count).astype(x.dtype))
    last = x.permute_dims(swap_with_last(x.ndim, axis))
    return composite.matmul(last, weights).permute_dims(swap_with_last(x.ndim, axis))


def swap_with_last(rank: int, axis: int) -> tuple[int, ...]:
    """The permutation that swaps `axis` with the last axis (its own inverse)."""
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    return tuple(order)


def max_pool(x: Tensor, axis: int, count: int) -> Tensor:
    """The maxima of `count` windows along `axis`."""
    length = x.shape[axis]
    if count == length:
        return x
    if count == 1:
        return build("max_first", x, axes=(axis,)).reshape((*x.shape[:axis], 1, *x.shape[axis + 1:]))
    # All windows get one length: shorter ones repeat their last index, which changes neither value nor gradient.
    return build("max_first", build("take", x, tensor(window_indices(length, count)), axis=axis), axes=(axis + 1,))


def window_bounds(length: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(start, stop) of each window, stop exclusive."""
    index = np.arange(count)
    return index * length // count, -(-((index + 1) * length) // count)


def window_indices(length: int, count: int) -> np.ndarray:
    """(count, longest window): the indices of each window."""
    start, stop = window_bounds(length, count)
    return np.minimum(start[:, None] + np.arange((stop - start).max(initial=1)), stop[:, None] - 1)


def spatial_axes(layer: Module, x: Tensor) -> tuple[int, ...]:
    """The axes after batch and channels."""
    shape = tuple(x.shape)
    if len(shape) < 3 or 0 in shape[2:]:
        what, where = layer_and_location(layer, x)
        raise ShapeError(f"{what} needs x of shape (N, C, ...) with at least one position, but x is {shape}", where=where,
                         repair=f"for one example, add the batch axis: x.reshape(1, {', '.join(map(str, shape))})"
                         if len(shape) == 2 else "")
    return tuple(range(2, len(shape)))


def averaging_matrix(length: int, count: int) -> np.ndarray:
    """The (length, count) matrix whose column i computes the mean of window i."""
    position = np.arange(length)[:, None]
    start, stop = window_bounds(length, count)
    inside = (position >= start) & (position < stop)
    return inside / (stop - start)
