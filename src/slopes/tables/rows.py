"""Read the rows of a CSV file in blocks of columns, so that a file of any length needs little memory."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import BinaryIO, NamedTuple

import numpy as np

from ..files.csvfile import MOST_COLUMNS, MOST_TEXT
from ..files.reading import Path, Source, reading, refused, unpacked
from .fields import ByteColumn, FieldColumn, TextColumn, clean
from .spelling import Spelling, not_in_encoding
from .splitting import Split, split_rows
from .strings import split_strings

BLOCK_TEXT = 2**21  # characters that are read and split at a time
BLOCK_ROWS = 4096  # blocks of more rows have a multiple of as many: programs that predict take so many at a time
READER_ROWS, READER_CELLS = 8192, 2**19  # rows, and fields, of a block that a reader of every character splits
LONGEST_FIELD = 2**22  # characters: what is longer is an unclosed quote, or no table


@dataclass
class Block:
    """Consecutive rows: the fields of each column, and the line in the file at which each row ends."""

    lines: Sequence[int]
    columns: list[FieldColumn]

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
        text = io.TextIOWrapper(limited(source, path, most), encoding=spelling.encoding, newline="")
        line, first = next(read_records(text, path, spelling), (0, []))
        if not line:
            raise refused(path, "contents", "there is no line in it", "a table has a line of column names and rows below it",
                          "name a CSV file with rows")
        if len(first) > MOST_COLUMNS:
            raise refused(path, f"line {line}", f"{len(first):,} columns, more than {MOST_COLUMNS:,}",
                          "each column becomes features of its own", "keep the columns that matter, or save arrays as .npy")
        names = first if spelling.header else [f"column {i}" for i in range(1, len(first) + 1)]
        head = iter(()) if spelling.header else blocks_of(iter([(line, first)]), len(names), path, spelling)
        yield names, chain(head, blocks(text, line, len(names), path, spelling))


def limited(source: Source, path: Path, most: int | None) -> BinaryIO:
    """The bytes of the file, no more than they may be."""
    bound = source.bound if source.packed else (source.size if most is None else most)
    return io.BufferedReader(Limited(source.stream, bound if most is None else min(bound, most), path), 2**18)


def read_records(lines: Iterable[str], path: Path, spelling: Spelling, line: int = 0) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of every record that is not empty; of a record over several lines, the number of the last.

    `line` is the number of lines before these.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD + 1))  # one for the whole process; others may have raised it further
    reader = csv.reader(lines, delimiter=spelling.delimiter, skipinitialspace=spelling.delimiter != " ", strict=True)
    try:
        for record in reader:
            if any(len(field) > LONGEST_FIELD for field in record):
                raise csv.Error(f"a field is longer than {LONGEST_FIELD:,} characters")
            if any("\0" in field for field in record):  # since Python 3.11 the csv module takes them
                raise csv.Error("a field holds a zero byte")
            if record and (len(record) > 1 or record[0].strip()):
                yield line + reader.line_num, record
    except csv.Error as error:
        raise refused(path, f"line {line + reader.line_num}", f"it cannot be split into fields ({error})",
                      "a quoted field ends with a quote, and a quote in it is written twice",
                      "correct the line; or name another delimiter: --delimiter") from error
    except UnicodeError as error:
        raise not_in_encoding(path, spelling.encoding, error) from error


def blocks(text: io.TextIOWrapper, line: int, width: int, path: Path, spelling: Spelling) -> Iterator[Block]:
    """The rows from here on, in blocks by columns; `line` is the number of lines before them.

    Rows are split by pyarrow or NumPy up to the first that needs a reader of every character (`splitting.split_rows`), the others by
    Python's.
    """
    raw, at_end = b"", False
    while not at_end and len(spelling.delimiter.encode()) == 1:
        piece = read_text(text, path, spelling)
        at_end = not piece
        raw += piece.encode()
        if at_end:
            raw = raw.rstrip(b"\r\n") + b"\n" if raw.strip() else b""
        part = split_block(raw, spelling, width, at_end)
        if part is None:
            break
        if part.size:
            yield Block(part.lines(line), part.columns)
            line, raw = line + int(part.line_ends[-1]), raw[part.size :]
    lines = chain(io.StringIO(raw.decode() + ("" if at_end else text.readline()), newline=""), text)
    yield from blocks_of(read_records(lines, path, spelling, line), width, path, spelling)


def read_text(text: io.TextIOWrapper, path: Path, spelling: Spelling) -> str:
    """The next characters of a file."""
    try:
        return text.read(BLOCK_TEXT)
    except UnicodeError as error:
        raise not_in_encoding(path, spelling.encoding, error) from error


class Part(NamedTuple):
    """Whole rows at the beginning of some bytes: their columns, the line ends up to the end of each row, and the bytes of all."""

    columns: list[FieldColumn]
    line_ends: np.ndarray
    size: int

    def lines(self, before: int) -> Sequence[int]:
        """The line at which each row ends, where `before` lines are before these."""
        rows, last = len(self.line_ends), int(self.line_ends[-1])
        return range(before + 1, before + rows + 1) if rows == last else (before + self.line_ends).tolist()


def split_block(raw: bytes, spelling: Spelling, width: int, at_end: bool) -> Part | None:
    """The rows at the beginning of some bytes, all of them at the end of a file; None where a reader of every character is needed.

    The last rows, often the only ones, are split by NumPy: they do not pay for loading pyarrow.
    """
    strings = split_strings(raw, spelling, width, BLOCK_ROWS) if not at_end and len(raw) <= LONGEST_FIELD else None
    if strings is not None:
        columns, rows, size = strings
        return Part(columns, np.arange(1, rows + 1), size)
    split = split_rows(raw, spelling.delimiter.encode()[0], width, 1 if at_end else BLOCK_ROWS)
    if split is None or len(raw) > 2 * LONGEST_FIELD or split.length.max(initial=0) > LONGEST_FIELD or (at_end and split.size < len(raw)):
        return None
    return Part(columns_of(split, frozenset(spelling.missing)), split.line_ends, split.size)


def columns_of(split: Split, missing: frozenset[str]) -> list[FieldColumn]:
    """The columns of rows that are split."""
    begin, length = np.ascontiguousarray(split.begin.T), np.ascontiguousarray(split.length.T)
    return [ByteColumn(split.data, *pair, missing) for pair in zip(begin, length)]


def blocks_of(records: Iterator[tuple[int, list[str]]], width: int, path: Path, spelling: Spelling) -> Iterator[Block]:
    """The records in blocks, by columns; DataError for a record of another length."""
    rows, missing = max(1, min(READER_ROWS, READER_CELLS // width)), frozenset(spelling.missing)
    while part := list(islice(records, rows)):
        for line, record in part:
            if len(record) != width:
                raise refused(path, f"line {line}", f"{len(record)} fields instead of {width}", f"it begins with {record[:3]!r:.200}",
                              "every row has a field for each column: correct the line; a field with a delimiter in it needs quotes")
        columns = [TextColumn([clean(text, missing) for text in column]) for column in zip(*(record for _, record in part))]
        yield Block([line for line, _ in part], list[FieldColumn](columns))


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
