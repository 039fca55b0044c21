"""A lock between processes on one file: released by the system when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

from .atomic import saving
from .ownfile import NO_LINKS

if sys.platform == "win32":
    import msvcrt

    def try_lock(file: BinaryIO) -> bool:
        """Take the lock if nobody has it."""
        with contextlib.suppress(OSError):
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            return True
        return False
else:
    import fcntl

    def try_lock(file: BinaryIO) -> bool:
        """Take the lock if nobody has it."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False


@contextlib.contextmanager
def locked(path: str | os.PathLike[str], pause: float = 0.05) -> Iterator[None]:
    """Wait until nobody else, thread or process, is in a block with this path; the empty file `path` stays behind.

    Raises SaveError when the file cannot be made, is a link, or the file system has no locks.
    """
    with contextlib.ExitStack() as stack:
        with saving(path):
            file = stack.enter_context(os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o666), "r+b"))
            while not try_lock(file):
                time.sleep(pause)
        yield
