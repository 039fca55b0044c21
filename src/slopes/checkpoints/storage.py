"""Where the values of a checkpoint lie: ranges of bytes in a file, read when they are asked for; arrays that are views of them."""

from __future__ import annotations

import math
import os
import weakref
import zlib
from collections.abc import Hashable
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..files.reading import Path, opened, read_exactly, refused

MOST_AXES = 64  # NumPy's limit
KINDS = {"float32": "f4", "float64": "f8", "float16": "f2", "bfloat16": "u2", "int64": "i8", "int32": "i4", "int16": "i2", "int8": "i1",
         "uint64": "u8", "uint32": "u4", "uint16": "u2", "uint8": "u1", "bool": "?", "complex64": "c8", "complex128": "c16"}


class Stored(Protocol):
    """An array in a file: its shape and dtype are known, its values are read on demand."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...

    @property
    def identity(self) -> Hashable:
        """Equal for two names of one array."""

    def read(self, name: str) -> np.ndarray:
        """The values, read-only; DataError, which names the array, if the file has changed or is damaged."""


class InMemory:
    """An array that was read with the file's structure."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array.view()
        self.array.flags.writeable = False
        self.shape, self.dtype, self.identity = array.shape, array.dtype, id(array)

    def read(self, name: str) -> np.ndarray:
        return self.array


def stamp_of(status: os.stat_result) -> tuple[int, ...]:
    """What changes when a file is replaced or written."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class Storage:
    """A range of bytes of a file with elements of one type; tensors are views of it. It is read once as long as an array uses it."""

    def __init__(self, path: Path, key: str, kind: str, count: int) -> None:
        self.path, self.key, self.kind, self.count = path, key, kind, count
        self.begin: int | None = None
        self.size = count * np.dtype(KINDS[kind]).itemsize
        self.order = "<"
        self.checksum: int | None = None
        self.stamp: tuple[int, ...] = ()
        self.cached: weakref.ref[np.ndarray] | None = None

    def locate(self, begin: int, stamp: tuple[int, ...], order: str = "<", checksum: int | None = None) -> None:
        """Set where the bytes are, once that is known."""
        self.begin, self.stamp, self.order, self.checksum = begin, stamp, order, checksum

    def read(self, name: str) -> np.ndarray:
        """The bytes."""
        raw = self.cached() if self.cached else None
        if raw is None:
            raw = self.read_file(f"tensor {name!r}")
            self.cached = weakref.ref(raw)
        return raw

    def read_file(self, field: str) -> np.ndarray:
        with opened(self.path) as source:
            if stamp_of(os.fstat(source.stream.fileno())) != self.stamp:
                raise refused(self.path, field, "the file was written since its checkpoint was opened", repair="read it again")
            source.stream.seek(self.begin or 0)
            raw = np.frombuffer(read_exactly(source.stream, self.size, self.path, field), np.uint8)
        if self.checksum is not None and zlib.crc32(raw.data) != self.checksum:
            raise refused(self.path, field, "its bytes do not match their checksum")
        return raw


class TypedStorage(NamedTuple):
    """A storage, and the type of elements that one tensor says it has."""

    storage: Storage
    kind: str


class Strided:
    """A tensor of PyTorch: a view of a storage, with offset and strides in elements."""

    def __init__(self, storage: Storage, kind: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        if not are_naturals((offset,)) or not are_naturals(shape) or not are_naturals(strides):
            raise TypeError
        self.storage, self.kind, self.offset, self.shape, self.strides = storage, kind, offset, tuple(shape), tuple(strides)

    @property
    def element(self) -> np.dtype:
        """The type of the bytes in the file."""
        return np.dtype(self.storage.order + KINDS[self.kind])

    @property
    def dtype(self) -> np.dtype:
        return np.dtype("float32") if self.kind == "bfloat16" else self.element.newbyteorder("=")

    @property
    def identity(self) -> Hashable:
        return id(self.storage), self.kind, self.offset, self.shape, self.strides

    def check(self, path: Path, name: str, most: int) -> None:
        """Check that the tensor lies in its storage, and that it is not larger than the file."""
        field, element = f"tensor {name!r}", self.element.itemsize
        if len(self.shape) != len(self.strides) or len(self.shape) > MOST_AXES:  # before products of sizes are computed
            raise refused(path, field, f"its shape has {len(self.shape)} axes, its strides {len(self.strides)}")
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides))
        end = (last + 1 if math.prod(self.shape) else self.offset) * element
        if math.prod(size for size in self.shape if size) * element >= 2**63:
            raise refused(path, field, f"its shape {self.shape} does not fit into 64 bits")
        if end > self.storage.size:
            raise refused(path, field, f"it ends at byte {end} of its storage, which has {self.storage.size}")
        if math.prod(self.shape) * element > most:
            raise refused(path, field, f"its shape {self.shape} takes {math.prod(self.shape) * element} bytes, the whole file has {most}",
                          "its elements overlap: it was expanded", "save a copy: tensor.contiguous()")

    def read(self, name: str) -> np.ndarray:
        raw, element = self.storage.read(name), self.element
        if not math.prod(self.shape):
            return np.empty(self.shape, self.dtype)
        strides = [stride * element.itemsize for stride in self.strides]
        view: np.ndarray = np.ndarray(self.shape, element, raw, self.offset * element.itemsize, strides)
        if self.kind == "bool" and view.view(np.uint8).max() > 1:
            raise refused(self.storage.path, f"tensor {name!r}", f"a truth value is the byte {view.view(np.uint8).max()}, neither 0 nor 1")
        return to_native(view, self.kind)


def to_native(array: np.ndarray, kind: str) -> np.ndarray:
    """Read-only, in this machine's byte order; bfloat16, the upper half of a float32, as float32."""
    if kind == "bfloat16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    array.flags.writeable = False
    return array


def are_naturals(values: Any) -> bool:
    return isinstance(values, (tuple, list)) and all(type(value) is int and 0 <= value < 2**63 for value in values)
