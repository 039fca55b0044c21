"""Part-of-speech tagging: the English Web Treebank of Universal Dependencies."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...files.conllu import TAGS, load_conllu
from ..loaders.examples import Examples
from ..loaders.splits import Splits
from .locate import Folder, located

INDEX_OF = {tag: index for index, tag in enumerate(TAGS)}


def ud_english_ewt(folder: Folder = None) -> Splits[Examples]:
    """Sentences of weblogs, mails and reviews with the part of speech of each word: 12,544 to train, 2,001 to validate, 2,077 to test.

    inputs: a tuple of words for each sentence; targets: the numbers (T,) int64 of their tags, `.classes` the 17 universal tags in
    alphabetical order. 204,577, 25,147 and 25,094 words; the division is the treebank's own. Searched and downloaded as `mnist`
    is, subfolder `ud-english-ewt`. Source: Silveira et al., "A gold standard dependency corpus for English", LREC 2014, release
    2.16; annotations CC BY-SA 4.0.
    """
    return Splits(part("train", "train", folder), part("dev", "validation", folder), partial(part, "test", "test", folder),
                  "ud-english-ewt")


def part(stem: str, name: str, folder: Folder) -> Examples:
    sentences = load_conllu(located("ud-english-ewt", f"en_ewt-ud-{stem}.conllu", folder))
    targets = [np.array([INDEX_OF[tag] for tag in sentence.tags], np.int64) for sentence in sentences]
    return Examples([sentence.words for sentence in sentences], targets, TAGS, f"ud-english-ewt.{name}")
