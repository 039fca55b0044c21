"""Read NumPy's npy and npz files: numbers only, never pickles; headers are validated before memory is allocated."""

from __future__ import annotations

import ast
import contextlib
import functools
import math
import re
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .members import check_packed
from .reading import Path, Source, opened, read_claim, read_exactly, reading, refused, unpack_limit

MAGIC = b"\x93NUMPY"
LENGTH_BYTES = {(1, 0): 2, (2, 0): 4, (3, 0): 4}
MOST_HEADER = 65_535  # bytes: the limit of version 1.0; arrays of numbers need about 100
MOST_AXES = 64
FIELDS = ("descr", "fortran_order", "shape")
TOKENS = re.compile(r"""(?>\s|[{}(),:\[\]]|'[^'\\\n]*'|"[^"\\\n]*"|-?\d{1,30}+L?|True|False|None)*+""")  # atomic groups: no backtracking
PLAIN = re.compile(r"[<>|=]?(?:[iu][1248]|f[248]|c8|c16|b1)")


class Header(NamedTuple):
    """What an npy header claims."""

    dtype: np.dtype
    fortran_order: bool
    shape: tuple[int, ...]
    length: int  # of the header itself, magic included

    @property
    def claim(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def load_npy(path: Path) -> np.ndarray:
    """Read an npy file, in this machine's byte order.

    Supports integers, floats (16 to 64 bits), complex and bool, of any byte order, C or Fortran. Raises DataError naming file and
    field for everything else; objects (pickles) are never read. Format: numpy.lib.format, versions 1.0 to 3.0.

    >>> np.save("x.npy", np.arange(3))
    >>> load_npy("x.npy")
    array([0, 1, 2])
    """
    with opened(path) as source:
        return read_array(source, path, "")


def load_npz(path: Path, limit: int | None = None) -> dict[str, np.ndarray]:
    """Read the named arrays of an npz file (a zip of npy files), which may unpack to `limit` bytes in total.

    The default limit is 32 MiB, or 32 times the file's size if that is more. Nothing is extracted to disk. Raises DataError for
    zip bombs, encryption, unknown compression, wrong checksums, wrong sizes, and all that `load_npy` refuses.
    """
    with opened(path) as source, zip_errors(path, "zip directory"), zipfile.ZipFile(source.stream) as archive:
        members = archive.infolist()
        check_names(members, path)
        check_packed(members, source.size, unpack_limit(source.size, limit), path, option="load_npz(path, limit=...)")
        return {member.filename.removesuffix(".npy"): read_member(archive, member, path) for member in members}


@contextlib.contextmanager
def zip_errors(path: Path, field: str) -> Iterator[None]:
    """Turn the zip library's exceptions on damaged archives into DataErrors."""
    with reading(path, field):
        try:
            yield
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, UnicodeDecodeError, OverflowError) as error:
            raise refused(path, field, f"the zip archive is damaged ({error})") from error


def check_names(members: list[zipfile.ZipInfo], path: Path) -> None:
    """Check that all members are npy files."""
    for member in members:
        if not member.filename.endswith(".npy"):
            raise refused(path, f"member {member.filename!r}", "it is not an npy file")


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> np.ndarray:
    field = f"member {member.filename!r}"
    with zip_errors(path, field), archive.open(member) as stream:
        return read_array(Source(stream, member.file_size, member.file_size, True), path, f"{field}, ")  # type: ignore[arg-type]


def read_array(source: Source, path: Path, prefix: str) -> np.ndarray:
    """The array of an npy stream, whose header must agree with the stream's size."""
    header = read_header(source, path, prefix)
    left = source.size - header.length
    if header.claim != left:
        raise refused(path, f"{prefix}shape",
                      f"{header.shape} of {header.dtype} takes {header.claim} bytes, but {left} follow the header")
    data = read_claim(source.stream, header.claim, path, f"{prefix}data")
    if header.dtype == bool and header.claim and max(data) > 1:
        raise refused(path, f"{prefix}data", f"a truth value is the byte {max(data)}, neither 0 nor 1")
    return array_of(data, header)


