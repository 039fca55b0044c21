"""Dense layers alone: softmax regression, and one hidden layer with or without dropout."""

from __future__ import annotations

import math

from .. import nn


def softmax_regression(shape: tuple[int, ...], classes: int) -> nn.Module:
    """One layer: a weight per input and class, and softmax (inside the loss) over the sums."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), classes))


def mlp(shape: tuple[int, ...], classes: int, hidden: int = 128) -> nn.Module:
    """One hidden layer of rectified units between inputs and classes."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), hidden), nn.ReLU(), nn.Linear(hidden, classes))


def dropout_mlp(shape: tuple[int, ...], classes: int, hidden: int = 1024, dropout: float = 0.5) -> nn.Module:
    """One hidden layer of rectified units with dropout: of the units, and two fifths as much of the inputs."""
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.4 * dropout), nn.Linear(math.prod(shape), hidden), nn.ReLU(), nn.Dropout(dropout),
                         nn.Linear(hidden, classes))
