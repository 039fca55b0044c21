"""A series from the rows of a file: its times on a regular grid, the target, and the columns beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ...errors import ArgumentError, DataError
from ...files.reading import refused
from ...tables.kinds import Texts
from ...tables.numbers import has_marks, option_for_marks, parse_each
from ...tables.spelling import OPEN, Spelling
from ...tables.table import TextTable, read_table
from .time_steps import Step, TimeFormat, find_format, find_step

SHOWN = 5  # times that a message names
MOSTLY, LEAST_WORDS = 0.5, 5  # numbers among the distinct values of a column of which a few are words
MOST_MISSING = 0.5  # of the times: more are no gaps


@dataclass(frozen=True)
class Question:
    """What a user says of a file: the columns of times and target, columns known in advance, columns known of the past only, what is
    done with doubled times ("error", "mean", "last") and with gaps ("error", "interpolate", "previous"), and the column that names the
    series of each row, "" where the file holds one."""

    time: str
    target: str
    known: Sequence[str] = ()
    past: Sequence[str] = ()
    spelling: Spelling = OPEN
    date_order: str = ""
    duplicates: str = "error"
    gaps: str = "error"
    series: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values are used."""
        return (self.target, *self.past, *self.known)


@dataclass(frozen=True)
class Layout:
    """What a file is like, as a run keeps it: its spelling, how times are written, their step, and which known columns are words."""

    spelling: Spelling
    times: TimeFormat
    step: Step
    words: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """The layout as JSON holds it."""
        return {"spelling": self.spelling.fields(), "times": asdict(self.times), "step": self.step.fields(), "words": list(self.words)}

    @classmethod
    def from_fields(cls, content: Mapping[str, Any]) -> Layout:
        """The layout that `fields()` described."""
        return cls(Spelling.from_fields(content["spelling"]), TimeFormat(**content["times"]), Step(**content["step"]),
                   tuple(content["words"]))


@dataclass
class SeriesTable:
    """A series at equal distances: `target` (T,) float64 without gaps; `columns` by name, those known in advance (T + future,), numbers
    or words; `origin` the time of the first value; notes on what was done to get it; `name` among several series of a file."""

    path: str
    layout: Layout
    origin: float
    target: np.ndarray
    columns: dict[str, np.ndarray]
    future: int
    notes: list[str] = field(default_factory=list)
    name: str = ""

    def __len__(self) -> int:
        return len(self.target)

    def times(self, first: int, last: int) -> np.ndarray:
        """The times of the steps first..last - 1."""
        return self.layout.step.times(self.origin, np.arange(first, last))

    def text(self, index: int) -> str:
        """The time of a step as the file writes it."""
        return self.layout.times.text(float(self.times(index, index + 1)[0]))


def read_series(path: str, question: Question, layout: Layout | None = None) -> list[SeriesTable]:
    """Read the series of a CSV, Parquet or Arrow file, the longest first, with the layout of a run, or with one that is seen from its rows.

    Raises ArgumentError for columns that are not there, and DataError naming line, column or times for what cannot be read as times or
    numbers, for times that are there twice, for gaps, for two frequencies, and for another step than that of the layout.
    """
    table = read_table(path, question.spelling if layout is None else layout.spelling)
    check_columns(table, question)
    if not question.series:
        return [one_series(table, question, layout)]
    rows = rows_by_series(table, question.series)
    if layout is None:
        layout = common_layout(table, question, next(iter(rows.values())))
    tables = [one_series(table.rows(indices), question, layout, name) for name, indices in rows.items()]
    tables[0].notes[:0] = table.notes
    return sorted(tables, key=len, reverse=True)


def rows_by_series(table: TextTable, column: str) -> dict[str, np.ndarray]:
    """The rows of each series by its name, that of most rows first; DataError for a row without a name."""
    texts = table.texts(column)
    if "" in texts.values:
        raise texts.refuse("", "there is no name", "it says which series the row is of", "complete it, or leave the row out")
    names = np.array(texts.values, object)
    return dict(sorted(((name, np.flatnonzero(names == name)) for name in dict.fromkeys(texts.values)), key=lambda pair: -len(pair[1])))


