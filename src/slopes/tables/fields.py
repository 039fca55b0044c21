"""Columns of a block of CSV rows, as words and as numbers; those that are split from bytes are parsed with NumPy, not field by field."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .decimals import MINUS, POINT, eight_bytes, parse_decimals
from .numbers import parse_each, parse_number
from .spelling import Spelling

PAD = 8  # zero bytes before and after the text of a block: fields are loaded eight bytes at a time
LANES = 8  # of eight bytes: longer words are compared as strings
MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, of irregular bits; Knuth, The Art of Computer Programming, volume 3, section 6.4
KEPT = np.array([(1 << 8 * i) - 1 for i in range(9)], np.uint64)  # masks of the first bytes of a lane


class Words(NamedTuple):
    """A column of words by its different values: row i has values[codes[i]]."""

    values: list[str]
    codes: np.ndarray

    def texts(self) -> list[str]:
        """The word of each row."""
        return [self.values[i] for i in self.codes.tolist()]

    def array(self) -> np.ndarray:
        """The values as an array of objects."""
        result = np.empty(len(self.values), object)
        result[:] = self.values
        return result


class FieldColumn(ABC):
    """The fields of a column, of consecutive rows; spaces around them and words for missing values are not part of their texts."""

    @abstractmethod
    def texts(self) -> list[str]:
        """The text of each field, "" for a missing value."""

    @abstractmethod
    def words(self) -> Words:
        """The same by its different values."""

    @abstractmethod
    def numbers(self, spelling: Spelling) -> tuple[np.ndarray, list[int]]:
        """The numbers, and the rows that hold something else, as `numbers.parse_each` returns them."""


class TextColumn(FieldColumn):
    """Fields that are strings already."""

    def __init__(self, values: list[str]) -> None:
        self.values = values

    def texts(self) -> list[str]:
        return self.values

    def words(self) -> Words:
        return words_of(self.values)

    def numbers(self, spelling: Spelling) -> tuple[np.ndarray, list[int]]:
        return parse_each(self.values, spelling)


class ByteColumn(FieldColumn):
    """Fields by where they begin in the UTF-8 bytes of their block, and how long they are.

    data: (bytes,) uint8 with 8 zero bytes before and after the text; begin, length: (rows,) int64.
    """

    def __init__(self, data: np.ndarray, begin: np.ndarray, length: np.ndarray, missing: frozenset[str]) -> None:
        self.data, self.begin, self.length, self.missing = data, begin, length, missing

    def texts(self) -> list[str]:
        return self.words().texts()

    def words(self) -> Words:
        lanes = self.lanes()
        if lanes is None:
            return words_of([self.text(row) for row in range(len(self.begin))])
        keys = np.zeros(len(self.begin), np.uint64)
        for lane in lanes:
            keys = (keys ^ lane) * MIX
            keys ^= keys >> np.uint64(29)
        _, first, index = np.unique(keys, return_index=True, return_inverse=True)
        if any((lane != lane[first][index]).any() for lane in lanes):  # different words of one key
            return words_of([self.text(row) for row in range(len(self.begin))])
        return Words([self.text(row) for row in first.tolist()], index)

    def lanes(self) -> list[np.ndarray] | None:
        """The bytes of the fields, eight at a time, zeros behind their ends; None where a field has more than 64."""
        count = -(-int(self.length.max(initial=0)) // 8)
        if count > LANES:
            return None
        loads = eight_bytes(self.data)
        return [loads[np.minimum(self.begin + 8 * i, len(loads) - 1)] & KEPT[np.clip(self.length - 8 * i, 0, 8)] for i in range(count)]

    def text(self, row: int) -> str:
        """The text of one field."""
        begin = int(self.begin[row])
        return clean(self.data[begin : begin + int(self.length[row])].tobytes().decode(), self.missing)

    def numbers(self, spelling: Spelling) -> tuple[np.ndarray, list[int]]:
        values, parsed = parse_decimals(self.data, self.begin, self.length, spelling.decimal)
        markers = [value for word in self.missing if word and (value := parse_number(word, spelling)) is not None and np.isfinite(value)]
        if markers:
            parsed &= ~np.isin(values, markers)
        rest = np.flatnonzero(~parsed)
        if spelling.decimal == "." and not (spelling.thousands or markers):
            rest = self.long_numbers(values, rest)
        if not rest.size:
            return values, []
        words = ByteColumn(self.data, self.begin[rest], self.length[rest], self.missing).words()
        others, wrong = parse_each(words.values, spelling)
        values[rest] = others[words.codes]
        return values, rest[np.isin(words.codes, wrong)].tolist()


    def long_numbers(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Write finite numbers of any length that begin with a digit into `values`; returns the rows that are left."""
        first, second = self.data[self.begin[rows]], self.data[self.begin[rows] + 1]
        plain = is_digit(first) | (((first == MINUS) | (first == POINT)) & is_digit(second))
        chosen, raw = rows[plain], self.data.tobytes()
        fields = [raw[begin:end] for begin, end in zip(self.begin[chosen].tolist(), (self.begin + self.length)[chosen].tolist())]
        if any(b"_" in field for field in fields):  # float takes 1_000, which is no notation of data files
            return rows
        try:
            values[chosen] = [float(field) for field in fields]
        except ValueError:
            return rows
        return np.concatenate([rows[~plain], chosen[~np.isfinite(values[chosen])]])


def is_digit(characters: np.ndarray) -> np.ndarray:
    """Which bytes are digits."""
    return (characters - np.uint8(ord("0"))) < 10


def words_of(texts: Sequence[str]) -> Words:
    """Strings by their different values."""
    index: dict[str, int] = {}
    rows = np.array([index.setdefault(text, len(index)) for text in texts], np.int64)
    return Words(list(index), rows)


def clean(text: str, missing: frozenset[str]) -> str:
    """A field without spaces around it; "" where it marks a missing value."""
    text = text.strip()
    return "" if text in missing else text
