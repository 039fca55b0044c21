"""The right to write into a folder, which one process has at a time and which ends with it, however it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import SaveError
from .atomic import saving
from .lock import try_lock, unlock
from .ownfile import NO_LINKS

CLAIM = ".slopes-claim"
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)  # errors of file systems that have no locks
MOST_OWNER = 300  # bytes
OFFSET = 1  # of the owner's name in the file: the first byte is what Windows locks, and then nobody can read it

held: set[BinaryIO] = set()


@contextlib.contextmanager
def claimed(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Be the only one to write into `folder` during the block.

    A locked file says who writes; the system releases the lock when its owner exits or is killed. On file systems without locks the
    file itself is the claim, and it is void when no such process is left on this machine. Raises SaveError when another process or
    thread has the folder, and when the file cannot be created.
    """
    path = Path(folder) / CLAIM
    with saving(path):
        file = acquire(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # on Windows open files cannot be removed
            os.unlink(path)
        release(file)


def acquire(path: Path) -> BinaryIO:
    """The file, locked and with this process's name in it; SaveError when it is another's."""
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o666), "r+b", buffering=0)
        try:
            if not is_free(file):
                raise refusal(path, read_owner(file))
            if os.path.exists(path) and os.path.samestat(os.fstat(file.fileno()), os.stat(path)):  # else its owner has just removed it
                write_owner(file)
                held.add(file)
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def is_free(file: BinaryIO) -> bool:
    """Lock the file if it is free; without locks, whether its owner is gone."""
    try:
        return try_lock(file)
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        return not is_alive(read_owner(file))


def is_claimed(folder: str | os.PathLike[str]) -> bool:
    """Whether a process that may still run writes into `folder`; without taking the lock, where there is another way to know."""
    with contextlib.suppress(OSError), open(Path(folder) / CLAIM, "rb", buffering=0) as file:
        return not try_lock(file) if sys.platform == "win32" else is_alive(read_owner(file))
    return False


def is_alive(owner: str) -> bool:
    """Whether `PID on HOST` may still run: of another host nobody knows."""
    process, _, host = owner.partition(" on ")
    if not process.isdecimal():
        return False
    if host != socket.gethostname():
        return True
    with contextlib.suppress(ProcessLookupError):
        with contextlib.suppress(PermissionError):
            os.kill(int(process), 0)
        return True
    return False


def read_owner(file: BinaryIO) -> str:
    """`PID on HOST`, or "" where nobody has written it yet."""
    file.seek(OFFSET)
    return file.read(MOST_OWNER).decode("utf-8", "replace")


def write_owner(file: BinaryIO) -> None:
    """Say who has the folder."""
    file.seek(OFFSET)
    file.truncate()
    file.write(f"{os.getpid()} on {socket.gethostname()}".encode()[:MOST_OWNER])


def release(file: BinaryIO) -> None:
    """Give the folder back."""
    held.discard(file)
    with contextlib.suppress(OSError):
        unlock(file)
    file.close()


def refusal(path: Path, owner: str) -> SaveError:
    """The error for a folder that somebody else writes."""
    writer = "this process" if owner.partition(" on ")[0] == str(os.getpid()) else f"process {owner}" if owner else "another process"
    return SaveError(f"{path.parent} is being written by {writer} already",
                     why="two trainings in one folder would overwrite each other's checkpoints",
                     repair=f"wait until it ends, or name another folder; if it runs no more, remove {path.name} there")


def forget_in_child() -> None:
    """A forked process has no part in the claims: it closes its copies, or they would outlive their owner."""
    for file in held:
        with contextlib.suppress(OSError):
            file.close()
    held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_in_child)