def common_layout(table: TextTable, question: Question, longest: np.ndarray) -> Layout:
    """The layout of all series of a file: columns and times as they look in all rows, the step that of the longest series."""
    form = find_format(table.texts(question.time), table.spelling, question.date_order)
    words = tuple(name for name in question.known if column_values(table, name, True, None).dtype == object)
    times = parsed_times(table.rows(longest), question.time, form)
    return Layout(table.spelling, form, find_step(np.unique(times), form, table.path), words)


def one_series(table: TextTable, question: Question, layout: Layout | None, name: str = "") -> SeriesTable:
    """The series of these rows, with a layout or with one that is seen from them."""
    form = find_format(table.texts(question.time), table.spelling, question.date_order) if layout is None else layout.times
    columns = {name: column_values(table, name, name in question.known, layout) for name in question.columns}
    times, columns, notes = sorted_rows(table, question, parsed_times(table, question.time, form), columns)
    times, columns = merge_doubles(table, question, form, times, columns, notes)
    step = find_step(times, form, table.path) if layout is None else layout.step
    if layout is None:
        words = tuple(name for name, values in columns.items() if values.dtype == object)
        layout = Layout(table.spelling, form, step, words)
    notes = [f"{question.series} {name!r}: {note}" for note in notes] if name else [*table.notes, *notes]
    return on_grid(SeriesTable(table.path, layout, float(times[0]), np.zeros(0), {}, 0, notes, name), question, times, columns)


def check_columns(table: TextTable, question: Question) -> None:
    """ArgumentError for columns that are not named, not there, or named twice."""
    has = f"it has {', '.join(map(repr, list(table.columns)[:20]))}"
    for option, name in (("time", question.time), ("target", question.target)):
        if not name:
            raise ArgumentError(f"{table.path}: no column of the {'times' if option == 'time' else 'target'} is named", why=has,
                                repair=f"--{option} COLUMN")
    names = (question.time, *question.columns, *([question.series] if question.series else []))
    for name in names:
        if name not in table.columns:
            raise ArgumentError(f"{table.path} has no column {name!r}", why=has, repair="name one of these")
        if names.count(name) > 1:
            raise ArgumentError(f"column {name!r} is named twice", why="it is the time, the target, known in advance, or known of the past",
                                repair="name each column once")


def column_values(table: TextTable, name: str, may_be_words: bool, layout: Layout | None) -> np.ndarray:
    """The numbers of a column, float64 with nan for gaps; or its words, objects with "" for gaps."""
    texts = table.texts(name)
    values, wrong = parse_each(texts.values, table.spelling)
    is_words = holds_words(texts, wrong, table.spelling) if layout is None else name in layout.words
    if may_be_words and is_words:
        words = np.empty(len(texts.values), object)
        words[:] = texts.values
        return words
    if wrong:
        raise no_number(texts, texts.values[wrong[0]], table.spelling)
    return values


def holds_words(texts: Texts, wrong: Sequence[int], spelling: Spelling) -> bool:
    """Whether a column holds words; DataError for numbers in another spelling, and for a few words among numbers."""
    words, others = set(filter(None, texts.values)), list(dict.fromkeys(texts.values[row] for row in wrong))
    if others and (all(map(has_marks, others)) or is_infinite(others[0]) or (
            len(others) < MOSTLY * len(words) and len(words) >= LEAST_WORDS)):
        raise no_number(texts, others[0], spelling)
    return bool(others)


def is_infinite(word: str) -> bool:
    """Whether a word is an infinite number."""
    return word.strip("+-").lower() in ("inf", "infinity")


def no_number(texts: Texts, word: str, spelling: Spelling) -> DataError:
    """The error for a value that is no finite number."""
    if is_infinite(word):
        return texts.refuse(word, f"{word} is not finite", "no scale holds an infinite number", f"--missing {word} if it marks a gap; or "
                            "write the largest number that makes sense instead")
    if has_marks(word):
        return texts.refuse(word, f"{word!r} may be a number", "its marks are not those of a number such as 1234.5",
                            option_for_marks([word]))
    return texts.refuse(word, f"{word!r:.60} is no number", "only columns that are known in advance (--known) may hold words",
                        f"correct it; --missing {word!r:.60} if it marks a gap")


