"""Tables in memory: columns of numbers or of words, with the places where nothing is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from .arrays import checked_index
from .columns import as_column, is_words, missing_in, named_columns


class Table:
    """Columns of one length by name: numbers (float64, nan where nothing is known) or words (str, "" where nothing is known).

    columns: a dict of lists or arrays, or a data frame of pandas or polars. Nothing known is None, nan, NaT, pandas.NA, a masked
    value, or "". Raises ArgumentError for columns of other kinds (dates, mixed ones), names that occur twice, and integers that
    float64 would round; NonFiniteError for infinite numbers; ShapeError for columns of several lengths.

    >>> table = Table({"height": [1.8, float("nan")], "colour": ["red", None]})
    >>> table
    Table(2 rows: height number 1 missing, colour words 1 missing)
    >>> table["colour"].tolist()
    ['red', '']
    """

    def __init__(self, columns: Any) -> None:
        self.columns = {name: as_column(name, values) for name, values in named_columns(columns)}
        lengths = {len(each) for each in self.columns.values()}
        if len(lengths) != 1:
            raise ShapeError(f"a table has columns of one length, not of {sorted(lengths)}",
                             repair="give at least one column, and as many values in each")

    @classmethod
    def _of(cls, columns: dict[str, np.ndarray]) -> Table:
        """A table of columns that are known to be sound: not checked again."""
        made = object.__new__(cls)
        made.columns = columns
        return made

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise ArgumentError(f"the table has no column {name!r}", repair=f"it has {', '.join(map(repr, self.names))}")
        return self.columns[name]

    def __repr__(self) -> str:
        return f"Table({len(self)} rows: {', '.join(column_text(name, each) for name, each in self.columns.items())})"

    def rows(self, index: Any) -> Table:
        """The rows that an array of numbers or of booleans selects.

        >>> Table({"x": [1.0, 2.0, 3.0]}).rows([2, 0])["x"].tolist()
        [3.0, 1.0]
        """
        chosen = checked_index(index, len(self))
        return self._of({name: each[chosen] for name, each in self.columns.items()})

    def without(self, *names: str) -> Table:
        """The table without these columns; ShapeError when none is left.

        >>> Table({"x": [1.0], "y": [2.0]}).without("y").names
        ('x',)
        """
        for name in names:
            self[name]  # an unknown name is an error
        left = {name: each for name, each in self.columns.items() if name not in names}
        return self._of(left) if left else Table(left)


def column_text(name: str, column: np.ndarray) -> str:
    count = int(missing_in(column).sum())
    return f"{name} {'words' if is_words(column) else 'number'}" + (f" {count} missing" if count else "")
