"""The losses of the estimators: means over the examples of a batch, weighted by their weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .. import functions as F
from .. import nn
from ..tensor import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def log_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """-log softmax(outputs)_label; outputs (N, classes), targets (N,) whole numbers."""
    return nn.cross_entropy(outputs, targets)


def smooth_log_loss(smoothing: float) -> Loss:
    """The same with label smoothing."""
    return partial(nn.cross_entropy, label_smoothing=smoothing) if smoothing else log_loss


def binary_log_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """The sum over outputs of -t log sigmoid(y) - (1 - t) log(1 - sigmoid(y)); both (N, outputs)."""
    return nn.binary_cross_entropy_with_logits(outputs, targets) * outputs.shape[1]


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Half the sum over outputs of (y - t)^2; both (N, outputs)."""
    return nn.mse_loss(outputs, targets) * (0.5 * outputs.shape[1])


def poisson(outputs: Tensor, targets: Tensor) -> Tensor:
    """The sum over outputs of exp(y) - t y + t log t - t, half the Poisson deviance of the prediction exp(y); both (N, outputs)."""
    constant = F.where(targets > 0, targets * F.log(F.where(targets > 0, targets, 1.0)) - targets, 0.0)
    return nn.weighted_mean(F.exp(outputs) - targets * outputs + constant, 1) * outputs.shape[1]


REGRESSION: dict[str, Loss] = {"squared_error": squared_error, "poisson": poisson}
