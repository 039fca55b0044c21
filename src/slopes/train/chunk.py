"""A chunk of a training: consecutive steps that ran as one native call, or as a few, with what each of them measured, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .metric import Metric
from .step_program import join_results


@dataclass(frozen=True)
class Chunk:
    """Consecutive steps of a training and their values: chunk["loss"] and chunk["accuracy"] are arrays (steps,), as all values are.

    A metric is that of the batch of its step, measured before the update. A statistic is named by its path, as in
    chunk["net.0.weight.grad/norm"], and has a value for each of `measured_steps` only: an empty array where there is none.

    first    the index of its first step, counted from the beginning of the training
    counts   (steps,) the number of examples in each batch; of a loader without arrays, the number of targets that count
    results  what the compiled steps returned, stacked: "loss", "metrics" (sum and weight by name), "means", "statistics"
    metrics  the metrics by name: how a figure follows from its two sums
    every    statistics, if there are any, are measured at the steps of the training that this divides
    """

    first: int
    counts: np.ndarray
    results: dict[str, Any]
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    every: int = 1

    @property
    def measured_steps(self) -> list[int]:
        """The steps of the training at which statistics were measured, in this chunk."""
        start = -(-self.first // self.every) * self.every
        return list(range(start, self.first + self.steps, self.every)) if self.results["statistics"] else []

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.counts)

    @property
    def names(self) -> list[str]:
        """The names of all values."""
        return ["loss", *self.metrics, *self.results["statistics"]]

    def __getitem__(self, name: str) -> np.ndarray:
        if name == "loss":
            return self.results["loss"]
        if name in self.metrics:
            sums = self.results["metrics"].get(name, (self["loss"], np.ones(self.steps)))
            return np.array([self.metrics[name].finish(total, weight) for total, weight in zip(*sums)])
        if name in self.results["statistics"]:
            return self.results["statistics"][name]
        raise ArgumentError(f"this chunk has no value {name!r}", why=f"it has {', '.join(self.names)}",
                            repair="name a metric in metrics=, or a statistic in statistics= of the training to have it measured")

    def __repr__(self) -> str:
        return f"<Chunk: steps {self.first} to {self.first + self.steps - 1}, {', '.join(self.names)}>"


def join_chunks(chunks: Sequence[Chunk]) -> Chunk:
    """Chunks that follow each other as one."""
    results = join_results([chunk.results for chunk in chunks])
    return Chunk(chunks[0].first, np.concatenate([chunk.counts for chunk in chunks]), results, chunks[0].metrics, chunks[0].every)
