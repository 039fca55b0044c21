"""Which rows are learned from, which choose the model, and which test it; and the folds among the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.loaders.order import SPLITTING, order
from ..errors import ArgumentError
from .table import TextTable

TEST_SHARE = 0.2
FOLDS = 8


@dataclass(frozen=True)
class Split:
    """Row indices: those learned from and chosen by (`train`), those tested with, and how they were chosen, in words.

    fold   for each row of `train` the member of the ensemble that does not learn from it but is chosen by it; -1: every member
           learns from it; ALL: none does, each is chosen by it
    """

    train: np.ndarray
    test: np.ndarray
    fold: np.ndarray
    how: str


ALL = -2  # the fold of rows from which no member learns: those of a validation file, and the last ones in time


def split_rows(labels: np.ndarray | None, rows: int, members: int, seed: int, test_share: float = TEST_SHARE) -> Split:
    """By rows: each class divided by itself, where there are classes (`labels`, (rows,))."""
    permutation = order(seed, 0, rows, SPLITTING)
    groups = np.zeros(rows, np.int64) if labels is None else labels
    test = np.zeros(rows, bool)
    for value in np.unique(groups):
        members_of = permutation[groups[permutation] == value]
        test[members_of[: round(len(members_of) * test_share)]] = True
    train = np.flatnonzero(~test)
    fold = folds_by_rows(None if labels is None else labels[train], len(train), members, seed)
    return Split(train, np.flatnonzero(test), fold, f"{test_share:.0%} of the rows test"
                 f"{', with each class in proportion' if labels is not None else ''}, seed {seed}")


def folds_by_rows(labels: np.ndarray | None, rows: int, members: int, seed: int) -> np.ndarray:
    """A fold for each row, all of one size, each with about its share of every class; the few rows left over have -1."""
    permutation = order(seed, 1, rows, SPLITTING)
    if labels is not None:
        permutation = permutation[np.argsort(labels[permutation], kind="stable")]
    fold = np.full(rows, -1, np.int64)
    size = rows // members
    fold[permutation[: size * members]] = np.arange(size * members) % members
    return fold


def split_groups(groups: Sequence[str], column: str, members: int, seed: int, test_share: float = TEST_SHARE) -> Split:
    """By groups: rows with the same word in a column are on the same side, so that the test says how well new groups are predicted."""
    names, index = np.unique(np.array(groups, dtype=str), return_inverse=True)
    if len(names) < 3:
        raise ArgumentError(f"--group {column}: it has {len(names)} different value{'s' if len(names) > 1 else ''}",
                            why="some groups are learned from, others choose the model and test it", repair="name a column with more")
    sizes = np.bincount(index)
    permutation = order(seed, 0, len(names), SPLITTING)
    tested = np.cumsum(sizes[permutation]) <= max(len(groups) * test_share, sizes[permutation[0]])
    in_test = np.zeros(len(names), bool)
    in_test[permutation[tested]] = True
    left = permutation[~tested]
    fold_of = np.full(len(names), -1, np.int64)
    fold_of[left] = np.arange(len(left)) % min(members, len(left))
    train = np.flatnonzero(~in_test[index])
    return Split(train, np.flatnonzero(in_test[index]), fold_of[index][train],
                 f"{in_test.sum()} of {len(names)} groups ({column}) test, seed {seed}")


def split_time(times: np.ndarray, column: str, members: int, test_share: float = TEST_SHARE) -> Split:
    """By time: the last rows test, the last of those before choose; rows without a time are an error."""
    if np.isnan(times).any():
        raise ArgumentError(f"--time {column}: row {int(np.isnan(times).argmax()) + 1} has none",
                            why="rows are learned from and tested in the order of time", repair="leave such rows out of the file")
    sequence = np.argsort(times, kind="stable")
    cut = cut_between(times[sequence], len(times) - max(1, round(len(times) * test_share)))
    chosen = cut_between(times[sequence[:cut]], cut - max(1, cut // members)) if cut else 0
    if not 0 < chosen < cut < len(times):
        raise ArgumentError(f"--time {column}: too few different times in {len(times)} rows",
                            why="earlier rows are learned from, later ones choose and test", repair="name a column of times")
    fold = np.where(np.arange(cut) < chosen, -1, ALL)
    return Split(sequence[:cut], sequence[cut:], fold, f"the last {len(times) - cut} rows in time ({column}) test, "
                 f"{cut - chosen} before them choose the epoch")


def cut_between(times: np.ndarray, cut: int) -> int:
    """The cut moved back so that rows of one time are on one side."""
    return int(np.searchsorted(times, times[min(max(cut, 0), len(times) - 1)], side="left"))


def group_values(table: TextTable, column: str) -> list[str]:
    """The values of the column of groups; ArgumentError where it is not there or has gaps."""
    values = table.columns.get(column)
    if values is None:
        raise ArgumentError(f"--group {column}: {table.path} has no such column", repair=f"it has {', '.join(list(table.columns)[:20])}")
    if "" in values:
        raise ArgumentError(f"--group {column}: line {table.lines[values.index('')]} has no value",
                            why="every row belongs to a group", repair="fill the gaps, or leave such rows out of the file")
    return values
