"""Arrays of an ONNX file: in the file itself, or in other files of its folder; checked before memory is allocated."""

from __future__ import annotations

import bisect
import math
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..files.reading import Path, inside, opened, refused
from .element_types import BFLOAT16, BOOL, DOUBLE, DTYPES, FLOAT, FLOAT16, INT64, STRING, UINT32, UINT64, name_of, stored_dtype, widen

EXTERNAL = 1  # TensorProto.data_location
MOST_AXES = 64  # NumPy's limit
FIELDS = {FLOAT: "float_data", DOUBLE: "double_data", INT64: "int64_data", UINT32: "uint64_data", UINT64: "uint64_data",
          STRING: "string_data"}  # where elements are that are not raw bytes; all others are in int32_data
KEYS = {"location", "offset", "length", "checksum"}
INLINE_FIELDS = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")


class Range(NamedTuple):
    """The bytes of one array in another file."""

    file: str
    begin: int
    end: int
    name: str


class Weights:
    """Reads the arrays of one model, and remembers which bytes of other files they take."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = os.path.dirname(os.path.abspath(os.fspath(path)))
        self.ranges: list[Range] = []  # in order

    def read(self, tensor: Any, field: str) -> np.ndarray:
        """The array of a TensorProto, in memory of its own. Raises DataError."""
        shape = self.check_shape(tensor, field)
        if tensor.data_location == EXTERNAL:
            return self.read_external(tensor, shape, field)
        if tensor.external_data:
            raise refused(self.path, field, "it names an external file, but its data_location is the model's own file")
        if tensor.HasField("raw_data"):
            return self.from_bytes(tensor.raw_data, tensor, shape, field)
        return self.from_elements(tensor, shape, field)

    def check_shape(self, tensor: Any, field: str) -> tuple[int, ...]:
        """The shape, if type and dimensions are such as arrays can have."""
        code, shape = tensor.data_type, tuple(tensor.dims)
        if code not in DTYPES and code != STRING:
            raise refused(self.path, f"{field}, data_type", f"{name_of(code)} is not supported",
                          why="supported are " + ", ".join(map(name_of, [*DTYPES, STRING])), repair="export the model in float32")
        if len(shape) > MOST_AXES or any(size < 0 for size in shape):
            raise refused(self.path, f"{field}, dims", f"{shape!r:.200} are not at most {MOST_AXES} non-negative sizes")
        if math.prod(size for size in shape if size) >= 2**60:
            raise refused(self.path, f"{field}, dims", f"{shape!r:.200} does not fit into 64 bits")
        if tensor.HasField("segment"):
            raise refused(self.path, f"{field}, segment", "arrays in segments are not supported")
        return shape

    def from_bytes(self, raw: bytes, tensor: Any, shape: tuple[int, ...], field: str) -> np.ndarray:
        """An array of little-endian bytes."""
        code = tensor.data_type
        if code == STRING:
            raise refused(self.path, f"{field}, raw_data", "strings cannot be raw bytes")
        claim = math.prod(shape) * stored_dtype(code).itemsize
        if len(raw) != claim or any(getattr(tensor, name) for name in INLINE_FIELDS[1:]):
            raise refused(self.path, f"{field}, raw_data", f"{len(raw)} bytes, but {name_of(code)} of shape {shape} takes {claim}")
        return self.as_array(np.frombuffer(raw, np.uint8), code, shape, field)

    def as_array(self, raw: np.ndarray, code: int, shape: tuple[int, ...], field: str) -> np.ndarray:
        """Bytes as an array of its own memory."""
        if code == BOOL and raw.size and raw.max() > 1:
            raise refused(self.path, field, f"a truth value is the byte {raw.max()}, neither 0 nor 1")
        return widen(raw.view(stored_dtype(code)), code).reshape(shape)

    def from_elements(self, tensor: Any, shape: tuple[int, ...], field: str) -> np.ndarray:
        """An array whose elements are a list in the message."""
        code = tensor.data_type
        name = FIELDS.get(code, "int32_data")
        elements = getattr(tensor, name)
        filled = [other for other in INLINE_FIELDS if len(getattr(tensor, other))]
        if len(elements) != math.prod(shape) or filled not in ([], [name]):
            raise refused(self.path, f"{field}, {name}", f"{len(elements)} elements for {name_of(code)} of shape {shape}")
        if code == STRING:
            return self.strings(elements, shape, field)
        array = np.array(elements, dtype={FLOAT: np.float32, DOUBLE: np.float64}.get(code, np.uint64 if "uint" in name else np.int64))
        return self.narrow(array, code, field).reshape(shape)

    def strings(self, elements: Iterable[bytes], shape: tuple[int, ...], field: str) -> np.ndarray:
        """An array of words."""
        try:
            return np.array([element.decode() for element in elements], dtype=object).reshape(shape)
        except UnicodeDecodeError as error:
            raise refused(self.path, f"{field}, string_data", f"a string is not UTF-8 ({error})") from error

    def narrow(self, array: np.ndarray, code: int, field: str) -> np.ndarray:
        """Elements of a wide list in their own type, which must hold them."""
        if code in (FLOAT16, BFLOAT16):
            return widen(self.narrow_to(array, np.dtype("u2"), field).view(stored_dtype(code)), code)
        return self.narrow_to(array, DTYPES[code], field)

    def narrow_to(self, array: np.ndarray, dtype: np.dtype, field: str) -> np.ndarray:
        narrow = array.astype(dtype)
        if dtype.kind != "f" and not np.array_equal(narrow.astype(array.dtype), array):
            raise refused(self.path, field, f"an element does not fit into {dtype}")
        return narrow

    # Other files

    def read_external(self, tensor: Any, shape: tuple[int, ...], field: str) -> np.ndarray:
        """An array whose bytes are in another file of the model's folder."""
        code = tensor.data_type
        if code == STRING or any(len(getattr(tensor, name)) for name in INLINE_FIELDS):
            raise refused(self.path, f"{field}, data_location", "external data that are strings, or in the model too")
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if not entries.get("location") or not set(entries) <= KEYS or len(entries) < len(tensor.external_data):
            raise refused(self.path, f"{field}, external_data", f"its keys {sorted(entries)!r:.200} are not such as {sorted(KEYS)}")
        return self.read_range(self.checked_path(entries["location"], field), entries, code, shape, field)

    def checked_path(self, location: str, field: str) -> str:
        """The path of a file in the model's folder, which neither `..` nor a link leads out of."""
        parts = location.replace("\\", "/").split("/")
        if "\0" in location or os.path.isabs(location) or ".." in parts or ":" in parts[0] or parts[0] == "":
            raise refused(self.path, f"{field}, location", f"{location!r:.200} is not a path in the model's folder",
                          why="a model reads no files of other folders", repair="keep the data beside the model, under a relative name")
        return inside(self.folder, location)

    def read_range(self, file: str, entries: dict[str, str], code: int, shape: tuple[int, ...], field: str) -> np.ndarray:
        """The bytes from `offset` on, if the file has as many as type and shape take."""
        claim = math.prod(shape) * stored_dtype(code).itemsize
        begin = self.whole_number(entries.get("offset", "0"), f"{field}, offset")
        length = self.whole_number(entries.get("length", str(claim)), f"{field}, length")
        with opened(file) as source:
            if length != claim or begin + claim > source.size:
                raise refused(self.path, f"{field}, external_data", f"{length} bytes from {begin} on, in a file of {source.size}",
                              why=f"{name_of(code)} of shape {shape} takes {claim} bytes")
            self.claim(Range(file, begin, begin + claim, field))
            raw = np.empty(claim, np.uint8)
            source.stream.seek(begin)
            if claim and source.stream.readinto(raw.data) != claim:  # type: ignore[attr-defined]
                raise refused(file, field, "the file became shorter while it was read")
        return self.as_array(raw, code, shape, field)

    def whole_number(self, text: str, field: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 20):
            raise refused(self.path, field, f"{text!r:.60} is not a whole number")
        return int(text)

    def claim(self, taken: Range) -> None:
        """Remember a range; no byte belongs to two arrays, or memory would not be bounded by the size of the files."""
        if taken.begin == taken.end:
            return
        index = bisect.bisect(self.ranges, taken)
        for other in self.ranges[max(0, index - 1):index + 1]:
            if other.file == taken.file and other.begin < taken.end and taken.begin < other.end:
                raise refused(self.path, f"{taken.name}, external_data", f"its bytes overlap those of {other.name}",
                              why=f"{taken.begin} to {taken.end} and {other.begin} to {other.end} of {os.path.basename(taken.file)}")
        self.ranges.insert(index, taken)
