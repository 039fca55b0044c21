"""Divide files into those learned from, those that choose the epoch and those that test, with equal files on one side."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...data.loaders.order import SPLITTING, order
from ...data.loaders.splits import divided
from ...errors import DataError
from ...files.reading import opened, reading
from .labelled_files import DIVIDED, NAMED, TEST, VALIDATION, FileKind, Labelled

SHARES = (0.7, 0.1, 0.2)  # to learn from, to choose the epoch, to test
CHUNK = 2**20


@dataclass(frozen=True)
class Division:
    """The indices of files on each side, and what is to be said."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    notes: list[str]

    def line(self, kind: FileKind, seed: int) -> str:
        """How many are on each side, in words."""
        return (f"{len(self.train):,} to learn from, {len(self.validation):,} to choose the epoch and the temperature, "
                f"{len(self.test):,} to test; each class in proportion, seed {seed}")


def equal_files(paths: Sequence[str]) -> np.ndarray:
    """A group for each file (N,): the index of the first file that has the same bytes. Only files of equal sizes are read."""
    sizes = [size_of(path) for path in paths]
    frequent = Counter(sizes)
    first: dict[object, int] = {}
    return np.array([first.setdefault((size, digest(path)) if frequent[size] > 1 else path, i)
                     for i, (path, size) in enumerate(zip(paths, sizes))], np.int64)


def size_of(path: str) -> int:
    """The bytes of a file."""
    with reading(path):
        return os.stat(path).st_size


def digest(path: str) -> bytes:
    """The SHA-256 of a file's bytes."""
    total = hashlib.sha256()
    with opened(path) as source:
        while block := source.stream.read(CHUNK):
            total.update(block)
    return total.digest()


def divide(labelled: Labelled, kind: FileKind, seed: int) -> Division:
    """Which files are learned from, which choose the epoch and which test: files that the user named for it, else a share of each class.

    Files with the same bytes are on one side. Those of --test are not learned from and do not choose, those of --valid are not
    learned from. Raises DataError where a side has none.
    """
    groups = equal_files(labelled.paths)
    fixed = {part: np.flatnonzero(labelled.part == part) for part in (VALIDATION, TEST)}
    left_out = np.isin(groups, groups[fixed[TEST]]) & (labelled.part != TEST)
    left_out |= np.isin(groups, groups[fixed[VALIDATION]]) & (labelled.part == DIVIDED)
    free = np.flatnonzero((labelled.part == DIVIDED) & ~left_out)
    first = free[representatives(groups[free])]
    shares = shares_of(bool(len(fixed[VALIDATION])), bool(len(fixed[TEST])))
    sides = [first[part] for part in divided(labelled.targets[first], shares, order(seed, 0, len(first), SPLITTING))]
    train, validation, test = (free[np.isin(groups[free], groups[side])] for side in sides)
    if len(fixed[VALIDATION]):
        validation = fixed[VALIDATION][~left_out[fixed[VALIDATION]]]
    if len(fixed[TEST]):
        test = fixed[TEST]
    check_sides(labelled, kind, {"learn from": train, "choose the epoch": validation, "test": test})
    return Division(train, validation, test, [*duplicate_notes(labelled, kind, groups, int(left_out.sum())),
                                              *missing_notes(labelled, kind, train, test)])


def representatives(groups: np.ndarray) -> np.ndarray:
    """Whether each file is the first of its group, (N,)."""
    is_first = np.zeros(len(groups), bool)
    is_first[np.unique(groups, return_index=True)[1]] = True
    return is_first


def shares_of(has_validation: bool, has_test: bool) -> tuple[float, float, float]:
    """The shares of files that are learned from, choose and test, where the user named some for the latter."""
    _, validation, test = SHARES
    validation, test = (0.0 if has_validation else validation), (0.0 if has_test else test)
    return (1 - validation - test, validation, test)


def check_sides(labelled: Labelled, kind: FileKind, sides: dict[str, np.ndarray]) -> None:
    """DataError for a side without files, and where only one class is learned from."""
    counts = ", ".join(f"{len(indices):,} to {name}" for name, indices in sides.items())
    empty = [name for name, indices in sides.items() if not len(indices)]
    if empty:
        raise DataError(f"{labelled.root}: no {kind.noun} is left to {empty[0]}", why=f"{kind.count(len(labelled))}: {counts}", where="",
                        repair=f"bring more {kind.noun}s: ten of each class are the least; or name folders: --valid FOLDER, --test FOLDER")
    learned = np.unique(labelled.targets[sides["learn from"]])
    if len(learned) < 2:
        raise DataError(f"{labelled.root}: only class {labelled.classes[int(learned[0])]!r} is left to learn from", where="",
                        why=f"the others have no {kind.noun} that is not in --test or --valid", repair=f"bring more {kind.noun}s")


def duplicate_notes(labelled: Labelled, kind: FileKind, groups: np.ndarray, left_out: int) -> list[str]:
    """What is to be said of equal files: how many there are, of which some are not learned from, and of some in two classes."""
    copies = np.flatnonzero(groups != np.arange(len(groups)))
    notes = [f"{kind.count(len(copies))} {'is a copy' if len(copies) == 1 else 'are copies'} of others, byte by byte: copies are on one "
             f"side, and are not learned from where they also test"] if len(copies) else []
    if left_out:
        notes.append(f"{kind.count(left_out)} of them {'is' if left_out == 1 else 'are'} in --test or --valid, too: left out elsewhere")
    doubtful = [i for i in copies if labelled.targets[i] != labelled.targets[groups[i]]]
    return notes + [f"copies in two classes: {labelled.name(int(groups[i]))} and {labelled.name(int(i))}" for i in doubtful[:NAMED]]


def missing_notes(labelled: Labelled, kind: FileKind, train: np.ndarray, test: np.ndarray) -> list[str]:
    """What is to be said of classes that are not learned or not tested."""
    notes = []
    for verb, indices in (("learned from", train), ("tested with", test)):
        counts = np.bincount(labelled.targets[indices], minlength=len(labelled.classes))
        names = [labelled.classes[i] for i in np.flatnonzero(counts == 0)]
        if names:
            notes.append(f"classes of which no {kind.noun} is {verb}: {', '.join(names[:NAMED])}")
    return notes
