"""Batch normalization: each channel is normalized to mean 0 and variance 1 over the batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..constraint import COUNT, FACTORY, FLAG, OPTIONAL_SHARE, POSITIVE, Constraint, check
from ..errors import ShapeError
from ..graph.build import build
from ..modes import no_grad
from ..ops.composite import mean
from ..tensor import Tensor
from . import init
from .convolution import LETTERS
from .hyper_parameter import HyperParameter
from .module import Buffer, Module
from .where import layer_and_location


class BatchNorm(Module):
    """The base class of BatchNorm1d, BatchNorm2d and BatchNorm3d, which define the allowed number of axes of x."""

    ranks: tuple[int, ...]
    weight: Any  # Parameter (num_features,), ones; None without affine, like bias
    bias: Any  # Parameter (num_features,), zeros; None with bias=False
    running_mean: Any  # Buffer (num_features,), zeros; None without track_running_stats, like the next two
    running_var: Any  # Buffer (num_features,), ones
    num_batches_tracked: Any  # Buffer ()
    momentum = HyperParameter(OPTIONAL_SHARE)
    constraints: dict[str, Constraint] = {"num_features": COUNT, "eps": POSITIVE, "momentum": OPTIONAL_SHARE, "affine": FLAG,
                                          "track_running_stats": FLAG, "bias": FLAG, **FACTORY}

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        check(type(self).__name__, self.constraints, {
            "num_features": num_features, "eps": eps, "momentum": momentum, "affine": affine,
            "track_running_stats": track_running_stats, "bias": bias})
        self.num_features, self.eps = int(num_features), float(eps)
        self.momentum = momentum
        size = (self.num_features,)
        self.weight = init.ones(init.blank(size)) if affine else None
        self.bias = init.blank(size) if affine and bias else None
        self.running_mean = Buffer(np.zeros(size, np.float32)) if track_running_stats else None
        self.running_var = Buffer(np.ones(size, np.float32)) if track_running_stats else None
        self.num_batches_tracked = Buffer(np.zeros((), np.int64)) if track_running_stats else None
        self.to(device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        self.check_input(x)
        if self.uses_batch_statistics():
            y = self.normalize_batch(x)
        else:
            y = normalize(x, self.per_channel(self.running_mean, x), self.per_channel(self.running_var, x), self.eps)
        y = y if self.weight is None else y * self.per_channel(self.weight, x)
        return y if self.bias is None else y + self.per_channel(self.bias, x)

    def normalize_batch(self, x: Tensor) -> Tensor:
        """x normalized by its own mean and variance; in training mode they update the running statistics."""
        axes = self.axes(x)
        middle = mean(x, axis=axes, keepdims=True)
        centred = x - middle
        spread = mean(centred * centred, axis=axes, keepdims=True)  # the biased variance: divided by the number of values
        if self.training and self.running_mean is not None:
            self.track(middle, spread, self.count(x))
        return centred * build("rsqrt", spread + self.eps)

    def axes(self, x: Tensor) -> tuple[int, ...]:
        """The axes of mean and variance."""
        return (0, *range(2, x.ndim))

    def count(self, x: Tensor) -> int:
        """The number of values of each mean."""
        return math.prod(x.shape[axis] for axis in self.axes(x))

    def track(self, batch_mean: Tensor, batch_var: Tensor, count: int) -> None:
        """Update the running statistics with those of the batch; the running variance is the unbiased one."""
        with no_grad():
            self.num_batches_tracked.assign(self.num_batches_tracked + 1)
            share = self.share().astype(self.running_mean.dtype)
            unbiased = batch_var.detach() * (count / (count - 1))
            for running, value in ((self.running_mean, batch_mean.detach()), (self.running_var, unbiased)):
                running.assign((1 - share) * running + share * value.reshape((self.num_features,)).astype(running.dtype))

    def share(self) -> Tensor:
        """The weight of the new statistics; without a momentum, all batches have equal weight."""
        return 1 / self.num_batches_tracked.astype(np.float64) if self.momentum is None else self.momentum

    def per_channel(self, values: Tensor, x: Tensor) -> Tensor:
        """Reshape one value per channel so that it broadcasts along axis 1."""
        return values.reshape((1, self.num_features) + (1,) * (x.ndim - 2))

    def check_input(self, x: Tensor) -> None:
        shape = tuple(x.shape)
        if len(shape) not in self.ranks or shape[1] != self.num_features:
            raise self.wrong_shape(x)
        if self.uses_batch_statistics() and self.count(x) <= 1:
            raise self.too_few(x)

    def too_few(self, x: Tensor) -> ShapeError:
        what, where = layer_and_location(self, x)
        return ShapeError(f"{what} needs more than one value per channel in training, but x is {tuple(x.shape)}",
                          why="training uses the mean and variance of the batch, and one value has no variance",
                          repair="train with larger batches (drop a last batch of 1), or call net.eval() first", where=where)

    def uses_batch_statistics(self) -> bool:
        return self.training or self.running_mean is None

    def wrong_shape(self, x: Tensor) -> ShapeError:
        what, where = layer_and_location(self, x)
        shape, count = tuple(x.shape), self.num_features
        if len(shape) in self.ranks:
            repair = f"build it for this input: nn.{type(self).__name__}({shape[1]})"
            return ShapeError(f"{what} needs {count} channels on axis 1, but x is {shape}", repair=repair, where=where)
        expected = " or ".join(f"({', '.join(('N', str(count), *LETTERS.get(rank - 2, '')))})" for rank in self.ranks)
        return ShapeError(f"{what} needs x of shape {expected}, but x is {shape}", where=where)

    def details(self) -> str:
        bias = ", bias=False" if self.bias is None and self.weight is not None else ""
        return f"{self.num_features}" + ("" if self.weight is not None else ", affine=False") + bias


class BatchNorm1d(BatchNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and (biased) variance per channel over the batch.

    x and y: (N, C) or (N, C, L). weight, bias, running_mean, running_var: (C,), initially ones, zeros, zeros, ones.
    Training mode updates the running statistics: running = (1 - momentum) running + momentum new, where the new variance is the
    unbiased one; momentum=None averages all batches equally. In eval mode the running statistics are used instead of those of
    the batch.
    Raises ShapeError for another number of channels, and in training mode for a batch with one value per channel.
    Source: Ioffe and Szegedy, "Batch normalization", 2015.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> layer = nn.BatchNorm1d(2)
    >>> y = layer(sl.tensor([[1.0, 5.0], [3.0, 9.0]]))
    >>> y.numpy().round(3).tolist(), layer.running_mean.numpy().round(3).tolist()
    ([[-1.0, -1.0], [1.0, 1.0]], [0.20000000298023224, 0.699999988079071])
    """

    ranks = (2, 3)


class BatchNorm2d(BatchNorm):
    """BatchNorm1d for images: mean and variance over the batch and both spatial axes.

    x and y: (N, C, H, W). weight, bias, running_mean, running_var: (C,); everything else as in BatchNorm1d.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.BatchNorm2d(3)(sl.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    ranks = (4,)


class BatchNorm3d(BatchNorm):
    """BatchNorm2d with one more axis: x and y: (N, C, D, H, W). weight, bias, running_mean, running_var: (C,).

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.BatchNorm3d(3)(sl.ones((2, 3, 2, 4, 4))).shape
    (2, 3, 2, 4, 4)
    """

    ranks = (5,)


def normalize(x: Tensor, mean_: Tensor, var: Tensor, eps: float) -> Tensor:
    return (x - mean_) * build("rsqrt", var + eps)
