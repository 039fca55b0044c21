"""The figures of loss and metrics over the steps of an epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .chunk import Chunk
from .metric import Metric, TableMetric, quotient


class EpochMetrics:
    """Loss and metrics over all steps of an epoch so far, from sums.

    A loss is taken apart into its weighted means, each of which has its own divisor as weight, and the rest, which is weighted by the
    number of examples. Sums are added up step by step, so that they have the same bits however the steps were divided into chunks.
    A metric with a sum for each class has a column for each.
    """

    def __init__(self, metrics: Mapping[str, Metric], summed: bool) -> None:
        self.by_name, self.summed = metrics, summed
        self.examples, self.seconds = 0, 0.0
        in_step = [name for name, metric in metrics.items() if metric.in_step]
        self.shapes: dict[str, tuple[int, ...]] = dict.fromkeys(in_step, ())  # of each metric's sums, as the steps give them
        self.sums, self.weights = np.zeros(0), np.zeros(0)  # of the metrics, of the rest of the loss, of the means in it

    def add(self, chunk: Chunk) -> None:
        """Add the steps of a chunk."""
        metrics, means = chunk.results["metrics"], chunk.results["means"]
        rest = chunk["loss"].astype(np.float64) - sum(mean[0].astype(np.float64) for mean in means)
        rest = rest if self.summed else rest * chunk.counts
        self.shapes = {name: metrics[name][0].shape[1:] for name in self.shapes}
        self.sums = add_steps(self.sums, [*(metrics[name][0] for name in self.shapes), rest, *(mean[1] for mean in means)])
        self.weights = add_steps(self.weights, [*(metrics[name][1] for name in self.shapes), chunk.counts, *(mean[2] for mean in means)])
        self.examples += int(chunk.counts.sum())

    @property
    def loss(self) -> float:
        """The mean loss."""
        start = sum(map(math.prod, self.shapes.values()))
        return math.fsum(map(quotient, self.sums[start:], self.weights[start:]))

    @property
    def metrics(self) -> dict[str, float]:
        """The figure of every metric that has a number; 0 where nothing counted."""
        if not len(self.sums):
            return dict.fromkeys(self.by_name, 0.0)
        loss = np.array(self.loss), np.array(1.0)
        sums = self.metric_sums()
        return {name: metric.finish(*sums.get(name, loss)) for name, metric in self.by_name.items() if not isinstance(metric, TableMetric)}

    @property
    def tables(self) -> dict[str, np.ndarray]:
        """The array of every metric that has one."""
        sums = self.metric_sums()
        return {name: metric.table(*sums[name]) for name, metric in self.by_name.items() if isinstance(metric, TableMetric)}

    def metric_sums(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The two sums of every metric that the step computes."""
        sums, start = {}, 0
        for name, shape in self.shapes.items():
            stop = start + math.prod(shape)
            sums[name] = self.sums[start:stop].reshape(shape), self.weights[start:stop].reshape(shape)
            start = stop
        return sums

    def named_state(self) -> dict[str, Any]:
        """The sums by name."""
        shapes = {f"shapes.{name}": np.array(shape, np.int64) for name, shape in self.shapes.items() if shape}
        return {"sums": self.sums, "weights": self.weights, "examples": self.examples, "seconds": self.seconds, **shapes}

    def load_named_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from these sums."""
        self.sums, self.weights = np.array(state["sums"], np.float64), np.array(state["weights"], np.float64)
        self.examples, self.seconds = int(state["examples"]), float(state["seconds"])
        self.shapes = {name: tuple(np.asarray(state.get(f"shapes.{name}", ())).tolist()) for name in self.shapes}


def add_steps(before: np.ndarray, columns: list[np.ndarray]) -> np.ndarray:
    """The sums so far and the values (steps, ...) of each column or block of columns, added one step after the other."""
    table = np.concatenate([block.reshape(len(block), -1).astype(np.float64) for block in columns], axis=1)
    start = before if len(before) else np.zeros(table.shape[1])
    return np.add.accumulate(np.concatenate((start[None], table)), axis=0)[-1]
