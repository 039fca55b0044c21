"""A digest of the data of a training, by which other data are recognized."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..data.loaders.inputs import inputs_of
from ..data.loaders.stream import Streamed
from ..tensor import Tensor
from ..tree import flatten
from .sources import ArraySource, Source

READ_BYTES = 1 << 28  # of examples that are made or read when they are needed, so much is looked at
BLOCK = 1 << 24  # bytes


def data_digest(sources: Iterable[tuple[Source, int]]) -> str:
    """The SHA-256 of the data of these sources and their batch sizes, in hexadecimal digits.

    Arrays count whole; of pictures on the disk, the names and sizes of the files; of loaders and other inputs that are read, the
    first 256 MiB in their stored order.
    """
    digest = hashlib.sha256()
    for source, batch_size in sources:
        if isinstance(source, ArraySource):
            for array in (*inputs_of(source.inputs), source.targets, source.sample_weight):
                if array is not None:
                    add_inputs(digest, array)
        else:
            digest.update(f"{type(source.loader).__name__} {source.steps(batch_size)} {source.examples(batch_size)};".encode())
            add_limited(digest, (flatten(tuple(batch))[0] for batch in source.loader.batches(batch_size)))
    return digest.hexdigest()


def add_inputs(digest: Any, array: Any) -> None:
    """Add an array, or what stands for one."""
    if isinstance(array, (Tensor, np.ndarray)) or not isinstance(array, Streamed):
        add_array(digest, array.numpy() if isinstance(array, Tensor) else np.asarray(array))
        return
    digest.update(f"{array.dtype} {array.shape};".encode())
    paths = getattr(array, "paths", None)
    if paths is None:
        size = max(1, BLOCK // max(1, int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize))
        parts = (np.arange(first, min(first + size, len(array))) for first in range(0, len(array), size))
        add_limited(digest, ([array.gather(part)] for part in parts))
        return
    for path in paths:
        digest.update(f"{os.path.join(*os.path.normpath(path).split(os.sep)[-2:])} {os.stat(path).st_size};".encode())


def add_array(digest: Any, array: np.ndarray) -> None:
    """Add type, shape and elements of an array, in blocks where it is not contiguous."""
    digest.update(f"{array.dtype.str} {array.shape};".encode())
    if array.dtype.kind in "OUS":
        digest.update(repr(array.tolist()).encode())
    elif array.flags.c_contiguous:
        digest.update(array.reshape(-1).view(np.uint8).data)
    else:
        size = max(1, BLOCK // max(1, array[:1].nbytes))
        for first in range(0, len(array), size):
            digest.update(np.ascontiguousarray(array[first : first + size]).reshape(-1).view(np.uint8).data)


def add_limited(digest: Any, groups: Iterable[list[Any]]) -> None:
    """Add groups of arrays until it is enough."""
    left = READ_BYTES
    for group in groups:
        for array in map(np.asarray, group):
            add_array(digest, array)
            left -= array.nbytes
        if left <= 0:
            return
