"""Split the bytes of CSV rows into fields with NumPy: where each field begins and how long it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .fields import PAD

LINE_END, RETURN, QUOTE = ord("\n"), ord("\r"), ord('"')


class Split(NamedTuple):
    """The fields of rows: `begin`, `length` (rows, columns) in `data`; the line ends up to the end of each row, and the bytes of all rows.

    Quotes around a field are no part of it.
    """

    data: np.ndarray
    begin: np.ndarray
    length: np.ndarray
    line_ends: np.ndarray
    size: int


def split_rows(raw: bytes, delimiter: int, width: int, multiple: int) -> Split | None:
    """The whole rows at the beginning of some bytes, a multiple of `multiple` where there are more; no row where none ends in them.

    None for rows that need a reader of every character: a number of fields other than `width`, empty lines, line ends other than
    those of Unix and Windows, zero bytes, quotes inside fields. The first byte is the first one of a row, in ASCII or UTF-8.
    """
    data = np.frombuffer(b"\0" * PAD + raw + b"\0" * PAD, np.uint8)
    quotes = np.cumsum(data == QUOTE, dtype=np.int32) if QUOTE in raw else None
    separators = (data == delimiter) | (data == LINE_END)
    if quotes is not None:
        separators &= quotes & 1 == 0
    ends: np.ndarray = np.flatnonzero(separators)
    row_ends = ends[data[ends] == LINE_END]
    count = len(row_ends) // multiple * multiple or len(row_ends)
    if not count:
        none = np.zeros((0, width), np.int64)
        return Split(data, none, none, np.zeros(0, np.int64), 0)
    size = int(row_ends[count - 1]) + 1 - PAD
    if len(ends) < count * width or not regular(raw[:size]):
        return None
    ends = ends[: count * width].reshape(count, width)
    if (ends[:, -1] != row_ends[:count]).any():
        return None
    begin = np.concatenate([[PAD], ends.ravel()[:-1] + 1]).reshape(count, width)
    length = ends - begin
    length[:, -1] -= (length[:, -1] > 0) & (data[ends[:, -1] - 1] == RETURN)
    if quotes is None:
        return Split(data, begin, length, np.arange(1, count + 1), size)
    return without_quotes(Split(data, begin, length, np.cumsum(data == LINE_END)[row_ends[:count]], size), quotes)


def regular(raw: bytes) -> bool:
    """Whether there are no zero bytes, and no carriage returns but those in front of line feeds."""
    return b"\0" not in raw and (b"\r" not in raw or raw.count(b"\r") == raw.count(b"\r\n"))


def without_quotes(split: Split, quotes: np.ndarray) -> Split | None:
    """The fields without the quotes around them; None where there are other quotes. `quotes` counts them up to each byte."""
    count = quotes[split.begin + split.length - 1] - quotes[split.begin - 1]
    quoted = count == 2
    if ((count != 0) & ~quoted).any():
        return None
    last = split.begin + split.length - 1
    if (quoted & ((split.data[split.begin] != QUOTE) | (split.data[last] != QUOTE))).any():
        return None
    return split._replace(begin=split.begin + quoted, length=split.length - 2 * quoted)
