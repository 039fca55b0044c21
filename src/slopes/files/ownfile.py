"""Files written incrementally: create a new one or continue our own, never writing through a link."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import BinaryIO

from .reading import Path

NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def is_own(path: Path) -> bool:
    """Whether `path` is a regular file with a single name: neither a symbolic link nor one of several hard links."""
    try:
        state = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(state.st_mode) and state.st_nlink == 1


def open_own(path: Path) -> BinaryIO:
    """Open `path` for reading and writing, creating it if needed; a link or device of that name is removed first."""
    if not is_own(path):
        return new_file(path)
    return os.fdopen(os.open(path, os.O_RDWR | NO_LINKS), "r+b")


def new_file(path: Path) -> BinaryIO:
    """Create an empty file, replacing whatever had that name; links are removed, not followed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return open(path, "x+b")
