"""Read the rows of a CSV file in blocks of columns, so that a file of any length needs little memory."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import BinaryIO

from ..files.csvfile import MOST_COLUMNS, MOST_TEXT
from ..files.reading import Path, Source, reading, refused, unpacked
from .spelling import Spelling, not_in_encoding

BLOCK_ROWS = 8192
BLOCK_CELLS = 2**19  # fields that are held as text at a time
LONGEST_FIELD = 2**22  # characters: what is longer is an unclosed quote, or no table


@dataclass
class Block:
    """Consecutive rows: the texts of each column, "" for a missing value, and the line in the file at which each row ends."""

    lines: list[int]
    columns: list[list[str]]

    def __len__(self) -> int:
        return len(self.lines)


class Limited(io.RawIOBase):
    """The uncompressed bytes of a file, as a stream that ends in an error where there are more than may be."""

    def __init__(self, stream: BinaryIO, most: int, path: Path) -> None:
        self.stream, self.left, self.path = stream, most, path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with reading(self.path):
            data = self.stream.read(len(buffer))
        self.left -= len(data)
        if self.left < 0:
            raise refused(self.path, "size", "the file unpacks to more bytes than it may", "compressed files may be bombs",
                          "unpack it first, when you trust it")
        buffer[: len(data)] = data
        return len(data)


@contextlib.contextmanager
def open_rows(path: Path, spelling: Spelling, most: int | None = MOST_TEXT) -> Iterator[tuple[list[str], Iterator[Block]]]:
    """(names of the columns, blocks of rows) of a file whose spelling is known.

    `most`: the most bytes that are read; None: any number. Empty lines are skipped, spaces around fields are removed, quoted fields
    may hold delimiters and line ends. Raises DataError naming file and line for rows of other lengths, wrong quotes, a field of more
    than 2^22 characters, bytes that are not in the encoding, zero bytes, more than 100,000 columns, and a file without lines.
    """
    with unpacked(path) as source:
        records = read_records(limited(source, path, most), path, spelling)
        line, first = next(records, (0, []))
        if not line:
            raise refused(path, "contents", "there is no line in it", "a table has a line of column names and rows below it",
                          "name a CSV file with rows")
        if len(first) > MOST_COLUMNS:
            raise refused(path, f"line {line}", f"{len(first):,} columns, more than {MOST_COLUMNS:,}",
                          "each column becomes features of its own", "keep the columns that matter, or save arrays as .npy")
        names = first if spelling.header else [f"column {i}" for i in range(1, len(first) + 1)]
        rows = records if spelling.header else with_first((line, first), records)
        yield names, blocks(rows, len(names), path, frozenset(spelling.missing))


def limited(source: Source, path: Path, most: int | None) -> BinaryIO:
    """The bytes of the file, no more than they may be."""
    bound = source.bound if source.packed else (source.size if most is None else most)
    return io.BufferedReader(Limited(source.stream, bound if most is None else min(bound, most), path), 2**18)


def read_records(stream: BinaryIO, path: Path, spelling: Spelling) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of every record that is not empty; of a record over several lines, the number of the last."""
    lines = io.TextIOWrapper(stream, encoding=spelling.encoding, newline="")
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD + 1))  # one for the whole process; others may have raised it further
    reader = csv.reader(lines, delimiter=spelling.delimiter, skipinitialspace=spelling.delimiter != " ", strict=True)
    try:
        for record in reader:
            if any(len(field) > LONGEST_FIELD for field in record):
                raise csv.Error(f"a field is longer than {LONGEST_FIELD:,} characters")
            if record and (len(record) > 1 or record[0].strip()):
                yield reader.line_num, record
    except csv.Error as error:
        raise refused(path, f"line {reader.line_num}", f"it cannot be split into fields ({error})",
                      "a quoted field ends with a quote, and a quote in it is written twice",
                      "correct the line; or name another delimiter: --delimiter") from error
    except UnicodeError as error:
        raise not_in_encoding(path, spelling.encoding, error) from error


def with_first(first: tuple[int, list[str]], rest: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """The records of a file without a header."""
    yield first
    yield from rest


def blocks(records: Iterator[tuple[int, list[str]]], width: int, path: Path, missing: frozenset[str]) -> Iterator[Block]:
    """The records in blocks, by columns; DataError for a record of another length."""
    rows = max(1, min(BLOCK_ROWS, BLOCK_CELLS // width))
    while part := list(islice(records, rows)):
        for line, record in part:
            if len(record) != width:
                raise refused(path, f"line {line}", f"{len(record)} fields instead of {width}", f"it begins with {record[:3]!r:.200}",
                              "every row has a field for each column: correct the line; a field with a delimiter in it needs quotes")
        columns = [[clean(text, missing) for text in column] for column in zip(*(record for _, record in part))]
        yield Block([line for line, _ in part], columns)


def clean(text: str, missing: frozenset[str]) -> str:
    """A field without spaces around it; "" where it marks a missing value."""
    text = text.strip()
    return "" if text in missing else text


def distinct_names(names: Sequence[str], path: Path, notes: list[str]) -> list[str]:
    """The names, each its own: a second `size` becomes `size (2)`, an empty name `column 3`; notes say so."""
    originals = frozenset(map(str.strip, names))
    used: set[str] = set()
    counters: dict[str, Iterator[int]] = {}
    result = []
    for i, name in enumerate(map(str.strip, names), 1):
        base = name or f"column {i}"
        numbered = (f"{base} ({k})" for k in counters.setdefault(base, count(2)))
        unique = base if base not in used else next(word for word in numbered if word not in used and word not in originals)
        if unique != name:
            seen = f"{name!r}, like an earlier one" if name else "''"
            notes.append(f"{os.path.basename(path)}: column {i} is called {seen}: it is taken as {unique!r}")
        used.add(unique)
        result.append(unique)
    return result
