"""A lock between processes on one file: released by the system when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import SaveError
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

    def unlock(file: BinaryIO) -> None:
        """Give the lock back."""
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def try_lock(file: BinaryIO) -> bool:
        """Take the lock if nobody has it."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def unlock(file: BinaryIO) -> None:
        """Give the lock back, also for child processes that were forked meanwhile and have the file open."""
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)


class Held(threading.local):
    """The locks that this thread has or waits for."""

    def __init__(self) -> None:
        self.paths: set[str] = set()


held = Held()


@contextlib.contextmanager
def only_once(path: str) -> Iterator[None]:
    """Refuse a lock that this very thread has or waits for."""
    if path in held.paths:
        raise SaveError(f"{path} is locked by this very thread", why="a signal handler interrupted what works on these files",
                        repair="let the handler set a flag, and act on it afterwards")
    held.paths.add(path)
    try:
        yield
    finally:
        held.paths.discard(path)


@contextlib.contextmanager
def locked(path: str | os.PathLike[str], pause: float = 0.05) -> Iterator[None]:
    """Wait until nobody else, thread or process, is in a block with this path; the empty file `path` stays behind.

    Raises SaveError when the file cannot be made, is a link, or the file system has no locks, and in a block with this path of the
    same thread, which a signal handler has interrupted: it would wait for itself.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_once(os.path.realpath(path)))
        with saving(path):
            file = stack.enter_context(os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o666), "r+b"))
            while not try_lock(file):
                time.sleep(pause)
            stack.callback(unlock, file)
        yield
