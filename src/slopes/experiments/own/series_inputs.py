"""What the network of a series sees: the scaled target, the columns beside it, cycles of the calendar; and windows of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ...files.reading import refused
from .seasons import Season, cycle_features
from .series_table import SeriesTable, is_gap

MOST_CATEGORIES = 50
BLOCKS = 6  # of the training part, by which it is seen whether the spread grows with the level
GROWTH, LEAST_RATIO = 0.5, 1.5  # the slope of log spread over log level, and the ratio of levels, from which on logarithms are taken
LONGEST_WINDOW, LEAST_WINDOW = 64, 24  # of those that are chosen
SHARES = 0.65, 0.8  # where validation and test begin
LEAST_WINDOWS = {"training": 10, "validation": 3, "test": 1}
SEASON = "one period ago"


@dataclass(frozen=True)
class Scale:
    """x -> (f(x) - mean) / std, f the logarithm or nothing.

    >>> scale = Scale(True, 1.0, 2.0)
    >>> scale.back(scale(np.array([3.0]))).round(6).tolist()
    [3.0]
    """

    logarithm: bool
    mean: float
    std: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Values of the series on the scale of the network, float64."""
        return ((np.log(values) if self.logarithm else values) - self.mean) / self.std

    def back(self, scaled: np.ndarray) -> np.ndarray:
        """The values of the series."""
        values = np.asarray(scaled, np.float64) * self.std + self.mean
        return np.exp(values) if self.logarithm else values


def grows_with_level(values: np.ndarray) -> bool:
    """Whether the spread of a positive series grows with its level: in six blocks the slope of log(spread) over log(mean) is above 0.5.

    Source: Guerrero, "Time-series analysis supported by power transformations", 1993.

    >>> t = np.arange(120)
    >>> grows_with_level(np.exp(t / 50) * (2 + np.sin(t))), grows_with_level(10 + t / 10 + np.sin(t))
    (True, False)
    """
    if values.min() <= 0:
        return False
    blocks = np.array_split(values, BLOCKS)
    levels, spreads = np.array([block.mean() for block in blocks]), np.array([block.std() for block in blocks])
    if levels.max() < LEAST_RATIO * levels.min() or spreads.min() <= 0:
        return False
    return bool(np.polyfit(np.log(levels), np.log(spreads), 1)[0] > GROWTH)


def choose_scale(table: SeriesTable, name: str, train: np.ndarray, how: str) -> Scale:
    """The scale of the training part: "plain", "log", or "auto". DataError for a constant series, and for logarithms of 0 or less."""
    if train.max() == train.min():
        raise refused(table.path, f"target {name!r}", f"it is always {train[0]:g} in the training part", "there is nothing to learn",
                      "name another column: --target; or bring a longer series")
    logarithm = how == "log" or (how == "auto" and table.target.min() > 0 and grows_with_level(train))
    if logarithm:
        check_positive(table, name, table.target)
    raised = np.log(train) if logarithm else train
    return Scale(logarithm, float(raised.mean()), float(raised.std()))


def check_positive(table: SeriesTable, name: str, values: np.ndarray) -> None:
    """DataError for a value that has no logarithm."""
    if values.min() <= 0:
        index = int(values.argmin())
        raise refused(table.path, f"target {name!r}", f"{values[index]:g} at {table.text(index)} has no logarithm",
                      "the network learns the logarithm of the series", "train with --scale plain")


@dataclass(frozen=True)
class ColumnCode:
    """How a column becomes features: (x - mean) / std of a number, a 1 for the category of a word."""

    name: str
    mean: float = 0.0
    std: float = 1.0
    categories: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many features it gives."""
        return len(self.categories) or 1

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The features (N, width); gaps and unknown categories are zeros."""
        if self.categories:
            return (values[:, None] == np.array(self.categories, object)).astype(np.float64)
        return np.nan_to_num((values[:, None] - self.mean) / self.std)

    def unknown(self, values: np.ndarray) -> list[str]:
        """The categories that it has no feature for."""
        return sorted(set(values.tolist()) - {"", *self.categories}) if self.categories else []


def code_of(table: SeriesTable, name: str, values: np.ndarray, notes: list[str]) -> ColumnCode | None:
    """The code of a column from its values in training parts; None, with a note, for one that is constant there."""
    if values.dtype != object:
        if values.max() > values.min():
            return ColumnCode(name, float(values.mean()), float(values.std()))
    else:
        categories = sorted(set(values.tolist()))
        if len(categories) > MOST_CATEGORIES:
            raise refused(table.path, f"column {name!r}", f"{len(categories):,} different words, more than {MOST_CATEGORIES}",
                          "each category becomes an input of its own", "bring fewer categories, or leave the column out")
        if len(categories) > 1:
            return ColumnCode(name, categories=tuple(categories))
    notes.append(f"column {name!r} is left out: it has one value only in the training part")
    return None


