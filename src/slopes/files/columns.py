"""Table columns from lists, arrays and data frames: each is either numeric or text, never silently converted."""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, NonFiniteError, warn

EXACT = 2**53  # float64 represents every integer up to here
SPELLED = frozenset(("nan", "NaN", "NaT", "<NA>"))  # missing values, after a column was converted to text
DATES = (datetime.date, datetime.time, datetime.timedelta)


def as_column(name: str, values: Any) -> np.ndarray:
    """A column as float64 (nan where missing), or as an object array of str ("" where missing)."""
    if isinstance(values, np.ma.MaskedArray):
        values = [None if hidden else value for value, hidden in zip(values.data, np.ma.getmaskarray(values))]
    if not isinstance(getattr(values, "dtype", np.dtype(object)), np.dtype):
        values = (getattr(values, "to_list", None) or values.tolist)()  # as an array, a frame's column with gaps would round integers
    array = np.asarray(values) if hasattr(values, "dtype") else None  # from a list, NumPy would turn missing numbers into text
    if array is None or array.dtype.kind == "O":
        return from_objects(name, list(values if array is None else array))
    if array.ndim != 1 or array.dtype.kind not in "biufUT":
        raise unsupported_column(name, f"of dtype {array.dtype} and shape {array.shape}", array.dtype.kind in "mM")
    if array.dtype.kind in "UT":
        return as_words(name, array.tolist())
    return as_numbers(name, array)


def as_numbers(name: str, array: np.ndarray) -> np.ndarray:
    """Numbers as float64; ArgumentError for integers that it would round."""
    with np.errstate(over="ignore"):
        column = array.astype(np.float64, copy=False)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        for row in np.flatnonzero(np.abs(column) >= EXACT):
            check_exact(name, int(row), int(array[row]))
    check_known(name, column)
    return column


def check_exact(name: str, row: int, value: int) -> None:
    """Refuse integers that float64 would round: they are identifiers, not quantities."""
    if abs(value) >= EXACT and (value.bit_length() > 1024 or float(value) != value):
        raise ArgumentError(f"column {name!r} holds {value if value.bit_length() < 200 else 'an integer of many digits'} in row {row}",
                            why="a table stores numbers as float64, which would round it to a neighbouring integer",
                            repair="if they are identifiers, drop the column or convert it to text: [str(value) for value in column]")


def check_known(name: str, column: np.ndarray) -> None:
    """Refuse infinite numbers: standardizing would turn the whole column into NaN."""
    infinite = np.isinf(column)
    if infinite.any():
        row = int(infinite.argmax())
        raise NonFiniteError(f"column {name!r} holds {column[row]} in row {row}", why="a network cannot learn from an infinite number",
                             repair="mark them as missing: np.where(np.isinf(x), np.nan, x)")


def from_objects(name: str, values: Sequence[Any]) -> np.ndarray:
    """A column from Python objects: all numbers or all text, apart from missing values (None, nan, NaT, pandas.NA)."""
    known = [(row, value) for row, value in enumerate(values) if not is_missing(value)]
    words = [row for row, value in known if isinstance(value, str)]
    if words and len(words) == len(known):
        return as_words(name, ["" if is_missing(value) else value for value in values])
    if words:
        row, value = next((row, value) for row, value in known if not isinstance(value, str))
        raise ArgumentError(f"column {name!r} holds words such as {values[words[0]]!r:.60} (row {words[0]}) and others such as "
                            f"{value!r:.60} (row {row}, of type {type(value).__name__})", why="a column is numbers or words, not both",
                            repair="make them one kind: [float(value) for value in column], or [str(value) for value in column]")
    column = np.full(len(values), np.nan)
    for row, value in known:
        column[row] = as_number(name, row, value)
    check_known(name, column)
    return column


def is_missing(value: Any) -> bool:
    """Whether `value` is None, nan, NaT or pandas.NA: missing values are not equal to themselves."""
    if value is None:
        return True
    if isinstance(value, (str, int)):
        return False
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA and arrays have no truth value
        return type(value).__name__ == "NAType"


def as_number(name: str, row: int, value: Any) -> float:
    """One value as a float; ArgumentError when it is not a number."""
    if isinstance(value, numbers.Integral):
        check_exact(name, row, int(value))
    if isinstance(value, (numbers.Real, decimal.Decimal, np.bool_)):
        return float(value)
    raise unsupported_column(name, f"not numbers or words: row {row} is {value!r:.60}, of type {type(value).__name__}",
                          isinstance(value, (*DATES, np.datetime64, np.timedelta64)))


def unsupported_column(name: str, problem: str, is_date: bool) -> ArgumentError:
    """The error for values that a column cannot hold."""
    repair = ("convert dates to numbers, such as days since the first: (dates - dates.min()) / np.timedelta64(1, 'D'), or to text: "
              "dates.astype(str)") if is_date else "pass a list of numbers or of words, with None or nan for missing values"
    return ArgumentError(f"column {name!r} is {problem}", why="a column is a list of numbers or of words", repair=repair)


def as_words(name: str, values: list[str]) -> np.ndarray:
    """Text as an object array of Python strings: no more memory than the strings themselves."""
    spelled = next((value for value in values if value in SPELLED), None)
    if spelled is not None:
        warn(f"column {name!r} holds the word {spelled!r} in {values.count(spelled)} rows",
             why="missing values read like this after a conversion to text; here it is an ordinary word",
             repair="pass None, nan or '' for missing values")
    return np.array(values, object)


def is_words(column: np.ndarray) -> bool:
    """Whether a column holds text."""
    return column.dtype.kind == "O"


def missing_in(column: np.ndarray) -> np.ndarray:
    """Mask of the missing values of a column."""
    return np.asarray(column == "", bool) if is_words(column) else np.isnan(column)


def named_columns(table: Any) -> list[tuple[str, Any]]:
    """(name, values) of every column of a dict or of a data frame of pandas or polars."""
    if hasattr(table, "items"):
        pairs = list(table.items())
    elif hasattr(table, "iter_columns"):
        pairs = [(column.name, column) for column in table.iter_columns()]
    else:
        raise ArgumentError(f"a table cannot be made from a {type(table).__name__}",
                            repair="pass a dict of column names and values, or a data frame")
    names: set[str] = set()
    for name, _ in pairs:
        if not isinstance(name, str) or name in names:
            raise ArgumentError(f"the column {name!r} is there twice" if name in names else f"a column is called {name!r}, not by a string",
                                why="a column is identified by its name", repair="rename it first: frame.columns = [...]")
        names.add(name)
    return pairs
