"""`torch.nn.functional`, its second half: norms, pools, shuffles and distances as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ... import functions as F
from ... import nn as core
from ... import random
from ..sides import lifted


@lifted
def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """(x - mean) / sqrt(variance + eps) of groups of channels, times weight, plus bias; in slopes: nn.GroupNorm."""
    grouped = F.reshape(input, (input.shape[0], num_groups, -1))
    return scaled(F.reshape(normalized(grouped, (2,), eps), input.shape), weight, bias)


@lifted
def instance_norm(input: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
                  use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5) -> Any:
    """(x - mean) / sqrt(variance + eps) of each channel of each example; in slopes: nn.InstanceNorm2d."""
    if use_input_stats:
        return scaled(normalized(input, tuple(range(2, len(input.shape))), eps), weight, bias)
    shape = (1, -1) + (1,) * (len(input.shape) - 2)
    return scaled((input - F.reshape(running_mean, shape)) * F.rsqrt(F.reshape(running_var, shape) + eps), weight, bias)


def normalized(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    """Mean 0 and variance 1 along axes."""
    return (x - F.mean(x, axis=axes, keepdims=True)) * F.rsqrt(F.var(x, axis=axes, keepdims=True) + eps)


def scaled(x: Any, weight: Any, bias: Any) -> Any:
    """Weight and bias of the channels, on axis 1."""
    shape = (1, -1) + (1,) * (len(x.shape) - 2)
    x = x if weight is None else x * F.reshape(weight, shape)
    return x if bias is None else x + F.reshape(bias, shape)


@lifted
def rms_norm(input: Any, normalized_shape: Sequence[int], weight: Any = None, eps: float | None = None) -> Any:
    """x / sqrt(mean x^2 + eps) times weight, eps by default the dtype's; in slopes: nn.RMSNorm."""
    axes = tuple(range(-len(normalized_shape), 0))
    eps = float(F.finfo(input.dtype).eps) if eps is None else eps
    y = input * F.rsqrt(F.mean(input * input, axis=axes, keepdims=True) + eps)
    return y if weight is None else y * weight


@lifted
def prelu(input: Any, weight: Any) -> Any:
    """x where x > 0, else weight x, one weight or one for each channel; in slopes: nn.PReLU."""
    shape = (1, -1) + (1,) * (len(input.shape) - 2) if len(input.shape) > 1 else (-1,)
    return F.where(input > 0, input, F.reshape(weight, shape) * input)


@lifted
def gumbel_softmax(logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Any:
    """softmax((logits - log(-log u)) / tau) of uniform u, with hard=True one-hot forward; in slopes: sl.uniform, sl.softmax."""
    noise = -F.log(-F.log(random.uniform(tuple(logits.shape), 1e-20, 1.0, logits.dtype)))
    soft = F.softmax((logits + noise) / tau, axis=dim)
    if not hard:
        return soft
    chosen = F.moveaxis(F.one_hot(F.argmax(soft, axis=dim), soft.shape[dim], soft.dtype), -1, dim)
    return F.stop_gradient(chosen - soft) + soft


@lifted
def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The p-norm of x - y + eps along the last axis; in slopes: nn.PairwiseDistance."""
    return F.vector_norm(x1 - x2 + eps, axis=-1, ord=p, keepdims=keepdim)


@lifted
def pdist(input: Any, p: float = 2.0) -> Any:
    """The p-norm of x_i - x_j for all i < j; in slopes: sl.vector_norm."""
    count = input.shape[0]
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    first, second = (F.asarray([pair[side] for pair in pairs]) for side in (0, 1))
    return F.vector_norm(F.take(input, first, axis=0) - F.take(input, second, axis=0), axis=-1, ord=p)


@lifted
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """x^T W_k y + b_k; in slopes: nn.Bilinear."""
    y = F.einsum("...i,kij,...j->...k", input1, weight, input2)
    return y if bias is None else y + bias


@lifted
def channel_shuffle(input: Any, groups: int) -> Any:
    """Channels of groups interleaved; in slopes: nn.ChannelShuffle."""
    n, channels, *rest = input.shape
    parts = F.moveaxis(F.reshape(input, (n, groups, channels // groups, *rest)), 1, 2)
    return F.reshape(parts, input.shape)


@lifted
def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """x / (k + alpha mean of squares of neighbouring channels)^beta; in slopes: nn.LocalResponseNorm."""
    return core.LocalResponseNorm(size, alpha, beta, k)(input)


def pooled(name: str) -> Callable[..., Any]:
    """A pooling layer as a function: its arguments follow the input."""
    kind = getattr(core, name)

    @lifted
    def function(input: Any, *args: Any, **options: Any) -> Any:
        return kind(*args, **options)(input)

    function.__doc__ = kind.__doc__
    return function


lp_pool1d, lp_pool2d, lp_pool3d = map(pooled, ("LPPool1d", "LPPool2d", "LPPool3d"))
adaptive_avg_pool3d, adaptive_max_pool3d = map(pooled, ("AdaptiveAvgPool3d", "AdaptiveMaxPool3d"))

NAMES = ("group_norm", "instance_norm", "rms_norm", "prelu", "gumbel_softmax", "pairwise_distance", "pdist", "bilinear", "channel_shuffle",
         "local_response_norm", "lp_pool1d", "lp_pool2d", "lp_pool3d", "adaptive_avg_pool3d", "adaptive_max_pool3d")
