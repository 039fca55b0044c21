"""Tables from CSV files: each column is numbers or words, and what would lose its meaning as a number stays a word."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from ..errors import ArgumentError, warn
from .numerals import check_spelling, number_of, numbers_in
from .reading import CHUNK, Path, reading, refused, unpacked
from .table import Table

MISSING = ("", "?", "NA", "N/A", "#N/A", "<NA>", "nan", "NaN", "NaT", "null", "NULL", "None")
MOST_TEXT = 2**30  # bytes that a table may have, unless the caller allows more
MOST_COLUMNS = 100_000
CELLS = 2**14  # fields that are held as text at once
SEPARATORS = ";\t|,"

Record = tuple[int, list[str]]  # the line of the file, and the fields


class Spelling(NamedTuple):
    """How a file writes what it holds: which columns are words or numbers whatever they look like, gaps, decimal commas."""

    words: frozenset[str]
    numbers: frozenset[str]
    missing: frozenset[str]
    comma: bool


def load_csv(path: Path, names: Sequence[str] | None = None, *, words: Iterable[str] = (), numbers: Iterable[str] = (),
             missing: Sequence[str] = MISSING, delimiter: str = ",", decimal: str = ".", limit: int | None = None) -> Table:
    """The table of a CSV file in UTF-8, plain or gzip-compressed.

    names: of the columns, when the file has no header line. missing: what stands where nothing is known; by default "", ?, NA, N/A,
    #N/A, <NA>, nan, NaN, NaT, null, NULL and None. decimal: "." or ",".
    A column is numbers when everything else in it is one; but where a number would lose digits, the column is words: leading zeros
    (postal codes), a plus sign before seven digits or more (telephones), integers that float64 does not hold (identifiers).
    words: columns that are words although they look like numbers; numbers: columns that are numbers, or an error.
    Quoted fields may hold delimiters and line ends; blanks around fields and empty lines do not count. Memory: that of the
    unpacked file and of the table; a packed file may unpack to 32 MiB, or 32 times its size if that is more, any file to 1 GiB,
    unless `limit` (bytes) says otherwise. Lifts Python's own csv.field_size_limit, which is one for the whole process.
    Warns of columns that look like numbers but are words (3,5 or 1,234 or a few words among numbers), and of a first line that
    looks like a row. Raises DataError naming file and line for rows of another length, another delimiter, wrong quotes, bytes that
    are no UTF-8, infinite numbers, words in columns of `numbers`, an empty file, names that occur twice, more than 100,000 columns.
    Format: RFC 4180.

    >>> with open("pets.csv", "w") as file:
    ...     _ = file.write("kind,age,tag\\ncat,3,007\\ndog,?,010\\n")
    >>> load_csv("pets.csv")
    Table(2 rows: kind words, age number 1 missing, tag words)
    """
    lists = {"names": names, "words": words, "numbers": numbers, "missing": missing}
    if wrong := {name: given for name, given in lists.items() if isinstance(given, str)}:
        raise ArgumentError(f"load_csv: {', '.join(f'{name}={given!r}' for name, given in wrong.items())}", why="these are lists of words",
                            repair=f"{next(iter(wrong))}=[{next(iter(wrong.values()))!r}]")
    if len(delimiter) != 1 or delimiter in '"\r\n' or decimal not in (".", ",") or decimal == delimiter:
        raise ArgumentError(f"load_csv: delimiter={delimiter!r}, decimal={decimal!r}",
                            why="a delimiter is one character, no quote or line end; the decimal mark is '.' or ',', and not the delimiter")
    spelling = Spelling(frozenset(words), frozenset(numbers), frozenset(missing), decimal == ",")
    raw = contents(path, limit)
    line, header = next(records_of(raw, path, delimiter), (0, []))
    if not line:
        raise refused(path, "contents", "there is no line in it")
    if names is None:
        check_delimiter(header, path, line, delimiter)
    heads = check_names(header if names is None else list(names), path, line)
    check_chosen(heads, spelling, path)

    def rows() -> Iterator[Record]:
        records = records_of(raw, path, delimiter)
        return of_length(islice(records, names is None, None), len(heads), path)

    columns = columns_of(rows, heads, path, spelling)
    if not len(next(iter(columns.values()))):
        raise refused(path, f"line {line}", "there is a header but no row after it")
    if names is None:
        check_header(columns, path, line)
    return Table._of(columns)


def contents(path: Path, limit: int | None) -> bytes:
    """The bytes of the file, unpacked; checked to be text in UTF-8 as they are read."""
    data = io.BytesIO()
    with unpacked(path, limit) as source, reading(path):
        most = MOST_TEXT if limit is None else limit
        most = min(most, source.bound) if source.packed else most
        while chunk := source.stream.read(CHUNK):
            data.write(chunk)
            if data.tell() > most:
                raise refused(path, "size", f"more than {most} bytes", repair="when you trust the file, allow more: limit=...")
    raw = data.getvalue()
    if b"\0" in raw:
        line = raw.count(b"\n", 0, raw.index(0)) + 1
        raise refused(path, f"line {line}", "it holds a zero byte", "this is no text in UTF-8",
                      "convert the file: some programs write UTF-16")
    return raw


def records_of(raw: bytes, path: Path, delimiter: str) -> Iterator[Record]:
    """(line, fields) of every record that is not empty; a record that goes over lines counts as its last one."""
    csv.field_size_limit(max(csv.field_size_limit(), len(raw)))  # Python's own limit is 131,072, and one for the whole process
    lines = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", newline="")
    blank = delimiter == " "  # then several stand for one
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=not blank, strict=True)
    try:
        for row in rows:
            fields = [field.strip() for field in row if field or not blank]
            if any(fields) or len(fields) > 1:
                yield rows.line_num, fields
    except csv.Error as error:
        raise refused(path, f"line {rows.line_num}", f"it cannot be divided into fields ({error})",
                      "a quoted field ends with a quote, and a quote in it is written twice") from error
    except UnicodeDecodeError as error:
        raise not_utf8(raw, path) from error


def not_utf8(raw: bytes, path: Path) -> Exception:
    """The error that names the first line that is no UTF-8."""
    for number, line in enumerate(io.BytesIO(raw), 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return refused(path, f"line {number}", f"byte {line[error.start]:#04x} is no UTF-8",
                           repair="convert the file to UTF-8, for example from Latin 1: iconv -f LATIN1 -t UTF-8")
    return refused(path, "contents", "it ends inside a character of UTF-8")


def check_delimiter(header: list[str], path: Path, line: int, delimiter: str) -> None:
    """A header of one name with other separators in it was written with one of those."""
    other = [each for each in SEPARATORS if each != delimiter and each in header[0]]
    if len(header) == 1 and other:
        raise refused(path, f"line {line}", f"there is one column, called {header[0]!r:.80}",
                      f"it looks like several, separated by {other[0]!r}",
                      f"load_csv(..., delimiter={other[0]!r}); if it is one column indeed, pass names=[...]")


def check_names(names: list[str], path: Path, line: int) -> list[str]:
    """Names of columns, each given and different."""
    if len(names) > MOST_COLUMNS:
        raise refused(path, f"line {line}", f"{len(names)} columns, more than {MOST_COLUMNS}", repair="save numbers alone as .npy")
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name or name in seen:
            raise refused(path, f"line {line}", f"column {number} is called {name!r:.80}{', as another one' if name else ''}",
                          "columns are told apart by their names", "correct the header, or pass names=[...] when there is none")
        seen.add(name)
    return names


def check_chosen(names: list[str], spelling: Spelling, path: Path) -> None:
    """Columns that the caller has chosen the kind of are there, and chosen once."""
    for name in sorted(spelling.words | spelling.numbers):
        if name not in names:
            raise ArgumentError(f"{os.fspath(path)} has no column {name!r}", repair=f"it has {', '.join(map(repr, names[:20]))}")
        if name in spelling.words & spelling.numbers:
            raise ArgumentError(f"column {name!r} is named as words and as numbers", repair="choose one")


def of_length(rows: Iterable[Record], count: int, path: Path) -> Iterator[Record]:
    """The rows, each of `count` fields."""
    for line, fields in rows:
        if len(fields) != count:
            raise refused(path, f"line {line}", f"{len(fields)} fields instead of {count}", f"it begins with {fields[:3]!r:.200}")
        yield line, fields


class Column:
    """Gathers a column part by part: numbers for as long as everything in it is one, then words."""

    __slots__ = ("forced", "is_numbers", "is_whole", "name", "parts", "path", "position", "same", "spelling")

    def __init__(self, position: int, name: str, path: Path, spelling: Spelling) -> None:
        self.position, self.name, self.path, self.spelling = position, name, path, spelling
        self.is_numbers, self.forced, self.is_whole = name not in spelling.words, name in spelling.numbers, True
        self.parts: list[np.ndarray] = []
        self.same: dict[str, str] = {}  # each different word is held once

    def add(self, rows: list[Record]) -> None:
        """The fields of more rows."""
        missing = self.spelling.missing
        texts = ["" if fields[self.position] in missing else fields[self.position] for _, fields in rows]
        if self.is_numbers:
            values = numbers_in(texts, self.spelling.comma, self.forced)
            if values is not None:
                self.check_finite(values, texts, rows)
                self.parts.append(values)
                return
            self.check_forced(texts, rows)
            self.is_numbers, self.is_whole = False, not self.parts
            self.parts.clear()
        if self.is_whole:
            self.parts.append(np.array([self.same.setdefault(text, text) for text in texts], object))

    def check_finite(self, values: np.ndarray, texts: list[str], rows: list[Record]) -> None:
        infinite = np.isinf(values)
        if infinite.any():
            row = int(infinite.argmax())
            raise refused(self.path, f"line {rows[row][0]}", f"{self.name} is {texts[row]:.40}, which is not finite")

    def check_forced(self, texts: list[str], rows: list[Record]) -> None:
        """The first text that is no number, where the column must be numbers."""
        if self.forced:
            row = next(row for row, text in enumerate(texts) if text and number_of(text, self.spelling.comma, True) is None)
            raise refused(self.path, f"line {rows[row][0]}", f"{self.name} is {texts[row]!r:.60}, which is no number",
                          f"numbers=[{self.name!r}] was asked for")

    def finished(self) -> np.ndarray:
        """The whole column."""
        if not self.is_numbers and self.name not in self.spelling.words:
            check_spelling(self.name, [word for word in self.same if word], self.path, self.spelling.comma)
        return self.parts[0] if len(self.parts) == 1 else np.concatenate(self.parts) if self.parts else np.empty(0)


def columns_of(rows: Callable[[], Iterator[Record]], names: list[str], path: Path, spelling: Spelling) -> dict[str, np.ndarray]:
    """The columns of rows that can be read twice: what was a number until a word came is read again."""
    columns = [Column(position, name, path, spelling) for position, name in enumerate(names)]
    gather(rows(), columns)
    again = [column for column in columns if not column.is_whole]
    for column in again:
        column.is_whole = True
    if again:
        gather(rows(), again)
    return {column.name: column.finished() for column in columns}


def gather(rows: Iterator[Record], columns: list[Column]) -> None:
    """Give all rows to the columns, so many at a time that their text stays small."""
    count = max(1, CELLS // len(columns))
    while part := list(islice(rows, count)):
        for column in columns:
            column.add(part)


def check_header(columns: dict[str, np.ndarray], path: Path, line: int) -> None:
    """Warn when the names look like one more row: numbers over numbers, and words that occur below."""
    numeric = [name for name, column in columns.items() if column.dtype.kind == "f" and number_of(name, False, True) is not None]
    words = [name for name, column in columns.items() if column.dtype.kind == "O" and (column == name).any()]
    if numeric and len(numeric) + len(words) == len(columns):
        warn(f"{os.fspath(path)}: line {line} is taken for the names of columns, but it looks like a row: {list(columns)[:5]}",
             why="its numbers stand over numbers, and its words occur below", repair="load_csv(..., names=[...]) when there is no header")
