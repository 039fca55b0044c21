"""Read and write safetensors files: a JSON header with each array's dtype, shape and offsets, then the data."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError
from .arrays import as_array
from .atomic import replacing
from .jsonfile import parse_object
from .reading import Path, Source, opened, read_exactly, refused

MOST_HEADER = 2**23  # bytes: an array's entry takes about 100, and parsing multiplies the memory
MOST_ARRAYS = 32_768
MOST_BRACES = 4 * MOST_ARRAYS  # counted before the header is parsed; names and metadata may hold some
MOST_AXES = 64  # NumPy's limit
NAMES = {"BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "<u2", "I16": "<i2", "F16": "<f2", "U32": "<u4", "I32": "<i4",
         "F32": "<f4", "U64": "<u8", "I64": "<i8", "F64": "<f8", "C64": "<c8", "BF16": "<u2"}
DTYPES = {name: np.dtype(text) for name, text in NAMES.items()}
WRITTEN = {dtype.newbyteorder("="): name for name, dtype in DTYPES.items() if name != "BF16"}
METADATA = "__metadata__"


class Entry(NamedTuple):
    """One array's header entry: name, dtype, shape, first and last byte."""

    name: str
    kind: str
    shape: tuple[int, ...]
    begin: int
    end: int


def save_safetensors(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> None:
    """Write named arrays and text metadata atomically; equal contents give equal bytes.

    Types: bool, integers, float16 to float64, complex64, any shape. Raises ArgumentError for other types, SaveError when the
    file cannot be written. Format: https://huggingface.co/docs/safetensors.

    >>> save_safetensors("weights.safetensors", {"weight": np.eye(2, dtype=np.float32)}, {"made by": "an example"})
    >>> load_safetensors("weights.safetensors")["weight"].tolist(), load_metadata("weights.safetensors")
    ([[1.0, 0.0], [0.0, 1.0]], {'made by': 'an example'})
    """
    with replacing(path) as file:
        for part in file_parts(arrays, metadata):
            file.write(part)


def safetensors_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of a file of these arrays; errors as in `save_safetensors`.

    >>> loads_safetensors(safetensors_bytes({"weight": np.eye(2, dtype=np.float32)}))["weight"].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return b"".join(file_parts(arrays, None))


def file_parts(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None) -> Iterator[bytes | memoryview]:
    """The header and the data of each array."""
    pairs = [(checked_name(name), as_array(array, f"array {name!r}")) for name, array in arrays.items()]
    ordered = sorted(pairs, key=lambda item: (-item[1].itemsize, item[0]))  # wide dtypes first, so that all are aligned
    header = make_header(ordered, metadata)
    yield len(header).to_bytes(8, "little") + header
    for _, array in ordered:
        yield little_endian(array).data


def little_endian(array: np.ndarray) -> np.ndarray:
    """The array's bytes, in the file's byte order."""
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).reshape(-1).view(np.uint8)


def make_header(ordered: list[tuple[str, np.ndarray]], metadata: Mapping[str, str] | None) -> bytes:
    """The JSON header, padded so that the data begin at a multiple of 8 bytes."""
    entries: dict[str, Any] = {METADATA: checked_text(metadata)} if metadata else {}
    begin = 0
    for name, array in ordered:
        offsets = [begin, begin + array.nbytes]
        entries[name] = {"dtype": safetensors_kind(name, array), "shape": list(array.shape), "data_offsets": offsets}
        begin += array.nbytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def checked_name(name: str) -> str:
    if not isinstance(name, str) or name == METADATA:
        raise ArgumentError(f"{name!r} cannot name an array", repair=f"use any string except {METADATA!r}")
    return name


def safetensors_kind(name: str, array: np.ndarray) -> str:
    kind = WRITTEN.get(array.dtype.newbyteorder("="))
    if kind is None:
        raise ArgumentError(f"array {name!r} has dtype {array.dtype}, which safetensors does not support",
                            repair="cast it to one of " + ", ".join(str(dtype) for dtype in WRITTEN))
    return kind


def checked_text(metadata: Mapping[str, str]) -> dict[str, str]:
    wrong = {key: value for key, value in metadata.items() if not (isinstance(key, str) and isinstance(value, str))}
    if wrong:
        raise ArgumentError(f"metadata {wrong!r} is not text", repair="safetensors holds only strings: use str() or json.dumps()")
    return dict(sorted(metadata.items()))