@dataclass(frozen=True)
class Windows:
    """Windows of a series: `past` (N, window, 1 + features), `future` (N, horizon, 1 + features), targets (N, horizon), all scaled; and
    the index of the first target of each."""

    past: np.ndarray
    future: np.ndarray
    targets: np.ndarray
    firsts: np.ndarray

    @property
    def last(self) -> np.ndarray:
        """The last value seen (N, 1)."""
        return self.past[:, -1:, 0]

    def __len__(self) -> int:
        return len(self.firsts)

    def rows(self, indices: np.ndarray) -> Windows:
        """Some of the windows."""
        return Windows(self.past[indices], self.future[indices], self.targets[indices], self.firsts[indices])

    @classmethod
    def join(cls, parts: Sequence[Windows]) -> Windows:
        """The windows of several series."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("past", "future", "targets", "firsts")))


@dataclass(frozen=True)
class Inputs:
    """Everything between a series and the arrays of its network: kept in the run.

    window, horizon, period   in steps; a period of 1 is none
    cycles                    of the calendar, with the number of harmonics
    known, past               the codes of the columns
    scales                    of each series, by name, where there are several
    """

    target: str
    scale: Scale
    window: int
    horizon: int
    period: int
    cycles: Mapping[str, int]
    known: tuple[ColumnCode, ...]
    past: tuple[ColumnCode, ...]
    scales: Mapping[str, Scale] = field(default_factory=dict)

    def of(self, table: SeriesTable) -> Inputs:
        """The inputs with the scale of one of several series: that of its training part, or of all its values where it had none."""
        if not table.name:
            return self
        values = np.log(table.target) if self.scale.logarithm else table.target
        own = Scale(self.scale.logarithm, float(values.mean()), float(values.std()) or 1.0)
        return replace(self, scale=self.scales.get(table.name, own))

    @property
    def lookback(self) -> int:
        """How many values before a forecast it needs."""
        return max(self.window, self.period)

    @property
    def future_groups(self) -> list[tuple[str, int]]:
        """(name, number of features) of what is known in advance, in the order of the features."""
        return [*((name, 2 * harmonics) for name, harmonics in self.cycles.items()), *((code.name, code.width) for code in self.known)]

    @property
    def future_width(self) -> int:
        """How many features are known in advance."""
        return sum(width for _, width in self.future_groups)

    @property
    def past_width(self) -> int:
        """How many features columns of the past give."""
        return sum(code.width for code in self.past)

    def future_features(self, table: SeriesTable) -> np.ndarray:
        """What is known in advance, at every step of the series and after it (T + horizon, future_width); zeros where it is unknown."""
        length = len(table) + self.horizon
        times = table.times(0, length)
        parts = [cycle_features(times, name, harmonics) for name, harmonics in self.cycles.items()]
        for code in self.known:
            features = code(table.columns[code.name][:length])
            parts.append(np.concatenate([features, np.zeros((length - len(features), code.width))]))
        return np.concatenate([np.zeros((length, 0)), *parts], axis=1)

    def windows(self, table: SeriesTable, firsts: np.ndarray) -> Windows:
        """The windows whose first targets have these indices; targets after the end of the series are nan."""
        series = np.concatenate([self.scale(table.target), np.full(self.horizon, np.nan)])
        features = self.future_features(table)
        beside = np.concatenate([np.zeros((len(table), 0)), *(code(table.columns[code.name]) for code in self.past)], axis=1)
        before, ahead = firsts[:, None] - self.window + np.arange(self.window), np.arange(self.horizon)
        after, lag = firsts[:, None] + ahead, firsts[:, None] + ahead - self.period * (1 + ahead // self.period)
        past = np.concatenate([series[before][..., None], beside[before], features[before]], axis=2)
        future = np.concatenate([series[lag][..., None], features[after]], axis=2)
        return Windows(past.astype(np.float32), future.astype(np.float32), series[after].astype(np.float32), firsts)

    def fields(self) -> dict[str, Any]:
        """The inputs as JSON holds them."""
        return {"target": self.target, "scale": asdict(self.scale), "window": self.window, "horizon": self.horizon, "period": self.period,
                "cycles": dict(self.cycles), "known": [asdict(code) for code in self.known], "past": [asdict(code) for code in self.past],
                "scales": {name: asdict(scale) for name, scale in self.scales.items()}}

    @classmethod
    def from_fields(cls, content: Mapping[str, Any]) -> Inputs:
        """The inputs that `fields()` described."""
        codes = {name: tuple(ColumnCode(**{**code, "categories": tuple(code["categories"])}) for code in content[name])
                 for name in ("known", "past")}
        scales = {name: Scale(**scale) for name, scale in content.get("scales", {}).items()}
        return cls(**{**content, "scale": Scale(**content["scale"]), "scales": scales, **codes})


def choose_window(length: int, horizon: int, period: int) -> int:
    """A window for a training part of this length: twice the horizon or two periods, whole periods, a third of the part, 64 at most.

    >>> choose_window(94, horizon=12, period=12), choose_window(2000, horizon=12, period=365)
    (24, 24)
    """
    window = max(2 * horizon, LEAST_WINDOW, 2 * period if 2 * period <= LONGEST_WINDOW else 0)
    window = max(2, min(window, LONGEST_WINDOW, (length - horizon) // 3))
    return window // period * period if 1 < period <= window else window


class Parts(NamedTuple):
    """The indices of the first targets of the windows of each part; `cuts` are where validation and test begin."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    cuts: tuple[int, int]


