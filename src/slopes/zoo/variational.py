"""The variational auto-encoder: its code is a small cloud per example, so that random codes stand for new examples."""

from __future__ import annotations

import math
from typing import NamedTuple

from .. import nn
from ..ops.composite import part
from ..random import Generator
from ..random import normal as draw_normal
from ..tensor import Tensor


class Guess(NamedTuple):
    """logits of the pixels (N, ...), and mean and log variance (N, code) of the cloud that they were drawn from."""

    logits: Tensor
    mean: Tensor
    log_variance: Tensor


class VariationalAutoEncoder(nn.Module):
    """encoder(x) = (m, log s^2); h = m + s e with e standard normal (in eval mode h = m); decoder(h) = logits of the pixels, Bernoulli.

    loss = the mean over examples of [cross-entropy of all pixels + KL(N(m, s^2) || N(0, 1))], with
    KL = 1/2 sum (m^2 + s^2 - log s^2 - 1): minus the evidence lower bound. Writing h so lets the gradient pass through the draw.
    encoder: x -> (N, 2 code); decoder: (N, code) -> the shape of x. Inputs lie in 0..1. Train: fit(net, Dataset(x, x), loss=net.loss).
    Source: Kingma and Welling, "Auto-encoding variational Bayes", 2014.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> net = VariationalAutoEncoder(nn.Linear(8, 6), nn.Linear(3, 8), code=3)
    >>> x = sl.uniform((5, 8))
    >>> guess = net(x)
    >>> guess.logits.shape, guess.mean.shape, net.loss(guess, x).shape, net.sample(4).shape
    ((5, 8), (5, 3), (), (4, 8))
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, code: int, generator: Generator | None = None) -> None:
        self.encoder, self.decoder, self.code, self.generator = encoder, decoder, code, generator

    def cloud(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of each example's code."""
        both = self.encoder(x)
        return part(both, 1, 0, self.code), part(both, 1, self.code, 2 * self.code)

    def encode(self, x: Tensor) -> Tensor:
        """The middle of each example's cloud."""
        return self.cloud(x)[0]

    def decode(self, code: Tensor) -> Tensor:
        """The pixels' probabilities."""
        return self.decoder(code).sigmoid()

    def forward(self, x: Tensor) -> Guess:
        mean, log_variance = self.cloud(x)
        code = mean
        if self.training:
            code = mean + (log_variance / 2).exp() * draw_normal(mean.shape, dtype=mean.dtype, generator=self.generator)
        return Guess(self.decoder(code), mean, log_variance)

    def loss(self, guess: Guess, targets: Tensor) -> Tensor:
        """Minus the evidence lower bound, in nats per example."""
        said = nn.binary_cross_entropy_with_logits(guess.logits, targets, reduction="sum")
        return (said + kl_from_normal(guess.mean, guess.log_variance)) / targets.shape[0]

    def sample(self, count: int) -> Tensor:
        """New examples: what random codes stand for, as probabilities of the pixels."""
        return self.decode(draw_normal((count, self.code), generator=self.generator))

    def plane(self, count: int = 15, reach: float = 2.0) -> Tensor:
        """What the codes of a square grid, from -reach to reach, stand for; for codes of 2 numbers: (count * count, ...)."""
        steps = [reach * (2 * i / max(1, count - 1) - 1) for i in range(count)]
        return self.decode(Tensor([[x, -y] for y in steps for x in steps]))

    def details(self) -> str:
        return f"code of {self.code}"


def kl_from_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)), summed over all elements: sum (m^2 + s^2 - log s^2 - 1) / 2.

    >>> import slopes as sl
    >>> float(kl_from_normal(sl.tensor([1.0]), sl.tensor([0.0])))
    0.5
    """
    return ((mean * mean + log_variance.exp() - log_variance - 1) / 2).sum()


def variational(shape: tuple[int, ...], code: int = 20, hidden: int = 400) -> VariationalAutoEncoder:
    """One hidden layer on each side, as in the paper's experiments.

    >>> import slopes as sl
    >>> variational((1, 8, 8), code=2, hidden=16).sample(3).shape
    (3, 1, 8, 8)
    """
    size = math.prod(shape)
    return VariationalAutoEncoder(
        nn.Sequential(nn.Flatten(), nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, 2 * code)),
        nn.Sequential(nn.Linear(code, hidden), nn.ReLU(), nn.Linear(hidden, size), nn.Unflatten(1, shape)), code)
