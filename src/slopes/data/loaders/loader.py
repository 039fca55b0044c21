"""Loaders: everything that `sl.fit` and `sl.evaluate` learn from and measure on gives the batches of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ...errors import missing_method
from .inputs import map_inputs
from .order import batches as index_batches
from .order import number_of_batches

IGNORED = -100  # the label of targets that are neither learned nor measured, such as padding


class Batch(NamedTuple):
    """The input of one step: inputs, one array or a tuple of them, and targets; integer targets of IGNORED do not count."""

    inputs: Any
    targets: np.ndarray

    @property
    def counted(self) -> int:
        """How many targets count."""
        return int((self.targets != IGNORED).sum())


class Loader:
    """The base of everything that `sl.fit` and `sl.evaluate` take: an epoch is a sequence of batches, of few different shapes.

    A subclass defines `steps`, `size` and `batches`. Batches of one shape that follow each other are one native call; each shape is
    compiled once. Several inputs (a tuple) are several arguments of the net. A data set with arrays is a loader, too
    (`data.Dataset`, `data.image_folder`); of these, `fit` gathers the examples itself.

    carries     whether row b of each batch goes on where row b of the batch before stopped: the net then has
                `read(inputs, state) -> (outputs, state)`, and its state is carried through the epoch
    usual_loss  the name of the loss, a function of slopes.nn, that `fit` takes where no other is asked for
    labelled    whether targets are class labels, one for each example: accuracy is then measured where nothing else is asked for

    >>> from slopes import data
    >>> class Countdown(data.Loader):
    ...     def steps(self, batch_size):
    ...         return 3
    ...     def size(self, batch_size):
    ...         return 3 * batch_size
    ...     def batches(self, batch_size, seed=None, epoch=0, start=0):
    ...         for k in range(3 - start, 0, -1):
    ...             yield data.Batch(np.full((batch_size, 1), k, np.float32), np.zeros(batch_size, np.int64))
    >>> [float(batch.inputs.mean()) for batch in Countdown().batches(2)]
    [3.0, 2.0, 1.0]
    """

    __slots__ = ()
    carries = False

    @property
    def usual_loss(self) -> str:
        """The name of the loss where none is asked for."""
        return "token_cross_entropy"

    @property
    def labelled(self) -> bool:
        """Whether targets are class labels, one for each example."""
        return False

    def steps(self, batch_size: int) -> int:
        """The number of batches of an epoch."""
        raise missing_method(self, "steps")

    def size(self, batch_size: int) -> int:
        """The number of targets of an epoch that count."""
        raise missing_method(self, "size")

    def batches(self, batch_size: int, seed: int | None = None, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from batch `start` on, a pure function of the arguments; without a seed in the stored order, every
        target once."""
        raise missing_method(self, "batches")


class ArrayLoader(Loader):
    """A loader whose examples lie in arrays `inputs` (N, ...), or a tuple of such, and `targets` (N, ...)."""

    __slots__ = ()
    inputs: Any
    targets: np.ndarray

    @property
    def usual_loss(self) -> str:
        """The squared error for floats, the cross-entropy for class labels."""
        return usual_loss(self.targets)

    @property
    def labelled(self) -> bool:
        """Whether targets are integers."""
        return np.issubdtype(self.targets.dtype, np.integer)

    def steps(self, batch_size: int) -> int:
        """The number of batches of an epoch, the last partial one included."""
        return number_of_batches(len(self.targets), batch_size)

    def size(self, batch_size: int) -> int:
        """The number of examples."""
        return len(self.targets)

    def batches(self, batch_size: int, seed: int | None = None, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Consecutive parts of `data.order(seed, epoch, N)`, the last possibly smaller; without a seed in the stored order.

        >>> from slopes import data
        >>> toy = data.Dataset(np.zeros((5, 3)), [0, 1, 2, 3, 4])
        >>> [(batch.inputs.shape, batch.targets.tolist()) for batch in toy.batches(2, start=1)]
        [((2, 3), [2, 3]), ((1, 3), [4])]
        """
        parts = index_batches(seed, epoch, len(self.targets), batch_size, start)
        return (Batch(take_examples(self.inputs, indices), self.targets.take(indices, axis=0)) for indices in parts)


def take_examples(inputs: Any, indices: np.ndarray) -> Any:
    """The examples of these indices, of each input."""
    return map_inputs(lambda array: array.take(indices, axis=0) if isinstance(array, np.ndarray) else array[indices], inputs)


def usual_loss(targets: np.ndarray) -> str:
    """The name of the usual loss for these targets: floats are numbers to be given, everything else is a class."""
    return "mse_loss" if targets.dtype.kind == "f" else "cross_entropy"
