"""A state of named arrays in one block of bytes: many small arrays take several times the memory of what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Layout = tuple[tuple[str, np.dtype[Any], tuple[int, ...]], ...]  # name, type and shape of each array


@dataclass(frozen=True)
class PackedState:
    """The bytes of arrays, one after the other, and how to read them; states of one training share their layout."""

    layout: Layout
    data: bytes

    @property
    def size(self) -> int:
        """Bytes, about: those of the arrays, and of the objects around them."""
        return len(self.data) + 300


def pack(state: Mapping[str, np.ndarray], layouts: dict[Layout, Layout]) -> PackedState:
    """The state as one block; `layouts` are those that earlier states have, so that equal ones are held once.

    >>> packed = pack({"a": np.arange(3, dtype=np.int32), "b": np.array(0.5)}, {})
    >>> len(packed.data)
    20
    >>> unpack(packed)["b"]
    array(0.5)
    """
    layout: Layout = tuple((name, array.dtype, array.shape) for name, array in state.items())
    return PackedState(layouts.setdefault(layout, layout), b"".join(array.tobytes() for array in state.values()))


def unpack(packed: PackedState) -> dict[str, np.ndarray]:
    """The arrays by name, each with memory of its own."""
    state, offset = {}, 0
    for name, dtype, shape in packed.layout:
        array = np.empty(shape, dtype)
        size = array.nbytes
        array[...] = np.frombuffer(packed.data[offset : offset + size], dtype).reshape(shape)
        state[name], offset = array, offset + size
    return state