def load_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Read the named arrays, each in its own memory; bfloat16, which NumPy lacks, becomes float32.

    The whole header is validated before memory is allocated: dtypes, shapes, offsets, and that the arrays fill the file without
    gaps or overlaps. Raises DataError naming file and field.
    """
    with opened(path) as source:
        entries, _ = read_header(source, path)
        return {entry.name: read_array(source, entry, path) for entry in entries}


def loads_safetensors(data: bytes) -> dict[str, np.ndarray]:
    """Read the named arrays from the bytes of a file; checks and errors as in `load_safetensors`."""
    source, name = Source(io.BytesIO(data), len(data), len(data), False), "bytes in the format of safetensors"
    entries, _ = read_header(source, name)
    return {entry.name: read_array(source, entry, name) for entry in entries}


def load_metadata(path: Path) -> dict[str, str]:
    """Read the metadata only; validates the header as `load_safetensors` does."""
    with opened(path) as source:
        return read_header(source, path)[1]


def read_header(source: Source, path: Path) -> tuple[list[Entry], dict[str, str]]:
    """The entries in the order of their data, and the metadata."""
    if source.size < 8:
        raise refused(path, "header length", f"the file has {source.size} bytes, fewer than the 8 of this field")
    length = int.from_bytes(read_exactly(source.stream, 8, path, "header length"), "little")
    if length > min(MOST_HEADER, source.size - 8):
        raise refused(path, "header length", f"{length}, but {source.size - 8} bytes follow",
                      why=f"a header is at most as long as its file, and at most {MOST_HEADER} bytes")
    raw = read_exactly(source.stream, length, path, "header")
    if raw.count(b"{") > MOST_BRACES or len(header := parse_object(raw, path, "header", foreign=True)) > MOST_ARRAYS:
        raise refused(path, "header", f"more than {MOST_ARRAYS} arrays", "a weights file has a few thousand at most")
    metadata = checked_metadata(header.pop(METADATA, {}), path)
    entries = [parse_entry(name, entry, path) for name, entry in header.items()]
    entries.sort(key=lambda entry: (entry.begin, entry.end))
    check_layout(entries, source.size - 8 - length, path)
    return entries, metadata


def checked_metadata(value: object, path: Path) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise refused(path, METADATA, "it is not an object whose values are all text")
    return value


def parse_entry(name: str, entry: object, path: Path) -> Entry:
    """Validate one array's header entry."""
    field = f"array {name!r}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise refused(path, field, "its entry does not have exactly the fields dtype, shape and data_offsets")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in DTYPES:
        raise refused(path, f"{field}, dtype", f"{kind!r} is unknown", why="known are " + ", ".join(DTYPES))
    if not are_naturals(shape) or len(shape) > MOST_AXES:
        raise refused(path, f"{field}, shape", f"{shape!r:.200} is not a list of at most {MOST_AXES} non-negative integers")
    if not are_naturals(offsets) or len(offsets) != 2:
        raise refused(path, f"{field}, data_offsets", f"{offsets!r:.200} are not two non-negative integers")
    check_bytes(path, field, kind, shape, offsets)
    return Entry(name, kind, tuple(shape), *offsets)


def check_bytes(path: Path, field: str, kind: str, shape: list[int], offsets: list[int]) -> None:
    """Check that the shape fits 64 bits and matches the bytes between the offsets."""
    if max([*shape, math.prod(size for size in shape if size) * DTYPES[kind].itemsize]) >= 2**63:
        raise refused(path, f"{field}, shape", f"{shape} does not fit into 64 bits")
    claim = math.prod(shape) * DTYPES[kind].itemsize
    if offsets[1] - offsets[0] != claim:
        raise refused(path, f"{field}, data_offsets",
                      f"{offsets} hold {offsets[1] - offsets[0]} bytes, but {kind} of shape {shape} needs {claim}")


def are_naturals(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def check_layout(entries: list[Entry], size: int, path: Path) -> None:
    """Check that the arrays follow each other without gaps, from the end of the header to the end of the file."""
    position = 0
    for entry in entries:
        if entry.begin != position:
            problem = "a hole" if entry.begin > position else "an overlap"
            raise refused(path, f"array {entry.name!r}, data_offsets",
                          f"there is {problem}: it begins at {entry.begin}, not at {position}")
        position = entry.end
    if position != size:
        raise refused(path, "data", f"{size} bytes follow the header, but its arrays take {position}")


def read_array(source: Source, entry: Entry, path: Path) -> np.ndarray:
    """Read the next array of the file, after check_layout."""
    array = np.empty(math.prod(entry.shape), DTYPES[entry.kind])
    raw = array.view(np.uint8)
    if raw.size and source.stream.readinto(raw.data) != raw.size:  # type: ignore[attr-defined]
        raise refused(path, f"array {entry.name!r}", "the file became shorter while it was read")
    if entry.kind == "BOOL" and raw.size and raw.max() > 1:
        raise refused(path, f"array {entry.name!r}", f"a truth value is the byte {raw.max()}, neither 0 nor 1")
    return to_native(array, entry.kind).reshape(entry.shape)


def to_native(array: np.ndarray, kind: str) -> np.ndarray:
    """Convert to native byte order; bfloat16 is the upper half of a float32."""
    if kind == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array if sys.byteorder == "little" else array.astype(array.dtype.newbyteorder("="))
