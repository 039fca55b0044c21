"""Dropout: in training, each value is left out with a given probability."""

from __future__ import annotations

from ..random import Generator, bernoulli
from ..tensor import Tensor
from .constraint import SHARE, check
from .module import Module
from .number import Number, text


class Dropout(Module):
    """In training y = x m / (1 - p), where each m is 0 with probability p and 1 otherwise; in use y = x.

    x and y: any shape. The scaling keeps the expected value, so nothing needs to change in use. The mask is drawn from
    `generator`, or from the default one, which slopes.seed starts. p is held as a tensor: layer.p = 0.2 recompiles nothing.
    Raises ArgumentError unless 0 <= p < 1. Source: Srivastava et al., "Dropout", 2014.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> layer = nn.Dropout(0.5)
    >>> sorted(set(layer(sl.ones((1000,))).numpy().tolist()))
    [0.0, 2.0]
    >>> bool((layer.eval()(sl.ones((3,))) == 1).all())
    True
    """

    p = Number(SHARE)
    constraints = {"p": SHARE}

    def __init__(self, p: float = 0.5, generator: Generator | None = None) -> None:
        check("Dropout", self.constraints, {"p": p})
        self.p = p
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        keep = 1 - self.p.astype(x.dtype)
        kept = bernoulli(keep, x.shape, generator=self.generator)
        return x * (kept.astype(x.dtype) / keep)

    def details(self) -> str:
        return text(self.p)
