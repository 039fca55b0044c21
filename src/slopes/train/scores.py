"""The outputs and targets of all examples of a data set, collected batch by batch for the metrics that rank them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .metric import Metric, ScoreMetric


class Scores:
    """Collects the outputs and targets of batches; targets that are `ignored` labels do not count."""

    def __init__(self, ignored: Sequence[int]) -> None:
        self.ignored = ignored
        self.outputs: list[np.ndarray] = []
        self.targets: list[np.ndarray] = []
        self.weights: list[np.ndarray] = []

    def add(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None) -> None:
        """Add the outputs (steps, M, ...), targets (steps, M) and weights (steps, M), by default 1, of some steps."""
        self.outputs.append(outputs.reshape(-1, *outputs.shape[2:]))
        self.targets.append(targets.reshape(-1))
        self.weights.append(np.ones(targets.size) if weights is None else weights.reshape(-1).astype(np.float64))

    def figures(self, metrics: Mapping[str, Metric]) -> dict[str, float]:
        """The figure of each metric that ranks examples."""
        ranks = {name: metric for name, metric in metrics.items() if isinstance(metric, ScoreMetric)}
        if not ranks:
            return {}
        outputs, targets, weights = map(np.concatenate, (self.outputs, self.targets, self.weights))
        counted = ~np.isin(targets, self.ignored) & (weights > 0)
        return {name: metric.score(outputs[counted], targets[counted], weights[counted]) for name, metric in ranks.items()}
