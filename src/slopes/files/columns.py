"""Columns of tables from lists, arrays and data frames: numbers or words, and never silently something else."""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, NonFiniteError, warn

EXACT = 2**53  # up to here float64 holds every integer
SPELLED = frozenset(("nan", "NaN", "NaT", "<NA>"))  # what missing values become when a column is turned into text
DATES = (datetime.date, datetime.time, datetime.timedelta)


def as_column(name: str, values: Any) -> np.ndarray:
    """A column as float64 (nan where nothing is known), or as objects that are all str ("" where nothing is known)."""
    if isinstance(values, np.ma.MaskedArray):
        values = [None if hidden else value for value, hidden in zip(values.data, np.ma.getmaskarray(values))]
    if not isinstance(getattr(values, "dtype", np.dtype(object)), np.dtype):
        values = (getattr(values, "to_list", None) or values.tolist)()  # as arrays, columns of frames would round integers beside gaps
    array = np.asarray(values) if hasattr(values, "dtype") else None  # of a list, NumPy would make words of missing numbers
    if array is None or array.dtype.kind == "O":
        return from_objects(name, list(values if array is None else array))
    if array.ndim != 1 or array.dtype.kind not in "biufUT":
        raise of_another_kind(name, f"of type {array.dtype} and shape {array.shape}", array.dtype.kind in "mM")
    if array.dtype.kind in "UT":
        return as_words(name, array.tolist())
    return as_numbers(name, array)


def as_numbers(name: str, array: np.ndarray) -> np.ndarray:
    """Numbers as float64, none of them changed but for the rounding of fractions."""
    with np.errstate(over="ignore"):
        made = array.astype(np.float64, copy=False)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        for row in np.flatnonzero(np.abs(made) >= EXACT):
            check_exact(name, int(row), int(array[row]))
    check_known(name, made)
    return made


def check_exact(name: str, row: int, value: int) -> None:
    """Integers that float64 would round are the names of something."""
    if abs(value) >= EXACT and (value.bit_length() > 1024 or float(value) != value):
        raise ArgumentError(f"column {name!r} holds {value if value.bit_length() < 200 else 'an integer of many digits'} in row {row}",
                            why="numbers of a table are float64, which would round it: it would be taken for its neighbours",
                            repair="if they name things, leave the column out or give words: [str(number) for number in column]")


def check_known(name: str, column: np.ndarray) -> None:
    """Infinite numbers are refused where they are given: later they would make every number of the column NaN."""
    infinite = np.isinf(column)
    if infinite.any():
        row = int(infinite.argmax())
        raise NonFiniteError(f"column {name!r} holds {column[row]} in row {row}", why="nothing can be learned from an infinite number",
                             repair="put nan there if nothing is known: np.where(np.isinf(x), np.nan, x)")


def from_objects(name: str, values: Sequence[Any]) -> np.ndarray:
    """A column of Python's values: all numbers or all words, but for missing ones: None, nan, NaT, pandas.NA."""
    known = [(row, value) for row, value in enumerate(values) if not is_missing(value)]
    words = [row for row, value in known if isinstance(value, str)]
    if words and len(words) == len(known):
        return as_words(name, ["" if is_missing(value) else value for value in values])
    if words:
        row, value = next((row, value) for row, value in known if not isinstance(value, str))
        raise ArgumentError(f"column {name!r} holds words such as {values[words[0]]!r:.60} (row {words[0]}) and others such as "
                            f"{value!r:.60} (row {row}, of type {type(value).__name__})", why="a column is numbers or words, not both",
                            repair="make them one kind: [float(value) for value in column], or [str(value) for value in column]")
    made = np.full(len(values), np.nan)
    for row, value in known:
        made[row] = as_number(name, row, value)
    check_known(name, made)
    return made


def is_missing(value: Any) -> bool:
    """Whether it is None, nan, NaT or pandas.NA: what is missing is not equal to itself."""
    if value is None:
        return True
    if isinstance(value, (str, int)):
        return False
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA has no truth value, nor have arrays
        return type(value).__name__ == "NAType"


def as_number(name: str, row: int, value: Any) -> float:
    """One value that must be a number."""
    if isinstance(value, numbers.Integral):
        check_exact(name, row, int(value))
    if isinstance(value, (numbers.Real, decimal.Decimal, np.bool_)):
        return float(value)
    raise of_another_kind(name, f"not numbers or words: row {row} is {value!r:.60}, of type {type(value).__name__}",
                          isinstance(value, (*DATES, np.datetime64, np.timedelta64)))


def of_another_kind(name: str, seen: str, is_date: bool) -> ArgumentError:
    """The error for values that a column cannot hold."""
    repair = ("make a number of each date, such as days since the first: (dates - dates.min()) / np.timedelta64(1, 'D'), or a word: "
              "dates.astype(str)") if is_date else "give a list of numbers or of words; None or nan where nothing is known"
    return ArgumentError(f"column {name!r} is {seen}", why="a column is a list of numbers or of words", repair=repair)


def as_words(name: str, values: list[str]) -> np.ndarray:
    """Words as an array of Python's strings, which takes no more memory than they do."""
    spelled = next((value for value in values if value in SPELLED), None)
    if spelled is not None:
        warn(f"column {name!r} holds the word {spelled!r} in {values.count(spelled)} rows", why="missing values that are turned into text "
             "read like that; here it is a word as others are", repair="give None, nan or '' where nothing is known")
    return np.array(values, object)


def is_words(column: np.ndarray) -> bool:
    """Whether a column of a table holds words."""
    return column.dtype.kind == "O"


def missing_in(column: np.ndarray) -> np.ndarray:
    """Where nothing is known."""
    return np.asarray(column == "", bool) if is_words(column) else np.isnan(column)


def named_columns(given: Any) -> list[tuple[str, Any]]:
    """(name, values) of every column of a dict or of a data frame of pandas or polars."""
    if hasattr(given, "items"):
        pairs = list(given.items())
    elif hasattr(given, "iter_columns"):
        pairs = [(column.name, column) for column in given.iter_columns()]
    else:
        raise ArgumentError(f"a table is made of columns, not of a {type(given).__name__}",
                            repair="give a dict of name and values, or a data frame")
    seen: set[str] = set()
    for name, _ in pairs:
        if not isinstance(name, str) or name in seen:
            raise ArgumentError(f"the column {name!r} is there twice" if name in seen else f"a column is called {name!r}, which is no text",
                                why="columns are told apart by their names", repair="rename it first: frame.columns = [...]")
        seen.add(name)
    return pairs
