"""Inputs that are read when they are needed: only their shape is known beforehand, and the next ones come while others are used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from ...workers import Workers

T = TypeVar("T")
END: Any = object()  # behind the last item


@runtime_checkable
class Streamed(Protocol):
    """What stands for the array of inputs of a data set that does not fit into memory.

    `gather(numbers)` reads the examples of these numbers, (n, ...) of `dtype`; it may be called from any thread.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, ...), as an array's."""

    @property
    def dtype(self) -> np.dtype:
        """As an array's."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> np.ndarray: ...

    def gather(self, numbers: np.ndarray) -> np.ndarray:
        """The examples of these numbers."""


def prefetched(gather: Callable[[np.ndarray], Any], parts: Iterable[np.ndarray]) -> Iterator[Any]:
    """gather(part) of each part in turn; while one is used, the next is read by another thread.

    What goes wrong while reading is raised where the part would have been given out.

    >>> [part.tolist() for part in prefetched(np.square, [np.array([1, 2]), np.array([3])])]
    [[1, 4], [9]]
    """
    with Workers(1, thread_name_prefix="slopes-prefetch") as ahead:
        waiting = None
        for part in parts:
            coming = ahead.submit(gather, part)
            if waiting is not None:
                yield waiting.result()
            waiting = coming
        if waiting is not None:
            yield waiting.result()


def read_ahead(items: Iterable[T]) -> Iterator[T]:
    """The items; while one is used, the next is made by another thread.

    What goes wrong in making an item is raised where it would have been given out.

    >>> list(read_ahead(i * i for i in range(3)))
    [0, 1, 4]
    """
    iterator = iter(items)
    with Workers(1, thread_name_prefix="slopes-prefetch") as ahead:
        coming = ahead.submit(next, iterator, END)
        while (item := coming.result()) is not END:
            coming = ahead.submit(next, iterator, END)
            yield item
