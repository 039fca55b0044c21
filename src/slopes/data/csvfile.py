"""Tables from CSV files: columns of numbers or of words, with the places where nothing is known."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from .dataset import checked_index
from .reading import CHUNK, Path, reading, refused, unpacked

MISSING = ("", "?", "NA", "N/A", "nan", "NaN", "null")
MOST_TEXT = 2**30  # bytes that a table may unpack to, unless the caller allows more


class Table:
    """Columns of one length by name: numbers (float64, nan where nothing is known) or words (str, "" where nothing is known).

    >>> table = Table({"height": [1.8, float("nan")], "colour": ["red", ""]})
    >>> table
    Table(2 rows: height number 1 missing, colour words 1 missing)
    >>> table["colour"].tolist()
    ['red', '']
    """

    def __init__(self, columns: dict[str, Any]) -> None:
        self.columns = {name: as_column(name, values) for name, values in columns.items()}
        lengths = {len(each) for each in self.columns.values()}
        if len(lengths) != 1:
            raise ShapeError(f"a table has columns of one length, not of {sorted(lengths)}",
                             repair="give at least one column, and as many values in each")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise ArgumentError(f"the table has no column {name!r}", repair=f"it has {', '.join(map(repr, self.names))}")
        return self.columns[name]

    def __repr__(self) -> str:
        return f"Table({len(self)} rows: {', '.join(column_text(name, each) for name, each in self.columns.items())})"

    def rows(self, index: Any) -> Table:
        """The rows that an array of numbers or of booleans selects.

        >>> Table({"x": [1.0, 2.0, 3.0]}).rows([2, 0])["x"].tolist()
        [3.0, 1.0]
        """
        chosen = checked_index(index, len(self))
        return Table({name: each[chosen] for name, each in self.columns.items()})

    def without(self, *names: str) -> Table:
        """The table without these columns.

        >>> Table({"x": [1.0], "y": [2.0]}).without("y").names
        ('x',)
        """
        for name in names:
            self[name]  # an unknown name is an error
        return Table({name: each for name, each in self.columns.items() if name not in names})


def as_column(name: str, values: Any) -> np.ndarray:
    """A column as float64 or str."""
    found = np.asarray(values)
    if found.ndim != 1 or found.dtype.kind not in "biufU":
        raise ArgumentError(f"column {name!r} is of type {found.dtype} and shape {found.shape}",
                            why="a column is a list of numbers or of words")
    return found if found.dtype.kind == "U" else found.astype(np.float64, copy=False)


def missing_in(column: np.ndarray) -> np.ndarray:
    """Where nothing is known."""
    return column == "" if column.dtype.kind == "U" else np.isnan(column)


def column_text(name: str, column: np.ndarray) -> str:
    count = int(missing_in(column).sum())
    return f"{name} {'words' if column.dtype.kind == 'U' else 'number'}" + (f" {count} missing" if count else "")


def load_csv(path: Path, names: Sequence[str] | None = None, *, words: Iterable[str] = (), missing: Sequence[str] = MISSING,
             delimiter: str = ",", limit: int = MOST_TEXT) -> Table:
    """The table of a CSV file in UTF-8, plain or gzip-compressed.

    names: of the columns, when the file has no header line. words: columns to keep as words although they look like numbers
    (postal codes). missing: what stands where nothing is known. A column is numbers when everything else in it is one. Quoted
    fields may hold delimiters and line ends; blanks around fields and empty lines do not count. Raises DataError naming file and
    line for rows of another length, wrong quotes, bytes that are no UTF-8, infinite numbers, an empty file, names that occur twice.
    Format: RFC 4180.

    >>> with open("pets.csv", "w") as file:
    ...     _ = file.write("kind,age\\ncat,3\\ndog,?\\n")
    >>> load_csv("pets.csv")
    Table(2 rows: kind words, age number 1 missing)
    """
    if isinstance(names, str) or len(delimiter) != 1:
        raise ArgumentError(f"load_csv: names={names!r}, delimiter={delimiter!r}", why="names is a list, a delimiter is one character")
    records = records_of(text_of(path, limit), path, delimiter)
    line, header = next(records, (0, []))
    if not line:
        raise refused(path, "contents", "there is no line in it")
    heads = check_names(header if names is None else list(names), path, line)
    rows = list(records) if names is None else [(line, header), *records]
    if not rows:
        raise refused(path, f"line {line}", "there is a header but no row after it")
    return Table(dict(zip(heads, columns_of(rows, heads, path, frozenset(words), frozenset(missing)))))


def text_of(path: Path, limit: int) -> str:
    """The contents as text; the error for bytes that are no UTF-8 names their line."""
    data = bytearray()
    with unpacked(path, limit) as source, reading(path):
        while chunk := source.stream.read(CHUNK):
            data += chunk
            if len(data) > limit:
                raise refused(path, "size", f"more than {limit} bytes", repair="allow more with limit=...")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refused(path, f"line {line}", f"byte {data[error.start]:#04x} is no UTF-8", repair="convert the file to UTF-8") from error


def records_of(text: str, path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of every record that is not empty; a record that goes over lines counts as its last one."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for row in rows:
            fields = [field.strip() for field in row]
            if any(fields) or len(fields) > 1:
                yield rows.line_num, fields
    except csv.Error as error:
        raise refused(path, f"line {rows.line_num}", f"it cannot be divided into fields ({error})",
                      "a quoted field ends with a quote, and a quote in it is written twice") from error


def check_names(names: list[str], path: Path, line: int) -> list[str]:
    """Names of columns, each given and different."""
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name or name in seen:
            raise refused(path, f"line {line}", f"column {number} is called {name!r}{', as another one' if name else ''}",
                          "columns are told apart by their names", "correct the header, or pass names=[...] when there is none")
        seen.add(name)
    return names


def columns_of(rows: list[tuple[int, list[str]]], names: list[str], path: Path, words: frozenset[str],
               missing: frozenset[str]) -> Iterator[np.ndarray]:
    """The columns of rows that must be of one length."""
    for line, fields in rows:
        if len(fields) != len(names):
            raise refused(path, f"line {line}", f"{len(fields)} fields instead of {len(names)}", f"it begins with {fields[:3]}")
    unknown = words - set(names)
    if unknown:
        raise ArgumentError(f"{os.fspath(path)} has no column {sorted(unknown)[0]!r}", repair=f"it has {', '.join(map(repr, names))}")
    for number, name in enumerate(names):
        texts = ["" if fields[number] in missing else fields[number] for _, fields in rows]
        numbers = None if name in words else as_numbers(texts)
        if numbers is None:
            yield np.array(texts)
            continue
        if np.isinf(numbers).any():
            place = int(np.isinf(numbers).argmax())
            raise refused(path, f"line {rows[place][0]}", f"{name} is {texts[place]}, which is not finite")
        yield numbers


def as_numbers(texts: list[str]) -> np.ndarray | None:
    """The numbers, nan for "", or None when something is no number."""
    if any("_" in text for text in texts):  # Python's own way to write numbers, nobody else's
        return None
    try:
        return np.array([float(text) if text else np.nan for text in texts])
    except ValueError:
        return None
