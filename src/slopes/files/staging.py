"""Write several files as one transaction: all appear, or none, even if the process is killed.

The files are written to a staging folder inside the target folder. Renaming it to COMMITTED commits the transaction: from then on
a file in COMMITTED shadows the file of the same name in the target folder, until it has been moved there. If a process is killed
while moving files, any other process may finish the work. Staging files and folders are locked by the process that writes them;
the system releases the lock when the process ends, and the next writer removes what was abandoned.
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
STALE = 24 * 3600.0  # seconds after which staging files are removed on file systems without locks
TRIES = 100  # attempts to commit while another process moves its files


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """An empty folder to write files into; if the block succeeds, they all appear in `folder` at once."""
    with staging_folder(folder) as stage:
        yield stage
        commit(stage, folder)


@contextlib.contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """An empty folder in `folder`, deleted at the end of the block, or by the next writer if this process is killed."""
    remove_abandoned(folder)
    stage, handle = begin(folder)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def begin(folder: Path) -> tuple[Path, int | None]:
    """A new staging folder and the handle that keeps it locked (None on Windows)."""
    while True:
        stage = folder / staging_name()
        os.mkdir(stage, 0o700)
        if sys.platform == "win32":
            return stage, None
        try:
            handle = os.open(stage, os.O_RDONLY)
        except FileNotFoundError:  # another process removed it as abandoned: it was not locked yet
            continue
        if keep(handle, stage):
            return stage, handle
        os.close(handle)


def staging_name() -> str:
    """A unique name that `remove_abandoned` recognizes."""
    return f".slopes-{secrets.token_hex(8)}.tmp"


def keep(handle: int, path: str | os.PathLike[str]) -> bool:
    """Lock a new staging file or folder; False if another process removed it as abandoned before it was locked."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # on a file system without locks, the age decides
            fcntl.flock(handle, fcntl.LOCK_EX)
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(handle), os.lstat(path)):
            return True
    return False


def commit(stage: Path, folder: Path) -> None:
    """Commit the staged files, and move them to their final paths."""
    flush_folder(stage)
    for attempt in range(TRIES):
        finish(folder)
        try:
            os.rename(stage, folder / COMMITTED)
            break
        except OSError:
            if attempt == TRIES - 1 or not (folder / COMMITTED).exists():
                raise
            time.sleep(0.01)
    flush_folder(folder)
    finish(folder)


def finish(folder: Path) -> None:
    """Move the files of COMMITTED to their final paths; safe after an interruption and from several processes at once."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder / COMMITTED):
            with contextlib.suppress(FileNotFoundError):
                os.replace(folder / COMMITTED / name, folder / name)
        flush_folder(folder)
        with contextlib.suppress(OSError):  # another process has committed files meanwhile and is moving them
            os.rmdir(folder / COMMITTED)


def current(folder: str | os.PathLike[str], name: str) -> str:
    """The path, relative to the folder, of the current version of the file `name`."""
    staged_name = os.path.join(COMMITTED, name)
    return staged_name if os.path.lexists(os.path.join(folder, staged_name)) else name


def holds(folder: str | os.PathLike[str], name: str) -> bool:
    """Whether the folder has a file `name`; checked in the order in which files move, so that none is missed."""
    return any(os.path.isfile(os.path.join(folder, path)) for path in (os.path.join(COMMITTED, name), name))


def remove_abandoned(folder: str | os.PathLike[str]) -> None:
    """Remove staging files and folders of killed processes."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if STAGED.fullmatch(name):
                with contextlib.suppress(OSError):
                    remove_if_abandoned(os.path.join(folder, name))


def remove_if_abandoned(path: str) -> None:
    """Remove a staging file or folder unless a running process holds its lock."""
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
    """Where locks are not available: remove it if it is older than a day."""
    if time.time() - os.lstat(path).st_mtime > STALE:
        remove(path)


def remove(path: str) -> None:
    """Remove a file, or a folder with its contents."""
    if stat.S_ISDIR(os.lstat(path).st_mode):
        shutil.rmtree(path, ignore_errors=True)
    else:
        os.unlink(path)


def flush_folder(folder: str | os.PathLike[str]) -> None:
    """Flush directory entries to disk, where the system supports it; file contents are flushed already."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
