"""Read a checkpoint of whatever format: recognized by its contents, or by the names of the files in a folder."""

from __future__ import annotations

import os
import zipfile
from typing import Any

from ..files.npyfile import MAGIC as NPY_MAGIC
from ..files.npyfile import load_npz, zip_errors
from ..files.reading import Path, Source, inside, opened, refused
from .checkpoint import Checkpoint
from .flatten import flatten
from .keras_file import HDF5_MAGIC, read_hdf5, read_keras
from .shards import read_safetensors, read_sharded
from .storage import InMemory
from .torch_file import MAGIC_BYTES, read_archive, read_row

IN_FOLDER = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json", "model.weights.h5")
KNOWN = "known are PyTorch's (.pt, .pth, .bin), safetensors, Keras 3 (.keras, .weights.h5) and NumPy's (.npz)"


def read_checkpoint(path: Path) -> Checkpoint:
    """The named arrays of a checkpoint: a mapping that `net.load_state_dict` and `sl.match_weights` take.

    Reads files of torch.save (the zip format and the older one), safetensors, Keras 3 (.keras and .weights.h5; needs the extra
    `keras`) and npz, recognized by their contents; an index of several files (model.safetensors.index.json,
    pytorch_model.bin.index.json); and a folder with one of these under its usual name. Nested dicts of a PyTorch file become names
    with dots: {"model": {"0.weight": w}} has the array model.0.weight.

    No code runs: pickles are interpreted with a closed list of types (tensors, NumPy arrays and numbers, plain containers). Shapes
    and offsets are validated first, and values are read when they are asked for. Raises DataError naming file and field for
    everything else: other types, damaged files, tensors outside of their storage, files outside of the folder.

    >>> from slopes import files, nn
    >>> net = nn.Linear(3, 2)
    >>> files.save_safetensors("linear.safetensors", net.state_dict())
    >>> net.load_state_dict(sl.read_checkpoint("linear.safetensors"))
    """
    if os.path.isdir(path):
        return read_checkpoint(file_in(path))
    if os.fspath(path).endswith(".index.json"):
        return read_sharded(path, read_file)
    return read_file(path)


def file_in(folder: Path) -> str:
    """The file of a folder that holds its weights."""
    for name in IN_FOLDER:
        if os.path.lexists(os.path.join(folder, name)):
            return inside(folder, name)
    raise refused(folder, "files", "there are no weights in this folder", f"looked for {', '.join(IN_FOLDER)}", "name the file itself")


def read_file(path: Path) -> Checkpoint:
    """The checkpoint of one file."""
    with opened(path) as source:
        begin = source.stream.read(32)
        source.stream.seek(0)
        if begin[:4] == b"PK\x03\x04":
            return read_zip(source, path)
        if begin[:1] == b"\x80" and MAGIC_BYTES in begin:
            return of_torch(read_row(source, path), path, source.size)
    if begin.startswith(HDF5_MAGIC):
        return read_hdf5(path)
    if len(begin) > 8 and begin[8:9] == b"{":
        return read_safetensors(path)
    raise unknown_format(path, begin)


def read_zip(source: Source, path: Path) -> Checkpoint:
    """A zip archive: npz, .keras, or of torch.save."""
    with zip_errors(path, "zip directory"), zipfile.ZipFile(source.stream) as archive:
        names = archive.namelist()
    if "model.weights.h5" in names:
        return read_keras(path)
    if names and all(name.endswith(".npy") for name in names):
        return Checkpoint(path, "numpy", {name: InMemory(array) for name, array in load_npz(path).items()})
    return of_torch(read_archive(source, path), path, source.size)


def of_torch(value: Any, path: Path, size: int) -> Checkpoint:
    arrays, others = flatten(value, path, size)
    return Checkpoint(path, "pytorch", arrays, others)


def unknown_format(path: Path, begin: bytes) -> Exception:
    """The error for a file that is none of the known ones."""
    if begin[:1] == b"\x80":
        return refused(path, "contents", "it is a pickle, but not one of torch.save", KNOWN, "save it with torch.save or numpy.savez")
    if begin.startswith(NPY_MAGIC):
        return refused(path, "contents", "it is one array without a name", KNOWN, "read it with data.load_npy")
    return refused(path, "contents", "its format is not known", KNOWN)
