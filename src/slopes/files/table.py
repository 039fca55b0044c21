"""Tables in memory: numeric and text columns, with missing values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from .arrays import checked_index
from .columns import as_column, is_words, missing_in, named_columns


class Table:
    """Named columns of equal length: numeric (float64, nan where missing) or text (str, "" where missing).

    columns: a dict of lists or arrays, or a data frame of pandas or polars. Missing values are None, nan, NaT, pandas.NA, masked
    values and "". Raises ArgumentError for other kinds of columns (dates, mixed), duplicate names, and integers that float64
    would round; NonFiniteError for infinite numbers; ShapeError for columns of different lengths.

    >>> table = Table({"height": [1.8, float("nan")], "colour": ["red", None]})
    >>> table
    Table(2 rows: height number 1 missing, colour words 1 missing)
    >>> table["colour"].tolist()
    ['red', '']
    """

    def __init__(self, columns: Any) -> None:
        self.columns = {name: as_column(name, values) for name, values in named_columns(columns)}
        lengths = {len(column) for column in self.columns.values()}
        if len(lengths) != 1:
            raise ShapeError(f"the columns have lengths {sorted(lengths)}", why="all columns of a table have the same length",
                             repair="pass at least one column, and equally many values in each")

    @classmethod
    def _of(cls, columns: dict[str, np.ndarray]) -> Table:
        """A table of columns that are already valid."""
        table = object.__new__(cls)
        table.columns = columns
        return table

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise ArgumentError(f"the table has no column {name!r}", repair=f"it has {', '.join(map(repr, self.names))}")
        return self.columns[name]

    def __repr__(self) -> str:
        return f"Table({len(self)} rows: {', '.join(column_text(name, column) for name, column in self.columns.items())})"

    def rows(self, index: Any) -> Table:
        """The rows selected by an array of indices or booleans.

        >>> Table({"x": [1.0, 2.0, 3.0]}).rows([2, 0])["x"].tolist()
        [3.0, 1.0]
        """
        indices = checked_index(index, len(self))
        return self._of({name: column[indices] for name, column in self.columns.items()})

    def without(self, *names: str) -> Table:
        """The table without these columns; ShapeError if none remains.

        >>> Table({"x": [1.0], "y": [2.0]}).without("y").names
        ('x',)
        """
        for name in names:
            self[name]  # an unknown name is an error
        columns = {name: column for name, column in self.columns.items() if name not in names}
        return self._of(columns) if columns else Table(columns)


def column_text(name: str, column: np.ndarray) -> str:
    count = int(missing_in(column).sum())
    return f"{name} {'words' if is_words(column) else 'number'}" + (f" {count} missing" if count else "")
