"""Files that are written bit by bit: new ones, or our own continued, and never through a link to something else."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import BinaryIO

from .reading import Path

NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def is_own(path: Path) -> bool:
    """Whether there is a regular file that has no other name: no link, through which something else would be written."""
    try:
        state = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(state.st_mode) and state.st_nlink == 1


def opened_own(path: Path) -> BinaryIO:
    """A file to read and to write on, made if need be; a link or a device of that name is removed first, never written through."""
    if not is_own(path):
        return new_file(path)
    return os.fdopen(os.open(path, os.O_RDWR | NO_LINKS), "r+b")


def new_file(path: Path) -> BinaryIO:
    """A new empty file to write to, in the place of whatever had that name; links are removed, not followed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return open(path, "x+b")
