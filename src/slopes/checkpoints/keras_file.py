"""Read weights of Keras 3: HDF5 files (.weights.h5, older .h5) and the .keras archive around one; needs h5py (extra `keras`)."""

from __future__ import annotations

import contextlib
import io
import math
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import SlopesError
from ..extras import require
from ..files.jsonfile import parse_object
from ..files.members import check_packed, read_member_bytes
from ..files.npyfile import zip_errors
from ..files.reading import DEFLATE_RATIO, Path, opened, refused, unpack_limit
from .checkpoint import Checkpoint
from .storage import InMemory

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
WEIGHTS = "model.weights.h5"
MOST_CONFIG = 2**26  # bytes
MOST_DEPTH = 64
FIRST_WORD = re.compile(r"(.)([A-Z][a-z0-9]+)")
WORD = re.compile(r"([a-z])([A-Z])")


def read_hdf5(path: Path) -> Checkpoint:
    """The arrays of an HDF5 file by their paths in it: layers/dense/vars/0 is the kernel of the first Dense layer."""
    with opened(path) as source:
        return in_order(path, read_arrays(source.stream, path, source.size), {})


def read_keras(path: Path) -> Checkpoint:
    """The weights of a .keras archive, in the order of the layers in its configuration; no layer is built."""
    with opened(path) as source, zip_errors(path, "zip directory"), zipfile.ZipFile(source.stream) as archive:
        members = {member.filename: member for member in archive.infolist()}
        check_packed(list(members.values()), source.size, unpack_limit(source.size), path)
        config = read_member_bytes(archive, members["config.json"], path, MOST_CONFIG) if "config.json" in members else b"{}"
        raw = read_member_bytes(archive, members[WEIGHTS], path, members[WEIGHTS].file_size)
    arrays = read_arrays(io.BytesIO(raw), path, len(raw))
    return in_order(path, arrays, layer_order(parse_object(config, path, "config.json", foreign=True)))


def in_order(path: Path, arrays: dict[str, InMemory], order: dict[str, int]) -> Checkpoint:
    """The checkpoint with its arrays in the order of the layers; of two directions, the forward one comes first."""
    def rank(name: str) -> tuple[int, bool]:
        return order.get(name.split("/")[1] if "/" in name else "", len(order)), "backward_layer" in name

    return Checkpoint(path, "keras", {name: arrays[name] for name in sorted(arrays, key=rank)})


def layer_order(config: dict[str, Any]) -> dict[str, int]:
    """The index of each layer by its group's name, which is made of the class and a counter: dense, dense_1, ..."""
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    order: dict[str, int] = {}
    counts: dict[str, int] = {}
    for layer in layers if isinstance(layers, list) else ():
        kind = snake_case(str(layer.get("class_name"))) if isinstance(layer, dict) else ""
        count = counts[kind] = counts.get(kind, -1) + 1
        order[f"{kind}_{count}" if count else kind] = len(order)
    return order


def snake_case(name: str) -> str:
    """The name of a class as Keras names its groups.

    >>> snake_case("BatchNormalization"), snake_case("Conv2D"), snake_case("LSTM")
    ('batch_normalization', 'conv2d', 'lstm')
    """
    return WORD.sub(r"\1_\2", FIRST_WORD.sub(r"\1_\2", name)).lower()


def read_arrays(stream: Any, path: Path, size: int) -> dict[str, InMemory]:
    """All datasets of an open HDF5 file, after all have been validated."""
    library = require("h5py", extra="keras", purpose="sl.read_checkpoint for Keras files")
    with hdf5_errors(path), library.File(stream, "r") as file:
        datasets = dict(walk(library, file, path))
        claims = sum(check_dataset(name, dataset, path) for name, dataset in datasets.items())
        if claims > unpack_limit(size):
            raise refused(path, "datasets", f"they unpack to {claims} bytes, more than the limit of {unpack_limit(size)}")
        return {name: InMemory(read_dataset(dataset)) for name, dataset in datasets.items()}


@contextlib.contextmanager
def hdf5_errors(path: Path) -> Iterator[None]:
    """Turn exceptions of the HDF5 library into a DataError."""
    try:
        yield
    except SlopesError:
        raise
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError, OverflowError) as error:
        raise refused(path, "contents", f"the HDF5 file is damaged ({error!s:.200})") from error


def walk(library: Any, file: Any, path: Path) -> Iterator[tuple[str, Any]]:
    """(path, dataset) of everything that hard links reach, each group once; DataError for links that could lead to other files."""
    visited: set[int] = set()
    stack: list[tuple[str, Any]] = [("", file)]
    while stack:
        name, item = stack.pop()
        if isinstance(item, library.Dataset):
            yield name, item
            continue
        address = library.h5o.get_info(item.id).addr
        if not isinstance(item, library.Group) or address in visited or name.count("/") > MOST_DEPTH:
            raise refused(path, f"group {name!r:.200}", "it is no tree of groups and datasets", "a link leads back, or to another type")
        visited.add(address)
        for key in reversed(list(item)):
            if not isinstance(item.get(key, getlink=True), library.HardLink):
                raise refused(path, f"link {name}/{key}"[:300], "it is a soft or an external link", "it could lead to another file")
            stack.append((f"{name}/{key}".lstrip("/"), item[key]))


def check_dataset(name: str, dataset: Any, path: Path) -> int:
    """The bytes that a dataset unpacks to; DataError unless its values are numbers, in this file, and as many as the file bears out."""
    field = f"dataset {name!r}"
    if dataset.shape is None or dataset.dtype.kind not in "biuf":
        raise refused(path, field, f"its type {dataset.dtype} is not numbers", "text and objects are not weights")
    if dataset.is_virtual or dataset.external:
        raise refused(path, field, "its values are in another file", "nothing outside of the named file is read")
    claim, held = math.prod(dataset.shape) * dataset.dtype.itemsize, dataset.id.get_storage_size()
    if claim > held * (DEFLATE_RATIO if dataset.chunks else 1):
        raise refused(path, field, f"its shape {dataset.shape} takes {claim} bytes, but the file holds {held} for it")
    return int(claim)


def read_dataset(dataset: Any) -> np.ndarray:
    values: np.ndarray = np.asarray(dataset[()])
    return values.astype(values.dtype.newbyteorder("="), copy=False)
