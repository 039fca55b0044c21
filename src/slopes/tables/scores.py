"""How good predictions are: scores of classes and of numbers, with confidence intervals by drawing test rows again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..data.loaders.order import RATING, random_words

DRAWS = 500  # of the test rows, for an interval
LEVEL = 0.95
BINS = 15  # of confidence, for the calibration error
LEAST_SHARE = 1e-15  # a probability below it counts as this: the log of 0 is infinite

PerRow = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Interval(NamedTuple):
    """A score with its confidence interval."""

    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """`0.873 (0.868 to 0.879)`."""
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


@dataclass(frozen=True)
class Score:
    """A figure that is `finish` of the mean over rows of `per_row(predicted, targets)`; which way is better."""

    name: str
    per_row: PerRow
    lower_is_better: bool
    finish: Callable[[np.ndarray], np.ndarray] = lambda mean: mean

    def __call__(self, predicted: np.ndarray, targets: np.ndarray) -> float:
        """The score of all rows."""
        return float(self.finish(self.per_row(predicted, targets).mean()))

    def interval(self, predicted: np.ndarray, targets: np.ndarray, seed: int = 0) -> Interval:
        """The score and its 95% interval: the quantiles of the scores of 500 draws of the rows, with replacement.

        Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
        """
        values = self.per_row(predicted, targets)
        scores = self.finish(np.array([values[drawn].mean() for drawn in draws(len(values), seed)]))
        low, high = np.quantile(scores, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(self(predicted, targets), float(low), float(high))


def draws(rows: int, seed: int) -> Sequence[np.ndarray]:
    """Row indices of each draw; the same for the same seed, so that two models are compared on the same draws."""
    words = random_words(seed, RATING, DRAWS * rows).reshape(DRAWS, rows)
    return (words % np.uint64(rows)).astype(np.int64)  # type: ignore[return-value]


def right(predicted: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Whether the most probable class is the target's; predicted (N, classes) are probabilities."""
    return (predicted.argmax(axis=1) == targets).astype(np.float64)


def surprise(predicted: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """-log of the probability of the target's class."""
    return -np.log(np.maximum(predicted[np.arange(len(targets)), targets], LEAST_SHARE))


def brier(predicted: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The sum over classes of (probability - indicator of the target)^2."""
    return ((predicted - np.eye(predicted.shape[1])[targets]) ** 2).sum(axis=1)


def squared(predicted: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(predicted - target)^2."""
    return (predicted - targets) ** 2


def absolute(predicted: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """|predicted - target|."""
    return np.abs(predicted - targets)


CLASS_SCORES = (Score("accuracy", right, False), Score("log loss", surprise, True), Score("Brier score", brier, True))
NUMBER_SCORES = (Score("RMSE", squared, True, np.sqrt), Score("MAE", absolute, True))


def scores_for(classify: bool) -> tuple[Score, ...]:
    """The scores of a task; the first is the one to judge by."""
    return CLASS_SCORES if classify else NUMBER_SCORES


def r_squared(predicted: np.ndarray, targets: np.ndarray) -> float:
    """1 - sum (y - prediction)^2 / sum (y - mean)^2; nan for constant targets."""
    spread = float(((targets - targets.mean()) ** 2).sum())
    return 1 - float(squared(predicted, targets).sum()) / spread if spread else float("nan")


class CalibrationBin(NamedTuple):
    """Predictions of similar confidence: how many, how confident they are on average, and how many of them are right."""

    rows: int
    confidence: float
    accuracy: float


def calibration(predicted: np.ndarray, targets: np.ndarray) -> list[CalibrationBin]:
    """The predictions in 15 bins of the probability of the predicted class; empty bins are left out."""
    confidence, correct = predicted.max(axis=1), right(predicted, targets)
    index = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return [CalibrationBin(int(chosen.sum()), float(confidence[chosen].mean()), float(correct[chosen].mean()))
            for i in range(BINS) if (chosen := index == i).any()]


def calibration_error(predicted: np.ndarray, targets: np.ndarray) -> float:
    """The expected calibration error: the mean over rows of |confidence - accuracy| of their bin.

    Source: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017.
    """
    return sum(group.rows * abs(group.confidence - group.accuracy) for group in calibration(predicted, targets)) / len(targets)
