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

    def add(self, outputs: np.ndarray, targets: np.ndarray) -> None:
        """Add the outputs (steps, M, ...) and targets (steps, M) of some steps."""
        self.outputs.append(outputs.reshape(-1, *outputs.shape[2:]))
        self.targets.append(targets.reshape(-1))

    def figures(self, metrics: Mapping[str, Metric]) -> dict[str, float]:
        """The figure of each metric that ranks examples."""
        ranks = {name: metric for name, metric in metrics.items() if isinstance(metric, ScoreMetric)}
        if not ranks:
            return {}
        outputs, targets = np.concatenate(self.outputs), np.concatenate(self.targets)
        counted = ~np.isin(targets, self.ignored)
        outputs, targets = outputs[counted], targets[counted]
        return {name: metric.score(outputs, targets, np.ones(len(targets))) for name, metric in ranks.items()}
