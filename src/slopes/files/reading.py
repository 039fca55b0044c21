"""Reading files that may be damaged or hostile: failures are DataErrors, memory follows bytes seen, never bytes claimed."""

from __future__ import annotations

import contextlib
import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from ..errors import DataError

DEFLATE_RATIO = 1032  # no deflate stream unpacks to more than this many times its size
ALWAYS_UNPACKED = 2**25  # bytes that any compressed file may unpack to
USUAL_RATIO = 32  # and how many times its size a larger one may: what is not made to harm is rarely packed more tightly
CHUNK = 2**20
REPAIR = "the file is damaged or of another kind: fetch or write it again, or name another file"

Path = str | os.PathLike[str]


class Source(NamedTuple):
    """An open file: `size` on disk, and `bound`, the most bytes that the stream can give (more only when packed)."""

    stream: BinaryIO
    size: int
    bound: int
    packed: bool


def refused(path: Path, field: str, seen: str, why: str = "", repair: str = REPAIR) -> DataError:
    """The error that says which field of which file is wrong, and what was seen there."""
    return DataError(f"{os.fspath(path)}: {field}: {seen}", why=why, repair=repair)


@contextlib.contextmanager
def reading(path: Path, field: str = "contents") -> Iterator[None]:
    """Turn what the operating system and the decompressors raise into a DataError that names file and field."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise refused(path, "file", "there is no such file", repair="check the path and the running folder") from error
    except (EOFError, zlib.error) as error:
        raise refused(path, field, f"the compressed data are damaged or cut off ({error})") from error
    except gzip.BadGzipFile as error:
        raise refused(path, field, f"the gzip stream is damaged ({error})") from error
    except OSError as error:
        raise refused(path, "file", f"it cannot be read ({error.strerror or error})",
                      repair="check the permissions and the disk") from error


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The regular file `path`, open for reading as it is."""
    with reading(path):
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise refused(path, "file", "it is a folder or a device, not a file", repair="name a file")
        with open(path, "rb") as file:
            yield Source(file, found.st_size, found.st_size, False)


def most_unpacked(size: int, limit: int | None = None) -> int:
    """The bytes that a compressed file of this size may unpack to: `limit`, or 32 MiB, or 32 times its size if that is more."""
    return max(ALWAYS_UNPACKED, USUAL_RATIO * size) if limit is None else limit


@contextlib.contextmanager
def unpacked(path: Path, limit: int | None = None) -> Iterator[Source]:
    """The contents of `path`, which may be gzip-compressed: its first two bytes tell; `limit` as in `most_unpacked`."""
    with opened(path) as source:
        packed = source.stream.read(2) == b"\x1f\x8b"
        source.stream.seek(0)
        if not packed:
            yield source
            return
        with gzip.GzipFile(fileobj=source.stream) as stream:
            yield Source(stream, source.size, min(source.size * DEFLATE_RATIO, most_unpacked(source.size, limit)), True)  # type: ignore[arg-type]


def read_exactly(stream: Any, count: int, path: Path, field: str) -> bytes:
    """The next `count` bytes of a header; `count` is small."""
    data = stream.read(count)
    if len(data) != count:
        raise refused(path, field, f"the file ends after {len(data)} of its {count} bytes")
    return data


def read_claim(stream: Any, claim: int, path: Path, field: str = "data") -> bytearray:
    """All that is left of a stream, which must be exactly `claim` bytes; at most one more is read."""
    data = bytearray()
    while len(data) <= claim and (chunk := stream.read(min(CHUNK, claim + 1 - len(data)))):
        data += chunk
    if len(data) != claim:
        seen = f"more than the {claim} bytes" if len(data) > claim else f"{len(data)} bytes instead of the {claim}"
        raise refused(path, field, f"{seen} that the header claims")
    return data


def read_whole(path: Path, most: int) -> bytes:
    """The whole contents of a file of at most `most` bytes."""
    with opened(path) as source:
        if source.size > most:
            raise refused(path, "size", f"{source.size} bytes, more than the {most} that such a file may have")
        return bytes(read_claim(source.stream, source.size, path))


def inside(folder: Path, name: str) -> str:
    """The path of `name` in `folder`; DataError when it would lead out of it, by `..`, an absolute path or a link."""
    root = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath([root, path]) != root or path == root:
        raise refused(folder, f"name {name!r}", "it leads out of the folder", repair="name a file in the folder itself")
    return path
