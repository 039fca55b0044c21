"""Neural-network building blocks: modules, layers, activations, losses and initialization, named as in PyTorch."""

from __future__ import annotations

import sys
from types import FunctionType

from ..functions import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    scaled_dot_product_attention,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from ..guarded import guarded
from ..parameter import Parameter
from . import init
from .activations import ELU, GELU, SELU, Identity, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh, Threshold
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
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    CTCLoss,
    GaussianNLLLoss,
    HingeEmbeddingLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MarginRankingLoss,
    MSELoss,
    MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    NLLLoss,
    PoissonNLLLoss,
    SmoothL1Loss,
    SoftMarginLoss,
    TripletMarginLoss,
    TripletMarginWithDistanceLoss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cross_entropy,
    ctc_loss,
    gaussian_nll_loss,
    hinge_embedding_loss,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    log_likelihood,
    loss_for,
    margin_ranking_loss,
    mse_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
    squared_loss,
    token_cross_entropy,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from .means import weighted_mean
from .module import Buffer, Module
from .noise import GaussianNoise, MaskingNoise
from .normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from .penalties import contractive_penalty, kl_sparsity, l1_penalty, l2_penalty
from .pooling import AvgPool1d, AvgPool2d, AvgPool3d, LPPool1d, LPPool2d, MaxPool1d, MaxPool2d, MaxPool3d
from .positions import LearnedEncoding, RotaryEncoding, SinusoidalEncoding
from .prelu import PReLU
from .recurrent import GRU, LSTM, RNN, detached
from .sequential import Sequential
from .shape import Flatten, Unflatten
from .transformer import TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer

__all__ = [
    "ELU", "GELU", "GRU", "LSTM", "RNN", "SELU", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d",
    "AdaptiveLogSoftmaxWithLoss", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AlphaDropout", "AvgPool1d", "AvgPool2d",
    "AvgPool3d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "Bins", "Buffer", "CTCLoss",
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "CosineEmbeddingLoss",
    "CrossEntropyLoss", "Crosses", "Dropout", "Dropout2d", "Embedding", "EmbeddingBag", "Ensemble", "Flatten", "GRUCell",
    "GaussianNLLLoss", "GaussianNoise", "GlobalAvgPool", "GlobalMaxPool", "GroupNorm", "HingeEmbeddingLoss", "HuberLoss",
    "Identity", "InstanceNorm1d", "InstanceNorm2d", "KLDivLoss", "L1Loss", "LPPool1d", "LPPool2d", "LSTMCell", "LayerNorm",
    "LeakyReLU", "LearnedEncoding", "Linear", "LogSoftmax", "MSELoss", "MarginRankingLoss", "MaskingNoise", "MaxPool1d",
    "MaxPool2d", "MaxPool3d", "Module", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss",
    "MultiheadAttention", "NLLLoss", "PReLU", "Parallel", "Parameter", "PoissonNLLLoss", "Polar", "RMSNorm", "RNNCell",
    "ReLU", "Repeat", "Residual", "RotaryEncoding", "SequenceDropout", "Sequential", "SiLU", "Sigmoid",
    "SinusoidalEncoding", "SmoothL1Loss", "SoftMarginLoss", "Softmax", "Softplus", "Squares", "Tanh", "Threshold",
    "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer", "TripletMarginLoss",
    "TripletMarginWithDistanceLoss", "Unflatten", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "contractive_penalty", "cosine_embedding_loss", "cross_entropy", "ctc_loss", "detached", "elu", "gaussian_nll_loss",
    "gelu", "hinge_embedding_loss", "hinge_loss", "huber_loss", "init", "kl_div", "kl_sparsity", "l1_loss", "l1_penalty",
    "l2_penalty", "leaky_relu", "log_likelihood", "log_softmax", "loss_for", "margin_ranking_loss", "mse_loss",
    "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "poisson_nll_loss", "relu",
    "scaled_dot_product_attention", "selu", "separable_convolution", "sigmoid", "silu", "smooth_l1_loss",
    "soft_margin_loss", "softmax", "softplus", "squared_loss", "tanh", "tie", "token_cross_entropy", "triplet_margin_loss",
    "triplet_margin_with_distance_loss", "weighted_mean",
]

# they call a function of the user, whose errors must not be rewritten
CALLING_BACK = ("contractive_penalty", "triplet_margin_with_distance_loss")
for name in __all__:
    function = globals()[name]
    if isinstance(function, FunctionType) and function.__module__.startswith(__name__ + ".") and not (
            name in CALLING_BACK or hasattr(function, "__wrapped__")):
        globals()[name] = guarded(function, "nn")
        setattr(sys.modules[function.__module__], name, globals()[name])
