"""A column that gives the target away: alone it predicts nearly every row, which a column known beforehand rarely does."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from .schema import Schema
from .scores import r_squared

SURE, SURE_VARIANCE = 0.995, 0.97  # of the rows right; of the variance explained
LEAST_ROWS = 50
GROUPS = 64  # of equally many rows, into which numbers are divided


def leaking_columns(schema: Schema, columns: Mapping[str, np.ndarray], targets: np.ndarray, rows: np.ndarray) -> list[str]:
    """The columns of which one alone predicts the target of nearly all of these rows, in words for the user.

    Every second row decides what is predicted for each category, for each of 64 ranges of a number, or, where numbers are predicted,
    on the line between the numbers beside it; the others test it. Of too few rows (50) nothing is said.
    """
    if len(rows) < LEAST_ROWS:
        return []
    seen, new = rows[::2], rows[1::2]  # by turns: the rows of a file may be sorted
    leaks = []
    for column in schema.inputs:
        share = share_predicted(columns[column.name], targets, seen, new)
        if share >= (SURE if schema.target.classes else SURE_VARIANCE):
            leaks.append(f"column {column.name!r} alone predicts {share:.1%} of {schema.target.column.name!r}: is it known before the "
                         "target is? If not, leave it out (--without), for it will not help with new rows")
    return leaks


def share_predicted(values: np.ndarray, targets: np.ndarray, seen: np.ndarray, new: np.ndarray) -> float:
    """The share of the new rows that a column predicts, of classes, or of their variance; 0 where a constant does nearly as well."""
    if targets.dtype.kind == "i":
        predicted = by_groups(groups_of(values), targets, seen, new)
        usual = Counter(targets[seen].tolist()).most_common(1)[0][0]
        share = float((predicted == targets[new]).mean())
        return share if share > (targets[new] == usual).mean() + (1 - SURE) else 0.0
    words = values.dtype.kind == "O"
    if not words:
        new = inside(values, seen, new)
    share = r_squared(by_groups(values, targets, seen, new) if words else between(values, targets, seen, new), targets[new])
    return share if np.isfinite(share) else 0.0


def inside(values: np.ndarray, seen: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The new rows whose numbers are gaps, or between seen ones: beyond these, no line between two of them says what is predicted."""
    known = values[seen][~np.isnan(values[seen])]
    if not known.size:
        return new
    beyond = (values[new] < known.min()) | (values[new] > known.max())
    return new[~beyond] if not beyond.all() else new


def by_groups(values: np.ndarray, targets: np.ndarray, seen: np.ndarray, new: np.ndarray) -> np.ndarray:
    """For each new row the most frequent class, or the mean, of the seen rows with its value."""
    def summary(group: list[float]) -> float:
        return Counter(group).most_common(1)[0][0] if targets.dtype.kind == "i" else sum(group) / len(group)

    groups: defaultdict[object, list[float]] = defaultdict(list)
    for value, target in zip(values[seen].tolist(), targets[seen].tolist()):
        groups[value].append(target)
    guess, usual = {value: summary(group) for value, group in groups.items()}, summary(targets[seen].tolist())
    return np.array([guess.get(value, usual) for value in values[new].tolist()])


def between(values: np.ndarray, targets: np.ndarray, seen: np.ndarray, new: np.ndarray) -> np.ndarray:
    """For each new row the number on the line between the seen ones beside it; the mean for gaps."""
    known = seen[~np.isnan(values[seen])]
    if not known.size:
        return np.full(len(new), targets[seen].mean())
    ordered = known[np.argsort(values[known], kind="stable")]
    return np.where(np.isnan(values[new]), targets[seen].mean(), np.interp(np.nan_to_num(values[new]), values[ordered], targets[ordered]))


def groups_of(values: np.ndarray) -> np.ndarray:
    """Words as they are; numbers by their range among 64 with equally many rows, gaps by themselves."""
    if values.dtype.kind == "O":
        return values
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    edges = distinct if distinct.size <= GROUPS else np.unique(np.quantile(known, np.linspace(0, 1, GROUPS + 1)[1:-1]))
    return np.where(np.isnan(values), -1, np.searchsorted(edges, np.nan_to_num(values)))
