"""Read safetensors files lazily, and checkpoints of several files with an index that says which holds what."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..files.jsonfile import parse_object
from ..files.reading import Path, inside, opened, read_whole, refused
from ..files.tensorfile import Entry, read_header
from .checkpoint import Checkpoint
from .storage import Storage, Stored, Strided, stamp_of

MOST_INDEX = 2**26  # bytes
MOST_SHARDS = 10_000
KIND_OF = {"BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "F16": "float16", "U32": "uint32", "I32": "int32",
           "F32": "float32", "U64": "uint64", "I64": "int64", "F64": "float64", "C64": "complex64", "BF16": "bfloat16"}


def read_safetensors(path: Path) -> Checkpoint:
    """The checkpoint of one safetensors file, whose header is validated as `load_safetensors` does."""
    with opened(path) as source:
        entries, metadata = read_header(source, path)
        begin, stamp = source.stream.tell(), stamp_of(os.fstat(source.stream.fileno()))
    return Checkpoint(path, "safetensors", {entry.name: stored(entry, begin, path, stamp) for entry in entries}, metadata=metadata)


def stored(entry: Entry, begin: int, path: Path, stamp: tuple[int, ...]) -> Stored:
    """The array of an entry, a storage of its own: safetensors files share none."""
    strides = [1] * len(entry.shape)
    for axis in range(len(strides) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * max(entry.shape[axis + 1], 1)
    kind = KIND_OF[entry.kind]
    storage = Storage(path, entry.name, kind, 0)
    storage.size = entry.end - entry.begin
    storage.locate(begin + entry.begin, stamp)
    return Strided(storage, kind, 0, entry.shape, tuple(strides))


def read_sharded(path: Path, read_one: Callable[[str], Checkpoint]) -> Checkpoint:
    """The checkpoint of the files that an index names: {"weight_map": {name: file in the same folder}}.

    Raises DataError for a name that its file does not have, for arrays that no name of the index has, and for files outside of the
    folder.
    """
    index = parse_object(read_whole(path, MOST_INDEX), path, "contents", foreign=True)
    files = index.get("weight_map")
    if not isinstance(files, dict) or not files or not all(isinstance(file, str) for file in files.values()):
        raise refused(path, "weight_map", "it is not an object whose values are names of files")
    shards = read_shards(path, sorted(set(files.values())), read_one)
    arrays: dict[str, Stored] = {}
    for name, file in files.items():
        if name not in shards[file].arrays:
            raise refused(path, f"weight_map, {name!r}", f"{file} has no such array")
        arrays[name] = shards[file].arrays[name]
    unknown = [f"{name!r} of {file}" for file, shard in shards.items() for name in shard if files.get(name) != file]
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise refused(path, "weight_map", f"it lacks {', '.join(unknown[:5])}{more}")
    others: dict[str, Any] = {"metadata": index.get("metadata", {})}
    return Checkpoint(path, next(iter(shards.values())).format, arrays, others)


def read_shards(path: Path, files: list[str], read_one: Callable[[str], Checkpoint]) -> dict[str, Checkpoint]:
    """The checkpoints of all files that the index names, which lie in its folder."""
    if len(files) > MOST_SHARDS:
        raise refused(path, "weight_map", f"it names {len(files)} files, more than {MOST_SHARDS}")
    folder = os.path.dirname(os.path.abspath(path))
    return {file: read_one(inside(folder, file)) for file in files}
