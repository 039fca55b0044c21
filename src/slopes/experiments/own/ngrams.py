"""n-gram models of characters, beside which a language model is shown: how often a character follows the one or two before it."""

from __future__ import annotations

import numpy as np


def ngram_losses(learned: np.ndarray, tested: np.ndarray, size: int, order: int) -> np.ndarray:
    """-log p of each token of a test text but the first, from the n-grams of a training text; (T - 1,) nats.

    The token c after the context h, of order - 1 tokens, has the probability, with h' the context without its first token,

        p(c | h) = (n(h c) + t(h) p(c | h')) / (n(h) + t(h)),

    where n counts occurrences in the training text, and t(h) is how many different tokens follow h there; below the unigram, all
    `size` tokens are equally probable. Source: Witten and Bell, "The zero-frequency problem", 1991; interpolated as in Chen and
    Goodman, "An empirical study of smoothing techniques for language modeling", 1998.

    >>> np.exp(-ngram_losses(np.array([0, 1, 0, 1, 0]), np.array([0, 1, 1]), size=2, order=2)).round(3)
    array([0.81 , 0.143])
    """
    p = np.full(len(tested), 1 / size)
    for n in range(1, min(order, len(tested)) + 1):
        grams, gram_counts = np.unique(codes(learned, n, size), return_counts=True)
        contexts, first = np.unique(grams // size, return_index=True)
        totals, kinds = np.add.reduceat(gram_counts, first), np.diff([*first, len(grams)])
        asked = codes(tested, n, size)
        count = looked_up(grams, gram_counts, asked)
        total, kind = (looked_up(contexts, values, asked // size) for values in (totals, kinds))
        shorter = p[n - 1:]
        p[n - 1:] = np.where(total > 0, (count + kind * shorter) / np.maximum(total + kind, 1), shorter)
    return -np.log(p[1:])


def codes(indices: np.ndarray, n: int, size: int) -> np.ndarray:
    """The n-grams (T - n + 1,) of tokens as whole numbers, the last token in the lowest digit."""
    result = np.zeros(len(indices) - n + 1, np.int64)
    for i in range(n):
        result = result * size + indices[i : len(indices) - n + 1 + i]
    return result


def looked_up(keys: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The values of keys, which are in order; 0 for keys that are not there."""
    position = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[position] == asked, values[position], 0)
