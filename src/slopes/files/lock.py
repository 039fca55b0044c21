"""A lock file between processes: the system releases it when its holder exits or is killed."""

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
        """Acquire the lock if it is free."""
        with contextlib.suppress(OSError):
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            return True
        return False

    def unlock(file: BinaryIO) -> None:
        """Release the lock."""
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def try_lock(file: BinaryIO) -> bool:
        """Acquire the lock if it is free."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def unlock(file: BinaryIO) -> None:
        """Release the lock, also for child processes forked meanwhile, which share the open file."""
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)


class Held(threading.local):
    """The locks that this thread holds or waits for."""

    def __init__(self) -> None:
        self.paths: set[str] = set()


held = Held()


@contextlib.contextmanager
def only_once(path: str) -> Iterator[None]:
    """SaveError if this thread already holds or waits for the lock: it would wait for itself."""
    if path in held.paths:
        raise SaveError(f"{path} is already locked by this thread", why="a signal handler interrupted code that works on these files",
                        repair="set a flag in the handler, and act on it afterwards")
    held.paths.add(path)
    try:
        yield
    finally:
        held.paths.discard(path)


@contextlib.contextmanager
def locked(path: str | os.PathLike[str], pause: float = 0.05) -> Iterator[None]:
    """Hold the lock file `path` during the block, waiting for other threads and processes; the empty file remains.

    Raises SaveError when the file cannot be created, is a link, or the file system has no locks, and when this thread already
    holds the lock (as in a signal handler): it would wait for itself.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_once(os.path.realpath(path)))
        with saving(path):
            file = stack.enter_context(os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o666), "r+b"))
            while not try_lock(file):
                time.sleep(pause)
            stack.callback(unlock, file)
        yield
