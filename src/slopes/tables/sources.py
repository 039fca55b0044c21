"""Where rows come from: CSV, Parquet and Arrow files, and data frames, opened alike."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from ..files.csvfile import MOST_TEXT
from .frames import FRAME, arrow_kind, frame_blocks, is_frame, open_arrow
from .rows import Block, distinct_names, open_rows
from .spelling import Spelling, detect

Source = Any  # the path of a file, or a data frame


class Rows(NamedTuple):
    """The rows of a source: its name in messages, spelling, the distinct names of its columns, and blocks."""

    name: str
    spelling: Spelling
    columns: list[str]
    blocks: Iterator[Block]


def source_name(source: Source) -> str:
    """A source in messages: the path of a file, or `data frame`."""
    return FRAME if is_frame(source) else os.fspath(source)


@contextlib.contextmanager
def open_source(source: Source, spelling: Spelling, notes: list[str], most: int | None = MOST_TEXT) -> Iterator[Rows]:
    """The rows of a file, whose kind is seen from its first bytes, or of a data frame; notes say what was assumed.

    `most`: the most bytes of a CSV file that are read; None: any number. Raises DataError for a file that is damaged or none
    of these (`detect`, `open_rows`), and ArgumentError for an object that is no data frame.
    """
    name = source_name(source)
    with contextlib.ExitStack() as stack:
        if is_frame(source):
            names, blocks = frame_blocks(source, spelling)
        elif arrow_kind(source):
            names, blocks = stack.enter_context(open_arrow(source, spelling))
        else:
            spelling = detect(source, spelling, notes)
            names, blocks = stack.enter_context(open_rows(source, spelling, most))
        spelling = replace(spelling, encoding=spelling.encoding or "utf-8", delimiter=spelling.delimiter or ",")
        yield Rows(name, spelling, distinct_names(names, name, notes), blocks)
