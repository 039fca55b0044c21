"""Extract one file from a zip archive: streamed, with a size limit."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO

from .atomic import saving
from .ownfile import new_file
from .reading import CHUNK, reading, refused

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)  # RuntimeError: it is encrypted


def unpack_member(archive: Path, file: str, target: Path, most: int) -> None:
    """Write the member called `file`, in whatever folder of the archive, to `target`; a longer one is cut one byte after `most`.

    The member's own path is never used as a path. Raises DataError for a damaged archive or one without the file, SaveError when
    the target cannot be written.
    """
    with reading(archive):
        try:
            with zipfile.ZipFile(archive) as opened:
                names = [name for name in opened.namelist() if name.rpartition("/")[2] == file]
                if len(names) != 1:
                    raise refused(archive, "members", f"{len(names)} of them are called {file}, not one")
                with opened.open(names[0]) as member, saving(target), new_file(target) as output:
                    copy(member, output, most + 1)
        except DAMAGE as error:
            raise refused(archive, "contents", f"the archive is damaged ({error})") from error


def copy(source: IO[bytes], target: BinaryIO, most: int) -> None:
    """Copy at most `most` bytes."""
    while most and (chunk := source.read(min(CHUNK, most))):
        target.write(chunk)
        most -= len(chunk)
