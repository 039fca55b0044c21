"""Decimal numbers in bytes, many at a time: parsed eight digits at once, and written digit by digit over whole columns."""

from __future__ import annotations

import numpy as np

ZEROS = np.uint64(0x3030303030303030)  # eight times the character 0
HIGH = np.uint64(0x8080808080808080)
ONES = np.uint64(0x0101010101010101)
FILL = np.array([(1 << 8 * (8 - i)) - 1 for i in range(9)], np.uint64)  # the bytes in front of the last i of a lane
POWERS = np.array([float(10**i) for i in range(9)])
MOST_UINT32 = 9  # digits of which every number is below 2^32
MOST_DIGITS = 15  # a whole number of more is not always a float64
BLANK, POINT, ZERO, MINUS = 0, ord("."), ord("0"), ord("-")


def parse_decimals(data: np.ndarray, begin: np.ndarray, length: np.ndarray, decimal: str = ".") -> tuple[np.ndarray, np.ndarray]:
    """(values, which fields are parsed): numbers such as -12.5 of at most 8 digits before and behind the mark, 15 in all; nan for "".

    The others, which may be numbers of another form, are left to the caller. A value is the float64 that is nearest to the decimal
    number, as both its digits as a whole number and the power of ten by which they are divided are exact.
    Sources: Lemire, "Number parsing at a gigabyte per second", 2021 (digits of a word at once); Clinger, "How to read floating point
    numbers accurately", 1990 (when one division is exact).

    >>> text = np.frombuffer(b"........1.5,-12,x........", np.uint8)
    >>> parse_decimals(text, np.array([8, 12, 16]), np.array([3, 3, 1]))
    (array([  1.5, -12. ,  72. ]), array([ True,  True, False]))
    """
    loads = eight_bytes(data)
    empty = length == 0
    first = data[begin]
    negative = (first == MINUS) & ~empty
    signed = negative | ((first == ord("+")) & ~empty)
    begin, length = begin + signed, length - signed
    mark = find_byte(loads[begin], ord(decimal))
    whole = np.minimum(mark, length)
    behind = np.maximum(length - whole - 1, 0)
    digits = whole + behind
    parsed = (whole <= 8) & (behind <= 8) & (digits > 0) & (digits <= MOST_DIGITS) & ((mark < 8) | (length <= 8))
    upper, upper_digits = eight_digits(loads, begin + whole, np.minimum(whole, 8))
    lower, lower_digits = eight_digits(loads, begin + length, np.minimum(behind, 8))
    parsed &= upper_digits & lower_digits
    power = POWERS[np.minimum(behind, 8)]
    values = (upper * power + lower) / power
    np.negative(values, out=values, where=negative)
    values[empty] = np.nan
    return values, parsed | empty


def eight_bytes(data: np.ndarray) -> np.ndarray:
    """A view whose element i is the number of the eight bytes from byte i on; the first byte is the lowest."""
    return np.ndarray((len(data) - 7,), np.dtype("<u8"), data.data, strides=(1,))


def find_byte(lanes: np.ndarray, byte: int) -> np.ndarray:
    """The index of the first such byte in each lane of eight; 8 where there is none."""
    difference = lanes ^ (ONES * np.uint64(byte))
    zero = (difference - ONES) & ~difference & HIGH
    return np.where(zero == 0, 8, np.bitwise_count((zero & (~zero + np.uint64(1))) - np.uint64(1)).astype(np.int64) >> 3)


