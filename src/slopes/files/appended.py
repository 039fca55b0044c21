"""A file that only grows: what is appended is on the disk before anything else counts on it, and has a length and a digest."""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from .atomic import flush, saving
from .ownfile import open_own
from .reading import Path, opened, read_exactly, refused


class Prefix(NamedTuple):
    """The first bytes of a file: how many, and their SHA-256 so far.

    >>> Prefix.of(b"one line\\n").length
    9
    """

    length: int
    hash: hashlib._Hash

    @classmethod
    def of(cls, data: bytes) -> Prefix:
        """The prefix that consists of these bytes."""
        return cls(len(data), hashlib.sha256(data))

    @property
    def digest(self) -> str:
        """The SHA-256 of the bytes, in hexadecimal digits."""
        return self.hash.hexdigest()

    def extended(self, data: bytes) -> Prefix:
        """This prefix followed by more bytes."""
        longer = self.hash.copy()
        longer.update(data)
        return Prefix(self.length + len(data), longer)


def append(path: Path, prefix: Prefix, data: bytes) -> Prefix:
    """Write `data` behind the prefix of a file and flush it to the disk; whatever else lay behind it is dropped.

    Returns the longer prefix. After a failure the file still begins with the old one. Raises SaveError when the file cannot be written.
    """
    with saving(path), open_own(path) as file:
        file.seek(prefix.length)
        file.truncate()
        file.write(data)
        flush(file)
    return prefix.extended(data)


def read_prefix(path: Path, length: int, digest: str) -> bytes:
    """The first `length` bytes of a file; what lies behind them is not looked at.

    Raises DataError for a shorter file, and for bytes with another SHA-256.
    """
    with opened(path) as source:
        if not 0 <= length <= source.size:
            raise refused(path, "size", f"{source.size} bytes, but {length} were written", why="the end of the file was lost",
                          repair="restore the file from a copy, or train again")
        data = read_exactly(source.stream, length, path, "lines")
    actual = hashlib.sha256(data).hexdigest()
    if actual != digest:
        raise refused(path, "lines", f"their SHA-256 begins with {actual[:12]}, not with {digest[:12]}",
                      why=f"the first {length} bytes of {os.path.basename(path)} were changed after they were written",
                      repair="restore the file from a copy, or train again")
    return data


def read_more(path: Path, prefix: Prefix, length: int, digest: str) -> tuple[bytes, Prefix] | None:
    """What was appended to a file behind a prefix of it that is known, up to `length` bytes, and the longer prefix.

    None where the file was written anew: the SHA-256 of its first `length` bytes is not `digest`, or there are fewer.
    """
    with opened(path) as source:
        if not prefix.length <= length <= source.size:
            return None
        source.stream.seek(prefix.length)
        data = read_exactly(source.stream, length - prefix.length, path, "lines")
    longer = prefix.extended(data)
    return (data, longer) if longer.digest == digest else None
