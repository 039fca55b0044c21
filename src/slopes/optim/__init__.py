"""Optimizers: how parameters follow their gradients. Update rules and defaults are PyTorch's."""

from __future__ import annotations

from .adam import Adam, AdamW
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
