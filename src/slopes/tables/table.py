"""A table in memory as text, and as typed columns under a schema."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from ..errors import ArgumentError, DataError
from ..files.reading import refused
from .dates import parse_dates
from .fields import FieldColumn, Words
from .kinds import Hints, Texts, describe
from .numbers import parse_each, parse_number
from .schema import Column, Kind, Schema, Task
from .sources import Source, open_source
from .spelling import OPEN, Spelling
from .target import describe_target

ORDERS = ("", "day-first", "month-first")


@dataclass
class TextTable:
    """All rows of a file as text: the values of each column by name, "" for missing ones, and the line at which each row ends."""

    path: str
    spelling: Spelling
    columns: dict[str, list[str]]
    lines: list[int]
    notes: list[str]

    def __len__(self) -> int:
        return len(self.lines)

    def texts(self, name: str) -> Texts:
        """A column with what errors about it name."""
        return Texts(name, self.columns[name], self.lines, self.path)

    def rows(self, indices: np.ndarray) -> TextTable:
        """Some of the rows."""
        chosen = indices.tolist()
        return replace(self, columns={name: [values[i] for i in chosen] for name, values in self.columns.items()},
                       lines=[self.lines[i] for i in chosen])


def read_table(source: Source, spelling: Spelling = OPEN) -> TextTable:
    """Read a file or a data frame: what is open in the spelling is detected, and what was assumed is in the notes.

    Raises DataError for a file that is none (see `sources.open_source`), and for a table without rows.
    """
    notes: list[str] = []
    with open_source(source, spelling, notes) as (name, spelling, names, blocks):
        columns: list[list[str]] = [[] for _ in names]
        shared: list[dict[str, str]] = [{} for _ in names]  # one string for each distinct value
        lines: list[int] = []
        for block in blocks:
            lines += block.lines
            for column, values, known in zip(columns, block.columns, shared):
                column += [known.setdefault(value, value) for value in values.texts()]
    if not lines:
        raise refused(name, "line 1", "there is a line of names but no row below it", "a model is learned from rows",
                      "name a file with rows; --no-header if its first line is a row")
    return TextTable(name, spelling, dict(zip(names, columns)), lines, notes)


def infer_schema(table: TextTable, target: str, *, task: Task | None = None, kinds: Mapping[str, Kind] | None = None,
                 date_order: str = "", leave_out: Sequence[str] = ()) -> Schema:
    """What each column is, and what is to be predicted.

    kinds: the kinds of columns that are not as they look. date_order: "day-first" or "month-first" for dates such as 03/04/2024.
    leave_out: columns from which nothing is to be learned. Raises ArgumentError for columns that the table does not have, and
    DataError where values are doubtful (`kinds.describe`, `target.describe_target`) or nothing is left to predict from.
    """
    kinds = dict(kinds or {})
    check_hints(table, target, kinds, date_order, leave_out)
    columns = tuple(describe(table.texts(name), table.spelling, Hints(kinds.get(name), date_order))
                    for name in table.columns if name != target and name not in leave_out)
    described = describe_target(table.texts(target), table.spelling, task)
    schema = Schema(table.spelling, columns, described, (*table.notes, *doubts(table, (*columns, described.column))))
    if not schema.inputs:
        raise refused(table.path, "columns", f"nothing is left to predict {target!r} from",
                      "; ".join(f"{column.name}: {column.treatment}" for column in columns[:5]) or "it is the only column",
                      "bring columns that vary; --kind COLUMN=category keeps one that was left out")
    return schema


def doubts(table: TextTable, columns: Sequence[Column]) -> list[str]:
    """What may have been read otherwise than it was meant: numbers with three decimals, and a first line that is a row."""
    numeric = [column for column in columns if column.kind == "number"]
    mark = table.spelling.decimal
    grouped = re.compile(rf"[-+]?[1-9]\d{{0,2}}\{mark}\d{{3}}")
    result = []
    for column in numeric if not table.spelling.thousands else ():
        marked = {value for value in table.columns[column.name] if mark in value}
        if 2 * len(marked) > column.distinct and all(map(grouped.fullmatch, marked)):
            example = min(marked)
            other = "," if mark == "." else "."
            result.append(f"column {column.name!r}: {example} is read as {example.partition(mark)[0]} and a fraction; if it is a thousand "
                          f"and more: --thousands {mark} --decimal {other}")
    named = [column.name for column in numeric if parse_number(column.name, table.spelling) is not None]
    if named and table.spelling.header:
        result.append(f"the first line may be a row: it calls a column of numbers {named[0]!r}; if it is one: --no-header")
    return result


def check_hints(table: TextTable, target: str, kinds: Mapping[str, Kind], date_order: str, leave_out: Sequence[str]) -> None:
    """Columns that are named exist, and kinds are known."""
    for name in (target, *kinds, *leave_out):
        if name not in table.columns:
            raise ArgumentError(f"{table.path} has no column {name!r}", why=f"it has {', '.join(map(repr, list(table.columns)[:20]))}",
                                repair="name one of these" + ("" if table.spelling.header else "; without a header they are numbered"))
    for name, kind in kinds.items():
        if kind not in get_args(Kind):
            raise ArgumentError(f"column {name!r} cannot be of kind {kind!r}", repair=f"choose one of {', '.join(get_args(Kind))}")
    if target in leave_out:
        raise ArgumentError(f"the target {target!r} is left out", repair="leave out other columns")
    if date_order not in ORDERS:
        raise ArgumentError(f"date order {date_order!r}", repair="choose 'day-first' or 'month-first'")


def typed(column: Column, values: Sequence[str], spelling: Spelling) -> tuple[np.ndarray, list[int]]:
    """The values as numbers (float64, nan for gaps) or words (objects, "" for gaps), and the rows that could not be read.

    These rows are gaps in the result.
    """
    if column.kind == "number":
        return parse_each(values, spelling)
    if column.kind == "date":
        return parse_dates(values, column.date_format)
    words = np.empty(len(values), object)
    words[:] = values
    return words, []


def typed_fields(column: Column, fields: FieldColumn, spelling: Spelling) -> tuple[np.ndarray | Words, list[int]]:
    """The same of the fields of a block; words by their different values."""
    if column.kind == "number":
        return fields.numbers(spelling)
    words = fields.words()
    if column.kind != "date":
        return words, []
    days, wrong = parse_dates(words.values, column.date_format)
    return days[words.codes], np.flatnonzero(np.isin(words.codes, wrong)).tolist()


def typed_columns(schema: Schema, table: TextTable) -> dict[str, np.ndarray]:
    """The inputs of a table from which the schema was inferred; DataError for a value that is not of its column's kind."""
    result = {}
    for column in schema.inputs:
        result[column.name], wrong = typed(column, table.columns[column.name], schema.spelling)
        if wrong:
            raise unreadable(table, column, wrong[0])
    return result


def unreadable(table: TextTable, column: Column, row: int) -> DataError:
    """The error for a value that is not of its column's kind."""
    value = table.columns[column.name][row]
    return refused(table.path, f"line {table.lines[row]}, column {column.name!r}", f"{value!r:.60} is no {column.kind}",
                   "the other rows have one" + (f", written {column.date_format}" if column.date_format else ""),
                   f"correct it; --missing {value!r:.60} if it marks a gap")
