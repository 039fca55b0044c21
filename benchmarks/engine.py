"""What the engines of all systems have in common: a step and the batches that it takes in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Engine:
    """`run(steps)` takes so many steps and returns the last one's result: the loss, or what the network says."""

    step: Any  # called with a batch
    batches: list[tuple[Any, ...]]
    read: Callable[[Any], np.ndarray]  # a result as an array, when it is there

    def run(self, steps: int) -> np.ndarray:
        for number in range(steps):
            result = self.step(*self.batches[number % len(self.batches)])
        return self.read(result)