def parsed_times(table: TextTable, name: str, form: TimeFormat) -> np.ndarray:
    """The times of the rows; DataError for a row without one."""
    texts = table.texts(name)
    times, wrong = form.parse(texts.values, table.spelling)
    for row in [*wrong, *np.flatnonzero(np.isnan(times)).tolist()]:
        word = texts.values[row]
        raise texts.refuse(word, f"{word!r:.40} is no time" if word else "there is no time", "each value of a series has its time",
                           f"correct it; the other times are written like {texts.values[0]!r:.40}" if row else "correct it")
    return times


Columns = dict[str, np.ndarray]


def sorted_rows(table: TextTable, question: Question, times: np.ndarray, columns: Columns) -> tuple[np.ndarray, Columns, list[str]]:
    """Times and columns in the order of time; a note where they were not."""
    order = np.argsort(times, kind="stable")
    back = np.flatnonzero(np.diff(times) < 0)
    if not len(back):
        return times, columns, []
    note = f"the rows are not in the order of {question.time!r} (line {table.lines[int(back[0]) + 1]} goes back): they are sorted"
    return times[order], {name: values[order] for name, values in columns.items()}, [note]


def merge_doubles(table: TextTable, question: Question, form: TimeFormat, times: np.ndarray, columns: Columns, notes: list[str]
                  ) -> tuple[np.ndarray, Columns]:
    """One row for each time; DataError naming times that are there twice, if nothing else was asked for."""
    unique, first, counts = np.unique(times, return_index=True, return_counts=True)
    doubled = unique[counts > 1]
    if not len(doubled):
        return times, columns
    named = join_first([form.text(time) for time in doubled[:SHOWN].tolist()], len(doubled))
    many = f"{len(doubled):,} times are" if len(doubled) > 1 else "1 time is"
    if question.duplicates == "error":
        raise doubled_times(table, question, f"{many} there more than once: {named}")
    notes.append(f"{many} there more than once: the {question.duplicates} of their values is taken ({named})")
    last = first + counts - 1
    return unique, {name: means(values, first) if question.duplicates == "mean" and values.dtype != object else values[last]
                    for name, values in columns.items()}


def doubled_times(table: TextTable, question: Question, seen: str) -> DataError:
    """The error for times that are there more than once."""
    column = separating_column(table, question)
    why, repair = "one value belongs to one time", "--duplicates mean or --duplicates last; or correct the rows"
    if column is not None:
        why = f"column {column!r} tells rows of the same time apart: the file may hold several series"
        repair = f"--series {column} learns all of them; or --duplicates mean or last"
    return refused(table.path, f"time column {question.time!r}", seen, why, repair)


def separating_column(table: TextTable, question: Question) -> str | None:
    """A column that is not used, has few values, and another one in all rows of the same time."""
    times = table.columns[question.time]
    for name, values in table.columns.items():
        if name not in (question.time, *question.columns) and 2 * len(set(values)) <= len(values) == len(set(zip(times, values))):
            return name
    return None


