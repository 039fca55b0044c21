"""The step that most tests of training take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slopes import nn


def training_step(net: Callable, optimizer: Any, loss: Callable = nn.cross_entropy) -> Callable:
    """step(x, *targets): loss(net(x), *targets), its gradients, the update. Not compiled."""

    def step(x, *targets):
        found = loss(net(x), *targets)
        net.zero_grad()
        found.backward()
        optimizer.step()
        return found

    return step


def mean_square(y):
    """The mean square of what a net says, which needs no targets."""
    return (y ** 2).mean()
