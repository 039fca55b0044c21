"""The parts of networks: modules, layers, activations, losses and initial values, named as in PyTorch."""

from __future__ import annotations

from ..functions import elu, gelu, leaky_relu, log_softmax, relu, sigmoid, silu, softmax, softplus, tanh
from ..tensor import Parameter
from . import init
from .activations import ELU, GELU, Identity, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh, Threshold
from .convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .dropout import Dropout
from .embedding import Embedding
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
)
from .module import Buffer, Module
from .normalization import BatchNorm1d, BatchNorm2d
from .pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
)
from .sequential import Sequential
from .shape import Flatten, Unflatten

__all__ = [
    "ELU", "GELU", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d",
    "BatchNorm1d", "BatchNorm2d", "Buffer", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d",
    "ConvTranspose3d", "Dropout", "Embedding", "Flatten", "Identity", "LeakyReLU", "Linear", "LogSoftmax", "MaxPool1d",
    "MaxPool2d", "MaxPool3d", "Module", "Parameter", "ReLU", "Sequential", "SiLU", "Sigmoid", "Softmax", "Softplus",
    "Tanh", "Threshold", "Unflatten", "binary_cross_entropy_with_logits", "cross_entropy", "elu", "gelu", "hinge_loss",
    "huber_loss", "init", "kl_div", "l1_loss", "leaky_relu", "log_likelihood", "log_softmax", "loss_for", "mse_loss",
    "nll_loss", "relu", "sigmoid", "silu", "softmax", "softplus", "squared_loss", "tanh",
]
