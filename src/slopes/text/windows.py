"""Batches of one long sequence: continuous streams, random windows, sliding windows."""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np

from ..data.loaders.order import WINDOWS, check_words
from ..errors import ArgumentError, ShapeError
from .vocabulary import check_whole


class NextTokens(NamedTuple):
    """The inputs of a language model and its targets, the inputs shifted by one token."""

    inputs: np.ndarray
    targets: np.ndarray


def streams(ids: Any, batch_size: int, steps: int, ignore: int | None = None) -> NextTokens:
    """A long text as `batch_size` parallel streams, in K batches of `steps` tokens: inputs and targets (K, B, T).

    ids: (N,) integers. The N - 1 pairs (token, next token) are divided into B equal streams, and row b of batch k + 1 continues
    row b of batch k: a recurrent network carries its state from batch to batch and is trained through the `steps` of one
    (truncated backpropagation through time). Pairs that do not fill a batch are dropped; with `ignore`, every pair occurs once,
    the streams are padded with token 0, and the targets of the padding are `ignore`, which the loss ignores.
    Raises ShapeError for a text too short for one batch.

    >>> from slopes import text
    >>> found = text.streams(range(14), batch_size=2, steps=3)
    >>> found.inputs.tolist()
    [[[0, 1, 2], [6, 7, 8]], [[3, 4, 5], [9, 10, 11]]]
    >>> found.targets[0].tolist()
    [[1, 2, 3], [7, 8, 9]]
    """
    ids = checked_sequence(ids, "streams")
    check_whole(batch_size=batch_size, steps=steps)
    pairs = len(ids) - 1
    length = pairs // batch_size if ignore is None else ceil(pairs / batch_size)  # of a stream
    count = length // steps if ignore is None else ceil(length / steps)
    if pairs < 1 or not count:
        raise ShapeError(f"streams: {len(ids)} tokens do not fill one batch", repair="use a smaller batch_size or fewer steps",
                         why=f"{batch_size} streams of {steps} steps, and the token after each, need {batch_size * steps + 1}")
    shape = batch_size, length, count, steps
    return NextTokens(to_batches(ids[:-1], shape, 0), to_batches(ids[1:], shape, 0 if ignore is None else ignore))


def to_batches(part: np.ndarray, shape: tuple[int, int, int, int], filling: int) -> np.ndarray:
    """Tokens (N,) as streams (B, length), and these as batches (K, B, T), truncated or padded."""
    rows, length, count, steps = shape
    streams = fit_length(part, rows * length, filling).reshape(rows, length)
    return np.stack([fit_length(row, count * steps, filling) for row in streams]).reshape(rows, count, steps).swapaxes(0, 1).copy()


def fit_length(row: np.ndarray, size: int, filling: int) -> np.ndarray:
    return np.concatenate((row[:size], np.full(max(0, size - len(row)), filling, np.int64)))


def random_windows(ids: Any, length: int, count: int, seed: int, step: int = 0) -> NextTokens:
    """`count` random windows of `length` tokens of a long text, with the next tokens as targets: (count, length) each.

    A pure function of its arguments: the starts of training step `step` are the words of Philox4x64-10 with key (seed, 3) and
    counter (1, 0, step, 0) on, modulo the number of starts. Raises ShapeError for a text of fewer than length + 1 tokens.

    >>> from slopes import text
    >>> found = text.random_windows(range(100), length=4, count=2, seed=0)
    >>> bool((found.targets == found.inputs + 1).all())
    True
    """
    ids = checked_sequence(ids, "random_windows")
    check_whole(length=length, count=count)
    check_words(seed=seed, step=step)
    starts = len(ids) - length
    if starts < 1:
        raise ShapeError(f"random_windows: {len(ids)} tokens hold no window of {length} and the token after it",
                         repair=f"use length={max(1, len(ids) - 1)} or less, or a longer text")
    key, counter = np.array([seed, WINDOWS], np.uint64), np.array([0, 0, step, 0], np.uint64)
    first = (np.random.Philox(key=key, counter=counter).random_raw(count) % np.uint64(starts)).astype(np.int64)
    indices = first[:, None] + np.arange(length)
    return NextTokens(ids[indices], ids[indices + 1])


def sliding_windows(sequence: Any, length: int, stride: int = 1) -> np.ndarray:
    """All windows of `length` elements, `stride` apart: (T, ...) -> (N, length, ...), a read-only view.

    N = (T - length) // stride + 1. For inputs and targets, use `windows[:, :-1]` and `windows[:, 1:]` of windows one longer.
    Raises ShapeError for a window longer than the sequence.

    >>> from slopes import text
    >>> text.sliding_windows([1, 2, 3, 4, 5], length=3, stride=2)
    array([[1, 2, 3],
           [3, 4, 5]])
    """
    sequence = np.asarray(sequence)
    check_whole(length=length, stride=stride)
    if not sequence.ndim or len(sequence) < length:
        raise ShapeError(f"sliding_windows: a window of {length} is longer than the sequence of shape {sequence.shape}",
                         repair="use a shorter window")
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(sequence, length, axis=0)[::stride], -1, 1)


def checked_sequence(ids: Any, owner: str) -> np.ndarray:
    array = np.asarray(ids)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ArgumentError(f"{owner}: ids are {array.dtype} of shape {array.shape}", why="a text is one row of the numbers of its tokens",
                            repair="encode it: vocabulary.encode(tokens)")
    return array.astype(np.int64, copy=False)
