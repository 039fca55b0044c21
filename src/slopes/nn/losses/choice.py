"""Which loss belongs to a distribution of the targets, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...errors import ArgumentError
from ...tensor import Tensor
from .binary import binary_cross_entropy_with_logits
from .classes import cross_entropy
from .regression import l1_loss, mse_loss


@dataclass(frozen=True)
class Choice:
    """A loss, the target distribution that it models, the output that it expects, and the reason."""

    loss: Callable[..., Tensor]
    distribution: str
    output: str
    why: str

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        return self.loss(outputs, targets)

    def __str__(self) -> str:
        return f"{self.distribution}: nn.{self.loss.__name__}; outputs are {self.output}; {self.why}"


CHOICES = {
    "categorical": Choice(cross_entropy, "categorical", "logits, one per class, without a softmax layer",
                          "the negative log likelihood of one of several classes under a softmax"),
    "bernoulli": Choice(binary_cross_entropy_with_logits, "bernoulli", "one logit per yes-or-no answer, without a sigmoid layer",
                        "the negative log likelihood of yes or no under a sigmoid"),
    "gaussian": Choice(mse_loss, "gaussian", "real numbers, from a linear layer",
                       "the negative log likelihood of a normal distribution of fixed width, up to a constant and a factor"),
    "laplace": Choice(l1_loss, "laplace", "real numbers, from a linear layer",
                      "the negative log likelihood of a Laplace distribution of fixed width, up to a constant and a factor; "
                      "robust to outliers"),
}


def loss_for(distribution: str) -> Choice:
    """The loss for a distribution of the targets. It can be called like the loss, and printing it explains the choice.

    Every one is a negative log likelihood (Goodfellow et al., "Deep learning", section 6.2).
    Raises ArgumentError for an unknown name.

    >>> from slopes import nn
    >>> print(nn.loss_for("categorical").why)
    the negative log likelihood of one of several classes under a softmax
    """
    if distribution not in CHOICES:
        raise ArgumentError(f"loss_for: {distribution!r} is not a known distribution",
                            repair="choose " + ", ".join(CHOICES))
    return CHOICES[distribution]
