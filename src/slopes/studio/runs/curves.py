"""The curves of histories as the page draws them: thinned to what can be seen, over steps, epochs or seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ...plot import running_mean
from ...train.history import History

MOST_POINTS = 600  # of a curve
AXES = ("steps", "epochs", "seconds")
LOSS = "loss"


@dataclass(frozen=True)
class Curve:
    """One line of the chart."""

    run: str
    network: str
    kind: str  # training or validation
    x: np.ndarray
    y: np.ndarray


def figures_of(histories: Iterable[History]) -> list[str]:
    """What curves there are of: the loss, and the metrics of the epochs."""
    names = [LOSS]
    for history in histories:
        for epoch in history.epochs[:1]:
            names += [*epoch.metrics, *epoch.validation]
    return [name for name in dict.fromkeys(names) if name.rpartition("/")[2] != LOSS or name == LOSS]


def curves_of(run: str, histories: Mapping[str, History], figure: str, axis: str, smooth: int) -> list[Curve]:
    """The training and validation curves of a figure, for each network; `smooth` is the width of a running mean of the steps."""
    curves = []
    for network, history in histories.items():
        ends = epoch_ends(history)
        if figure == LOSS and history.losses:
            losses = np.asarray(history.losses, np.float64)
            y = running_mean(losses, smooth) if smooth > 1 else losses
            curves.append(Curve(run, network, "training", *thin(along(np.arange(1, history.steps + 1), history, ends, axis), y)))
        for kind in ("training", "validation"):
            x, y = epoch_values(history, ends, kind, figure)
            if len(y) and not (figure == LOSS and kind == "training"):
                curves.append(Curve(run, network, kind, *thin(along(x, history, ends, axis), y)))
    return curves


def epoch_ends(history: History) -> np.ndarray:
    """The step at which each epoch ended."""
    return np.cumsum([epoch.steps for epoch in history.epochs])


def epoch_values(history: History, ends: np.ndarray, kind: str, figure: str) -> tuple[np.ndarray, np.ndarray]:
    """The steps at which a figure was measured, and its values."""
    measured = [(end, (epoch.metrics if kind == "training" else epoch.validation).get(figure)) for end, epoch in zip(ends, history.epochs)]
    pairs = [(end, value) for end, value in measured if value is not None]
    return np.array([end for end, _ in pairs], np.float64), np.array([value for _, value in pairs], np.float64)


def along(steps: np.ndarray, history: History, ends: np.ndarray, axis: str) -> np.ndarray:
    """Steps as epochs or seconds; steps of an epoch that has not ended go on at the rate of the last one."""
    if axis == "steps" or not len(ends):
        return np.asarray(steps, np.float64)
    marks = np.arange(1, len(ends) + 1) if axis == "epochs" else np.cumsum([epoch.seconds for epoch in history.epochs])
    rate = (marks[-1] - (marks[-2] if len(marks) > 1 else 0)) / max(ends[-1] - (ends[-2] if len(ends) > 1 else 0), 1)
    inside = np.interp(steps, np.concatenate([[0], ends]), np.concatenate([[0], marks]))
    return inside + np.maximum(np.asarray(steps) - ends[-1], 0) * rate


def thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most MOST_POINTS points, each the mean of as many neighbours; the last point stays."""
    if len(y) > MOST_POINTS:
        starts = np.linspace(0, len(y), MOST_POINTS, endpoint=False).astype(np.int64)
        sizes = np.diff(np.append(starts, len(y)))
        x, y = np.add.reduceat(x, starts) / sizes, np.add.reduceat(y, starts) / sizes
    return x.astype(np.float32), y.astype(np.float32)
