"""Surnames in eighteen languages."""

from __future__ import annotations

import numpy as np

from ...files.text_reader import text_lines, wrong_line
from ..loaders.examples import Examples
from ..loaders.order import SPLITTING, order
from ..loaders.splits import Splits, divided
from ..transforms.tokens import composed
from .locate import Folder, located

LANGUAGES = ("Arabic", "Chinese", "Czech", "Dutch", "English", "French", "German", "Greek", "Irish", "Italian", "Japanese", "Korean",
             "Polish", "Portuguese", "Russian", "Scottish", "Spanish", "Vietnamese")
FRACTIONS = (0.8, 0.1, 0.1)
SPLIT_SEED = 0


def names(folder: Folder = None, repeats: bool = False) -> Splits[Examples]:
    """Surnames (inputs) and their languages (targets), 80 : 10 : 10 by spelling: no name of the test set occurs in training.

    The files hold 20,050 lines, very unequal (Russian 9,384, Vietnamese 73), and many twice (Arabic: 108 names in 2,000 lines):
    a name counts once per language, unless `repeats`. Some names belong to several languages, so no accuracy reaches 100 %. Names
    are composed (NFC) and stripped. Each language of a spelling's first occurrence is divided by itself. Searched and downloaded
    as `mnist` is, subfolder `names`. Source: Robertson, practical-pytorch, 2017; MIT.
    """
    pairs = [(name, label) for label in range(len(LANGUAGES)) for name in names_of(label, folder)]
    if not repeats:
        pairs = list(dict.fromkeys(pairs))
    train, validation, test = (examples([pairs[i] for i in part], name)
                               for part, name in zip(by_spelling(pairs), ("train", "validation", "test")))
    return Splits(train, validation, lambda: test, "names")


def names_of(label: int, folder: Folder) -> list[str]:
    path = located("names", f"{LANGUAGES[label]}.txt", folder)
    made = []
    for line_number, line in text_lines(path):
        name = composed(line.strip())
        if not name:
            raise wrong_line(path, line_number, "the line is blank", "each line is a name")
        made.append(name)
    return made


def by_spelling(groups: list[tuple[str, int]]) -> list[np.ndarray]:
    """The numbers of the names of each part, rising."""
    numbers: dict[str, int] = {}
    spelling_of = np.array([numbers.setdefault(name.casefold(), len(numbers)) for name, _ in groups])
    first = np.unique(spelling_of, return_index=True)[1]
    languages = np.array([label for _, label in groups])[first]
    parts = divided(languages, FRACTIONS, order(SPLIT_SEED, 0, len(numbers), SPLITTING))
    return [np.flatnonzero(np.isin(spelling_of, part)) for part in parts]


def examples(lines: list[tuple[str, int]], name: str) -> Examples:
    inputs, labels = zip(*lines)
    return Examples(inputs, np.array(labels), LANGUAGES, f"names.{name}")
