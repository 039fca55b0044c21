"""Examples that are no arrays yet: sentences, names, words with tags, pairs of sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError, OutOfRangeError, ShapeError
from ...files.arrays import as_labels, checked_index
from ...files.columns import is_missing


class Examples:
    """Inputs and their targets as they were read; a vocabulary makes numbers of them.

    inputs: a tuple with a string or a tuple of strings for each example. targets: a tuple too (translations, tags), or labels
    (N,) int64, read-only. classes: the names of the classes that labels and tags count, if any.
    Raises ShapeError for different lengths and for no example, ArgumentError for missing inputs (None, nan), DTypeError for labels
    that are no whole numbers.

    >>> from slopes import data
    >>> data.Examples(["good", "so so"], np.array([1, 0]), classes=["no", "yes"], name="toy")
    Examples(toy: 2 examples, 2 classes)
    """

    __slots__ = ("classes", "inputs", "name", "targets")
    inputs: tuple[Any, ...]
    targets: Any
    classes: tuple[str, ...] | None
    name: str

    def __init__(self, inputs: Sequence[Any], targets: Sequence[Any] | np.ndarray, classes: Sequence[str] | None = None,
                 name: str = "data") -> None:
        self.inputs, self.name = tuple(inputs), name
        self.targets = labels(targets) if isinstance(targets, np.ndarray) else tuple(targets)
        self.classes = None if classes is None else tuple(classes)
        if len(self.inputs) != len(self.targets):
            raise ShapeError(f"{name}: {len(self.inputs)} inputs but {len(self.targets)} targets", why="each example has one of each")
        if not self.inputs:
            raise ShapeError(f"{name}: there is no example", repair="give at least one")
        gap = next((i for i, example in enumerate(self.inputs) if is_missing(example)), None)
        if gap is not None:
            raise ArgumentError(f"{name}: input {gap} is {self.inputs[gap]!r}: nothing is known there",
                                why="an input is text, or a tuple of words", repair="leave such examples out")

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        classes = f", {len(self.classes)} classes" if self.classes is not None else ""
        return f"Examples({self.name}: {len(self)} examples{classes})"

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """(input, target) of one example. OutOfRangeError where there is none."""
        if not -len(self) <= index < len(self):
            raise OutOfRangeError(f"{self.name} has no example {index}", why=f"there are {len(self)}")
        return self.inputs[index], self.targets[index]

    def subset(self, index: Any, name: str | None = None) -> Examples:
        """The examples that an array of numbers or of booleans selects.

        >>> from slopes import data
        >>> data.Examples("abc", np.array([0, 1, 0])).subset([2, 0]).inputs
        ('c', 'a')
        """
        indices = checked_index(index, len(self))
        targets = self.targets[indices] if isinstance(self.targets, np.ndarray) else [self.targets[i] for i in indices]
        return Examples([self.inputs[i] for i in indices], targets, self.classes, self.name if name is None else name)


def labels(targets: np.ndarray) -> np.ndarray:
    """A read-only copy as int64."""
    made = as_labels(targets, "targets")
    made.flags.writeable = False
    return made
