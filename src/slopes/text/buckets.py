"""Bucketing: batches of rows of similar length, padded to few different lengths, for little padding and few compilations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..data.loaders.order import BUCKETING, batches, check_batch_size, order
from ..errors import ArgumentError, OutOfRangeError

WASTED = 0.05  # buckets with less padding than this share of the total length are not divided


class Bucket(NamedTuple):
    """A batch: the indices of its rows, int64, and the length to pad them to."""

    rows: np.ndarray
    length: int


def boundaries(lengths: Any, count: int = 8) -> tuple[int, ...]:
    """At most `count` increasing lengths that divide the rows into buckets of about equal size; the last is that of the longest row.

    Boundary k is the smallest length that at least a share k / count of the rows do not exceed. Raises ArgumentError for no row.

    >>> from slopes import text
    >>> text.boundaries([1, 2, 2, 3, 4, 5, 9, 30], count=4)
    (2, 3, 5, 30)
    """
    sorted_lengths = np.sort(checked_lengths(lengths))
    if isinstance(count, bool) or count < 1:
        raise ArgumentError(f"boundaries: count is {count!r}", why="there is at least one bucket")
    indices = -(-np.arange(1, count + 1) * len(sorted_lengths) // count) - 1
    return tuple(int(length) for length in np.unique(sorted_lengths[np.maximum(indices, 0)]))


def adaptive_boundaries(lengths: Any, count: int = 8) -> tuple[int, ...]:
    """`boundaries`, with further ones where a bucket would be mostly padding, so that few long rows do not pad all others.

    A bucket whose rows fill less than half of it, where this is a twentieth of all rows' lengths or more, is divided at half its
    length, and its shorter rows again.

    >>> from slopes.text.buckets import adaptive_boundaries
    >>> adaptive_boundaries([1, 2, 2, 3, 4, 5, 5, 1000], count=2)
    (3, 5, 1000)
    """
    sorted_lengths = np.sort(checked_lengths(lengths))
    limits: list[int] = []
    for limit in boundaries(sorted_lengths, count):
        shorter = limits[-1] if limits else -1
        members = sorted_lengths[(sorted_lengths > shorter) & (sorted_lengths <= limit)]
        limits += [*cuts(members, limit, WASTED * sorted_lengths.sum()), limit]
    return tuple(limits)


def cuts(members: np.ndarray, limit: int, least: float) -> list[int]:
    """Further increasing limits within a bucket of sorted lengths: the longest row of at most half the bucket's length, recursively."""
    below, filling = members[members <= limit // 2], len(members) * limit - members.sum()
    if not len(below) or below[-1] < 1 or filling <= max(members.sum(), least):
        return []
    return [*cuts(below, int(below[-1]), least), int(below[-1])]


def buckets(lengths: Any, batch_size: int, seed: int | None = None, epoch: int = 0, limits: Sequence[int] | None = None) -> list[Bucket]:
    """The batches of an epoch: each has at most `batch_size` rows of one bucket, to be padded to the bucket's length.

    lengths: (N,), those of the rows. limits: rising lengths; a row belongs to the first that it does not exceed (by default,
    `boundaries(lengths)`, and more where a few rows are far longer than the others). Every row is in one batch; a bucket's last
    batch may be smaller. With a seed, rows are shuffled within their buckets, and batches are shuffled, as a pure function of
    (seed, epoch); without one, rows are in stored order, short buckets first. Rows of length 0 are in the first bucket. Raises
    OutOfRangeError for a row longer than the last limit.

    >>> from slopes import text
    >>> [(batch.rows.tolist(), batch.length) for batch in text.buckets([3, 9, 2, 8, 1], batch_size=2, limits=(3, 10))]
    [([0, 2], 3), ([4], 3), ([1, 3], 10)]
    """
    lengths = checked_lengths(lengths)
    check_batch_size(batch_size)
    limits = adaptive_boundaries(lengths) if limits is None else checked_limits(limits, lengths)
    sequence = np.arange(len(lengths)) if seed is None else order(seed, epoch, len(lengths))
    bucket_of = np.searchsorted(limits, lengths[sequence])
    result = [Bucket(members[batch], limit) for i, limit in enumerate(limits) if len(members := sequence[bucket_of == i])
            for batch in batches(None, 0, len(members), batch_size)]
    return result if seed is None else [result[i] for i in order(seed, epoch, len(result), BUCKETING)]


def checked_lengths(lengths: Any) -> np.ndarray:
    array = np.asarray(lengths)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu" or array.min() < 0:
        raise ArgumentError(f"lengths are {array.dtype} of shape {array.shape}", why="each row has one length, a whole number, and there "
                            "is at least one row", repair="[len(row) for row in rows]")
    return array.astype(np.int64, copy=False)


def checked_limits(limits: Sequence[int], lengths: np.ndarray) -> tuple[int, ...]:
    bounds = tuple(int(limit) for limit in limits)
    if not bounds or bounds[0] < 1 or any(a >= b for a, b in pairwise(bounds)):
        raise ArgumentError(f"limits are {bounds}", why="they are rising lengths of at least 1", repair="for example (8, 16, 32)")
    if lengths.max() > bounds[-1]:
        raise OutOfRangeError(f"row {lengths.argmax()} holds {lengths.max()} elements, more than the last limit, {bounds[-1]}",
                              repair="cut or leave out long rows, or add a limit")
    return bounds
