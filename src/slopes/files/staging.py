"""Several files that take their places together, or not at all, wherever the process is killed; nothing of killed ones stays.

The files are written into a folder beside their places. Its renaming to COMMITTED is the moment from which on they count: what
lies in COMMITTED stands for the file of the same name in the folder itself, until it has been moved there. Whoever finds a
COMMITTED, because a process was killed while it moved files, may go on moving. A staging file or folder is locked by the process
that writes it; the system unlocks it when the process ends, and the next process that writes there removes it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

COMMITTED = ".slopes-committed"
STAGED = re.compile(r"\.slopes-[0-9a-f]{16}\.tmp")
STALE = 24 * 3600.0  # seconds after which staging files are removed where the file system has no locks
TRIES = 100  # of two processes that save into the same folder at once, one may have to wait until the other has moved its files


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """An empty folder to write files into: when the block ends well, they take their places in `folder`, all at one moment."""
    with staging_folder(folder) as stage:
        yield stage
        commit(stage, folder)


@contextlib.contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """An empty folder in `folder` that vanishes at the end of the block, or is removed by others if this process is killed."""
    remove_abandoned(folder)
    stage, handle = begin(folder)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def begin(folder: Path) -> tuple[Path, int | None]:
    """A new staging folder and the handle that keeps it locked, where there are such locks."""
    while True:
        stage = folder / staging_name()
        os.mkdir(stage, 0o700)
        if sys.platform == "win32":
            return stage, None
        handle = os.open(stage, os.O_RDONLY)
        if keep(handle, stage):
            return stage, handle
        os.close(handle)


def staging_name() -> str:
    """A name that nobody else uses, and by which `remove_abandoned` knows what may be removed."""
    return f".slopes-{secrets.token_hex(8)}.tmp"


def keep(handle: int, path: str | os.PathLike[str]) -> bool:
    """Lock what was just made; False when another process took it for abandoned before it was locked."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks: age decides there
            fcntl.flock(handle, fcntl.LOCK_EX)
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(handle), os.lstat(path)):
            return True
    return False


def commit(stage: Path, folder: Path) -> None:
    """Let the staged files count from now on, and move them to their places."""
    flush_folder(stage)
    for number in range(TRIES):
        finish(folder)
        try:
            os.rename(stage, folder / COMMITTED)
            break
        except OSError:
            if number == TRIES - 1 or not (folder / COMMITTED).exists():
                raise
            time.sleep(0.01)
    flush_folder(folder)
    finish(folder)


def finish(folder: Path) -> None:
    """Move the files of COMMITTED to their places, wherever that was broken off; several processes may do it at once."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder / COMMITTED):
            with contextlib.suppress(FileNotFoundError):
                os.replace(folder / COMMITTED / name, folder / name)
        flush_folder(folder)
        with contextlib.suppress(OSError):  # another process has committed files meanwhile, and moves them
            os.rmdir(folder / COMMITTED)


def current(folder: str | os.PathLike[str], name: str) -> str:
    """Where the file that counts as `name` is in the folder."""
    moved = os.path.join(COMMITTED, name)
    return moved if os.path.lexists(os.path.join(folder, moved)) else name


def holds(folder: str | os.PathLike[str], name: str) -> bool:
    """Whether a file counts as `name` in the folder; asked in the order in which files move, so that none is missed."""
    return any(os.path.isfile(os.path.join(folder, each)) for each in (os.path.join(COMMITTED, name), name))


def remove_abandoned(folder: str | os.PathLike[str]) -> None:
    """Remove what processes that were killed have left half written in a folder."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if STAGED.fullmatch(name):
                with contextlib.suppress(OSError):
                    remove_if_abandoned(os.path.join(folder, name))


def remove_if_abandoned(path: str) -> None:
    """Remove a staging file or folder unless a living process has it locked."""
    if sys.platform == "win32":
        remove_if_stale(path)
        return
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(path)
    except BlockingIOError:
        return
    except OSError:
        remove_if_stale(path)
    finally:
        os.close(handle)


def remove_if_stale(path: str) -> None:
    """Where nobody can tell who has it: remove it when it is a day old."""
    if time.time() - os.lstat(path).st_mtime > STALE:
        remove(path)


def remove(path: str) -> None:
    """Remove a file, or a folder with all in it."""
    if stat.S_ISDIR(os.lstat(path).st_mode):
        shutil.rmtree(path, ignore_errors=True)
    else:
        os.unlink(path)


def flush_folder(folder: str | os.PathLike[str]) -> None:
    """Wait until the disk has the new names too, where the system offers that: the contents are safe already."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
