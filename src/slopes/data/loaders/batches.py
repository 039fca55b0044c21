"""Batches for loops written in Python: arrays gathered in memory, in the order of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .dataset import Dataset
from .inputs import each_input
from .order import batches as index_batches


def batches(dataset: Dataset, batch_size: int, seed: int | None = None, epoch: int = 0,
            start: int = 0) -> Iterator[tuple[Any, np.ndarray]]:
    """The (inputs, targets) of each batch, the last possibly smaller; `start` skips that many batches, for resuming.

    With a seed in the order of `data.order(seed, epoch, len(dataset))`, without one as stored. Raises ArgumentError for a batch
    size below 1.

    >>> from slopes import data
    >>> toy = data.Dataset(np.zeros((5, 3)), [0, 1, 2, 3, 4])
    >>> [(x.shape, y.tolist()) for x, y in data.batches(toy, 2)]
    [((2, 3), [0, 1]), ((2, 3), [2, 3]), ((1, 3), [4])]
    """
    sequence = index_batches(seed, epoch, len(dataset), batch_size, start)
    return ((taken(dataset.inputs, index), dataset.targets.take(index, axis=0)) for index in sequence)


def taken(inputs: Any, index: np.ndarray) -> Any:
    """The examples of these numbers, of each input."""
    return each_input(lambda each: each.take(index, axis=0), inputs)
