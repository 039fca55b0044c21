"""Which words a network of texts goes by: how much worse it predicts test texts when a word in them is masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ...tables.report import table_text
from ...tables.scores import surprise
from ...text.vocabulary import UNK

CANDIDATES, LEAST_TEXTS, MOST_TEXTS = 50, 3, 100  # words that are masked; texts that a word must be in, and in which it is masked
LISTED = 10

Rows = Sequence[Sequence[str]]  # the tokens of texts
Shares = Callable[[Rows], np.ndarray]  # the probabilities (N, classes) of rows of tokens


class Effect(NamedTuple):
    """What masking a word does: the test texts that have it, by how much their log loss rises, and the class that the word speaks for."""

    word: str
    texts: int
    loss: float
    speaks_for: int


def uneven_words(rows: Rows, labels: np.ndarray, classes: int) -> list[str]:
    """The words whose texts are of other classes than all texts, the most uneven first: by the chi-squared statistic of the counts."""
    index: dict[str, int] = {}
    pairs = [(index.setdefault(word, len(index)), label) for row, label in zip(rows, labels.tolist()) for word in set(row)]
    counts = np.zeros((len(index), classes))
    np.add.at(counts, tuple(np.array(pairs, np.int64).reshape(-1, 2).T), 1)
    share = np.bincount(labels, minlength=classes) / len(labels)
    expected = np.maximum(counts.sum(axis=1, keepdims=True) * share, 1e-12)
    uneven = ((counts - expected) ** 2 / expected * (counts.sum(axis=1, keepdims=True) >= LEAST_TEXTS)).sum(axis=1)
    names = list(index)
    return [names[i] for i in np.argsort(-uneven, kind="stable") if uneven[i] > 0]


def word_effects(shares: Shares, rows: Rows, labels: np.ndarray, words: Sequence[str]) -> list[Effect]:
    """The effect of masking each of the first words that enough texts have, the largest total rise of the log loss first.

    A word is masked by the mark of an unknown word, and the rise is a mean over at most 100 texts that have it.
    """
    having: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        for word in set(row):
            having.setdefault(word, []).append(i)
    chosen = [word for word in words if len(having.get(word, ())) >= LEAST_TEXTS][:CANDIDATES]
    if not chosen:
        return []
    jobs = [(word, i) for word in chosen for i in having[word][:MOST_TEXTS]]
    masked = shares([[UNK if token == word else token for token in rows[i]] for word, i in jobs])
    whole = shares([rows[i] for _, i in jobs])
    targets = labels[[i for _, i in jobs]]
    rise = surprise(masked, targets) - surprise(whole, targets)
    members = {word: [k for k, (other, _) in enumerate(jobs) if other == word] for word in chosen}
    effects = [Effect(word, len(having[word]), float(rise[indices].mean()), int((whole - masked)[indices].mean(axis=0).argmax()))
               for word, indices in members.items()]
    return sorted(effects, key=lambda effect: -effect.loss * effect.texts)


def effect_lines(effects: Sequence[Effect], classes: Sequence[str], kind: str) -> list[str]:
    """The words, or characters, that matter most, in lines of text."""
    if not effects:
        return []
    return [f"{kind} that matter: by how much the log loss of test texts that have one rises when it is masked, and for what it speaks:",
            *table_text([[f"  {effect.word}", f"{effect.loss:+.4f}", f"{effect.texts:,} texts", classes[effect.speaks_for]]
                         for effect in effects[:LISTED]])]
