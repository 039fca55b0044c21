"""Feeds: data whose batches are made as they are needed, because they are no rows of one array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ...errors import missing_method

IGNORED = -100  # the label of what is not to be learned or measured, such as filling


class Batch(NamedTuple):
    """What a net sees in a step: inputs, one array or a tuple of them, and integer targets; targets of IGNORED do not count."""

    inputs: Any
    targets: np.ndarray

    @property
    def counted(self) -> int:
        """How many targets count."""
        return int((self.targets != IGNORED).sum())


class Feed:
    """What `sl.fit` and `sl.evaluate` take besides arrays: an epoch is a stream of batches, of few different shapes.

    Batches of one shape that follow each other are one native call; each shape is compiled once. A feed with `carries` promises
    that row b of each batch goes on where row b of the batch before stopped: the net then has `read(inputs, state) -> (outputs,
    state)`, and its state is carried through the epoch. Several inputs (a tuple) are several arguments of the net.

    >>> from slopes import data
    >>> class Countdown(data.Feed):
    ...     def steps(self, batch_size):
    ...         return 3
    ...     def size(self, batch_size):
    ...         return 3 * batch_size
    ...     def batches(self, batch_size, seed=None, epoch=0):
    ...         for k in range(3, 0, -1):
    ...             yield data.Batch(np.full((batch_size, 1), k, np.float32), np.zeros(batch_size, np.int64))
    >>> [float(batch.inputs.mean()) for batch in Countdown().batches(2)]
    [3.0, 2.0, 1.0]
    """

    carries = False

    def steps(self, batch_size: int) -> int:
        """The number of batches of an epoch."""
        raise missing_method(self, "steps")

    def size(self, batch_size: int) -> int:
        """The number of targets of an epoch that count."""
        raise missing_method(self, "size")

    def batches(self, batch_size: int, seed: int | None = None, epoch: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, a pure function of the arguments; without a seed in the stored order, every target once."""
        raise missing_method(self, "batches")
