"""Pictures of forecasts: the test part of a series with intervals, and errors by how far ahead a forecast looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...inside.draw import colour
from ...plot import Picture, View, finish, new_figure

SHOWN = 240  # steps of the test part in the picture


@dataclass
class SeriesOutlook(View):
    """The test part: values with their times, and the forecasts made at some of its steps, with the ends of their 90% intervals.

    values (T,); firsts (N,) the indices of the first steps that are forecast; predicted, low, high (N, horizon)
    """

    name: str
    values: np.ndarray
    times: list[str]
    firsts: np.ndarray
    predicted: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def window(self) -> tuple[int, int]:
        """The first and the last index, plus 1, of the values that are shown."""
        horizon, first = self.predicted.shape[1], int(self.firsts[0])
        return max(0, first - horizon), min(int(self.firsts[-1]) + horizon, first + max(SHOWN, horizon))

    def segments(self) -> list[tuple[np.ndarray, list[np.ndarray]]]:
        """(steps, [predicted, low, high]) of forecasts one after the other; those of one step each are one line."""
        horizon, end = self.predicted.shape[1], self.window[1]
        arrays = self.predicted, self.low, self.high
        if horizon == 1:
            count = end - int(self.firsts[0])
            return [(self.firsts[:count], [array[:count, 0] for array in arrays])]
        chosen = [i for i in range(0, len(self.firsts), horizon) if self.firsts[i] + horizon <= end]
        return [(self.firsts[i] + np.arange(horizon), [array[i] for array in arrays]) for i in chosen]

    def draw(self) -> Picture:
        """The values, and one forecast after the other, as they would have been made."""
        first, end = self.window
        figure = new_figure(10, 3.6)
        axes = figure.subplots()
        axes.plot(np.arange(first, end), self.values[first:end], color="black", linewidth=1, alpha=0.6, label=self.name)
        for i, (steps, (predicted, low, high)) in enumerate(self.segments()):
            axes.fill_between(steps, low, high, color=colour(0), alpha=0.2, linewidth=0, label=None if i else "90% interval")
            axes.plot(steps, predicted, color=colour(0), linewidth=1.4, label=None if i else "forecast")
        marked = np.arange(first, end, max(1, -(-(end - first) // 6)))
        axes.set_xticks(marked, [self.times[i] for i in marked.tolist()])
        axes.set_title(f"test part: forecasts of {self.predicted.shape[1]} steps, one after the other", fontsize="medium")
        finish(axes, "", self.name)
        return Picture(figure)


@dataclass
class StepErrors(View):
    """The mean absolute error of each model by steps ahead, from errors (N, horizon)."""

    errors: Mapping[str, np.ndarray]

    def draw(self) -> Picture:
        """A line for each model."""
        figure = new_figure(6, 3.6)
        axes: Any = figure.subplots()
        for i, (name, values) in enumerate(self.errors.items()):
            axes.plot(np.arange(1, values.shape[1] + 1), np.abs(values).mean(axis=0), ".-", color=colour(i), label=name,
                      linewidth=2 if i == 0 else 1)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylim(bottom=0)
        finish(axes, "steps ahead", "mean absolute error")
        return Picture(figure)
