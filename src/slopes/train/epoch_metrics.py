"""The means of loss and metrics over the steps of an epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .chunk import Chunk


class EpochMetrics:
    """Means over all steps of an epoch so far.

    A loss is taken apart into its weighted means, each of which has its own divisor as weight, and the rest, which is weighted by the
    number of examples. Sums are added up step by step, so that they have the same bits however the steps were divided into chunks.
    """

    def __init__(self, metrics: Iterable[str], summed: bool) -> None:
        self.names, self.summed = list(metrics), summed
        self.examples, self.seconds = 0, 0.0
        self.sums, self.weights = np.zeros(0), np.zeros(0)  # of the metrics, of the rest of the loss, of the means in it

    def add(self, chunk: Chunk) -> None:
        """Add the steps of a chunk."""
        metrics, means = chunk.results["metrics"], chunk.results["means"]
        rest = chunk["loss"].astype(np.float64) - sum(mean[0].astype(np.float64) for mean in means)
        rest = rest if self.summed else rest * chunk.counts
        self.sums = add_steps(self.sums, [*(metrics[name][0] for name in self.names), rest, *(mean[1] for mean in means)])
        self.weights = add_steps(self.weights, [*(metrics[name][1] for name in self.names), chunk.counts, *(mean[2] for mean in means)])
        self.examples += int(chunk.counts.sum())

    @property
    def loss(self) -> float:
        """The mean loss."""
        return math.fsum(self.means()[len(self.names) :])

    @property
    def metrics(self) -> dict[str, float]:
        """The mean of every metric."""
        return dict(zip(self.names, self.means()))

    def means(self) -> list[float]:
        """Each sum by its weight; 0 where nothing counted."""
        return [total / (weight or 1.0) for total, weight in zip(self.sums.tolist(), self.weights.tolist())] or [0.0] * len(self.names)

    def named_state(self) -> dict[str, Any]:
        """The sums by name."""
        return {"sums": self.sums, "weights": self.weights, "examples": self.examples, "seconds": self.seconds}

    def load_named_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from these sums."""
        self.sums, self.weights = np.array(state["sums"], np.float64), np.array(state["weights"], np.float64)
        self.examples, self.seconds = int(state["examples"]), float(state["seconds"])


def add_steps(before: np.ndarray, columns: list[np.ndarray]) -> np.ndarray:
    """The sums so far and the values (steps,) of each column, added one step after the other."""
    table = np.stack([column.astype(np.float64) for column in columns], axis=1)
    start = before if len(before) else np.zeros(len(columns))
    return np.add.accumulate(np.concatenate((start[None], table)), axis=0)[-1]
