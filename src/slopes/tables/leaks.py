"""A column that gives the target away: alone it predicts nearly every row, which a column known beforehand rarely does."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from .schema import Schema

SURE = 0.995  # of the rows right, or of the variance explained
LEAST_ROWS = 50
GROUPS = 64  # of equally many rows, into which numbers are divided


def leaking_columns(schema: Schema, columns: Mapping[str, np.ndarray], targets: np.ndarray, rows: np.ndarray) -> list[str]:
    """The columns of which one alone predicts the target of nearly all of these rows, in words for the user.

    Half of the rows decide what is predicted for each category, or for each of 64 ranges of a number, and the other half tests it.
    Both halves must be better than what is always predicted. Of too few rows (50) nothing is said.
    """
    if len(rows) < LEAST_ROWS:
        return []
    half = len(rows) // 2
    found = []
    for column in schema.inputs:
        values = groups_of(columns[column.name])
        share = share_predicted(values[rows[:half]], targets[rows[:half]], values[rows[half:]], targets[rows[half:]])
        if share >= SURE:
            found.append(f"column {column.name!r} alone predicts {share:.1%} of {schema.target.column.name!r}: is it known before the "
                         "target is? If not, leave it out (--without), for it will not help with new rows")
    return found


def groups_of(values: np.ndarray) -> np.ndarray:
    """Words as they are; numbers by their range among 64 with equally many rows, gaps by themselves."""
    if values.dtype.kind == "O":
        return values
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    edges = distinct if distinct.size <= GROUPS else np.unique(np.quantile(known, np.linspace(0, 1, GROUPS + 1)[1:-1]))
    return np.where(np.isnan(values), -1, np.searchsorted(edges, np.nan_to_num(values)))


def share_predicted(values: np.ndarray, targets: np.ndarray, new_values: np.ndarray, new_targets: np.ndarray) -> float:
    """The share of new rows that are right, or the share of their variance that is explained; 0 where a constant does as well."""
    classify = targets.dtype.kind == "i"
    by_value: defaultdict[object, list[float]] = defaultdict(list)
    for value, target in zip(values.tolist(), targets.tolist()):
        by_value[value].append(target)
    usual = Counter(targets.tolist()).most_common(1)[0][0] if classify else float(targets.mean())
    guess = {value: Counter(each).most_common(1)[0][0] if classify else sum(each) / len(each) for value, each in by_value.items()}
    predicted = np.array([guess.get(value, usual) for value in new_values.tolist()])
    if classify:
        share = float((predicted == new_targets).mean())
        return share if share > (new_targets == usual).mean() + (1 - SURE) else 0.0
    spread = float(((new_targets - usual) ** 2).sum())
    return 1 - float(((predicted - new_targets) ** 2).sum()) / spread if spread else 0.0
