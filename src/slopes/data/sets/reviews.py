"""Sentiment classification: the movie review sentences of Pang and Lee."""

from __future__ import annotations

import os

import numpy as np

from ...errors import ArgumentError
from ...files.text_reader import text_lines, wrong_line
from ..loaders.examples import Examples
from ..loaders.folds import folds
from ..loaders.splits import Splits
from .locate import Folder, located

MOODS = ("negative", "positive")
FOLDS = 10


def rt_polarity(folder: Folder = None, fold: int = 0, seed: int = 0) -> Splits[Examples]:
    """5,331 negative (0) and 5,331 positive (1) sentences of movie reviews, in small letters, words separated by blanks.

    The sentences are dealt out into ten `folds` under the seed, each with its half of both kinds. `fold` (0 to 9) is the test set,
    the one after it the validation set, the other eight are for training: fold 0 of seed 0 is the fixed division, and the mean
    over all ten is cross-validation. Searched and downloaded as `mnist` is, subfolder `rt-polarity`. Raises ArgumentError for
    other folds. Source: Pang, Lee, "Seeing stars", ACL 2005; CC BY 4.0.
    """
    if isinstance(fold, bool) or fold not in range(FOLDS):
        raise ArgumentError(f"fold is {fold!r}", why=f"there are {FOLDS}, from 0 to {FOLDS - 1}")
    halves = [sentences_of(file, folder) for file in ("rt-polarity.neg", "rt-polarity.pos")]
    labels = np.repeat([0, 1], [len(half) for half in halves])
    every = Examples([*halves[0], *halves[1]], labels, MOODS, "rt-polarity")
    parts = folds(labels, FOLDS, seed)
    test, validation = parts[fold], parts[(fold + 1) % FOLDS]
    train = np.setdiff1d(np.arange(len(every)), np.concatenate((test, validation)))
    return Splits(every.subset(train, "rt-polarity.train"), every.subset(validation, "rt-polarity.validation"),
                  lambda: every.subset(test, "rt-polarity.test"), "rt-polarity")


def sentences_of(file: str, folder: Folder) -> list[str]:
    path = located("rt-polarity", file, folder)
    return [sentence_at(line, line_number, path) for line_number, line in text_lines(path)]


def sentence_at(line: str, line_number: int, path: str | os.PathLike[str]) -> str:
    if not line.strip():
        raise wrong_line(path, line_number, "the line is blank", "each line is a sentence")
    return line.strip()
