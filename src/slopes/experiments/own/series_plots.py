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

    def draw(self) -> Picture:
        """The values, and one forecast after the other, as they would have been made."""
        horizon = self.predicted.shape[1]
        start, end = self.firsts[0], min(self.firsts[-1] + horizon, self.firsts[0] + max(SHOWN, horizon))
        before = max(0, start - horizon)
        figure = new_figure(10, 3.6)
        axes = figure.subplots()
        axes.plot(np.arange(before, end), self.values[before:end], color="black", linewidth=1, alpha=0.6, label=self.name)
        for i in range(0, len(self.firsts), horizon):
            steps = np.arange(self.firsts[i], self.firsts[i] + horizon)
            if steps[-1] >= end:
                break
            label = i == 0
            axes.fill_between(steps, self.low[i], self.high[i], color=colour(0), alpha=0.2, linewidth=0,
                              label="90% interval" if label else None)
            axes.plot(steps, self.predicted[i], color=colour(0), linewidth=1.4, label="forecast" if label else None)
        marked = np.arange(before, end, max(1, -(-(end - before) // 6)))
        axes.set_xticks(marked, [self.times[i] for i in marked.tolist()])
        axes.set_title(f"test part: forecasts of {horizon} steps, one after the other", fontsize="medium")
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
