"""Read CSV files into tables: each column is numeric or text; identifiers such as 00123 stay text."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from ..errors import ArgumentError, warn
from .numerals import check_spelling, parse_number, parse_numbers
from .reading import CHUNK, Path, reading, refused, unpacked
from .table import Table

MISSING = ("", "?", "NA", "N/A", "#N/A", "<NA>", "nan", "NaN", "NaT", "null", "NULL", "None")
MOST_TEXT = 2**30  # bytes of a file, unless the caller allows more
MOST_COLUMNS = 100_000
CELLS = 2**14  # fields held as text at a time
SEPARATORS = ";\t|,"

Record = tuple[int, list[str]]  # (line number, fields)


class Spelling(NamedTuple):
    """How to interpret fields: columns forced to be text or numeric, spellings of missing values, decimal comma."""

    words: frozenset[str]
    numbers: frozenset[str]
    missing: frozenset[str]
    comma: bool


def load_csv(path: Path, names: Sequence[str] | None = None, *, words: Iterable[str] = (), numbers: Iterable[str] = (),
             missing: Sequence[str] = MISSING, delimiter: str = ",", decimal: str = ".", limit: int | None = None) -> Table:
    """Read a CSV file (UTF-8, plain or gzip-compressed) into a Table.

    names: the column names, for a file without a header line. missing: spellings of a missing value; by default "", ?, NA, N/A,
    #N/A, <NA>, nan, NaN, NaT, null, NULL and None. decimal: "." or ",".
    A column is numeric when all its values are numbers (or missing), unless a conversion would lose digits: leading zeros (postal
    codes), a plus sign before seven digits or more (telephone numbers) and integers that float64 would round (identifiers) make
    it text. words: columns to read as text although they look numeric; numbers: columns that must be numeric.
    Quoted fields may contain delimiters and line breaks; spaces around fields and empty lines are ignored. Memory: the
    uncompressed file plus the table. A compressed file may unpack to 32 MiB, or 32 times its size if that is more, and any file to
    1 GiB; `limit` (bytes) replaces both. Raises Python's csv.field_size_limit, a setting of the whole process.
    Warns about text columns that look numeric (3,5 or 1,234, or a few words among numbers), and about a header that looks like a
    row. Raises DataError naming file and line for rows of different lengths, another delimiter, wrong quotes, bytes that are not
    UTF-8, infinite numbers, text in columns of `numbers`, an empty file, duplicate names, more than 100,000 columns.
    Format: RFC 4180.

    >>> with open("pets.csv", "w") as file:
    ...     _ = file.write("kind,age,tag\\ncat,3,007\\ndog,?,010\\n")
    >>> load_csv("pets.csv")
    Table(2 rows: kind words, age number 1 missing, tag words)
    """
    lists = {"names": names, "words": words, "numbers": numbers, "missing": missing}
    if wrong := {name: text for name, text in lists.items() if isinstance(text, str)}:
        raise ArgumentError(f"load_csv: {', '.join(f'{name}={text!r}' for name, text in wrong.items())}", why="these are lists of words",
                            repair=f"{next(iter(wrong))}=[{next(iter(wrong.values()))!r}]")
    if len(delimiter) != 1 or delimiter in '"\r\n' or decimal not in (".", ",") or decimal == delimiter:
        raise ArgumentError(f"load_csv: delimiter={delimiter!r}, decimal={decimal!r}",
                            why="a delimiter is one character, not a quote or line end; the decimal mark is another one, '.' or ','")
    spelling = Spelling(frozenset(words), frozenset(numbers), frozenset(missing), decimal == ",")
    raw = contents(path, limit)
    line, header = next(read_records(raw, path, delimiter), (0, []))
    if not line:
        raise refused(path, "contents", "there is no line in it")
    if names is None:
        check_delimiter(header, path, line, delimiter)
    heads = check_names(header if names is None else list(names), path, line)
    check_forced_kinds(heads, spelling, path)

    def rows() -> Iterator[Record]:
        records = read_records(raw, path, delimiter)
        return check_lengths(islice(records, names is None, None), len(heads), path)

    columns = read_columns(rows, heads, path, spelling)
    if not len(next(iter(columns.values()))):
        raise refused(path, f"line {line}", "there is a header but no row after it")
    if names is None:
        check_header(columns, path, line)
    return Table._of(columns)


def contents(path: Path, limit: int | None) -> bytes:
    """The uncompressed bytes of the file, within its limit and without zero bytes."""
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
        raise refused(path, f"line {line}", "it holds a zero byte", "this is not UTF-8 text",
                      "convert the file: some programs write UTF-16")
    return raw


def read_records(raw: bytes, path: Path, delimiter: str) -> Iterator[Record]:
    """(line number, fields) of every record that is not empty; of a record over several lines, the number of the last."""
    csv.field_size_limit(max(csv.field_size_limit(), len(raw)))  # Python's default, for the whole process, is 131,072
    lines = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", newline="")
    blank = delimiter == " "  # then several spaces are one delimiter
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=not blank, strict=True)
    try:
        for row in rows:
            fields = [field.strip() for field in row if field or not blank]
            if any(fields) or len(fields) > 1:
                yield rows.line_num, fields
    except csv.Error as error:
        raise refused(path, f"line {rows.line_num}", f"it cannot be split into fields ({error})",
                      "a quoted field ends with a quote, and a quote in it is written twice") from error
    except UnicodeDecodeError as error:
        raise not_utf8(raw, path) from error


def not_utf8(raw: bytes, path: Path) -> Exception:
    """The error that names the first line that is not UTF-8."""
    for line_number, line in enumerate(io.BytesIO(raw), 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return refused(path, f"line {line_number}", f"byte {line[error.start]:#04x} is not UTF-8",
                           repair="convert the file to UTF-8, for example from Latin 1: iconv -f LATIN1 -t UTF-8")
    return refused(path, "contents", "it ends inside a UTF-8 character")


def check_delimiter(header: list[str], path: Path, line: int, delimiter: str) -> None:
    """Refuse a header of one name that contains another separator: the file uses that one."""
    other = [separator for separator in SEPARATORS if separator != delimiter and separator in header[0]]
    if len(header) == 1 and other:
        raise refused(path, f"line {line}", f"there is one column, called {header[0]!r:.80}",
                      f"it looks like several, separated by {other[0]!r}",
                      f"load_csv(..., delimiter={other[0]!r}); if it really is one column, pass names=[...]")


def check_names(names: list[str], path: Path, line: int) -> list[str]:
    """The column names; DataError unless they are non-empty and distinct."""
    if len(names) > MOST_COLUMNS:
        raise refused(path, f"line {line}", f"{len(names)} columns, more than {MOST_COLUMNS}", repair="save numbers alone as .npy")
    known: set[str] = set()
    for position, name in enumerate(names, 1):
        if not name or name in known:
            raise refused(path, f"line {line}", f"column {position} is called {name!r:.80}{', like an earlier one' if name else ''}",
                          "a column is identified by its name", "correct the header, or pass names=[...] if the file has none")
        known.add(name)
    return names


def check_forced_kinds(names: list[str], spelling: Spelling, path: Path) -> None:
    """Check that the columns in `words` and `numbers` exist, and that none is in both."""
    for name in sorted(spelling.words | spelling.numbers):
        if name not in names:
            raise ArgumentError(f"{os.fspath(path)} has no column {name!r}", repair=f"it has {', '.join(map(repr, names[:20]))}")
        if name in spelling.words & spelling.numbers:
            raise ArgumentError(f"column {name!r} is listed in both words and numbers", repair="keep it in one of them")


def check_lengths(rows: Iterable[Record], count: int, path: Path) -> Iterator[Record]:
    """Pass the rows on; DataError for one without exactly `count` fields."""
    for line, fields in rows:
        if len(fields) != count:
            raise refused(path, f"line {line}", f"{len(fields)} fields instead of {count}", f"it begins with {fields[:3]!r:.200}")
        yield line, fields


class Column:
    """Builds a column block by block: numeric as long as every value is a number, then text."""

    __slots__ = ("forced", "is_numbers", "is_whole", "name", "parts", "path", "position", "same", "spelling")

    def __init__(self, position: int, name: str, path: Path, spelling: Spelling) -> None:
        self.position, self.name, self.path, self.spelling = position, name, path, spelling
        self.is_numbers, self.forced, self.is_whole = name not in spelling.words, name in spelling.numbers, True
        self.parts: list[np.ndarray] = []
        self.same: dict[str, str] = {}  # one copy of each distinct string

    def add(self, rows: list[Record]) -> None:
        """Append this column's fields of more rows."""
        missing = self.spelling.missing
        texts = ["" if fields[self.position] in missing else fields[self.position] for _, fields in rows]
        if self.is_numbers:
            values = parse_numbers(texts, self.spelling.comma, self.forced)
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
        """Where the column must be numeric, refuse its first non-number."""
        if self.forced:
            row = next(row for row, text in enumerate(texts) if text and parse_number(text, self.spelling.comma, True) is None)
            raise refused(self.path, f"line {rows[row][0]}", f"{self.name} is {texts[row]!r:.60}, which is not a number",
                          f"numbers=[{self.name!r}] requires numbers")

    def whole(self) -> np.ndarray:
        """The column as one array."""
        if not self.is_numbers and self.name not in self.spelling.words:
            check_spelling(self.name, [word for word in self.same if word], self.path, self.spelling.comma)
        return self.parts[0] if len(self.parts) == 1 else np.concatenate(self.parts) if self.parts else np.empty(0)


