"""The losses and epochs of a long training in little memory: arrays of numbers in place of a list of objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, MutableSequence
from typing import Any, SupportsIndex, cast, overload

from ...train.history import Epoch, History

FIELDS = ("loss", "examples", "steps", "seconds")
GROUPS = ("metrics", "validation")


class Losses(array):  # type: ignore[type-arg]  # array takes no type at run time before Python 3.12
    """A list of losses in 8 bytes each, a fifth of what a list takes; a slice may be set to any figures.

    >>> losses = Losses("d", [0.5, 0.25])
    >>> losses[:] = [1.0]
    >>> losses.extend([0.75])
    >>> losses.tolist()
    [1.0, 0.75]
    """

    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        super().__setitem__(index, array("d", value) if isinstance(index, slice) else value)


class Epochs(MutableSequence[Epoch]):
    """A list of epochs that holds a column of numbers for each of their fields, and makes an Epoch when one is asked for.

    All epochs have the same metrics, and each one's number is its index.
    """

    def __init__(self, epochs: Iterable[Epoch] = ()) -> None:
        self.columns: dict[str, array[float]] = {}
        self.extend(epochs)

    def column(self, name: str) -> array[float]:
        """The figures of all epochs: "loss", "validation.loss", "metrics.accuracy", ..."""
        return self.columns.get(name, array("d"))

    def copy(self) -> Epochs:
        """The same epochs, in columns of their own."""
        epochs = Epochs()
        epochs.columns = {name: column[:] for name, column in self.columns.items()}
        return epochs

    def __len__(self) -> int:
        return len(self.column("loss"))

    @overload
    def __getitem__(self, index: int) -> Epoch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Epoch]: ...  # type: ignore[override]
    def __getitem__(self, index: int | slice) -> Epoch | list[Epoch]:
        if isinstance(index, slice):
            return [self.epoch(i) for i in range(*index.indices(len(self)))]
        return self.epoch(range(len(self))[index])

    def __iter__(self) -> Iterator[Epoch]:
        return (self.epoch(i) for i in range(len(self)))

    def epoch(self, i: int) -> Epoch:
        """The epoch of an index from 0 on."""
        row = {name: column[i] for name, column in self.columns.items()}
        metrics, validation = ({name.removeprefix(f"{group}."): value for name, value in row.items() if name.startswith(f"{group}.")}
                               for group in GROUPS)
        return Epoch(i, row["loss"], metrics, validation, int(row["examples"]), int(row["steps"]), row["seconds"])

    def __setitem__(self, index: int | slice, value: Epoch | Iterable[Epoch]) -> None:
        del self[index]
        if isinstance(index, slice):
            start = index.indices(len(self))[0]
            for i, epoch in enumerate(cast(Iterable[Epoch], value)):
                self.insert(start + i, epoch)
        else:
            self.insert(index, cast(Epoch, value))

    def __delitem__(self, index: int | slice) -> None:
        for column in self.columns.values():
            del column[index]

    def insert(self, index: int, value: Epoch) -> None:
        """Add an epoch before an index."""
        row = {name: getattr(value, name) for name in FIELDS} | {
            f"{group}.{name}": figure for group in GROUPS for name, figure in getattr(value, group).items()}
        for name, figure in row.items():
            self.columns.setdefault(name, array("d")).insert(index, figure)


def compact(history: History) -> None:
    """Let a history that is empty keep what happens in little memory."""
    assert not history.losses and not history.epochs
    history.losses, history.epochs = cast(list[float], Losses("d")), cast(list[Epoch], Epochs())


def copy_record(history: History) -> History:
    """A compact history with figures of its own."""
    losses, epochs = cast(Losses, history.losses), cast(Epochs, history.epochs)
    return History(cast(list[float], losses[:]), cast(list[Epoch], epochs.copy()), history.seconds, history.compile_seconds)
