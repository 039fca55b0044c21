"""A pasted or dropped CSV as points of the plane: two columns of figures, and a class or a figure for each row."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import DataError
from .settings import MOST_CLASSES, MOST_POINTS

DELIMITERS = ",;\t|"
EXTENT = 5.0  # columns are scaled to the range from -5 to 5
LOOKED_AT = 50  # rows that decide on the delimiter
SHOWN = 3


@dataclass(frozen=True)
class Table:
    """points (N, 3): both coordinates and class or figure; names of the classes; the columns, and remarks on what was left out."""

    points: np.ndarray
    problem: str
    names: tuple[str, ...]
    columns: tuple[str, str, str]
    choice: tuple[str, ...]
    remarks: tuple[str, ...]


def read_table(text: str, columns: Sequence[str] = ()) -> Table:
    """The points of a CSV, by default of its first two columns of figures, with the last other column as target.

    Raises DataError for a text without two columns of figures and a target, with gaps or words in all rows, or with one class.
    """
    header, rows = read_rows(text)
    chosen = list(columns) if columns else choose(header, rows)
    unknown = [name for name in chosen if name not in header]
    if len(chosen) != 3 or unknown:
        raise refused(f"there is no column {', '.join(unknown) or 'for each of x1, x2 and the target'}",
                      f"the table has {', '.join(header)}", "choose three of them")
    across, up, target = (header.index(name) for name in chosen)
    complete = [row for row in rows if is_figure(row[across]) and is_figure(row[up]) and row[target]]
    if len(complete) < 4:
        raise refused(f"only {len(complete)} rows have figures in {chosen[0]} and {chosen[1]}, and a value in {chosen[2]}",
                      "all others have gaps or words there", "choose other columns")
    remarks = [f"{len(rows) - len(complete):,} rows with gaps or words were left out"] if len(complete) < len(rows) else []
    if len(complete) > MOST_POINTS:
        remarks.append(f"{MOST_POINTS:,} of {len(complete):,} rows were taken, evenly over the table")
        complete = [complete[i] for i in np.linspace(0, len(complete) - 1, MOST_POINTS).round().astype(int)]
    problem, names, values = targets_of([row[target] for row in complete], chosen[2])
    plane = [scaled([float(row[column]) for row in complete]) for column in (across, up)]
    return Table(np.stack([*plane, values], axis=1), problem, names, (chosen[0], chosen[1], chosen[2]), tuple(header), tuple(remarks))


def read_rows(text: str) -> tuple[list[str], list[list[str]]]:
    """(names of columns, rows), every row as long as the first; names are made up where the first row has figures."""
    lines = text.strip("\ufeff \r\n\t").splitlines()
    if not lines or not lines[0].strip():
        raise refused("the table is empty", "", "paste rows of x1, x2 and a class")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter_of(lines)) if row]
    except csv.Error as error:
        raise refused(f"the table cannot be read: {error}", "", "save it again as CSV") from None
    width = Counter(map(len, rows)).most_common(1)[0][0]
    if width < 3:
        raise refused(f"the table has {width} column{'s' if width > 1 else ''}", "columns are separated by comma, semicolon, tab or |",
                      "paste rows of x1, x2 and a class")
    rows = [row for row in rows if len(row) == width]
    if sum(map(is_figure, rows[0])) >= 2:
        return [f"column {i + 1}" for i in range(width)], rows
    header = [name or f"column {i + 1}" for i, name in enumerate(rows[0])]
    return [name if header.count(name) == 1 else f"{name} ({i + 1})" for i, name in enumerate(header)], rows[1:]


def delimiter_of(lines: Sequence[str]) -> str:
    """The delimiter that divides most of the first rows into as many columns, three or more."""
    def score(delimiter: str) -> tuple[int, int]:
        widths = Counter(line.count(delimiter) for line in lines[:LOOKED_AT])
        width, count = max(widths.items(), key=lambda item: (item[0] >= 2, item[1]))
        return (count if width >= 2 else 0, width)

    return max(DELIMITERS, key=score)


def is_figure(cell: str) -> bool:
    """Whether a cell holds a finite figure of modest size."""
    try:
        return math.isfinite(float(cell)) and abs(float(cell)) < 1e30
    except ValueError:
        return False


def choose(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The first two columns of figures, and the last column that is neither."""
    shares = [sum(is_figure(row[i]) for row in rows) / max(1, len(rows)) for i in range(len(header))]
    figures = [i for i, share in enumerate(shares) if share > 0.5]
    if len(figures) < 2:
        raise refused("the table has no two columns of figures", f"its columns are {', '.join(header[:8])}",
                      "paste rows of x1, x2 and a class; figures have a decimal point")
    words = [i for i in range(len(header)) if i not in figures]
    target = words[-1] if words else figures[-1]
    across, up = [i for i in figures if i != target][:2]
    return [header[across], header[up], header[target]]


def targets_of(cells: Sequence[str], name: str) -> tuple[str, tuple[str, ...], np.ndarray]:
    """(problem, names of classes, values): classes where there are few, else figures scaled to the range from -1 to 1."""
    names = sorted(set(cells), key=lambda cell: (float(cell), cell) if is_figure(cell) else (math.inf, cell))
    if len(names) == 1:
        raise refused(f"{name} has only one class, {names[0][:40]!r}", "there is nothing to distinguish", "choose another column as target")
    if len(names) <= MOST_CLASSES:
        codes = {cell: i for i, cell in enumerate(names)}
        return "classification", tuple(names), np.array([codes[cell] for cell in cells], np.float64)
    if not all(map(is_figure, cells)):
        shown = ", ".join(repr(cell[:20]) for cell in names[:SHOWN])
        raise refused(f"{name} has {len(names):,} different values, such as {shown}",
                      f"the playground shows at most {MOST_CLASSES} classes", "choose another column as target, or one of figures")
    return "regression", (), np.round(scaled([float(cell) for cell in cells]) / EXTENT, 3)


def scaled(values: Sequence[float]) -> np.ndarray:
    """Figures over the range from -5 to 5, rounded to three decimals."""
    array = np.asarray(values, np.float64)
    low, high = array.min(), array.max()
    return np.round((array - (low + high) / 2) / (max(high - low, 1e-300) / 2) * EXTENT, 3)


def refused(what: str, why: str, repair: str) -> DataError:
    """The error of a table that cannot be used."""
    return DataError(what, why=why, repair=repair, where="in the table")
