"""The protocol of a page's engine, and the frames that it hands to the page."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .messages import Message

TYPES = ("float32", "int32", "uint8")  # of arrays in a frame
ALIGNMENT = 8  # bytes: the page reads each array where it is


@dataclass(frozen=True)
class Frame:
    """What a page is to show: a header of JSON values, and arrays by name (float32, int32 or uint8).

    encode() gives one binary message: the length of the header (4 bytes, little-endian), the header in JSON, in which "arrays" lists
    name, dtype, shape and offset in bytes of each array, and the bytes of the arrays; offsets count from the message's first byte.

    >>> frame = Frame({"step": 3}, {"weights": np.zeros((2, 2), np.float32)})
    >>> len(frame.encode())
    112
    """

    header: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The frame as one binary message."""
        unknown = [name for name, array in self.arrays.items() if array.dtype.name not in TYPES]
        assert not unknown, f"arrays of a frame are {TYPES}; these are not: {unknown}"
        sizes = [aligned(array.nbytes) for array in self.arrays.values()]
        room = aligned(4 + len(self.header_bytes([10**9] * len(sizes))))
        offsets = [room + sum(sizes[:i]) for i in range(len(sizes))]
        header = self.header_bytes(offsets).ljust(room - 4)
        return b"".join([struct.pack("<I", len(header)), header, *map(padded, self.arrays.values())])

    def header_bytes(self, offsets: Sequence[int]) -> bytes:
        """The header in JSON, for arrays at these offsets."""
        arrays = [{"name": name, "dtype": array.dtype.name, "shape": list(array.shape), "offset": offset}
                  for (name, array), offset in zip(self.arrays.items(), offsets)]
        return json.dumps({**self.header, "arrays": arrays}, allow_nan=False, separators=(",", ":")).encode()


def aligned(size: int) -> int:
    """The next multiple of the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def padded(array: np.ndarray) -> bytes:
    """The bytes of an array, up to the alignment."""
    raw = np.ascontiguousarray(array).tobytes()
    return raw.ljust(aligned(len(raw)), b"\0")


@dataclass(frozen=True)
class Context:
    """What a session was opened for.

    run     the run folder that `slopes play RUN` names
    folder  the folder of runs
    shared  objects that a program hands over, by name, as `sl.play(net, data)` does
    """

    run: Path | None = None
    folder: Path = Path("runs")
    shared: Mapping[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """What computes for one page in one session; all methods are called by the session's own thread.

    The first message is an `Attached`: the page knows nothing yet, so that the next frame must show everything; it comes again when a
    page comes back. Errors of slopes that a method raises are shown on the page, with what, where, why and repair.
    """

    def handle(self, message: Message) -> Frame | None:
        """Do what a validated message of the page asks. A frame that is returned is the reply to it: it is sent always and in order,
        while what `frame` gives is left out when the page is slow."""

    def step(self, seconds: float) -> bool:
        """Work for about this long; whether there is more to do at once. Otherwise it is called again after the next message, or in a
        quarter of a second."""

    def frame(self) -> Frame | None:
        """What to show now; None when nothing changed since the last frame."""

    def close(self) -> None:
        """The session ends: let go of what is held."""
