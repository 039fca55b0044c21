"""Loaders of text for fit and evaluate: streams for nets that carry a state, windows for nets that do not, rows of different lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

import numpy as np

from ..arrays import shorten
from ..data.loaders.loader import IGNORED, Batch, Loader
from ..data.loaders.order import BUCKETING, check_batch_size, order
from ..errors import ArgumentError, DTypeError, ShapeError
from .buckets import adaptive_boundaries, checked_lengths, checked_limits
from .padding import pad
from .vocabulary import check_whole
from .windows import checked_sequence, random_windows, streams


class Streams(Loader):
    """A long text for a net that carries its state: `batch_size` streams side by side, `length` tokens of each in a batch.

    The targets are the tokens that come next, all but the first one of the text once per epoch; see `streams`. For training
    (batches with a seed) each epoch begins at another one of the first `length` tokens, so that the cuts, over which no gradient
    goes, do not always fall on the same places. Raises ShapeError for a text of fewer than 2 tokens.

    >>> from slopes import text
    >>> [batch.inputs.tolist() for batch in text.Streams(range(7), length=2).batches(batch_size=2)]
    [[[0, 1], [3, 4]], [[2, 0], [5, 0]]]
    """

    carries = True

    def __init__(self, ids: Any, length: int) -> None:
        self.ids, self.length = long_enough(ids, 2, "Streams"), length
        check_whole(length=length)

    def steps(self, batch_size: int) -> int:
        return ceil(ceil((len(self.ids) - 1) / batch_size) / self.length)

    def size(self, batch_size: int) -> int:
        return len(self.ids) - 1

    def batches(self, batch_size: int, seed: int | None = None, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        tokens = streams(self.turned(seed, epoch), batch_size, self.length, ignore=IGNORED)
        return (Batch(x, y) for x, y in zip(tokens.inputs[start:], tokens.targets[start:]))

    def turned(self, seed: int | None, epoch: int) -> np.ndarray:
        """The text, for training beginning a little later and ending with its beginning."""
        starts = min(self.length, len(self.ids) - 1)
        start = 0 if seed is None else int(order(seed, epoch, starts)[0])
        return np.concatenate((self.ids[start:], self.ids[:start])) if start else self.ids


class Windows(Loader):
    """A long text for a net without a memory: windows of `length` tokens, the targets are the tokens that come next.

    With a seed, an epoch is `count` batches of windows from anywhere (see `random_windows`; by default about as many tokens as
    the text has); without one, all windows side by side, the last one filled up. Raises ShapeError for a text without a window.

    >>> from slopes import text
    >>> loader = text.Windows(range(10), length=4, count=2)
    >>> [batch.inputs.tolist() for batch in loader.batches(batch_size=2)]
    [[[0, 1, 2, 3], [4, 5, 6, 7]], [[8, 0, 0, 0], [0, 0, 0, 0]]]
    >>> [batch.targets.shape for batch in loader.batches(batch_size=2, seed=0)]
    [(2, 4), (2, 4)]
    """

    def __init__(self, ids: Any, length: int, count: int | None = None) -> None:
        check_whole(length=length, count=count)
        self.ids, self.length, self.count = long_enough(ids, length + 1, "Windows"), length, count

    def steps(self, batch_size: int) -> int:
        return max(1, len(self.ids) // (batch_size * self.length)) if self.count is None else self.count

    def size(self, batch_size: int) -> int:
        return self.steps(batch_size) * batch_size * self.length

    def batches(self, batch_size: int, seed: int | None = None, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        check_batch_size(batch_size)
        if seed is None:
            return self.all_windows(batch_size, start)
        steps = self.steps(batch_size)
        return (Batch(*random_windows(self.ids, self.length, batch_size, seed, epoch * steps + step)) for step in range(start, steps))

    def all_windows(self, batch_size: int, start: int) -> Iterator[Batch]:
        """Each pair of a token and the next one once, from batch `start` on."""
        pairs = len(self.ids) - 1
        shape = -(-pairs // (batch_size * self.length)), batch_size, self.length
        x, y = np.zeros(shape, np.int64), np.full(shape, IGNORED, np.int64)
        x.reshape(-1)[:pairs], y.reshape(-1)[:pairs] = self.ids[:-1], self.ids[1:]
        return (Batch(*windows) for windows in zip(x[start:], y[start:]))


class Rows(Loader):
    """Rows of different lengths, in batches of rows of similar length, padded to few different lengths.

    parts: one or several inputs of the net, each a row (T_i, ...) of numbers for every example. targets: a row of labels for every
    example, or labels (N,). Inputs are filled up with 0, labels with -100 (data.IGNORED), which losses leave out. `limits`: so
    many buckets (and more where a few rows are far longer than the others), or the lengths that bound them; an example belongs to a
    bucket by the longest of its rows. Every batch of a bucket has the same shape: the last one is filled up with examples whose
    labels are -100; a bucket of fewer examples than a batch is one batch of these, of at least two. With a seed, rows are mixed
    within their bucket and the batches among each other. Raises ShapeError for different numbers of rows and labels, ArgumentError
    for an example of which no label counts, DTypeError for labels that are no numbers.

    >>> from slopes import text
    >>> loader = text.Rows([[5, 6, 7], [8], [9, 9]], targets=np.array([0, 1, 0]), limits=(2, 3))
    >>> for batch in loader.batches(batch_size=2):
    ...     print(batch.inputs.tolist(), batch.targets)
    [[8, 0], [9, 9]] [1 0]
    [[5, 6, 7], [5, 6, 7]] [   0 -100]
    """

    def __init__(self, *parts: Sequence[Any], targets: Any, limits: int | Sequence[int] = 6) -> None:
        targets = one_each(targets)
        columns = [*parts, *([] if isinstance(targets, np.ndarray) else [targets])]
        counts = {len(column) for column in (*columns, targets)}
        if len(counts) != 1 or not parts:
            raise ShapeError(f"Rows: {', '.join(str(len(part)) for part in parts) or 'no'} rows and {len(targets)} targets",
                             why="every example has one row of each input, and its target")
        check_labelled(targets)
        lengths = checked_lengths(np.max([[len(row) for row in column] for column in columns], axis=0))
        limits = adaptive_boundaries(np.maximum(lengths, 1), limits) if isinstance(limits, int) else checked_limits(limits, lengths)
        home = np.searchsorted(limits, lengths)
        self.buckets = [bucket(parts, targets, np.flatnonzero(home == i)) for i in np.unique(home)]
        self.counted = sum(int((targets != IGNORED).sum()) for _, targets in self.buckets)

    def steps(self, batch_size: int) -> int:
        return sum(-(-len(targets) // batch_size) for _, targets in self.buckets)

    def size(self, batch_size: int) -> int:
        return self.counted

    def batches(self, batch_size: int, seed: int | None = None, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        check_batch_size(batch_size)
        plan = [(i, rows[first:first + batch_size]) for i, (_, targets) in enumerate(self.buckets)
                for rows in [np.arange(len(targets)) if seed is None else order(seed, epoch, len(targets))]
                for first in range(0, len(rows), batch_size)]
        mixed = range(len(plan)) if seed is None else order(seed, epoch, len(plan), BUCKETING)
        return (self.batch(*plan[i], batch_size) for i in mixed[start:])

    def batch(self, bucket_index: int, rows: np.ndarray, batch_size: int) -> Batch:
        """These rows of a bucket, filled up with the first one: to the size of a batch, or of a smaller bucket."""
        arrays, targets = self.buckets[bucket_index]
        size = min(batch_size, max(2, len(targets)))
        whole = np.concatenate((rows, np.repeat(rows[:1], size - len(rows))))
        batch_targets = targets[whole]
        batch_targets[len(rows):] = IGNORED
        inputs = tuple(array[whole] for array in arrays)
        return Batch(inputs if len(inputs) > 1 else inputs[0], batch_targets)


def one_each(targets: Any) -> Any:
    """Labels, one for every example, as an array of numbers; rows of labels as they are."""
    if not isinstance(targets, Sequence | np.ndarray):
        raise ArgumentError(f"Rows: targets are {shorten(targets)}", why="every example has a label, or a row of labels",
                            repair="give a list of them, or an array (N,)")
    if len(targets) and np.ndim(targets[0]):
        return targets
    labels = np.asarray(targets)
    if labels.dtype.kind not in "biuf":
        raise DTypeError(f"Rows: targets of type {labels.dtype}, not numbers", why="a network computes with real numbers",
                         repair="of classes: names, labels = np.unique(targets, return_inverse=True); of tokens: vocabulary.encode")
    return labels


def check_labelled(targets: Any) -> None:
    """Every example has a label that counts: the loss of a batch without any would be a mean of nothing."""
    idle = [i for i, row in enumerate(targets) if not (np.asarray(row) != IGNORED).any()]
    if idle:
        raise ArgumentError(f"Rows: example {idle[0]} has no label that counts", why=f"it has none, or all are {IGNORED}; so do "
                            f"{len(idle)} of {len(targets)} examples", repair="leave these out: there is nothing to learn from them")


def bucket(parts: Sequence[Sequence[Any]], targets: Any, members: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The arrays of a bucket: each part as long as its longest row there, at least 1."""
    arrays = [padded([part[i] for i in members], 0) for part in parts]
    return arrays, targets[members] if isinstance(targets, np.ndarray) else padded([targets[i] for i in members], IGNORED)


def padded(rows: list[Any], value: int) -> np.ndarray:
    return pad(rows, value, length=max(1, *map(len, rows)) if len(rows) > 1 else max(1, len(rows[0]))).values


def long_enough(ids: Any, least: int, owner: str) -> np.ndarray:
    tokens = checked_sequence(ids, owner)
    if len(tokens) < least:
        raise ShapeError(f"{owner}: a text of {len(tokens)} tokens", why=f"it takes at least {least}", repair="give a longer text")
    return tokens
