"""Sentence pairs for machine translation: Tatoeba's English and French."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...errors import ArgumentError
from ...files.reading import Path
from ...files.text_reader import text_lines, wrong_line
from ..loaders.examples import Examples
from ..loaders.order import SPLITTING, order
from ..loaders.splits import Splits, divided
from ..transforms.tokens import words
from .locate import Folder, located

FRACTIONS = (0.96, 0.02, 0.02)
SPLIT_SEED = 0
Pair = tuple[str, str]


def tatoeba(folder: Folder = None, longest: int = 12) -> Splits[Examples]:
    """167,130 English sentences (inputs) with a French translation each (targets), as written.

    Only pairs of which both sides have at most `longest` words and marks (by `text.words` with elision) are kept. Many English
    sentences have several translations, so the *sentences* are divided, 96 : 2 : 2, and not the pairs: no English sentence of
    validation or test occurs in training, even with other capitals or marks. The division does not depend on `longest`.
    Searched and downloaded as `mnist` is, subfolder `tatoeba-fra-eng`, file fra.txt. Raises ArgumentError when no pair is short
    enough. Source: tatoeba.org by way of www.manythings.org/anki, 2019-04-07; CC BY 2.0.
    """
    path = located("tatoeba-fra-eng", "fra.txt", folder)
    pairs = list(read_pairs(path))
    parts = [[pairs[i] for i in part if is_short(pairs[i], longest)] for part in by_sentence(pairs)]
    if not all(parts):
        raise ArgumentError(f"tatoeba: longest={longest} leaves {' / '.join(str(len(part)) for part in parts)} pairs",
                            why="training, validation and test each need some", repair="allow longer sentences: longest=12")
    train, validation, test = (examples(part, name) for part, name in zip(parts, ("train", "validation", "test")))
    return Splits(train, validation, lambda: test, "tatoeba")


def read_pairs(path: Path) -> Iterator[Pair]:
    """The first two fields of each line; later editions of the file name the authors in a third."""
    for line_number, line in text_lines(path):
        fields = line.split("\t")
        if len(fields) not in (2, 3):
            raise wrong_line(path, line_number, f"{len(fields)} fields instead of 2", "English and French are separated by one tab")
        if not (fields[0].strip() and fields[1].strip()):
            raise wrong_line(path, line_number, f"the {'French' if fields[0].strip() else 'English'} sentence is empty")
        yield fields[0].strip(), fields[1].strip()


def spelled(sentence: str) -> str:
    """What tells English sentences apart: their words, without capitals and marks (all of it, where there is no word)."""
    chars = words(sentence.replace("’", "'"), lower=True)
    return " ".join([word for word in chars if word[0].isalnum()] or chars)


def by_sentence(pairs: list[Pair]) -> list[np.ndarray]:
    """The numbers of the pairs of each part, rising."""
    groups: dict[str, int] = {}
    sentence_of = np.array([groups.setdefault(spelled(english), len(groups)) for english, _ in pairs])
    mixed = order(SPLIT_SEED, 0, len(groups), SPLITTING)
    parts = divided(np.zeros(len(groups), np.int64), FRACTIONS, mixed)
    return [np.flatnonzero(np.isin(sentence_of, part)) for part in parts]


def is_short(pair: Pair, longest: int) -> bool:
    return all(len(words(sentence, elision=True)) <= longest for sentence in pair)


def examples(pairs: list[Pair], name: str) -> Examples:
    english, french = zip(*pairs)
    return Examples(english, french, name=f"tatoeba.{name}")
