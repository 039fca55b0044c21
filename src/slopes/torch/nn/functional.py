"""`torch.nn.functional`: layers and losses as functions, with PyTorch's arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ... import functions as F
from ... import nn as core
from ...errors import ArgumentError
from ...graph.dtype import is_integer
from .. import functions
from ..sides import lifted
from . import functional_layers

# Activations


def plain(name: str) -> Callable[..., Any]:
    """An activation of the core; PyTorch's `inplace` has no effect on the result."""
    function = getattr(F, name)

    @lifted
    def activation(input: Any, *args: Any, inplace: bool = False, **options: Any) -> Any:
        return function(input, *args, **options)

    activation.__name__, activation.__doc__ = name, function.__doc__
    return activation


ACTIVATIONS = ("celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "mish", "relu6", "selu",
               "sigmoid", "silu", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold")
globals().update({name: plain(name) for name in ACTIVATIONS})
logsigmoid = plain("log_sigmoid")

softmax, log_softmax = functions.softmax, functions.log_softmax


@lifted
def relu(input: Any, inplace: bool = False) -> Any:
    return F.relu(input)


@lifted
def softmin(input: Any, dim: int, dtype: Any = None) -> Any:
    return F.softmin(input if dtype is None else F.astype(input, dtype), axis=dim)


@lifted
def normalize(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Any:
    return input / F.clip(F.vector_norm(input, axis=dim, keepdims=True, ord=p), eps)


@lifted
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    lengths = F.sqrt(F.sum(x1 * x1, axis=dim)) * F.sqrt(F.sum(x2 * x2, axis=dim))
    return F.sum(x1 * x2, axis=dim) / F.clip(lengths, eps)


# Layers


@lifted
def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    y = F.matmul(input, F.matrix_transpose(weight))
    return y if bias is None else y + bias


@lifted
def embedding(input: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """Rows of the table; the row `padding_idx` gets no gradient."""
    if padding_idx is not None:
        row = F.reshape(F.arange(weight.shape[0]) == padding_idx % weight.shape[0], (-1, 1))
        weight = F.where(row, weight.detach(), weight)
    return F.take(weight, input, axis=0)


@lifted
def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    count = int(F.max(tensor).item()) + 1 if num_classes == -1 else num_classes
    return F.one_hot(tensor, count, dtype="int64")


def in_training(layer: Any) -> Callable[..., Any]:
    """Dropout as a function: a layer of the core in training or evaluation mode."""
    @lifted
    def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        return layer(p).train(training)(input)

    return dropout


dropout, dropout2d, alpha_dropout = in_training(core.Dropout), in_training(core.Dropout2d), in_training(core.AlphaDropout)


@lifted
def batch_norm(input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False,
               momentum: float = 0.1, eps: float = 1e-5) -> Any:
    """Batch norm with these statistics, or those of the batch in training; running statistics are updated by nn.BatchNorm2d only."""
    axes = (0, *range(2, len(input.shape)))
    shape = (1, -1) + (1,) * (len(input.shape) - 2)
    if training and running_mean is not None:
        raise ArgumentError("batch_norm: a function does not update running statistics", repair="use nn.BatchNorm2d, which has them")
    mean = F.mean(input, axis=axes) if training else running_mean
    variance = F.var(input, axis=axes) if training else running_var
    y = (input - mean.reshape(shape)) * F.rsqrt(variance.reshape(shape) + eps)
    y = y if weight is None else y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


@lifted
def layer_norm(input: Any, normalized_shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    axes = tuple(range(-len(normalized_shape), 0))
    mean = F.mean(input, axis=axes, keepdims=True)
    y = (input - mean) * F.rsqrt(F.var(input, axis=axes, keepdims=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


@lifted
def scaled_dot_product_attention(query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
                                 scale: float | None = None, enable_gqa: bool = False) -> Any:
    return F.scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)


def convolution(name: str) -> Callable[..., Any]:
    return lifted(getattr(F, name))


conv1d, conv2d, conv3d = convolution("conv1d"), convolution("conv2d"), convolution("conv3d")
conv_transpose1d, conv_transpose2d, conv_transpose3d = map(convolution, ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"))


def through_layer(kind: Any) -> Callable[..., Any]:
    """A layer without parameters as a function: its arguments follow the input."""
    @lifted
    def function(input: Any, *args: Any, **options: Any) -> Any:
        return kind(*args, **options)(input)

    function.__doc__ = kind.__doc__
    return function


def max_pool(pool: Callable[..., Any]) -> Callable[..., Any]:
    """Max pooling of the core, with PyTorch's name of the input."""
    @lifted
    def function(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
                 return_indices: bool = False) -> Any:
        return pool(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)

    function.__doc__ = pool.__doc__
    return function


def max_unpool(kind: Any) -> Callable[..., Any]:
    """Unpooling as a function."""
    @lifted
    def function(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Sequence[int] | None = None) -> Any:
        return kind(kernel_size, stride, padding)(input, indices, output_size)

    function.__doc__ = kind.__doc__
    return function


avg_pool1d, avg_pool2d, avg_pool3d = map(through_layer, (core.AvgPool1d, core.AvgPool2d, core.AvgPool3d))
max_pool1d, max_pool2d, max_pool3d = map(max_pool, (F.max_pool1d, F.max_pool2d, F.max_pool3d))
max_unpool1d, max_unpool2d, max_unpool3d = map(max_unpool, (core.MaxUnpool1d, core.MaxUnpool2d, core.MaxUnpool3d))
adaptive_avg_pool1d, adaptive_avg_pool2d = map(through_layer, (core.AdaptiveAvgPool1d, core.AdaptiveAvgPool2d))
adaptive_max_pool1d, adaptive_max_pool2d = map(through_layer, (core.AdaptiveMaxPool1d, core.AdaptiveMaxPool2d))


@lifted
def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: Any = None) -> Any:
    """Pad the last axes first: (left, right, top, bottom, ...)."""
    if mode != "constant":
        return getattr(core, f"{PADDINGS[mode]}{len(pad) // 2}d")(tuple(pad))(input)
    widths = [(0, 0)] * (len(input.shape) - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    return F.pad(input, widths, value=0 if value is None else value)


PADDINGS = {"reflect": "ReflectionPad", "replicate": "ReplicationPad", "circular": "CircularPad"}
interpolate = lifted(F.interpolate)
pixel_shuffle, pixel_unshuffle = through_layer(core.PixelShuffle), through_layer(core.PixelUnshuffle)
unfold, fold = through_layer(core.Unfold), through_layer(core.Fold)


globals().update({name: getattr(functional_layers, name) for name in functional_layers.NAMES})


# Losses


def loss(name: str, **fixed: Any) -> Callable[..., Any]:
    """A loss of the core; PyTorch ignores the label -100 by default."""
    function = getattr(core, name)

    @lifted
    def call(input: Any, target: Any, *args: Any, **options: Any) -> Any:
        named = fixed if len(args) < 2 and is_integer(target.dtype) else {}
        return function(input, target, *args, **{**named, **options})

    call.__name__, call.__doc__ = name, function.__doc__
    return call


cross_entropy, nll_loss = loss("cross_entropy", ignore_index=-100), loss("nll_loss", ignore_index=-100)
LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div",
          "poisson_nll_loss", "hinge_embedding_loss", "soft_margin_loss", "multi_margin_loss")
globals().update({name: loss(name) for name in LOSSES})
globals().update({name: lifted(getattr(core, name)) for name in (
    "gaussian_nll_loss", "margin_ranking_loss", "cosine_embedding_loss", "triplet_margin_loss", "ctc_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "triplet_margin_with_distance_loss")})
upsample = interpolate
dropout1d, dropout3d = in_training(core.Dropout1d), in_training(core.Dropout3d)
feature_alpha_dropout = in_training(core.FeatureAlphaDropout)


@lifted
def rrelu(input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False) -> Any:
    """x where x > 0, else x times a random slope, in use the mean of the limits; in slopes: nn.RReLU."""
    return core.RReLU(lower, upper).train(training)(input)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch.nn.functional.{name} is not in slopes.torch; in slopes, functions are sl.relu, nn.cross_entropy, ...: "
                         "see `Port a program` in docs/pytorch.md")
