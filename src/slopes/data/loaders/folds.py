"""Cross-validation: a data set dealt out into parts of equal size, each of which is the test set once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ArgumentError
from .order import SPLITTING, order


def folds(groups: Any, count: int = 10, seed: int = 0) -> tuple[np.ndarray, ...]:
    """The numbers of the examples of each fold, rising; a pure function of its arguments.

    groups: (N,) integers, by which the folds are balanced: the labels (zeros: nothing to balance). The examples of a class are
    put in the order of the seed and dealt out in turn, so that folds differ by at most one example per class.
    Raises ArgumentError for fewer than 2 folds, or more folds than examples.

    >>> from slopes import data
    >>> [part.tolist() for part in data.folds([0, 0, 0, 1, 1, 1], count=3)]
    [[2, 5], [1, 3], [0, 4]]
    """
    groups = np.asarray(groups)
    if groups.ndim != 1 or groups.dtype.kind not in "iu":
        raise ArgumentError(f"folds: groups are {groups.dtype} of shape {groups.shape}", why="each example has one integer",
                            repair="give the labels, or np.zeros(n, int)")
    if isinstance(count, bool) or not 2 <= count <= len(groups):
        raise ArgumentError(f"folds: count is {count} for {len(groups)} examples", why="every fold holds at least one example, and "
                            "something is left to learn from", repair="choose 10, or one per example for leave-one-out")
    shuffled = order(seed, 0, len(groups), SPLITTING)
    dealt = shuffled[np.argsort(groups[shuffled], kind="stable")]  # class by class, each in random order
    return tuple(np.sort(dealt[i::count]) for i in range(count))