def means(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The mean of the values that are there in each group of rows, which begin at `first`; nan for a group without one."""
    known = np.isfinite(values)
    sums, counts = np.add.reduceat(np.where(known, values, 0.0), first), np.add.reduceat(known.astype(np.int64), first)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def join_first(texts: Sequence[str], count: int) -> str:
    """The first of `count` texts.

    >>> join_first(["a", "b"], 3)
    'a, b, ...'
    """
    return ", ".join(texts) + (", ..." if count > len(texts) else "")


def on_grid(series: SeriesTable, question: Question, times: np.ndarray, columns: Columns) -> SeriesTable:
    """The columns at every step from the first to the last value of the target, gaps filled as asked for; what follows is the future."""
    layout = series.layout
    misses = layout.step.misses(times, series.origin)
    if misses.any():
        index = int(misses.argmax())
        raise refused(series.path, "times", f"{layout.times.text(times[index])} is no whole number of steps after the first time",
                      f"the run learned from values that are {layout.step.text} apart", "bring the values to this distance")
    indices = np.rint(layout.step.offsets(times, series.origin)).astype(np.int64)
    known = np.flatnonzero(np.isfinite(columns[question.target]))
    if not len(known):
        raise refused(series.path, f"target {question.target!r}", "no row has a value", "forecasts are learned from past values",
                      "name another column: --target")
    first, last = int(indices[known[0]]), int(indices[known[-1]])
    if first:
        series.notes.append(f"{first:,} times before the first value of {question.target!r} are left out")
    if indices[-1] > last:
        series.notes.append(f"the rows after {layout.times.text(times[known[-1]])} have no {question.target!r}: they are the future")
    full = {name: spread(values, indices, int(indices[-1]) + 1)[first:] for name, values in columns.items()}
    series.origin, series.future = float(times[known[0]]), int(indices[-1]) - last
    length = last - first + 1
    absent = np.setdiff1d(np.arange(first, last + 1), indices) - first
    check_missing(series, question, absent, {name: full[name][:length] for name in question.columns})
    cut = {name: full[name][: None if name in question.known else length] for name in question.columns}
    filled = cut if question.gaps == "error" else {name: fill(values, question.gaps) for name, values in cut.items()}
    series.target, series.columns = filled.pop(question.target), filled
    return series


def spread(values: np.ndarray, indices: np.ndarray, length: int) -> np.ndarray:
    """Values at their indices; nan or "" elsewhere."""
    result = np.full(length, "" if values.dtype == object else np.nan, values.dtype)
    result[indices] = values
    return result


def is_gap(values: np.ndarray) -> np.ndarray:
    """Which values are missing."""
    return values == "" if values.dtype == object else np.isnan(values)


def check_missing(series: SeriesTable, question: Question, absent: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
    """Say which times and values are missing; DataError where nothing is to be done about them, or where too many are."""
    gaps = {name: np.setdiff1d(np.flatnonzero(is_gap(values)), absent) for name, values in columns.items()}
    counted = [(f"{len(absent):,} times", absent)] if len(absent) else []
    counted += [(f"{len(indices):,} values of {name!r}", indices) for name, indices in gaps.items() if len(indices)]
    if not counted:
        return
    what = "; ".join(f"{text} are missing: {join_first([series.text(i) for i in indices[:SHOWN].tolist()], len(indices))}"
                     for text, indices in counted)
    if len(absent) > MOST_MISSING * len(columns[question.target]):
        raise refused(series.path, "times", what, f"of the steps of {series.layout.step.text}, more are missing than there",
                      "bring values at equal distances, or means over longer ones")
    if question.gaps == "error":
        raise refused(series.path, "gaps", what, f"a network of past values needs a value every {series.layout.step.text}",
                      "--gaps interpolate (a line between the neighbours) or --gaps previous (the value before); or complete the file")
    done = "interpolated" if question.gaps == "interpolate" else "as the values before them"
    series.notes.append(f"{what}: they are filled, {done}")


def fill(values: np.ndarray, how: str) -> np.ndarray:
    """Values without gaps: on a line between the neighbours, or as the value before; words always as the one before.

    >>> fill(np.array([1.0, np.nan, 3.0]), "interpolate").tolist(), fill(np.array([1.0, np.nan, 3.0]), "previous").tolist()
    ([1.0, 2.0, 3.0], [1.0, 1.0, 3.0])
    """
    gaps = is_gap(values)
    known = np.flatnonzero(~gaps)
    if not gaps.any() or not len(known):
        return values
    if how == "interpolate" and values.dtype != object:
        return np.interp(np.arange(len(values)), known, values[known])
    before = np.maximum.accumulate(np.where(gaps, -1, np.arange(len(values))))
    return values[np.where(before < 0, known[0], before)]
