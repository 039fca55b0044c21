"""Counts of n-grams."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ...errors import ArgumentError
from ...tensor import Tensor, asarray
from ..call import Call
from ..operators import operator


@operator("TfIdfVectorizer", known=(0,))
def tf_idf(call: Call, x: np.ndarray) -> Tensor:
    """Counts (or their presence, or either with weights) of the n-grams of a pool, in each row of tokens."""
    rows = np.atleast_2d(x) if x.ndim else x.reshape(1, 1)
    pool = ngrams(call)
    size = max(pool.values()) + 1
    counts = np.zeros((len(rows), size), np.float32)
    for row, tokens in zip(counts, rows.tolist()):
        for n in range(call["min_gram_length"], min(call["max_gram_length"], len(tokens)) + 1):
            count(row, tokens, n, call["max_skip_count"], pool)
    result = weighted(call, counts)
    return asarray(result if x.ndim > 1 else result[0])


def ngrams(call: Call) -> dict[tuple, int]:
    """n-gram -> its position in the result."""
    tokens = call["pool_int64s"] or call["pool_strings"]
    starts = [*call["ngram_counts"], len(tokens)]
    if starts != sorted(starts) or starts[0] < 0 or not 1 <= call["min_gram_length"] <= call["max_gram_length"]:
        raise ArgumentError(f"TfIdfVectorizer: its n-grams start at {starts!r:.200} and have {call['min_gram_length']} to "
                            f"{call['max_gram_length']} tokens", why="starts rise, and a length is 1 or more")
    listed = [tuple(tokens[i:i + n]) for n, (start, end) in enumerate(pairwise(starts), start=1) for i in range(start, end, n)]
    return dict(zip(listed, call["ngram_indexes"]))


def count(row: np.ndarray, tokens: list, n: int, skips: int, pool: dict[tuple, int]) -> None:
    """Add the n-grams of tokens that are neighbours, or equally far apart by up to `skips` tokens between them."""
    for step in range(1, min(1 if n == 1 else skips + 1, len(tokens)) + 1):
        for start in range(len(tokens) - step * (n - 1)):
            position = pool.get(tuple(tokens[start:start + step * (n - 1) + 1:step]))
            if position is not None:
                row[position] += 1


def weighted(call: Call, counts: np.ndarray) -> np.ndarray:
    """Counts as the mode of the node has them."""
    if call["mode"] == "TF":
        return counts
    scale = np.ones(counts.shape[1], np.float32)
    if call["weights"]:
        for position, weight in zip(call["ngram_indexes"], call["weights"]):
            scale[position] = weight
    return scale * (counts > 0 if call["mode"] == "IDF" else counts)
