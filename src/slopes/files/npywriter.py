"""Write NumPy's npy and npz files: atomic, and equal arrays give equal bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from ..errors import ArgumentError
from .arrays import as_array
from .atomic import Path, replacing

NO_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date of zip, so that the bytes do not depend on the time of writing


def save_npy(path: Path, array: Any) -> None:
    """Write one numeric array atomically. Raises ArgumentError for objects and text, SaveError when the file cannot be written.

    >>> save_npy("x.npy", [1.5, 2.5])
    >>> from slopes.files import load_npy
    >>> load_npy("x.npy")
    array([1.5, 2.5])
    """
    array = numeric_array("the array", array)
    with replacing(path) as file:
        write(file, array)


def save_npz(path: Path, arrays: Mapping[str, Any], compress: bool = True) -> None:
    """Write named numeric arrays as one zip archive, atomically; `numpy.load` reads it.

    >>> save_npz("xy.npz", {"x": [1, 2], "y": 3.0})
    >>> from slopes.files import load_npz
    >>> load_npz("xy.npz")["x"]
    array([1, 2])
    """
    checked = {name: numeric_array(f"array {name!r}", array) for name, array in arrays.items()}
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with replacing(path) as file, zipfile.ZipFile(file, "w", method) as archive:
        for name, array in checked.items():
            member = zipfile.ZipInfo(f"{name}.npy", NO_DATE)
            member.compress_type = method
            archive.writestr(member, npy_bytes(array))


def numeric_array(what: str, values: Any) -> np.ndarray:
    array = as_array(values, what)
    if array.dtype.kind not in "biufc" or array.dtype.itemsize > 16 or array.dtype.name == "longdouble":
        raise ArgumentError(f"{what} has dtype {array.dtype}, not a numeric one", repair="cast it: array.astype(np.float64)")
    return array


def write(file: BinaryIO, array: np.ndarray) -> None:
    np.lib.format.write_array(file, array, allow_pickle=False)


def npy_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    write(buffer, array)
    return buffer.getvalue()
