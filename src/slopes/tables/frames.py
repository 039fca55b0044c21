"""Data frames of pandas, polars and pyarrow, and Parquet and Arrow files, as blocks of rows like those of a CSV file."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..extras import require
from ..files.csvfile import MOST_COLUMNS
from ..files.reading import Path, opened, refused
from .fields import FieldColumn, TextColumn, Words, clean
from .numbers import parse_number
from .rows import Block
from .spelling import Spelling

EXTRA = "frames"
FRAME = "data frame"  # where the name of a file would stand in a message
BATCH_ROWS = 16384
PARQUET, ARROW, STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"  # how the files begin
EXACT = 2**53  # whole numbers below it are float64 exactly


class NumberColumn(FieldColumn):
    """Numbers that are an array already, nan for missing ones."""

    def __init__(self, values: np.ndarray, spelling: Spelling) -> None:
        markers = [parse_number(word, spelling) for word in spelling.missing if word]
        self.values = np.where(np.isin(values, [value for value in markers if value is not None]), np.nan, values)

    def texts(self) -> list[str]:
        return list(map(number_text, self.values.tolist()))

    def words(self) -> Words:
        values, codes = np.unique(self.values, return_inverse=True)
        return Words(list(map(number_text, values.tolist())), codes)

    def numbers(self, spelling: Spelling) -> tuple[np.ndarray, list[int]]:
        infinite = np.isinf(self.values)
        return np.where(infinite, np.nan, self.values), np.flatnonzero(infinite).tolist()


def number_text(value: float) -> str:
    """A number as a CSV file has it: whole ones without a point, "" for nan."""
    if math.isnan(value):
        return ""
    return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < EXACT else repr(value)


def value_text(value: Any) -> str | None:
    """A value as a CSV file has it, "" for a missing one; None for a value that no CSV file has."""
    if value is None or value != value:  # nan and NaT are not equal to themselves
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating, decimal.Decimal)):
        return number_text(float(value))
    if isinstance(value, datetime.datetime):
        return moment_text(value)
    return value.isoformat() if isinstance(value, datetime.date) else None


def moment_text(moment: datetime.datetime) -> str:
    """`2024-12-31`, with the time of day where there is one, in UTC where there is a zone."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    return moment.strftime("%Y-%m-%d" if moment.time() == datetime.time() else "%Y-%m-%d %H:%M:%S")


def is_frame(source: Any) -> bool:
    """Whether a source of rows is a data frame and not the path of a file."""
    return not isinstance(source, (str, os.PathLike))


def frame_blocks(frame: Any, spelling: Spelling) -> tuple[list[str], Iterator[Block]]:
    """(names of the columns, blocks of rows) of a data frame; ArgumentError for an object that is none."""
    narwhals = require("narwhals", extra=EXTRA, purpose="a table from a data frame")
    try:
        rows = narwhals.from_native(frame, eager_only=True)
    except TypeError as error:
        raise ArgumentError(f"{type(frame).__name__} is no data frame", why="it is a frame of pandas or polars, or a table of pyarrow, "
                            "that is in memory", repair="name a file, or convert it: pandas.DataFrame(...); lazy frames: .collect()"
                            ) from error
    except narwhals.exceptions.DuplicateError as error:
        raise ArgumentError("two columns of the data frame have one name", why="a column is identified by its name",
                            repair="rename one of them") from error
    names = [str(name) for name in rows.columns]
    check_width(FRAME, len(names))
    parts = (rows[i : i + BATCH_ROWS] for i in range(0, len(rows), BATCH_ROWS))
    return names, numbered_blocks(parts, names, FRAME, spelling)


def numbered_blocks(frames: Iterator[Any], names: Sequence[str], path: Path, spelling: Spelling) -> Iterator[Block]:
    """Blocks of frames of narwhals; their rows are counted from 1 where those of a CSV file have lines."""
    missing, first = frozenset(spelling.missing), 1
    for frame in frames:
        columns = [field_column(series, name, path, spelling, missing) for series, name in zip(frame.iter_columns(), names)]
        yield Block(range(first, first + len(frame)), columns)
        first += len(frame)