def array_of(data: bytearray, header: Header) -> np.ndarray:
    array = np.ndarray(header.shape, header.dtype, buffer=data, order="F" if header.fortran_order else "C")
    return array.astype(header.dtype.newbyteorder("="), copy=False)


def read_header(source: Source, path: Path, prefix: str = "") -> Header:
    """Read and validate the header at the start of an npy stream."""
    if source.stream.read(6) != MAGIC:
        raise refused(path, f"{prefix}magic", f"the file does not begin with {MAGIC!r}", why="every npy file begins with it")
    version = tuple(read_exactly(source.stream, 2, path, f"{prefix}version"))
    if version not in LENGTH_BYTES:
        raise refused(path, f"{prefix}version", f"{version} is unknown", why="npy has the versions 1.0, 2.0 and 3.0")
    count = LENGTH_BYTES[version]  # type: ignore[index]
    length = int.from_bytes(read_exactly(source.stream, count, path, f"{prefix}header length"), "little")
    most = min(MOST_HEADER, source.size - 8 - count)
    if length > most:
        raise refused(path, f"{prefix}header length", f"{length}, but at most {most} is possible")
    raw = read_exactly(source.stream, length, path, f"{prefix}header")
    fields = parse_fields(raw.decode("utf-8" if version == (3, 0) else "latin-1", "replace"), path, prefix)
    return checked_header(fields, 8 + count + length, path, prefix)


def parse_fields(text: str, path: Path, prefix: str) -> dict[str, Any]:
    """Parse the literal dict of a header. Only harmless tokens are accepted, and nothing is evaluated."""
    field, pairs = f"{prefix}header", literal_pairs(text)
    if pairs is None:
        raise refused(path, field, "it is not a literal dict", why=f"found {text.strip()!r:.100}")
    names = [name for name, _ in pairs]
    if sorted(map(str, names)) != sorted(FIELDS):
        raise refused(path, field, f"its fields are {names!r:.100}", why="they must be exactly " + ", ".join(FIELDS))
    return dict(pairs)


@functools.lru_cache(64)
def literal_pairs(text: str) -> tuple[tuple[Any, Any], ...] | None:
    """The (key, value) pairs of a literal dict, or None. Cached: arrays of an archive often have equal headers."""
    if not TOKENS.fullmatch(text):
        return None
    try:
        tree = ast.parse(re.sub(r"(\d)L\b", r"\1", text.strip()), mode="eval").body  # Python 2 wrote long integers with an L
        return tuple([(ast.literal_eval(key), ast.literal_eval(value)) for key, value in zip(tree.keys, tree.values)])  # type: ignore
    except (SyntaxError, ValueError, TypeError, AttributeError, MemoryError, RecursionError):
        return None


def checked_header(fields: dict[str, Any], length: int, path: Path, prefix: str) -> Header:
    descr, order, shape = (fields[name] for name in FIELDS)
    if not isinstance(descr, str) or not PLAIN.fullmatch(descr):
        raise refused(path, f"{prefix}descr", f"{descr!r:.100} is not a numeric dtype",
                      why="reading objects would run code; text and records are not supported",
                      repair="save the numbers alone, for example as float32")
    if type(order) is not bool:
        raise refused(path, f"{prefix}fortran_order", f"{order!r:.100} is neither True nor False")
    if not isinstance(shape, tuple) or len(shape) > MOST_AXES or not all(type(size) is int and size >= 0 for size in shape):
        raise refused(path, f"{prefix}shape", f"{shape!r:.200} is not a tuple of at most {MOST_AXES} non-negative integers")
    dtype = np.dtype(descr)
    if max([*shape, math.prod(size for size in shape if size) * dtype.itemsize]) >= 2**63:
        raise refused(path, f"{prefix}shape", f"{shape} does not fit into 64 bits")
    return Header(dtype, order, shape, length)
