"""Atomic writing: a temporary file in the same folder, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import SaveError
from . import staging
from .staging import flush_folder

Path = str | os.PathLike[str]

REPAIRS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free space on the disk, or save to another one"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "choose a folder that you may write to"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "create the folder first, or correct the path"),
    errno.EISDIR: "that is a folder: name a file in it",
}


@contextlib.contextmanager
def saving(path: Path) -> Iterator[None]:
    """Turn an OSError raised while `path` is written into a SaveError."""
    try:
        yield
    except SaveError:
        raise
    except OSError as error:
        raise SaveError(f"{os.fspath(path)} could not be written: {error.strerror or error}",
                        why="the previous file, if any, is unchanged",
                        repair=REPAIRS.get(error.errno or 0, "check the disk and the path")) from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write to, which replaces `path` if the block succeeds and is deleted if it raises.

    Readers see either the old contents or the new, even after a crash. A symbolic link at `path` stays a link.

    >>> with replacing("notes.txt") as file:
    ...     _ = file.write(b"kept")
    >>> with open("notes.txt") as file:
    ...     file.read()
    'kept'
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    with saving(path), contextlib.ExitStack() as stack:
        temporary, file = begin(folder)
        try:
            stack.callback(file.close)
            yield file
            flush(file)
            if os.name == "nt":
                file.close()  # an open file cannot be renamed there
            os.replace(temporary, target)
        except BaseException:  # also Ctrl-C: no half-written file may stay behind
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        flush_folder(folder)


def begin(folder: str) -> tuple[str, BinaryIO]:
    """A new temporary file, locked until it is closed; temporary files of killed processes are removed."""
    staging.remove_abandoned(folder)
    while True:
        temporary = os.path.join(folder, staging.staging_name())
        file = open(temporary, "xb")  # noqa: SIM115  (the caller closes it)
        if staging.keep(file.fileno(), temporary):
            return temporary, file
        file.close()


def flush(file: BinaryIO) -> None:
    """Flush the file to disk."""
    file.flush()
    os.fsync(file.fileno())


def write_bytes(path: Path, data: bytes) -> None:
    """Write the whole contents of a file at once, atomically."""
    with replacing(path) as file:
        file.write(data)