def field_column(series: Any, name: str, path: Path, spelling: Spelling, missing: frozenset[str]) -> FieldColumn:
    """A column of a frame; DataError where its values are none that a CSV file could have: lists, bytes, durations."""
    values = series.to_list()
    if series.dtype.is_numeric():
        numbers = np.array([math.nan if value is None or value != value else value for value in values], object)
        floats = numbers.astype(np.float64)
        if series.dtype.is_float() or not (np.abs(floats) >= EXACT).any():
            return NumberColumn(floats, spelling)
    texts = list(map(value_text, values))
    if None in texts:
        value = values[texts.index(None)]
        raise refused(path, f"column {name!r}", f"a value is of type {type(value).__name__}",
                      "a column holds numbers, words, truth values or dates", "leave the column out, or convert it to one of these")
    return TextColumn([clean(text, missing) for text in texts if text is not None])


def arrow_kind(path: Path) -> bytes:
    """How a Parquet or Arrow file begins; b"" for other files."""
    with opened(path) as source:
        head = source.stream.read(8)
    return next((magic for magic in (PARQUET, ARROW, STREAM) if head.startswith(magic)), b"")


@contextlib.contextmanager
def open_arrow(path: Path, spelling: Spelling) -> Iterator[tuple[list[str], Iterator[Block]]]:
    """(names of the columns, blocks of rows) of a Parquet or Arrow file, in memory that does not grow with it."""
    kind = arrow_kind(path)
    what = "Parquet" if kind == PARQUET else "Arrow"
    arrow = require("pyarrow", extra=EXTRA, purpose=f"a {what} file")
    narwhals = require("narwhals", extra=EXTRA, purpose=f"a {what} file")
    with contextlib.ExitStack() as stack:
        with damaged_as_errors(path, arrow):
            names, batches = OPENERS[kind](os.fspath(path), stack)
        check_width(path, len(names))
        positions = list(map(str, range(len(names))))  # a file may have a name twice, a frame may not
        frames = (narwhals.from_native(arrow.Table.from_batches([batch.slice(i, BATCH_ROWS)]).rename_columns(positions), eager_only=True)
                  for batch in checked_batches(batches, path, arrow) for i in range(0, batch.num_rows, BATCH_ROWS))
        yield names, numbered_blocks(frames, names, path, spelling)


def checked_batches(batches: Iterator[Any], path: Path, arrow: Any) -> Iterator[Any]:
    """The rows of a file; DataError where they are damaged."""
    while True:
        with damaged_as_errors(path, arrow):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def parquet_batches(path: str, stack: contextlib.ExitStack) -> tuple[list[str], Iterator[Any]]:
    """The columns of a Parquet file, and its rows."""
    file = stack.enter_context(require("pyarrow.parquet", extra=EXTRA).ParquetFile(path))
    return file.schema_arrow.names, file.iter_batches(BATCH_ROWS)


def arrow_batches(path: str, stack: contextlib.ExitStack) -> tuple[list[str], Iterator[Any]]:
    """The columns of an Arrow file, which is also one of Feather, and its rows."""
    arrow = require("pyarrow", extra=EXTRA)
    file = arrow.ipc.open_file(stack.enter_context(arrow.memory_map(path)))
    return file.schema.names, (file.get_batch(i) for i in range(file.num_record_batches))


def stream_batches(path: str, stack: contextlib.ExitStack) -> tuple[list[str], Iterator[Any]]:
    """The columns of a file in Arrow's format of streams, and its rows."""
    arrow = require("pyarrow", extra=EXTRA)
    file = arrow.ipc.open_stream(stack.enter_context(arrow.memory_map(path)))
    return file.schema.names, iter(file)


Opener = Callable[[str, contextlib.ExitStack], tuple[list[str], Iterator[Any]]]
OPENERS: Mapping[bytes, Opener] = {PARQUET: parquet_batches, ARROW: arrow_batches, STREAM: stream_batches}


@contextlib.contextmanager
def damaged_as_errors(path: Path, arrow: Any) -> Iterator[None]:
    """Exceptions of pyarrow as DataErrors."""
    try:
        yield
    except (arrow.ArrowException, OSError) as error:
        seen = f"it cannot be read: {str(error).splitlines()[0]:.200}"
        raise refused(path, "contents", seen, "the file is damaged or cut off") from error


def check_width(path: Path, columns: int) -> None:
    """Refuse more columns than a table may have."""
    if columns > MOST_COLUMNS:
        raise refused(path, "columns", f"{columns:,} columns, more than {MOST_COLUMNS:,}", "each column becomes features of its own",
                      "keep the columns that matter")


def frame_like(frame: Any, columns: Mapping[str, Sequence[Any] | np.ndarray]) -> Any:
    """A data frame of the library of another one."""
    narwhals = require("narwhals", extra=EXTRA, purpose="a data frame")
    return narwhals.from_dict(dict(columns), backend=narwhals.get_native_namespace(frame)).to_native()
