"""Files as torch.save writes them, made without PyTorch: opcodes of pickles, zip archives, rows of pickles."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "int64": "LongStorage", "bool": "BoolStorage", "uint8": "ByteStorage",
            "float16": "HalfStorage"}
MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
PROTOCOL = b"\x80\x02M\xe9\x03."


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def row(values: Sequence[int]) -> bytes:
    return b"(" + b"".join(map(integer, values)) + b"t"


def named(name: str) -> bytes:
    """A global, written as module.name."""
    module, _, last = name.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def storage(key: str, kind: str, count: int) -> bytes:
    return b"(" + text("storage") + named(f"torch.{kind}") + text(key) + text("cpu") + integer(count) + b"tQ"


def tensor(key: str, kind: str, count: int, shape: Sequence[int], strides: Sequence[int], offset: int = 0) -> bytes:
    """A tensor in a pickle."""
    hooks = named("collections.OrderedDict") + b")R"
    return named("torch._utils._rebuild_tensor_v2") + b"(" + storage(key, kind, count) + integer(offset) + row(shape) + row(strides) + \
        b"\x89" + hooks + b"tR"


def array_tensor(key: str, array: np.ndarray) -> bytes:
    strides = [step // array.itemsize for step in array.strides]
    return tensor(key, STORAGES[array.dtype.name], array.size, array.shape, strides)


def mapping(items: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(name) + value for name, value in items.items()) + b"u"


def pickled(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


def archive(value: bytes, storages: Mapping[str, Any], extra: Mapping[str, bytes] | None = None, method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of torch.save whose data.pkl has these opcodes."""
    file = io.BytesIO()
    members = {"data.pkl": pickled(value), "byteorder": b"little", "version": b"3\n",
               **(extra or {}), **{f"data/{key}": bytes(data) for key, data in storages.items()}}
    with zipfile.ZipFile(file, "w", method) as opened:
        for name, content in members.items():
            opened.writestr(f"archive/{name}", content)
    return file.getvalue()


def legacy(value: bytes, storages: Mapping[str, np.ndarray]) -> bytes:
    """A file of torch.save before PyTorch 1.6."""
    machine = mapping({"protocol_version": integer(1001), "little_endian": b"\x88"})
    names = b"](" + b"".join(map(text, storages)) + b"e"
    data = b"".join(struct.pack("<q", array.size) + array.tobytes() for array in storages.values())
    return MAGIC + PROTOCOL + pickled(machine) + pickled(value) + pickled(names) + data


def state_archive(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The archive of a state_dict."""
    keys = {name: str(i) for i, name in enumerate(arrays)}
    return archive(mapping({name: array_tensor(keys[name], array) for name, array in arrays.items()}),
                   {keys[name]: array.tobytes() for name, array in arrays.items()})
