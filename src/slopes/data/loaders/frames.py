"""Data frames of pandas, polars and pyarrow as data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError, DataError
from ...extras import require
from .dataset import Dataset

REPAIR = "slopes train table takes words, dates and gaps as they are; or encode them first"


def from_frame(frame: Any, target: str, classes: Sequence[str] | None = None, name: str = "frame") -> Dataset:
    """The data set of a data frame of pandas or polars, or a table of pyarrow: its other columns are the inputs.

    inputs: (N, columns) float32, from columns of numbers and truth values, in the order of the frame. targets: the column `target`; of
    words it becomes labels (N,) int64, the indices of `classes` (by default all words that occur, in alphabetical order), whole numbers
    stay labels, other numbers are float32. Needs the extra [frames]. Raises ArgumentError for what is no frame and for a column that is
    not there, DataError for columns of words or dates among the inputs, for missing values, and for a word that is no class.

    >>> import pandas
    >>> frame = pandas.DataFrame({"size": [1.5, 2.5, 0.5], "old": [True, False, True], "kind": ["cat", "dog", "cat"]})
    >>> from_frame(frame, "kind")
    Dataset(frame: 3 examples, inputs (2,) float32, targets () int64, 2 classes)
    """
    narwhals = require("narwhals", extra="frames", purpose="a data set from a data frame")
    try:
        columns = narwhals.from_native(frame, eager_only=True)
    except TypeError as error:
        raise ArgumentError(f"{type(frame).__name__} is no data frame", why="it is a frame of pandas or polars, or a table of pyarrow, "
                            "that is in memory", repair="data.Dataset(inputs, targets) takes arrays; lazy frames: .collect()") from error
    if target not in columns.columns:
        raise ArgumentError(f"the data frame has no column {target!r}", why=f"it has {', '.join(map(repr, columns.columns[:20]))}",
                            repair="name one of these")
    names = [column for column in columns.columns if column != target]
    if not names:
        raise ArgumentError(f"the data frame has no column but {target!r}", why="the others are the inputs", repair="bring more columns")
    inputs = np.stack([numbers_of(columns[column], column) for column in names], axis=1)
    series = columns[target]
    if series.dtype.is_numeric() or str(series.dtype) == "Boolean":
        whole = series.dtype.is_integer() or not series.dtype.is_numeric()
        values = numbers_of(series, target)
        return Dataset(inputs, values.astype(np.int64) if whole else values, classes, name)
    words = [str(value) for value in known_values(series, target)]
    chosen = sorted(set(words)) if classes is None else list(classes)
    index = {word: i for i, word in enumerate(chosen)}
    if unknown := sorted(set(words) - index.keys()):
        raise DataError(f"column {target!r}: {unknown[0]!r:.60} is no class", why=f"the classes are {', '.join(map(repr, chosen[:20]))}",
                        repair="complete classes=, or leave such rows out", where="")
    return Dataset(inputs, np.array([index[word] for word in words], np.int64), chosen, name)


def numbers_of(series: Any, name: str) -> np.ndarray:
    """The numbers of a column (N,), float64 or whole ones; truth values are 0 and 1."""
    if not series.dtype.is_numeric() and str(series.dtype) != "Boolean":
        raise DataError(f"column {name!r} holds {series.dtype}, not numbers", why="a data set has arrays of numbers", repair=REPAIR,
                        where="")
    values = np.asarray(known_values(series, name))
    return values.astype(np.int64) if values.dtype == bool else values


def known_values(series: Any, name: str) -> list[Any]:
    """The values of a column; DataError where one is missing."""
    values = series.to_list()
    missing = [row for row, value in enumerate(values) if value is None or value != value]  # nan and NaT are not equal to themselves
    if missing:
        raise DataError(f"column {name!r} has {len(missing):,} missing values, the first in row {missing[0]} (from 0)",
                        why="a data set has a number for each", repair=REPAIR, where="")
    return values
