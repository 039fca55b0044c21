"""Plain CSV rows that pyarrow splits and parses, where it is installed: the same columns as those of NumPy, in less time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..extras import installed, require
from .fields import FieldColumn, Words, clean
from .numbers import parse_each, parse_number
from .spelling import Spelling
from .splitting import LINE_END, QUOTE, regular

EXTRA = "frames"
MOST_WIDTH = 1000  # columns: the rows of more are so long that a block has few of them
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # which pyarrow takes away from the beginning of any block


class StringColumn(FieldColumn):
    """Fields as an array of pyarrow's strings, null for missing ones; spaces around them are still there."""

    def __init__(self, strings: Any, missing: frozenset[str]) -> None:
        self.strings, self.missing = strings, missing

    def texts(self) -> list[str]:
        return self.words().texts()

    def words(self) -> Words:
        encoded = self.strings.dictionary_encode()
        values = [clean(text, self.missing) for text in encoded.dictionary.to_pylist()]
        if not self.strings.null_count:
            return Words(values, encoded.indices.to_numpy())
        return Words([*values, ""], encoded.indices.fill_null(len(values)).to_numpy())

    def numbers(self, spelling: Spelling) -> tuple[np.ndarray, list[int]]:
        values = self.plain_numbers(spelling)
        if values is not None:
            return values, []
        words = self.words()
        values, wrong = parse_each(words.values, spelling)
        return values[words.codes], np.flatnonzero(np.isin(words.codes, wrong)).tolist()

    def plain_numbers(self, spelling: Spelling) -> np.ndarray | None:
        """The numbers as pyarrow parses them; None where it may read a field otherwise than `numbers.parse_each`."""
        arrow = require("pyarrow", extra=EXTRA)
        try:
            numbers = self.strings.cast(arrow.float64())
        except arrow.ArrowInvalid:
            return None
        values = numbers.to_numpy(zero_copy_only=False)
        if np.isnan(values).sum() != numbers.null_count or np.isinf(values).any():
            return None
        markers = [value for word in self.missing if word and (value := parse_number(word, spelling)) is not None]
        return None if markers and np.isin(values, markers).any() else np.array(values)


def split_strings(raw: bytes, spelling: Spelling, width: int, multiple: int) -> tuple[list[FieldColumn], int, int] | None:
    """(columns, rows, bytes) of the whole rows at the beginning of some bytes, each a line: a multiple of `multiple` where there are more.

    None without pyarrow, for other decimal marks than a point, and for rows that are not plain: with quotes, zero bytes, other
    line ends than those of Unix and Windows, empty lines, or another number of fields than `width`.
    """
    if not (installed("pyarrow") and spelling.decimal == "." and not spelling.thousands and 1 < width <= MOST_WIDTH):
        return None
    ends = np.flatnonzero(np.frombuffer(raw, np.uint8) == LINE_END)
    count = len(ends) // multiple * multiple or len(ends)
    if not count:
        return None
    size = int(ends[count - 1]) + 1
    if QUOTE in raw or raw.startswith(BYTE_ORDER_MARK) or not regular(raw):
        return None
    missing = frozenset(spelling.missing)
    columns = read_strings(memoryview(raw)[:size], spelling.delimiter, width, missing)
    if columns is None or len(columns[0]) != count:
        return None
    return [StringColumn(column, missing) for column in columns], count, size


def read_strings(raw: memoryview, delimiter: str, width: int, missing: frozenset[str]) -> list[Any] | None:
    """The columns of rows without quotes, as arrays of strings; None where their numbers of fields differ."""
    arrow, csv = require("pyarrow", extra=EXTRA), require("pyarrow.csv", extra=EXTRA)
    names = [str(i) for i in range(width)]
    try:
        table = csv.read_csv(
            arrow.py_buffer(raw), csv.ReadOptions(use_threads=False, block_size=len(raw) + 1, column_names=names),
            csv.ParseOptions(delimiter=delimiter, quote_char=False),
            csv.ConvertOptions(check_utf8=False, column_types=dict.fromkeys(names, arrow.string()), null_values=list(missing),
                               strings_can_be_null=True))
    except arrow.ArrowInvalid:
        return None
    return [column.combine_chunks() for column in table.columns]
