"""The IDX format of MNIST: magic number, sizes, data; plain or gzip-compressed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .reading import Path, Source, read_claim, read_exactly, refused, unpacked

CODES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
TYPES = {code: np.dtype(name) for code, name in CODES.items()}
MOST_AXES = 64


def load_idx(path: Path, limit: int | None = None) -> np.ndarray:
    """The array of an IDX file, in this machine's byte order; a compressed one may unpack to `limit` bytes (by
    default 32 MiB, or 32 times its size if that is more).

    Header: two zero bytes, a type code (8 uint8, 9 int8, 11 int16, 12 int32, 13 float32, 14 float64), the number of axes, then
    each size as a big-endian uint32; the numbers follow, big-endian, last axis fastest. Raises DataError naming file and field;
    at most one byte more than the header claims is unpacked. Source: LeCun, Cortes, Burges, "The MNIST database".

    >>> with open("labels-idx1-ubyte", "wb") as file:
    ...     _ = file.write(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    >>> load_idx("labels-idx1-ubyte")
    array([7, 2, 1], dtype=uint8)
    """
    with unpacked(path, limit) as source:
        dtype, shape = read_header(source, path)
        claim = math.prod(shape) * dtype.itemsize
        check_claim(source, claim, 4 + 4 * len(shape), path)
        data = read_claim(source.stream, claim, path)
    return np.ndarray(shape, dtype, buffer=data).astype(dtype.newbyteorder("="), copy=False)


def read_header(source: Source, path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    zeros, code, axes = unpack_magic(read_exactly(source.stream, 4, path, "magic"))
    if zeros:
        raise refused(path, "magic", f"the first two bytes are {zeros:#06x}, not 0", "every IDX file begins with two")
    if code not in TYPES:
        raise refused(path, "type code", f"{code:#04x} is unknown", "known are " + ", ".join(f"{known:#04x}" for known in TYPES))
    if axes > MOST_AXES:
        raise refused(path, "number of axes", f"{axes}, more than {MOST_AXES}")
    sizes = np.frombuffer(read_exactly(source.stream, 4 * axes, path, "sizes"), ">u4") if axes else ()
    shape = tuple(int(size) for size in sizes)
    if math.prod(size for size in shape if size) * TYPES[code].itemsize >= 2**63:
        raise refused(path, "sizes", f"{shape} does not fit into 64 bits")
    return TYPES[code], shape


def unpack_magic(raw: bytes) -> tuple[int, Any, int]:
    return int.from_bytes(raw[:2], "big"), raw[2], raw[3]


def check_claim(source: Source, claim: int, header: int, path: Path) -> None:
    """Check the claimed data size: that of a plain file exactly, of a compressed file within the limit."""
    if not source.packed and source.size != header + claim:
        raise refused(path, "sizes", f"they claim {claim} bytes of data, but {source.size - header} follow the header")
    if header + claim > source.bound:
        raise refused(path, "sizes", f"they claim {claim} bytes of data, this file may unpack to {source.bound}")
