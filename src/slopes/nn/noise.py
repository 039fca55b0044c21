"""Noise layers, active in training only: regularization by perturbed inputs."""

from __future__ import annotations

from ..constraint import NOT_NEGATIVE
from ..random import Generator, bernoulli
from ..random import normal as draw_normal
from ..tensor import Tensor
from .dropout import Dropping
from .hyper_parameter import HyperParameter, format_value
from .module import Module


class GaussianNoise(Module):
    """In training mode y = x + std z, z standard normal, one draw per element; in eval mode y = x.

    x and y: any shape, floats. For small noise on the inputs and squared error this is equivalent to the penalty std^2 |dy/dx|^2
    (Bishop, "Training with noise is equivalent to Tikhonov regularization", 1995). std is stored as a tensor: layer.std = 0.2
    does not recompile. Raises ArgumentError for a negative std.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> noisy = nn.GaussianNoise(0.5)(sl.zeros((10_000,)))
    >>> abs(float(noisy.std()) - 0.5) < 0.02
    True
    """

    std = HyperParameter(NOT_NEGATIVE)
    constraints = {"std": NOT_NEGATIVE}

    def __init__(self, std: float = 0.1, generator: Generator | None = None) -> None:
        self.std = std
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x + self.std.astype(x.dtype) * draw_normal(x.shape, dtype=x.dtype, generator=self.generator)

    def details(self) -> str:
        return format_value(self.std)


class MaskingNoise(Dropping):
    """In training mode y = x m, m = 0 with probability p, otherwise 1; in eval mode y = x. Unlike Dropout, it does not scale.

    x and y: any shape. It creates the corrupted inputs that a denoising autoencoder learns to restore. Raises ArgumentError
    unless 0 <= p < 1. Source: Vincent et al., "Extracting and composing robust features with denoising autoencoders", 2008.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> sorted(set(nn.MaskingNoise(0.5)(sl.ones((1000,))).tolist()))
    [0.0, 1.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x * bernoulli(1 - self.p.astype(x.dtype), x.shape, generator=self.generator).astype(x.dtype)
