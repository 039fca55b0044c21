"""Read files that may be damaged or hostile: failures are DataErrors, memory grows with the bytes read, never with claims."""

from __future__ import annotations

import contextlib
import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from ..errors import DataError

DEFLATE_RATIO = 1032  # a deflate stream unpacks to at most this many times its size
ALWAYS_UNPACKED = 2**25  # bytes that any compressed file may unpack to
USUAL_RATIO = 32  # and to this many times its size: ordinary files are rarely compressed more
CHUNK = 2**20  # bytes
REPAIR = "the file is damaged or of another kind: fetch or write it again, or name another file"

Path = str | os.PathLike[str]


class Source(NamedTuple):
    """An open file, its `size` on disk, and `bound`, the most bytes that its stream may yield (larger only when compressed)."""

    stream: BinaryIO
    size: int
    bound: int
    packed: bool


def refused(path: Path, field: str, problem: str, why: str = "", repair: str = REPAIR) -> DataError:
    """The error that names a file, a field of it, and the problem."""
    return DataError(f"{os.fspath(path)}: {field}: {problem}", why=why, repair=repair)


@contextlib.contextmanager
def reading(path: Path, field: str = "contents") -> Iterator[None]:
    """Turn exceptions of the operating system and the decompressors into a DataError that names file and field."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise refused(path, "file", "there is no such file", repair="check the path and the current directory") from error
    except (EOFError, zlib.error) as error:
        raise refused(path, field, f"the compressed data are damaged or truncated ({error})") from error
    except gzip.BadGzipFile as error:
        raise refused(path, field, f"the gzip stream is damaged ({error})") from error
    except OSError as error:
        raise refused(path, "file", f"it cannot be read ({error.strerror or error})",
                      repair="check the permissions and the disk") from error


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open the regular file `path` for reading, without decompression."""
    with reading(path):
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise refused(path, "file", "it is a folder or a device, not a file", repair="name a file")
        with open(path, "rb") as file:
            yield Source(file, status.st_size, status.st_size, False)


def unpack_limit(size: int, limit: int | None = None) -> int:
    """The bytes that a compressed file may unpack to: `limit`, by default 32 MiB, or 32 times its size if that is more."""
    return max(ALWAYS_UNPACKED, USUAL_RATIO * size) if limit is None else limit


@contextlib.contextmanager
def unpacked(path: Path, limit: int | None = None) -> Iterator[Source]:
    """Open `path` for reading, decompressing gzip (recognized by its first two bytes); `limit` as in `unpack_limit`."""
    with opened(path) as source:
        packed = source.stream.read(2) == b"\x1f\x8b"
        source.stream.seek(0)
        if not packed:
            yield source
            return
        with gzip.GzipFile(fileobj=source.stream) as stream:
            yield Source(stream, source.size, min(source.size * DEFLATE_RATIO, unpack_limit(source.size, limit)), True)  # type: ignore[arg-type]


def read_exactly(stream: Any, count: int, path: Path, field: str) -> bytes:
    """Read exactly `count` bytes of a header."""
    data = stream.read(count)
    if len(data) != count:
        raise refused(path, field, f"the file ends after {len(data)} of its {count} bytes")
    return data


def read_claim(stream: Any, claim: int, path: Path, field: str = "data") -> bytearray:
    """Read the rest of a stream, which must be exactly `claim` bytes; at most one byte more is read."""
    data = bytearray()
    while len(data) <= claim and (chunk := stream.read(min(CHUNK, claim + 1 - len(data)))):
        data += chunk
    if len(data) != claim:
        size = f"more than the {claim} bytes" if len(data) > claim else f"{len(data)} bytes instead of the {claim}"
        raise refused(path, field, f"{size} that the header claims")
    return data


def read_whole(path: Path, most: int) -> bytes:
    """Read a whole file of at most `most` bytes."""
    with opened(path) as source:
        if source.size > most:
            raise refused(path, "size", f"{source.size} bytes, more than the {most} that such a file may have")
        return bytes(read_claim(source.stream, source.size, path))


def inside(folder: Path, name: str) -> str:
    """The path of `name` in `folder`; DataError if `..`, an absolute path or a link leads outside."""
    root = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath([root, path]) != root or path == root:
        raise refused(folder, f"name {name!r}", "it leads out of the folder", repair="name a file in the folder itself")
    return path
