"""When the values of a series were: the format of times, the step between them, and the times that follow."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np

from ...errors import DataError
from ...files.reading import refused
from ...tables.dates import DAY, EPOCH, ORDERS, PATTERNS, formats_of, parse_dates
from ...tables.kinds import Texts
from ...tables.numbers import parse_each
from ...tables.spelling import Spelling

Unit = Literal["number", "second", "weekday", "month"]
COMPACT = re.compile(r"(?:1[6-9]|20|21)\d{6}")  # 20240131
WRITTEN = {"year-month-day": "%Y{0}%m{0}%d", "day-month-year": "%d{0}%m{0}%Y", "month-day-year": "%m{0}%d{0}%Y", "year-month": "%Y-%m",
           "compact": "%Y%m%d"}
SECONDS = {"week": 604800, "day": 86400, "hour": 3600, "minute": 60, "second": 1}
FEW_TIMES = 10  # of fewer nothing is said about weekends
SECOND_FREQUENCY = 20  # a twentieth of the times, one after the other at another distance, is a second frequency
CLOSE, CLOSE_SECONDS = 0.01, 0.5  # by how much of a step numbers, and by how many seconds times, may miss a multiple of the step
WEEKDAYS = "1111100"


@dataclass(frozen=True)
class TimeFormat:
    """How times are written: `form` is a name of `tables.dates.PATTERNS`, "compact" for 20240131, or "" for numbers; `pattern` is that of
    strftime, "" for numbers. Times with a zone become UTC."""

    form: str
    pattern: str = ""

    def parse(self, texts: Sequence[str], spelling: Spelling) -> tuple[np.ndarray, list[int]]:
        """Times as float64 (days since 1970, or the numbers), nan for gaps; and the rows that hold something else."""
        if not self.form:
            return parse_each(texts, spelling)
        if self.form == "compact":
            return parse_dates([f"{text[:4]}-{text[4:6]}-{text[6:]}" if COMPACT.fullmatch(text) else text for text in texts],
                               "year-month-day")
        return parse_dates(texts, self.form)

    def text(self, time: float) -> str:
        """A time as the file writes it.

        >>> TimeFormat("year-month", "%Y-%m").text(31.0), TimeFormat("").text(1961.0)
        ('1970-02', '1961')
        """
        if not self.form:
            return f"{time:.0f}" if time == round(time) else f"{time:.10g}"
        return moment(time).strftime(self.pattern)


def find_format(texts: Texts, spelling: Spelling, date_order: str = "") -> TimeFormat:
    """The format of a column of times; DataError where it is none, or may be one of two."""
    words = list(dict.fromkeys(filter(None, texts.values)))
    if not words:
        raise refused(texts.path, f"time column {texts.name!r}", "no row has a value", "a series has a time in each row",
                      "name the column of the times: --time")
    if all(map(COMPACT.fullmatch, words)):
        return TimeFormat("compact", WRITTEN["compact"])
    if not parse_each(words, spelling)[1]:
        return TimeFormat("")
    form = date_form(texts, words, date_order)
    return TimeFormat(form, strftime_pattern(words[-1], form))


def date_form(texts: Texts, words: Sequence[str], date_order: str) -> str:
    """The name of the pattern of dates that all words fit."""
    written = "times are numbers, or dates such as 2024-12-31, 31.12.2024, 12/31/2024 or 2024-12, with or without a time of day"
    seen = formats_of(words)
    if seen is None:
        word = next(word for word in words if formats_of([word]) is None)
        raise texts.refuse(word, f"{word!r:.40} is no time", written, f"name the column of the times: --time; or --missing {word!r:.40} "
                           "if it marks a gap")
    if seen.clash is not None:
        one, other = seen.clash
        raise texts.refuse(other, f"{other!r:.40} is written in another way than {one!r:.40}",
                           "times in two formats cannot be told apart where both readings are dates", "write all of them as 2024-12-31")
    if ORDERS.get(date_order) in seen.common:
        return ORDERS[date_order]
    if len(seen.common) > 1:
        raise texts.refuse(words[0], f"{words[0]!r:.40} may begin with the day or with the month", "no date in the column decides it",
                           "--dates day-first or --dates month-first")
    return seen.common[0]


def strftime_pattern(text: str, form: str) -> str:
    """The pattern that writes dates as this one.

    >>> strftime_pattern("31.12.2024 08:30", "day-month-year")
    '%d.%m.%Y %H:%M'
    """
    match = PATTERNS[form].fullmatch(text)
    assert match is not None, f"{text} is of the format {form}"
    parts = match.groupdict()
    date = WRITTEN[form].format(parts.get("mark") or "-")
    if parts.get("hour") is None:
        return date
    mark = "T" if "T" in text else " "
    return date + mark + "%H:%M" + (":%S" if parts["second"] else "") + ("Z" if parts["zone"] else "")


def moment(time: float) -> datetime:
    """Days since 1970 as a date and a time of day."""
    return EPOCH + timedelta(seconds=round(time * DAY))


def days_in_month(month: int) -> int:
    """The length of a month that is counted from January of year 0."""
    return calendar.monthrange(month // 12, month % 12 + 1)[1]


@dataclass(frozen=True)
class Step:
    """The distance between two values of a series: `count` units. day: of months, the day of the month, cut to their lengths."""

    unit: Unit
    count: float
    day: int = 1

    def offsets(self, times: np.ndarray, origin: float) -> np.ndarray:
        """How many steps times lie after the origin: whole where they are on the grid, nan for other days of a month or for weekends."""
        if self.unit == "month":
            return (months_of(times, self.day) - months_of(np.array([origin]), self.day)) / self.count
        if self.unit == "weekday":
            dates, first = np.floor(times).astype("datetime64[D]"), np.datetime64(int(np.floor(origin)), "D")
            whole = np.is_busday(dates, WEEKDAYS) & (np.abs(times - np.floor(times) - origin % 1) < 1 / DAY)
            return np.where(whole, np.busday_count(first, dates, WEEKDAYS) / self.count, np.nan)
        return (times - origin) / self.size

    def misses(self, times: np.ndarray, origin: float) -> np.ndarray:
        """Which times lie at no whole number of steps after the origin."""
        offsets = self.offsets(times, origin)
        close = min(CLOSE, CLOSE_SECONDS / self.count) if self.unit == "second" else CLOSE
        return ~(np.abs(offsets - np.rint(offsets)) < close)

    @property
    def size(self) -> float:
        """The mean length of a step, in days or as a number."""
        return self.count * {"number": 1.0, "second": 1 / DAY, "weekday": 1.4, "month": 365.2425 / 12}[self.unit]

    def times(self, origin: float, indices: np.ndarray) -> np.ndarray:
        """The times of these steps after the origin."""
        if self.unit == "month":
            first = moment(origin)
            months = first.year * 12 + first.month - 1 + np.rint(indices * self.count).astype(np.int64)
            starts = [datetime(month // 12, month % 12 + 1, min(self.day, days_in_month(month)), tzinfo=UTC) for month in months.tolist()]
            return np.array([(start - EPOCH).days for start in starts]) + origin % 1
        if self.unit == "weekday":
            steps = np.rint(indices * self.count).astype(np.int64)
            dates = np.busday_offset(np.datetime64(int(np.floor(origin)), "D"), steps, "forward", WEEKDAYS)
            return dates.astype(np.int64) + origin % 1
        return origin + indices * self.size

    @property
    def text(self) -> str:
        """The step in words: `1 month`."""
        if self.unit == "number":
            return f"{self.count:.6g} in numbers"
        if self.unit == "second":
            unit = next(unit for unit, seconds in SECONDS.items() if self.count % seconds == 0 or unit == "second")
            return plural(self.count / SECONDS[unit], unit)
        if self.unit == "month" and self.count % 12 == 0:
            return plural(self.count / 12, "year")
        return plural(self.count, "day from Monday to Friday" if self.unit == "weekday" else "month")

    def fields(self) -> dict[str, Any]:
        """The step as JSON holds it."""
        return {"unit": self.unit, "count": self.count, "day": self.day}


def plural(count: float, unit: str) -> str:
    """`1 month`, `3 months`."""
    first, _, rest = unit.partition(" ")
    return f"{count:g} {first}{'s' if count != 1 else ''}" + (f" {rest}" if rest else "")


def months_of(times: np.ndarray, day: int) -> np.ndarray:
    """The months of times, counted from year 0; nan for times at another day of the month than `day`, or the last of a shorter one."""
    moments = [moment(time) for time in times.tolist()]
    months = [value.year * 12 + value.month - 1 for value in moments]
    return np.array([month if value.day == min(day, days_in_month(month)) else np.nan for value, month in zip(moments, months)])


def most_frequent(distances: np.ndarray) -> float:
    """The most frequent distance, of several the smallest."""
    values, counts = np.unique(np.round(distances, 9), return_counts=True)
    return float(values[counts.argmax()])


def step_candidates(times: np.ndarray, dates: bool) -> list[Step]:
    """The steps that increasing times may have, the likeliest first."""
    if not dates:
        return [Step("number", most_frequent(np.diff(times)))]
    seconds = np.rint(np.diff(times) * DAY)
    step = Step("second", most_frequent(seconds))
    days = times.astype("datetime64[D]")
    steps = [step]
    if step.count == DAY and len(times) >= FEW_TIMES and np.is_busday(days, WEEKDAYS).all():
        steps.insert(0, Step("weekday", 1))
    day = max(moment(time).day for time in times.tolist())
    months = months_of(times, day)
    if np.isfinite(months).all() and len(set((times % 1).tolist())) == 1 and (np.diff(months) > 0).all():
        steps.append(Step("month", most_frequent(np.diff(months)), day))
    return steps


def find_step(times: np.ndarray, form: TimeFormat, path: str) -> Step:
    """The step of increasing times, some of which may be missing; DataError for two frequencies, and for none."""
    if len(times) < 2:
        raise refused(path, "rows", "there is one time only", "a series has many values", "name a file with more rows")
    steps = step_candidates(times, bool(form.form))
    step = next((step for step in steps if not step.misses(times, times[0]).any()), None)
    if step is None:
        raise irregular(times, form, path, steps[0])
    distances = np.diff(np.rint(step.offsets(times, times[0])))
    first, length = longest_run(distances)
    if length >= max(3, len(distances) // SECOND_FREQUENCY):
        raise refused(path, "times", f"they have two frequencies: {step.text}, but from {form.text(times[first])} on {distances[first]:g} "
                      "times as far apart", "one network forecasts at one distance", "keep the part of one frequency, or bring both to one")
    return step


def irregular(times: np.ndarray, form: TimeFormat, path: str, step: Step) -> DataError:
    """The error for times without a common step."""
    index = int(step.misses(times, times[0]).argmax())
    return refused(path, "times", f"they are at no regular distance: most are {step.text} apart, but not {form.text(times[index])}",
                   "a network of past values needs values at equal distances", "keep the part of one frequency, or bring the values to one")


def longest_run(distances: np.ndarray) -> tuple[int, int]:
    """(first index, length) of the longest run of equal distances other than 1; (0, 0) without one.

    >>> longest_run(np.array([1, 1, 24, 24, 1, 3]))
    (2, 2)
    """
    edges = np.flatnonzero(np.diff(distances)) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(distances)]])
    lengths = np.where(distances[starts] == 1, 0, ends - starts)
    longest = int(lengths.argmax())
    return (int(starts[longest]), int(lengths[longest])) if lengths[longest] else (0, 0)
