"""Statistics of a training over its steps: curves of figures, and histograms side by side."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..plot import Picture, View, new_figure, tidy
from ..train.history import History, Run
from ..train.statistic_kinds import HIGHEST, LOWEST, histogram_limits
from .draw import colour

LABELLED = 12  # most curves that a legend names


@dataclass
class StatisticCurves(View):
    """names, and values[name, step] of each at the `steps` of the training (K,): (names, K)."""

    names: list[str]
    steps: np.ndarray
    values: np.ndarray

    def draw(self) -> Picture:
        """A line for each, on a logarithmic scale where all values are positive."""
        figure = new_figure(6.4, 3.4)
        axes = figure.subplots()
        for i, (name, values) in enumerate(zip(self.names, self.values)):
            axes.plot(self.steps, values, color=colour(i), linewidth=1.0, label=name)
        if (self.values > 0).all():
            axes.set_yscale("log")
        if len(self.names) <= LABELLED:
            axes.legend(frameon=False, fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
        tidy(axes, "step", "")
        return Picture(figure)


@dataclass
class Histograms(View):
    """counts (K, 48) of the bins between `limits` (49,), which are 0, powers of two and infinity, at the `steps` (K,); the name."""

    name: str
    steps: np.ndarray
    counts: np.ndarray
    limits: np.ndarray

    def draw(self) -> Picture:
        """A column for each measured step, dark where many elements have this size."""
        figure = new_figure(6.4, 3.4)
        axes = figure.subplots()
        shares = self.counts / np.maximum(1, self.counts.sum(axis=1, keepdims=True))
        image = axes.imshow(shares.T, origin="lower", aspect="auto", cmap="Blues", interpolation="nearest",
                            extent=(float(self.steps[0]), float(self.steps[-1]) + 1, LOWEST, HIGHEST))
        figure.colorbar(image, label="share")
        axes.set_title(self.name, fontsize="small")
        tidy(axes, "step", "log2 of the absolute value")
        return Picture(figure)


def statistic_curves(run: Run | History | Any, names: str | Sequence[str] = "*") -> StatisticCurves:
    """The statistics of a training that was given `statistics`, over its steps: those with these names, or that match these patterns.

    run: what `fit` returned, a History, or a Training. Raises ArgumentError where no statistic has such a name.

    >>> import slopes as sl
    >>> x, labels = sl.normal((64, 4)).numpy(), np.arange(64) % 3
    >>> run = sl.fit(sl.nn.Linear(4, 3), x, labels, batch_size=8, progress=False, statistics=sl.train.Statistics("*.grad/norm", every=2))
    >>> curves = sl.inside.statistic_curves(run, "*.weight.grad/*")
    >>> curves.names, curves.steps.tolist(), curves.values.shape
    (['net.weight.grad/norm'], [0, 2, 4, 6], (1, 4))
    """
    history = run if isinstance(run, History) else run.history
    chosen = [name for name in matched(history, names, "statistic_curves") if not name.endswith("/histogram")]
    if not chosen:
        raise ArgumentError(f"statistic_curves: {names!r} are histograms", why="a curve has one value at each step",
                            repair="inside.histograms(run, name) shows them")
    return StatisticCurves(chosen, np.array(history.statistics_steps), np.array([history.statistics[name] for name in chosen]))


def histograms(run: Run | History | Any, name: str) -> Histograms:
    """The histograms of this name, such as "net.0.weight.grad/histogram", over the steps of a training.

    run: what `fit` returned, a History, or a Training. Raises ArgumentError where there are none of this name.

    >>> import slopes as sl
    >>> x, labels = sl.normal((64, 4)).numpy(), np.arange(64) % 3
    >>> run = sl.fit(sl.nn.Linear(4, 3), x, labels, progress=False, statistics="net.weight/histogram")
    >>> counts = sl.inside.histograms(run, "net.weight/histogram").counts
    >>> counts.shape, int(counts.sum())
    ((1, 48), 12)
    """
    history = run if isinstance(run, History) else run.history
    name, *_ = matched(history, name, "histograms")
    if not name.endswith("/histogram"):
        raise ArgumentError(f"histograms: {name!r} is no histogram", repair="inside.statistic_curves(run, name) shows it")
    return Histograms(name, np.array(history.statistics_steps), np.array(history.statistics[name]), histogram_limits())


def matched(history: History, names: str | Sequence[str], owner: str) -> list[str]:
    """The statistics with these names or patterns, in order."""
    patterns = [names] if isinstance(names, str) else list(names)
    chosen = [name for name in history.statistics if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    if not chosen:
        raise ArgumentError(f"{owner}: no statistic is called {names!r}", why=f"there are {', '.join(history.statistics) or 'none'}",
                            repair="name it in statistics= of the training")
    return chosen
