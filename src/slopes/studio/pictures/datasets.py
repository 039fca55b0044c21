"""The pictures that can be learned: digits, clothes, and the folder that the studio was started with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ... import data
from ...data.loaders.dataset import Dataset
from ...data.loaders.splits import Splits
from ...data.sets.locate import found_sets
from ...errors import ArgumentError, DataError
from ...experiments.own.pictures import has_colour
from ...extras import installed
from .drawing import MNIST, SMALL_DIGITS, Conditioning, painted

MOST_EXAMPLES = 20_000
TEST = 1000  # pictures that the network is measured on
FOLDER_SIDE = 32  # pixels to which one's own pictures are scaled
FEWEST_FILES, MOST_FILES = 6, 6000
COLOUR_SAMPLE = 24
NAMED = 3  # damaged files
HELD_OUT = 1 / 6  # of one's own pictures
reading = threading.Lock()  # sessions share the arrays, and only one reads them


@dataclass(frozen=True)
class PictureData:
    """Pictures to learn and to test with: inputs (N, C, H, W) from 0 to 1, and how a drawing becomes one of them; `note` says what was left
    out."""

    name: str
    title: str
    train: Dataset
    test: Dataset
    conditioning: Conditioning
    note: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return tuple(self.train.inputs.shape[1:])

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(map(str, self.train.classes or ()))


@dataclass(frozen=True)
class Source:
    """A data set that the page offers, and how it is read; `problem` says why it cannot be had at once, if so."""

    name: str
    title: str
    problem: str
    read: Callable[[int], PictureData]


def sources(folder: Path | None) -> list[Source]:
    """All that the page offers."""
    local = found_sets()
    offered = [
        Source("digits", "Digits (MNIST, 28 x 28)", "" if "mnist" in local else "downloads 11.6 MB when chosen", read_digits),
        Source("small-digits", "Digits (8 x 8)", "" if installed("sklearn") else "needs scikit-learn: pip install 'slopes[sklearn]'",
               read_small_digits),
        Source("clothes", "Clothes (Fashion-MNIST)", "" if "fashion-mnist" in local else "downloads 30.9 MB when chosen", read_clothes)]
    if folder is not None:
        offered.append(Source("folder", f"Own pictures ({folder.name})", "", lambda examples: read_folder(folder, examples)))
    return offered


def first_choice(offered: list[Source]) -> str:
    """The data set to begin with: one's own pictures, else the first that is here."""
    if offered[-1].name == "folder":
        return "folder"
    return next((source.name for source in offered if not source.problem), "digits")


def source_named(offered: list[Source], name: str) -> Source:
    """The data set of this name; ArgumentError where it is not offered."""
    for source in offered:
        if source.name == name:
            return source
    raise ArgumentError("there is no folder of pictures to learn", why="the page cannot name one: only the command line can",
                        repair="start the studio with it: slopes play --pictures FOLDER, with a subfolder for each class")


def read_digits(examples: int) -> PictureData:
    """MNIST: the first of its pictures."""
    return PictureData("digits", "MNIST", *first_pictures("mnist", examples), MNIST)


def read_clothes(examples: int) -> PictureData:
    """Fashion-MNIST: the first of its pictures."""
    return PictureData("clothes", "Fashion-MNIST", *first_pictures("fashion-mnist", examples), painted(28))


def read_small_digits(examples: int) -> PictureData:
    """scikit-learn's digits; validation and test pictures together are the test here."""
    with reading:
        splits = small_digits()
    parts = (splits.validation, splits.test)
    test = Dataset(np.concatenate([part.inputs for part in parts]), np.concatenate([part.targets for part in parts]),
                   splits.train.classes, "digits.test")
    return PictureData("small-digits", "8 x 8 digits", first_rows(splits.train, examples), test, SMALL_DIGITS)


def first_pictures(name: str, examples: int) -> tuple[Dataset, Dataset]:
    """(training, test): the first pictures of a data set like MNIST; its validation pictures are the test here."""
    with reading:
        train, test = many_pictures(name)
    return first_rows(train, examples), test


def first_rows(dataset: Dataset, count: int) -> Dataset:
    """The first examples, without a copy of them."""
    return dataset.subset(slice(0, count))


@lru_cache(maxsize=2)
def many_pictures(name: str) -> tuple[Dataset, Dataset]:
    """(training, test): MOST_EXAMPLES and TEST pictures of a data set like MNIST, copied so that the others are let go."""
    splits = data.mnist() if name == "mnist" else data.fashion_mnist()
    return splits.train.subset(np.arange(MOST_EXAMPLES)), splits.validation.subset(np.arange(TEST))


@lru_cache(maxsize=1)
def small_digits() -> Splits[Dataset]:
    """scikit-learn's digits."""
    return data.digits()


def read_folder(folder: Path, examples: int) -> PictureData:
    """One's own pictures, a subfolder for each class, scaled to 32 x 32; damaged files are left out."""
    with reading:
        train, test, note = split_folder(folder)
    side = FOLDER_SIDE
    return PictureData("folder", folder.name, first_rows(train, examples), test, painted(side), note)


@lru_cache(maxsize=1)
def split_folder(folder: Path) -> tuple[Dataset, Dataset, str]:
    """(training, test, note): the pictures of a folder, and which files were left out."""
    size = (FOLDER_SIDE, FOLDER_SIDE)
    named = data.image_folder(folder, size)
    check_classes(named.classes, folder)
    rows = np.unique(np.linspace(0, len(named) - 1, MOST_FILES).astype(np.int64))
    sample = rows[np.unique(np.linspace(0, len(rows) - 1, COLOUR_SAMPLE).astype(np.int64))]
    channels = 3 if any(has_colour(str(named.inputs.paths[i])) for i in sample) else 1
    pictures = data.image_folder(folder, size, channels, skip_damaged=True)
    check_count(len(pictures), folder)
    rows = np.unique(np.linspace(0, len(pictures) - 1, MOST_FILES).astype(np.int64))
    whole = Dataset(pictures.inputs[rows], pictures.targets[rows], pictures.classes, pictures.name)
    parts = data.split(whole, (1 - HELD_OUT, HELD_OUT, 0), seed=0)
    return parts.train, parts.validation, note_of(pictures.skipped, folder)


def check_classes(classes: Sequence[str], folder: Path) -> None:
    """DataError where there is nothing to tell apart."""
    if len(classes) < 2:
        raise DataError(f"{folder}: all pictures are of the class {classes[0]!r}", why="a network learns to tell classes apart",
                        repair="add a subfolder with pictures of another class", where="")


def check_count(count: int, folder: Path) -> None:
    """DataError where there are too few pictures to keep some for the test."""
    if count < FEWEST_FILES:
        raise DataError(f"{folder}: it has {count} readable pictures, at least {FEWEST_FILES} are needed",
                        why="every sixth picture is kept for the test", repair="add pictures to its subfolders", where="")


def note_of(skipped: Sequence[tuple[str, str]], folder: Path) -> str:
    """How many damaged files were left out, and the names of the first ones."""
    if not skipped:
        return ""
    names = [Path(path).relative_to(folder.resolve()).as_posix() for path, _ in skipped[:NAMED]]
    more = f" and {len(skipped) - NAMED:,} more" if len(skipped) > NAMED else ""
    return f"Damaged files were left out: {', '.join(names)}{more}."
