"""Training, validation and test sets of one source; the test set stays untouched until it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from ...errors import ArgumentError
from .dataset import Dataset
from .folder import ImageFolder
from .handed_out import remember_test_set
from .order import SPLITTING, order

PARTS = ("train", "validation", "test")

Part = TypeVar("Part", bound=Sized)
Divided = TypeVar("Divided", Dataset, ImageFolder)


class Splits(Generic[Part]):
    """`.train` to learn from, `.validation` to choose by, `.test` to judge with at the very end.

    Each part is a Dataset, Examples (sentences), or one long text.
    `test` may be given as a function without arguments: it is called, once, when `.test` is first asked for. `sl.evaluate` says once
    when a test set is measured with more than one set of weights: choose by the validation set.
    """

    def __init__(self, train: Part, validation: Part | None, test: Part | Callable[[], Part] | None, name: str = "data") -> None:
        self.train, self.name = train, name
        self.validation: Part | Any = validation  # None without one; type checkers need not ask, as the public sets have all three
        self._test = test

    @property
    def test(self) -> Part | Any:
        """The test set, loaded now if it was not yet; None without one."""
        if callable(self._test):
            self._test = self._test()
        remember_test_set(self._test, self.name)
        return self._test

    @property
    def test_untouched(self) -> bool:
        """True until `.test` was asked for."""
        return callable(self._test)

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: a test set that only this process can load goes along, in the copy as untouched as here."""
        made_here = "<locals>" in getattr(self._test, "__qualname__", "")
        return {**vars(self), "_test": Ready(self._test())} if made_here and callable(self._test) else vars(self)

    @property
    def classes(self) -> tuple[str, ...] | None:
        return getattr(self.train, "classes", None)

    def __repr__(self) -> str:
        test = "not asked for yet" if callable(self._test) else size_text(self._test)
        return f"Splits({self.name}: train {size_text(self.train)}, validation {size_text(self.validation)}, test {test})"


class Ready(Generic[Part]):
    """A set that is there already, as a function that loads one."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def __call__(self) -> Part:
        return self.part


def size_text(part: Sized | None) -> str:
    return "none" if part is None else str(len(part))


def split(dataset: Divided, fractions: Sequence[float] = (0.7, 0.1, 0.2), seed: int = 0, stratify: bool = True) -> Splits[Divided]:
    """Divide a dataset into training, validation and test sets of about the given fractions, which sum to 1; 0 leaves a set out.

    dataset: a `Dataset`, or an `ImageFolder`, of which no picture is read. The division is a pure function of its arguments. With
    `stratify`, and one integer target per example, every class is divided by itself, so that each set has its share of each; cuts
    fall at round(n * cumulative fraction). Within each set the examples keep their stored order. Raises ArgumentError for fractions
    that are negative, do not sum to 1, or leave a set empty.

    >>> from slopes import data
    >>> data.split(data.Dataset(np.zeros((10, 2)), [0, 1] * 5), (0.6, 0.2, 0.2))
    Splits(data: train 6, validation 2, test not asked for yet)
    """
    check_fractions(fractions)
    parts = divided(groups_of(dataset, stratify), fractions, order(seed, 0, len(dataset), SPLITTING))
    for part, fraction, name in zip(parts, fractions, PARTS):
        if fraction and not len(part):
            raise ArgumentError(f"the {name} set of {dataset.name} would be empty: {fraction} of {len(dataset)} examples",
                                repair="give it a larger fraction, or 0 to leave it out")

    def make_part(index: int) -> Divided:
        return dataset.subset(parts[index], f"{dataset.name}.{PARTS[index]}")

    return Splits(make_part(0), make_part(1) if fractions[1] else None, (lambda: make_part(2)) if fractions[2] else None, dataset.name)


def check_fractions(fractions: Sequence[float]) -> None:
    valid = len(fractions) == 3 and all(0 <= fraction <= 1 for fraction in fractions) and abs(sum(fractions) - 1) < 1e-9
    if not valid or not fractions[0]:
        raise ArgumentError(f"fractions are {tuple(fractions)}",
                            why="train, validation and test each need one from 0 to 1, train more than 0, which sum to 1",
                            repair="for example (0.7, 0.1, 0.2), or (0.8, 0.2, 0)")


def groups_of(dataset: Dataset | ImageFolder, stratify: bool) -> np.ndarray:
    """A number per example: its class, or 0 where examples are not divided by class."""
    if stratify and dataset.targets.ndim == 1 and dataset.targets.dtype.kind == "i":
        return dataset.targets
    return np.zeros(len(dataset), np.int64)


def divided(groups: np.ndarray, fractions: Sequence[float], shuffled: np.ndarray) -> list[np.ndarray]:
    """For each fraction the sorted numbers of its examples."""
    parts: list[list[np.ndarray]] = [[], [], []]
    by_group = shuffled[np.argsort(groups[shuffled], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[by_group])) + 1
    for members in np.split(by_group, starts):
        cuts = np.rint(np.cumsum(fractions)[:-1] * len(members)).astype(int)
        for part, piece in zip(parts, np.split(members, cuts)):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]
