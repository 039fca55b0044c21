"""JSON files with a schema and a version: configurations, histories, run state."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .atomic import write_bytes
from .reading import Path, read_whole, refused

MOST_JSON = 2**28  # bytes; a history of a million epochs is smaller
NON_FINITE = "$float"  # JSON has no infinities or NaN: they are written as {"$float": "inf"}
MOST_DIGITS, MOST_BITS = 300, 996  # of an integer (996 bits are at most 300 digits): longer ones do not fit a float


def save_json(path: Path, content: dict[str, Any], schema: str, version: int = 1) -> None:
    """Write {"schema": ..., "version": ..., **content} atomically, as indented UTF-8 text.

    NumPy scalars and arrays become numbers and lists; infinities and NaN are preserved. Raises ArgumentError for values that JSON
    cannot hold, SaveError when the file cannot be written.

    >>> save_json("history.json", {"loss": [0.5, float("nan")]}, schema="slopes.history")
    >>> load_json("history.json", schema="slopes.history")
    {'schema': 'slopes.history', 'version': 1, 'loss': [0.5, nan]}
    """
    reserved = {"schema", "version"} & set(content)
    if reserved:
        raise ArgumentError(f"the content uses the reserved keys {', '.join(sorted(reserved))}",
                            repair="choose other names")
    head = {"schema": schema, "version": version}
    write_bytes(path, (json.dumps(plain({**head, **content}), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def plain(value: Any) -> Any:
    """`value` converted to JSON types."""
    if value is None or isinstance(value, (bool, str)) or (isinstance(value, int) and value.bit_length() <= MOST_BITS):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {NON_FINITE: str(value)}
    if isinstance(value, dict):
        return {plain_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)) and value.dtype.kind in "biuf":
        return plain(value.tolist())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    text = f"{value.bit_length()} bits" if isinstance(value, int) else f"{value!r:.80}"  # Python refuses to print very long integers
    raise ArgumentError(f"a {type(value).__name__} cannot be written as JSON: {text}",
                        repair="convert it to numbers, strings, lists or dicts")


def plain_key(key: Any) -> str:
    if not isinstance(key, str) or key == NON_FINITE:
        raise ArgumentError(f"{key!r} cannot be a key in JSON", repair=f"use any string except {NON_FINITE!r}")
    return key


def load_json(path: Path, schema: str, version: int = 1) -> dict[str, Any]:
    """Read a file that `save_json` wrote, including its "schema" and "version".

    Raises DataError for damaged files, for another schema, and for a version newer than `version`, the newest that the caller
    understands.
    """
    content = parse_object(read_whole(path, MOST_JSON), path, "contents")
    if content.get("schema") != schema:
        raise refused(path, "schema", f"{content.get('schema')!r} instead of {schema!r}", repair="pass the path of a file with that schema")
    check_version(content.get("version"), version, path)
    return content


def check_version(version: object, newest: int, path: Path) -> None:
    if type(version) is not int or version < 1:
        raise refused(path, "version", f"{version!r} is not a schema version")
    if version > newest:
        raise refused(path, "version", f"written with the newer schema version {version}; this slopes reads up to {newest}",
                      repair="upgrade slopes: pip install --upgrade slopes")


def parse_object(raw: bytes, path: Path, field: str, foreign: bool = False) -> dict[str, Any]:
    """Parse the JSON object in `raw`: strict UTF-8, no duplicate keys, only numbers that JSON defines.

    The infinities and NaN that `plain` encoded are restored, unless the text is `foreign`: not written by slopes.
    """
    def unique_names(pairs: list[tuple[str, Any]]) -> Any:
        content = dict(pairs)
        if len(content) != len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise refused(path, field, f"the key {twice!r:.80} occurs twice")
        return content if foreign else restore_float(content, path)

    def no_constant(name: str) -> float:
        raise refused(path, field, f"{name} is not a JSON number")

    def bounded(digits: str) -> int:
        if len(digits.lstrip("-")) > MOST_DIGITS:
            raise refused(path, field, f"a number has {len(digits)} digits")
        return int(digits)

    def finite(text: str) -> float:
        if math.isinf(value := float(text)):
            raise refused(path, field, f"{text:.40} does not fit a float")
        return value

    try:
        value = json.loads(decode_utf8(raw, path, field), object_pairs_hook=unique_names, parse_constant=no_constant,
                           parse_int=bounded, parse_float=finite)
    except RecursionError:
        raise refused(path, field, "it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise refused(path, field, f"it is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise refused(path, field, f"it is a JSON {type(value).__name__}, not an object")
    return value


def decode_utf8(raw: bytes, path: Path, field: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refused(path, field, f"it is not UTF-8 text (byte {error.start})") from None


def restore_float(content: dict[str, Any], path: Path) -> Any:
    """The object itself, or the infinity or NaN that `plain` encoded as an object."""
    if set(content) != {NON_FINITE}:
        return content
    if content[NON_FINITE] not in ("nan", "inf", "-inf"):
        raise refused(path, "contents", f"{NON_FINITE} is {content[NON_FINITE]!r:.80}, not nan, inf or -inf")
    return float(content[NON_FINITE])