def cuts_of(length: int) -> tuple[int, int]:
    """Where validation and test begin."""
    first, second = (round(share * length) for share in SHARES)
    return first, second


def divide(table: SeriesTable, inputs: Inputs) -> Parts:
    """The windows of training, validation and test: all targets of one lie in its part of the time. DataError for a series too short."""
    cuts = cuts_of(len(table))
    edges = (inputs.lookback, *cuts, len(table))
    firsts = [np.arange(low, high - inputs.horizon + 1) for low, high in pairwise(edges)]
    for (name, least), part in zip(LEAST_WINDOWS.items(), firsts):
        if len(part) < least:
            why = (f"the {name} part has {len(part)} windows of {inputs.horizon} steps (the first {inputs.lookback} values are only seen), "
                   f"and needs {least}; 65% of the values are for training, 15% for validation, 20% for the test")
            raise refused(table.path, "rows", f"a series of {len(table):,} values is too short", why,
                          "use a shorter --horizon, --window or --period, or bring a longer series")
    train, validation, test = firsts
    return Parts(train, validation, test, cuts)


class Member(NamedTuple):
    """A series that is learned from: its table, the inputs of the network with its scale, and the windows of each part."""

    table: SeriesTable
    inputs: Inputs
    parts: Parts

    @property
    def trained_on(self) -> np.ndarray:
        """The values of the training part."""
        return self.table.target[: self.parts.cuts[0]]


@dataclass
class SeriesData:
    """The series that are learned from, the longest first, the season of that one, and the windows of all."""

    members: list[Member]
    season: Season
    train: Windows
    validation: Windows

    @property
    def table(self) -> SeriesTable:
        """The longest series."""
        return self.members[0].table

    @property
    def inputs(self) -> Inputs:
        """The inputs of the network, with the scale of the longest series."""
        return self.members[0].inputs

    @property
    def parts(self) -> Parts:
        """The parts of the longest series."""
        return self.members[0].parts

    @property
    def test(self) -> Windows:
        """The windows of the test parts."""
        return Windows.join([member.inputs.windows(member.table, member.parts.test) for member in self.members])


def check_known(table: SeriesTable, inputs: Inputs, steps: int) -> None:
    """DataError where a column that is known in advance has no value in one of the next steps."""
    for code in inputs.known:
        values = table.columns[code.name][len(table) : len(table) + steps]
        missing = [*np.flatnonzero(is_gap(values)).tolist(), *range(len(values), steps)]
        if missing:
            raise refused(table.path, f"column {code.name!r}", f"it has no value for {table.text(len(table) + missing[0])}",
                          "the forecast depends on what is known in advance",
                          f"add rows for the {steps} steps after {table.text(len(table) - 1)}, with an empty {inputs.target!r}")


def unknown_notes(table: SeriesTable, inputs: Inputs) -> Iterator[str]:
    """A note for each column with categories that no training row had."""
    for code in inputs.known:
        if words := code.unknown(table.columns[code.name]):
            named = ", ".join(map(repr, words[:5]))
            yield f"column {code.name!r} has categories that the training did not have, {named}: they count as none"
