"""What the regressors share: one or several numbers as targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError
from .base import NetworkEstimator
from .callbacks import with_callbacks
from .classification import validation_data
from .examples import Examples
from .objectives import REGRESSION, Loss
from .scikit import RegressorMixin, metrics
from .settings import Settings


class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """The base of regressors."""

    loss: str | Loss

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None,
            sample_weight_val: Any = None) -> Any:
        """Learn from examples X (N, features) and targets y (N,) or (N, outputs); the other arguments are those of classifiers."""
        return self._fit(X, y, sample_weight, validation_data(X_val, y_val, sample_weight_val))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Do one epoch on these examples."""
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """The predicted numbers (N,), or (N, outputs) of several."""
        predicted = self._means(self._outputs(X))
        return predicted[:, 0] if self._single else predicted

    def _means(self, outputs: np.ndarray) -> np.ndarray:
        """The outputs on the scale of the targets."""
        means = np.exp(outputs) if self.loss == "poisson" else outputs
        return means * self._scale + self._offset

    def _encode(self, y: Any, first: bool, classes: Any) -> np.ndarray:
        targets = np.asarray(y, np.float64)
        if first:
            self._single = targets.ndim == 1
        columns = targets.reshape((len(targets), -1))
        if self.loss == "poisson" and (columns < 0).any():
            raise ArgumentError("y has negative targets with loss='poisson'", why="counts are 0 or more", repair="use loss='squared_error'")
        if first:
            self._offset, self._scale = self._standard(columns)
        elif columns.shape[1] != len(self._offset):
            raise ArgumentError(f"y has {columns.shape[1]} outputs, but there were {len(self._offset)} at the first fit")
        return (columns - self._offset) / self._scale

    def _standard(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each output where targets are standardized, else 0 and 1."""
        width = columns.shape[1]
        if not self._settings(len(columns)).standardized or self.loss == "poisson":
            return np.zeros(width), np.ones(width)
        spread = columns.std(axis=0)
        return columns.mean(axis=0), np.where(spread > 0, spread, 1.0)

    def _outputs_of(self, targets: np.ndarray | None) -> int:
        assert targets is not None, "regressors have targets"
        return targets.shape[1]

    def _loss(self, settings: Settings) -> Loss:
        return REGRESSION[self.loss] if isinstance(self.loss, str) else self.loss

    @property
    def out_activation_(self) -> str:
        """The function that makes predictions of outputs."""
        return "exp" if self.loss == "poisson" else "identity"

    def _score_outputs(self, outputs: np.ndarray, examples: Examples) -> float:
        assert examples.targets is not None, "regressors have targets"
        targets = examples.targets * self._scale + self._offset
        return metrics.r2_score(targets, self._means(outputs), sample_weight=examples.weights)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