def eight_digits(loads: np.ndarray, end: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the whole number of the last `count` bytes before `end`, float64; whether all of them are digits)."""
    lanes = loads[end - 8]
    fill = FILL[count]
    lanes = (lanes & ~fill) | (ZEROS & fill)
    valid = ((lanes + np.uint64(0x4646464646464646)) | (lanes - ZEROS)) & HIGH == 0
    lanes = lanes - ZEROS
    lanes = lanes * np.uint64(10) + (lanes >> np.uint64(8))  # pairs of digits in every second byte
    mask = np.uint64(0x000000FF000000FF)
    upper = (lanes & mask) * np.uint64(0x000F424000000064)  # times 1,000,000 and 100
    lower = ((lanes >> np.uint64(16)) & mask) * np.uint64(0x0000271000000001)  # times 10,000 and 1
    return ((upper + lower) >> np.uint64(32)).astype(np.float64), valid


def write_digits(values: np.ndarray, width: int) -> np.ndarray:
    """The decimal digits of whole numbers below 10^width, (N, width) uint8 characters with zeros in front."""
    digits = np.empty((len(values), width), np.uint8)
    values = values.astype(np.uint32 if width <= MOST_UINT32 else np.uint64)  # unsigned and short ones are divided faster
    for i in reversed(range(width)):
        tens = values // 10
        digits[:, i] = values - 10 * tens + ZERO
        values = tens
    return digits


def blank_leading(digits: np.ndarray) -> np.ndarray:
    """The digits, with blanks for zeros in front; the last digit stays."""
    digits[:, :-1][np.logical_and.accumulate(digits[:, :-1] == ZERO, axis=1)] = BLANK
    return digits


def blank_trailing(digits: np.ndarray) -> np.ndarray:
    """The digits, with blanks for zeros at the end."""
    digits[np.logical_and.accumulate(digits[:, ::-1] == ZERO, axis=1)[:, ::-1]] = BLANK
    return digits


def write_fixed(values: np.ndarray, decimals: int, width: int) -> np.ndarray:
    """Decimals as characters, from whole numbers that count units of 10^-decimals: (N, width + 1 + decimals), blanks where nothing is.

    There are at most `width` digits in front of the point; zeros at the end are left out, and the point behind which none is left.

    >>> [row.tobytes().replace(b"\\0", b"").decode() for row in write_fixed(np.array([1500, 20000, 7]), 3, 2)]
    ['1.5', '20', '0.007']
    """
    whole = values // 10**decimals
    behind = blank_trailing(write_digits(values - whole * 10**decimals, decimals))
    point = np.where(behind[:, :1] == BLANK, BLANK, POINT).astype(np.uint8)
    return np.concatenate([blank_leading(write_digits(whole, width)), point, behind], axis=1)


def write_shares(shares: np.ndarray) -> np.ndarray:
    """Shares from 0 to 1 as characters (N, 8), as Python writes them rounded to six decimals: 0.5, 1.0, 2e-06."""
    units = np.rint(shares * 1e6).astype(np.int64)
    text = write_fixed(units, 6, 1)
    text[text[:, 1] == BLANK, 1:3] = POINT, ZERO
    small = np.flatnonzero((units > 0) & (units < 100))
    text[small] = characters([repr(int(unit) / 1e6) for unit in units[small]], 8)
    return text


def write_numbers(values: np.ndarray) -> np.ndarray:
    """Numbers as characters (N, width), as f"{value:.7g}" writes them; those of 1e-4 to 1e6, of one size, many at a time."""
    size = np.abs(values)
    usual = (size >= 1e-4) & (size < 999_999)
    decimals = 6 - np.floor(np.log10(np.where(usual, size, 1.0))).astype(np.int64)
    scaled = np.where(usual, size, 1.0) * 10.0**decimals
    units = np.rint(scaled)
    # a power of ten, or a half, that float64 may have missed is left to Python, which rounds the exact decimal value
    usual &= (units >= 1e6) & (units < 1e7 - 1) & (np.abs(scaled - np.floor(scaled) - 0.5) > 1e-6)
    text = np.concatenate([np.zeros((len(values), 1), np.uint8), write_fixed(np.where(usual, units, 0).astype(np.int64)
                           * 10 ** np.clip(10 - decimals, 0, 10), 10, 6)], axis=1)
    text[values < 0, 0] = MINUS
    rest = np.flatnonzero(~usual)
    return text if not rest.size else with_rows(text, rest, [f"{value:.7g}" for value in values[rest].tolist()])


def with_rows(text: np.ndarray, rows: np.ndarray, words: list[str]) -> np.ndarray:
    """The characters, with other words in some rows."""
    width = max(text.shape[1], max(map(len, words)))
    result = np.zeros((len(text), width), np.uint8)
    result[:, : text.shape[1]] = text
    result[rows] = characters(words, width)
    return result


def characters(words: list[str], width: int) -> np.ndarray:
    """ASCII words as rows of characters, (N, width) uint8 with blanks behind them."""
    return np.array(words, f"S{width}").view(np.uint8).reshape(len(words), width)


def join_fields(columns: list[np.ndarray]) -> bytes:
    """Rows of a CSV file from the characters of its columns, without blanks."""
    count = len(columns[0])
    comma = np.full((count, 1), ord(","), np.uint8)
    parts = [part for column in columns for part in (column, comma)]
    parts[-1] = np.full((count, 1), ord("\n"), np.uint8)
    text = np.concatenate(parts, axis=1).ravel()
    return text[text != BLANK].tobytes()
