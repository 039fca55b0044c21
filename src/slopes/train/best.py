"""The best epoch of a training with epochs="auto": when to end, and the weights to go back to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..nn.module import Module

AUTO = "auto"
MOST_EPOCHS = 1000
LEAST_PATIENCE = 5
SHARE = 4  # a quarter of the epochs so far


def patience(epochs: int) -> int:
    """How many epochs without a lower validation loss end a training that has done so many: max(5, epochs // 4)."""
    return max(LEAST_PATIENCE, epochs // SHARE)


class BestEpoch:
    """Keeps the weights of the epoch with the lowest validation loss, and says when to end."""

    def __init__(self) -> None:
        self.loss, self.epoch = math.inf, -1
        self.weights: dict[str, np.ndarray] = {}

    def observe(self, loss: float, epoch: int, net: Module) -> bool:
        """Whether the training ends after this epoch, counted from 0, with this validation loss."""
        if loss < self.loss:
            self.loss, self.epoch, self.weights = loss, epoch, net.state_dict()
        return epoch - self.epoch >= patience(epoch + 1)

    def restore(self, net: Module) -> str | None:
        """Give the net the weights of the best epoch, and say so."""
        if not self.weights:
            return None
        net.load_state_dict(self.weights)
        return f"the net has the weights of epoch {self.epoch + 1}, its best"

    def named_state(self) -> dict[str, Any]:
        """The lowest loss, its epoch and its weights."""
        return {"loss": self.loss, "epoch": self.epoch, **{f"weights.{name}": array for name, array in self.weights.items()}}

    def load_named_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `named_state` gave."""
        self.loss, self.epoch = float(state["loss"]), int(state["epoch"])
        self.weights = {name.removeprefix("weights."): array for name, array in state.items() if name.startswith("weights.")}
