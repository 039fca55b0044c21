"""Neural-network building blocks: modules, layers, activations, losses and initialization, named as in PyTorch."""

from __future__ import annotations

import sys
from types import FunctionType

from ..functions import (
    celu,
    elu,
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    mish,
    relu,
    relu6,
    scaled_dot_product_attention,
    selu,
    sigmoid,
    silu,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanh,
    tanhshrink,
    threshold,
)
from ..guarded import guarded
from ..parameter import Parameter
from . import init
from .activations import (
    CELU,
    ELU,
    GELU,
    SELU,
    Identity,
    LeakyReLU,
    LogSigmoid,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Softsign,
    Tanh,
    Tanhshrink,
)
from .adaptive_pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    GlobalAvgPool,
    GlobalMaxPool,
)
from .adaptive_softmax import AdaptiveLogSoftmaxWithLoss
from .along_axis import GLU, LogSoftmax, Softmax, Softmax2d, Softmin
from .attention import MultiheadAttention
from .cells import GRUCell, LSTMCell, RNNCell
from .containers import Parallel, Repeat, Residual, tie
from .convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, separable_convolution
from .dropout import AlphaDropout, Dropout, Dropout2d, SequenceDropout
from .embedding import Embedding, EmbeddingBag
from .ensemble import Ensemble
from .features import Bins, Crosses, Polar, Squares
from .layer_norm import GroupNorm, InstanceNorm1d, InstanceNorm2d, LayerNorm, RMSNorm
from .linear import Linear
from .losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    log_likelihood,
    loss_for,
    mse_loss,
    nll_loss,
    squared_loss,
    token_cross_entropy,
)
from .means import weighted_mean
from .module import Buffer, Module
from .noise import GaussianNoise, MaskingNoise
from .normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from .penalties import contractive_penalty, kl_sparsity, l1_penalty, l2_penalty
from .piecewise import Hardshrink, Hardsigmoid, Hardswish, Hardtanh, Heaviside, ReLU6, Softshrink, Threshold
from .pooling import AvgPool1d, AvgPool2d, AvgPool3d, LPPool1d, LPPool2d, MaxPool1d, MaxPool2d, MaxPool3d
from .positions import LearnedEncoding, RotaryEncoding, SinusoidalEncoding
from .prelu import PReLU, RReLU
from .recurrent import GRU, LSTM, RNN, detached
from .sequential import Sequential
from .shape import Flatten, Unflatten
from .transformer import TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveLogSoftmaxWithLoss",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AlphaDropout",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Bins",
    "Buffer",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Crosses",
    "Dropout",
    "Dropout2d",
    "Embedding",
    "EmbeddingBag",
    "Ensemble",
    "Flatten",
    "GRUCell",
    "GaussianNoise",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Heaviside",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "LPPool1d",
    "LPPool2d",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "LearnedEncoding",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MaskingNoise",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Mish",
    "Module",
    "MultiheadAttention",
    "PReLU",
    "Parallel",
    "Parameter",
    "Polar",
    "RMSNorm",
    "RNNCell",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Repeat",
    "Residual",
    "RotaryEncoding",
    "SequenceDropout",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SinusoidalEncoding",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Squares",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Unflatten",
    "binary_cross_entropy_with_logits",
    "celu",
    "contractive_penalty",
    "cross_entropy",
    "detached",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_loss",
    "huber_loss",
    "init",
    "kl_div",
    "kl_sparsity",
    "l1_loss",
    "l1_penalty",
    "l2_penalty",
    "leaky_relu",
    "log_likelihood",
    "log_sigmoid",
    "log_softmax",
    "loss_for",
    "mish",
    "mse_loss",
    "nll_loss",
    "relu",
    "relu6",
    "scaled_dot_product_attention",
    "selu",
    "separable_convolution",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "squared_loss",
    "tanh",
    "tanhshrink",
    "threshold",
    "tie",
    "token_cross_entropy",
    "weighted_mean",
]

CALLING_BACK = ("contractive_penalty",)  # they call a function of the user, whose errors must not be rewritten
for name in __all__:
    function = globals()[name]
    if isinstance(function, FunctionType) and function.__module__.startswith(__name__ + ".") and not (
            name in CALLING_BACK or hasattr(function, "__wrapped__")):
        globals()[name] = guarded(function, "nn")
        setattr(sys.modules[function.__module__], name, globals()[name])
