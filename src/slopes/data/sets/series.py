"""Time series: windows of past values with targets, split by time, and two baseline forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import ArgumentError, OutOfRangeError, ShapeError, warn
from ...files.arrays import as_array, check_finite, not_numeric
from ...files.columns import is_words, missing_in
from ...files.csvfile import load_csv
from ...files.reading import refused
from ..loaders.dataset import Dataset, kept_exact, standardized
from ..loaders.splits import PARTS, Splits, check_fractions
from .locate import Folder, located

FRACTIONS = (0.7, 0.1, 0.2)


class Series(NamedTuple):
    """Values (T,) or (T, channels), floats at equal distances in time, when each was, and after how many steps it looks alike."""

    values: np.ndarray
    times: tuple[str, ...]
    period: int
    name: str = "series"

    def __repr__(self) -> str:
        return f"Series({self.name}: {len(self.values)} values from {self.times[0]} to {self.times[-1]}, period {self.period})"


def windows(values: Any, size: int, horizon: int = 1, step: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """All windows of `size` values, every `step`, and the `horizon` values that follow each.

    values: (T,) or (T, channels). Returns inputs (N, size, channels) and targets (N, horizon), or (N, horizon, channels) for
    values of several channels; N = 1 + (T - size - horizon) // step. Warns of values that lose digits as float32. Raises ShapeError
    when T is less than size + horizon, ArgumentError for counts below 1.

    >>> past, future = windows([1, 2, 3, 4, 5], size=3)
    >>> past[..., 0].tolist(), future.tolist()
    ([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], [[4.0], [5.0]])
    """
    exact = checked_values(values)
    known = exact.astype(np.float32)
    if kept_exact(exact, known, share=2.0**-10) is not None:
        warn("values of the series lose digits as float32", why=f"they vary only from {exact.min()} to {exact.max()}",
             repair="subtract what they have in common first, or use split_series, which does")
    starts = window_starts(len(known), 0, len(known), size, horizon, step)
    return cut(known, starts, size, horizon)


def checked_values(values: Any) -> np.ndarray:
    """The values as float64, (T,) or (T, channels), all finite."""
    known = as_array(values, "the values of the series")
    if known.dtype.kind not in "biuf":
        raise not_numeric(known, "the values of the series")
    known = known.astype(np.float64)
    if known.ndim not in (1, 2):
        raise ShapeError(f"a series has shape {known.shape}", why="it is (T,), or (T, channels)")
    check_finite(known, "the values of the series")
    return known


def window_starts(length: int, first: int, last: int, size: int, horizon: int, step: int) -> np.ndarray:
    """Where windows begin whose targets lie in first..last - 1; they may look back before `first`."""
    if min(size, horizon, step) < 1:
        raise ArgumentError(f"windows: size={size}, horizon={horizon}, step={step}", why="each is a count of at least 1")
    starts = np.arange(max(0, first - size), last - size - horizon + 1, step)
    if not len(starts):
        count = length if first == 0 else last - first
        raise ShapeError(f"windows: {count} values are too few for {size} past and {horizon} future ones",
                         repair="use a smaller window or horizon, or a longer series")
    return starts


def cut(values: np.ndarray, starts: np.ndarray, size: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """(inputs, targets) of the windows that begin at `starts`."""
    past = values[starts[:, None] + np.arange(size)]
    future = values[starts[:, None] + size + np.arange(horizon)]
    return past.reshape(*past.shape[:2], -1), future


class SeriesSplits(Splits):
    """Windows of one series, divided by time; knows the scale and the plain forecasts.

    mean, std: of the training values; inputs and targets are (value - mean) / std. `starts[part]` (N,) are the places of the
    windows in the series.
    """

    series: Series
    size: int
    horizon: int
    mean: np.ndarray
    std: np.ndarray
    starts: dict[str, np.ndarray]

    def persistence(self, part: str = "test") -> np.ndarray:
        """The forecast that nothing changes: the last value seen, for every step to come; scaled, in the targets' shape.

        >>> splits = split_series(Series(np.arange(20.0), tuple("abcdefghijklmnopqrst"), 5), size=4)
        >>> round(float(np.abs(splits.persistence() - splits.test.targets).mean() * splits.std), 4)
        1.0
        """
        return self.values_at(self.firsts(part) - 1 + np.zeros(self.horizon, np.int64))

    def seasonal(self, part: str = "test", period: int | None = None) -> np.ndarray:
        """The forecast that all is as it was one period ago: the value `period` steps before, or as many periods as are needed.

        Raises ArgumentError when the series does not go back so far. Source: Hyndman, Athanasopoulos, Forecasting, section 5.2.

        >>> wave = np.tile([0.0, 1.0, 2.0, 1.0], 20)
        >>> splits = split_series(Series(wave, ("",) * 80, period=4), size=2, horizon=6)
        >>> float(np.abs(splits.seasonal() - splits.test.targets).max())
        0.0
        """
        period = self.series.period if period is None else period
        if period < 1:
            raise ArgumentError(f"seasonal: period={period}", why="it is a count of steps, at least 1")
        ahead = np.arange(self.horizon)
        indices = self.firsts(part) + ahead - period * (1 + ahead // period)
        if indices.min() < 0:
            raise ArgumentError(f"seasonal: the {part} windows begin less than {period} steps after the series",
                                repair="use a shorter period, or ask for a later part")
        return self.values_at(indices)

    def firsts(self, part: str) -> np.ndarray:
        """The place of the first target of each window, (N, 1)."""
        if part not in self.starts:
            raise ArgumentError(f"there is no part {part!r}", repair=f"choose one of {', '.join(self.starts)}")
        return self.starts[part][:, None] + self.size

    def values_at(self, indices: np.ndarray) -> np.ndarray:
        """The scaled values at these indices."""
        return standardized(self.series.values, self.mean, self.std)[indices]

    def unscaled(self, values: Any) -> np.ndarray:
        """Forecasts in the units of the series: value * std + mean, float64."""
        return np.asarray(values, np.float64) * self.std + self.mean


def split_series(series: Series, size: int, horizon: int = 1, fractions: Sequence[float] = FRACTIONS, step: int = 1) -> SeriesSplits:
    """Windows of a series, divided by time: what is to be forecast for validation lies after all of training, the test after both.

    inputs: (N, size, channels), targets (N, horizon) or (N, horizon, channels), float32, scaled by the mean and deviation of the
    training values, which is computed in float64 and rounded once. Cuts fall at round(T * cumulative fraction). The first windows
    of validation and test look back into what came before, as a forecast does; no target is in two parts. Raises ShapeError for
    parts that are too short.

    >>> months = Series(np.arange(100.0), tuple(map(str, range(100))), period=12)
    >>> split_series(months, size=10).train
    Dataset(series.train: 60 examples, inputs (10, 1) float32, targets (1,) float32)
    """
    check_fractions(fractions)
    values = checked_values(series.values)
    series = series._replace(values=values)
    cuts = [0, *np.rint(np.cumsum(fractions) * len(values)).astype(int).tolist()]
    training = values[: cuts[1]]
    mean, std = training.mean(axis=0), training.std(axis=0)
    if not np.all(training.max(axis=0) > training.min(axis=0)):
        raise OutOfRangeError(f"the training values of {series.name} are all {training[0]}", repair="use a longer part of the series")
    starts = {part: window_starts(len(values), first, last, size, horizon, step)
              for part, first, last, share in zip(PARTS, cuts, cuts[1:], fractions) if share}
    numbers = standardized(values, mean, std)

    def make_part(part: str) -> Dataset:
        return Dataset(*cut(numbers, starts[part], size, horizon), name=f"{series.name}.{part}")

    splits = SeriesSplits(make_part("train"), make_part("validation") if fractions[1] else None,
                        (lambda: make_part("test")) if fractions[2] else None, series.name)
    splits.series, splits.size, splits.horizon, splits.mean, splits.std, splits.starts = series, size, horizon, mean, std, starts
    return splits


def load_series(path: Path, time: str, value: str, period: int, name: str) -> Series:
    """The series of two columns of a CSV file, float32 where that takes no digits that matter; DataError for gaps and words."""
    table = load_csv(path, words=[time])
    for columns in (time, value):
        if columns not in table.names or (columns == value and is_words(table[value])):
            raise refused(path, f"column {columns!r}", "it is not there" if columns not in table.names else "it holds words, not numbers")
    column = table[value]
    if missing_in(column).any():
        raise refused(path, f"column {value!r}", f"nothing in row {int(missing_in(column).argmax()) + 1}", "a series has no gaps")
    narrow = column.astype(np.float32)
    return Series(narrow if kept_exact(column, narrow) is None else column, tuple(table[time].tolist()), period, name)


def sunspots(folder: Folder = None) -> Series:
    """The mean number of spots on the sun in each of the 2,820 months from 1749 to 1983; they come back every 11 years.

    From `folder`, SLOPES_DATA (subfolder `timeseries`), or downloaded (45 kB). Source: Andrews, Herzberg, Data, 1985.
    """
    return load_series(located("sunspots", "monthly-sunspots.csv", folder), "Month", "Sunspots", 132, "sunspots")


def temperatures(folder: Folder = None) -> Series:
    """The lowest temperature of each day in Melbourne from 1981 to 1990, degrees Celsius: 3,650 days, for the file
    has no 31 December of leap years.

    From `folder`, SLOPES_DATA (subfolder `timeseries`), or downloaded (68 kB). Source: Australian Bureau of Meteorology.
    """
    return load_series(located("temperatures", "daily-min-temperatures.csv", folder), "Date", "Temp", 365, "temperatures")