def read_columns(rows: Callable[[], Iterator[Record]], names: list[str], path: Path, spelling: Spelling) -> dict[str, np.ndarray]:
    """The columns by name. Columns that turned out to be text after numeric blocks are read a second time."""
    columns = [Column(position, name, path, spelling) for position, name in enumerate(names)]
    gather(rows(), columns)
    again = [column for column in columns if not column.is_whole]
    for column in again:
        column.is_whole = True
    if again:
        gather(rows(), again)
    return {column.name: column.whole() for column in columns}


def gather(rows: Iterator[Record], columns: list[Column]) -> None:
    """Feed all rows to the columns, in blocks small enough to keep little text in memory."""
    count = max(1, CELLS // len(columns))
    while part := list(islice(rows, count)):
        for column in columns:
            column.add(part)


def check_header(columns: dict[str, np.ndarray], path: Path, line: int) -> None:
    """Warn when the header looks like a row: numbers above numeric columns, and words that occur in their column."""
    numeric = [name for name, column in columns.items() if column.dtype.kind == "f" and parse_number(name, False, True) is not None]
    words = [name for name, column in columns.items() if column.dtype.kind == "O" and (column == name).any()]
    if numeric and len(numeric) + len(words) == len(columns):
        warn(f"{os.fspath(path)}: the header, line {line}, looks like a row: {list(columns)[:5]}",
             why="its numbers are above numeric columns, its words occur below", repair="load_csv(..., names=[...]) if there is no header")
