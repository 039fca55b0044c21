"""The order of examples and batches, a pure function of (seed, epoch, position): a training that is continued sees the same ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...errors import ArgumentError

BATCHING, SPLITTING, BUCKETING, WINDOWS, COMPOSING, RATING = range(6)  # purposes: each has a stream of random numbers of its own


def order(seed: int, epoch: int, n: int, purpose: int = BATCHING) -> np.ndarray:
    """The permutation of 0..n-1, int64, in which epoch `epoch` of a run with seed `seed` sees its examples.

    Example i gets the i-th 64-bit word of Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011)
    with key (seed, purpose) and counters (1, 0, epoch, 0), (2, 0, epoch, 0), ... of four words each; the examples are sorted
    by these words, equal words by their number. This definition is fixed: a later version of slopes gives the same order.
    Raises ArgumentError for negative or too large numbers.

    >>> order(seed=0, epoch=0, n=6)
    array([0, 2, 1, 5, 4, 3])
    """
    check_words(seed=seed, epoch=epoch, n=n)
    return np.argsort(random_words(seed, purpose, n, epoch), kind="stable").astype(np.int64, copy=False)


def random_words(seed: int, purpose: int, n: int, stream: int = 0, part: int = 0) -> np.ndarray:
    """n random 64-bit words, uint64: Philox4x64-10 with key (seed, purpose), counters (1, 0, stream, part), (2, 0, stream, part), ...

    >>> random_words(seed=0, purpose=0, n=2).tolist()
    [213000021201967259, 4455796210202625458]
    """
    key, counter = np.array([seed, purpose], np.uint64), np.array([0, 0, stream, part], np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(int(n))


def uniforms(words: np.ndarray) -> np.ndarray:
    """The upper 53 bits of each word as a float64 in [0, 1).

    >>> uniforms(np.array([0, 2**63], np.uint64)).tolist()
    [0.0, 0.5]
    """
    return (words >> np.uint64(11)) * 2.0**-53


def check_words(**words: int) -> None:
    for name, word in words.items():
        if isinstance(word, bool) or not isinstance(word, (int, np.integer)) or not 0 <= word < 2**64:
            raise ArgumentError(f"{name} is {word!r}", why=f"{name} must be an integer from 0 to 2**64 - 1")


def batches(seed: int | None, epoch: int, n: int, batch_size: int, start: int = 0) -> Iterator[np.ndarray]:
    """The numbers of the examples of each batch, int64, the last batch possibly smaller; `start` skips that many batches.

    Batch k is always order(seed, epoch, n)[k * batch_size : (k + 1) * batch_size], whatever `start` is. Without a seed the
    examples come as they are stored. Raises ArgumentError for a batch size below 1 or a negative start.

    >>> [batch.tolist() for batch in batches(seed=0, epoch=0, n=6, batch_size=4)]
    [[0, 2, 1, 5], [4, 3]]
    >>> [batch.tolist() for batch in batches(seed=0, epoch=0, n=6, batch_size=4, start=1)]
    [[4, 3]]
    """
    check_batch_size(batch_size)
    check_words(start=start)
    sequence = np.arange(n) if seed is None else order(seed, epoch, n)
    return (sequence[first : first + batch_size] for first in range(start * batch_size, n, batch_size))


def number_of_batches(n: int, batch_size: int) -> int:
    """How many batches an epoch of n examples has, the last partial one included; ArgumentError for a batch size below 1.

    >>> number_of_batches(100, 64)
    2
    """
    check_batch_size(batch_size)
    return -(-n // batch_size)


def check_batch_size(batch_size: int) -> None:
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ArgumentError(f"batch_size is {batch_size!r}", why="a batch holds at least one example", repair="use 64")
