"""Memory for the intermediate values of programs that run one after the other."""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import ref

import numpy as np

from ..costs import LARGE_ARENA
from ..errors import TooLargeError
from .buffer import aligned_bytes, available_memory, give_back_freed


class Block(NamedTuple):
    """Aligned memory: who holds the block keeps it alive."""

    memory: np.ndarray | None
    address: int
    size: int


NOTHING = Block(None, 0, 0)


class Arena:
    """A block as large as the largest of the programs needs that use it, and as long-lived as they are.

    A program writes an intermediate value before it reads it, so that two programs may use the same memory in turn: what one of them
    left in the processor's caches is what the other writes to next.
    """

    def __init__(self) -> None:
        self.block = NOTHING
        self._sizes: dict[ref[Any], int] = {}  # of programs that made the block grow

    def grow(self, user: Any, size: int) -> Block:
        """A block of at least so many bytes for this program; raises TooLargeError where memory has not that many."""
        if self.block.size < size:
            self.block = NOTHING  # the old one makes room for the new
            self.block = allocate(size)
        self._sizes[ref(user, self._release)] = size
        return self.block

    def _release(self, user: ref[Any]) -> None:
        """A program is gone: the block too, if it is larger than the others asked for. One that runs just now holds it."""
        self._sizes.pop(user, None)
        if self.block.size > max(self._sizes.values(), default=0):
            self.block = NOTHING


def allocate(size: int) -> Block:
    """A new block."""
    if size >= LARGE_ARENA:
        give_back_freed()
    free = available_memory()
    if free is not None and size > free:
        raise no_memory(size, f"but {free / 2**30:,.1f} GiB are free")
    try:
        memory = aligned_bytes(max(size, 64))
    except (MemoryError, ValueError) as error:  # NumPy's word for more than any address is ValueError
        raise no_memory(size, "but the system refuses them") from error
    return Block(memory, memory.ctypes.data, size)


def no_memory(size: int, but: str) -> TooLargeError:
    return TooLargeError(f"a program needs {size / 2**30:,.1f} GiB for its intermediate values, {but}",
                         why="what forward and backward pass compute stays in memory until it is used",
                         repair="take a smaller batch, or a smaller network")
