"""The test sets that splits have handed out, so that it can be counted with how many different weights each was measured."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np


class TestSet:
    """A test set, known by the array of its targets, which data sets that are made of it share; the weights that it was measured with."""

    def __init__(self, targets: np.ndarray, name: str) -> None:
        self.name, self.weights = name, set[bytes]()
        self.targets = weakref.ref(targets)


test_sets: dict[int, TestSet] = {}  # by the id of the targets


def remember_test_set(part: Any, name: str) -> None:
    """Remember the test set of the splits of this name; of one without an array of targets nothing is known."""
    targets = getattr(part, "targets", None)
    if isinstance(targets, np.ndarray) and test_set_of(targets) is None:
        test_sets[id(targets)] = TestSet(targets, name)
        weakref.finalize(targets, test_sets.pop, id(targets), None)


def test_set_of(targets: Any) -> TestSet | None:
    """The test set that has these targets, if any."""
    test_set = test_sets.get(id(targets))
    return test_set if test_set is not None and test_set.targets() is targets else None
