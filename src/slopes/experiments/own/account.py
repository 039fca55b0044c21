"""How good a classifier of own data is, and whether it is worth having: its scores beside those of simpler models on the same examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ...inside.confusion import Confusion
from ...plot import Picture
from ...tables.baselines import MOST_FEATURES, logistic_weights, with_ones
from ...tables.calibrate import COOLEST, HOTTEST, lowest, softmax
from ...tables.report import standing_lines, verdict
from ...tables.scores import Interval, calibration_error, scores_for
from ..experiment import Report

NETWORK = "network"
FREQUENT, LINEAR = "most frequent class", "linear model"


def most_frequent(targets: np.ndarray, rows: int, classes: int) -> np.ndarray:
    """The shares of the classes among the training targets, for every one of `rows` examples (rows, classes)."""
    return np.tile(np.bincount(targets, minlength=classes) / len(targets), (rows, 1))


def linear_model(inputs: np.ndarray, targets: np.ndarray, tested: np.ndarray, classes: int) -> np.ndarray:
    """The probabilities (N, classes) of logistic regression on standardized features (rows, D).

    Raises ValueError for more than MOST_FEATURES features, whose cost grows with their square.
    """
    if inputs.shape[1] > MOST_FEATURES:
        raise ValueError(f"{inputs.shape[1]} features, more than {MOST_FEATURES}")
    mean, deviation = inputs.mean(axis=0, dtype=np.float64), inputs.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 0, deviation, 1)
    weights = logistic_weights(with_ones((inputs - mean) / scale), np.eye(classes)[targets])
    return softmax(with_ones((tested - mean) / scale) @ weights)


def cautious_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The t for which softmax(logits / t) has the lowest log loss, if beside the n examples there was one more, of any class.

    Without that one, t would fall to 0 where all of few examples are classified correctly, and every later mistake would be certain.
    Source: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017, and Laplace's rule of succession.

    >>> logits, targets = np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([0, 1])
    >>> round(cautious_temperature(logits, targets), 2)
    0.99
    """
    share, rows = 1 / (len(targets) + 1), np.arange(len(targets))

    def loss(x: float) -> float:
        scaled = logits.astype(np.float64) / math.exp(x)
        scaled -= scaled.max(axis=1, keepdims=True)
        logs = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return float(-((1 - share) * logs[rows, targets] + share * logs.mean(axis=1)).mean())

    return math.exp(lowest(loss, math.log(COOLEST), math.log(HOTTEST)))


def standings_of(probabilities: Mapping[str, np.ndarray], targets: np.ndarray, seed: int = 0) -> dict[str, dict[str, Interval]]:
    """All scores of each model's probabilities (N, classes), with their 95% intervals."""
    return {model: {score.name: score.interval(shares, targets, seed) for score in scores_for(classify=True)}
            for model, shares in probabilities.items()}


def class_report(probabilities: Mapping[str, np.ndarray], targets: np.ndarray, classes: Sequence[str], *, temperature: float = 1.0,
                 seed: int = 0, plots: Mapping[str, Callable[[], Picture]] | None = None) -> Report:
    """The report of a classifier on its test examples.

    probabilities   (N, classes) of the network, which comes first, and of simpler models, by name
    temperature     that divided the logits of the network, from examples that it did not learn from; predictions need it later
    plots           functions that draw plots, by file name; `confusion.png` is added
    """
    standings = standings_of(probabilities, targets, seed)
    network = next(iter(probabilities.values()))
    first = next(iter(standings.values()))
    error = calibration_error(network, targets)
    figures = {f"test {name}": interval.value for name, interval in first.items()}
    figures |= {"calibration error": error, "temperature": temperature}
    figures |= {f"{model}: {name}": interval.value for model, scores in list(standings.items())[1:] for name, interval in scores.items()}
    lines = [f"on {len(targets):,} test examples (in brackets, 95% intervals):", *standing_lines(standings),
             f"calibration error of the network {error:.3f}: by how much confidence and accuracy differ",
             *verdict(standings, lower_is_better=False, networks="network is")]
    confusion = Confusion.counted(targets, network.argmax(axis=1), classes)
    return Report(figures, lines, {**(plots or {}), "confusion.png": confusion.draw})


def evaluation(probabilities: np.ndarray, targets: np.ndarray, classes: Sequence[str]) -> Report:
    """The report of a trained classifier on examples of a file or folder, as `slopes evaluate` prints it."""
    scores = {score.name: score.interval(probabilities, targets) for score in scores_for(classify=True)}
    confusion = Confusion.counted(targets, probabilities.argmax(axis=1), classes)
    error = calibration_error(probabilities, targets)
    line = ", ".join([*(f"{name} {interval.text}" for name, interval in scores.items()), f"calibration error {error:.4g}"])
    mistaken = [f"{true} taken for {predicted}: {count:,}" for true, predicted, count in confusion.mistakes()[:5]]
    return Report({name: interval.value for name, interval in scores.items()} | {"calibration error": error},
                  [f"{len(targets):,} examples: {line}", *mistaken])
