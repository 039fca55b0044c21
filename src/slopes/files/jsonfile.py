"""JSON files with a schema and its version: structure, histories, run state; readable by people and by later versions."""

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

MOST_JSON = 2**28  # bytes; a history of a million epochs stays below
NON_FINITE = "$float"  # JSON has no infinities: they are written as {"$float": "inf"}
MOST_DIGITS, MOST_BITS = 300, 996  # of an integer (996 bits are at most 300 digits): longer ones are beyond every float


def save_json(path: Path, content: dict[str, Any], schema: str, version: int = 1) -> None:
    """Write {"schema": ..., "version": ..., **content} atomically, as indented UTF-8 text.

    NumPy numbers and arrays become numbers and lists; infinities and NaN survive. Raises ArgumentError for values that JSON
    cannot hold, SaveError when the file cannot be written.

    >>> save_json("history.json", {"loss": [0.5, float("nan")]}, schema="slopes.history")
    >>> load_json("history.json", schema="slopes.history")
    {'schema': 'slopes.history', 'version': 1, 'loss': [0.5, nan]}
    """
    taken = {"schema", "version"} & set(content)
    if taken:
        raise ArgumentError(f"the content names {', '.join(sorted(taken))}, which the file's own head uses",
                            repair="choose another name")
    head = {"schema": schema, "version": version}
    write_bytes(path, (json.dumps(plain({**head, **content}), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def plain(value: Any) -> Any:
    """The value in JSON's own types."""
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
    shown = f"{value.bit_length()} bits" if isinstance(value, int) else f"{value!r:.80}"  # Python refuses to write very long integers
    raise ArgumentError(f"a {type(value).__name__} cannot be written as JSON: {shown}",
                        repair="turn it into numbers, text, lists or dicts")


def plain_key(key: Any) -> str:
    if not isinstance(key, str) or key == NON_FINITE:
        raise ArgumentError(f"{key!r} cannot be a name in JSON", repair=f"use any text but {NON_FINITE!r}")
    return key


def load_json(path: Path, schema: str, version: int = 1) -> dict[str, Any]:
    """The content of a file that `save_json` wrote, its "schema" and "version" included.

    Raises DataError for damaged files, for another schema, and for a version newer than `version`, the newest that the caller
    understands.
    """
    found = parse_object(read_whole(path, MOST_JSON), path, "contents")
    if found.get("schema") != schema:
        raise refused(path, "schema", f"{found.get('schema')!r} instead of {schema!r}", repair="name a file of that kind")
    check_version(found.get("version"), version, path)
    return found


def check_version(found: object, newest: int, path: Path) -> None:
    if type(found) is not int or found < 1:
        raise refused(path, "version", f"{found!r} is no schema version")
    if found > newest:
        raise refused(path, "version", f"written with the newer schema version {found}; this slopes reads up to {newest}",
                      repair="upgrade slopes: pip install --upgrade slopes")


def parse_object(raw: bytes, path: Path, field: str, foreign: bool = False) -> dict[str, Any]:
    """The JSON object in `raw`: strict UTF-8, no name twice, no numbers that JSON does not have.

    The infinities and NaN that `plain` wrote are restored, unless the text is `foreign`: not written by slopes.
    """
    def without_twins(pairs: list[tuple[str, Any]]) -> Any:
        made = dict(pairs)
        if len(made) != len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise refused(path, field, f"the name {twice!r:.80} stands there twice")
        return made if foreign else restored(made, path)

    def no_constant(name: str) -> float:
        raise refused(path, field, f"{name} is no JSON number")

    def bounded(digits: str) -> int:
        if len(digits.lstrip("-")) > MOST_DIGITS:
            raise refused(path, field, f"a number has {len(digits)} digits")
        return int(digits)

    def finite(text: str) -> float:
        if math.isinf(number := float(text)):
            raise refused(path, field, f"{text:.40} is no number that a float can hold")
        return number

    try:
        found = json.loads(decoded(raw, path, field), object_pairs_hook=without_twins, parse_constant=no_constant,
                           parse_int=bounded, parse_float=finite)
    except RecursionError:
        raise refused(path, field, "it is nested absurdly deep") from None
    except json.JSONDecodeError as error:
        raise refused(path, field, f"it is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise refused(path, field, f"it is a JSON {type(found).__name__}, not an object")
    return found


def decoded(raw: bytes, path: Path, field: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refused(path, field, f"it is not UTF-8 text (byte {error.start})") from None


def restored(made: dict[str, Any], path: Path) -> Any:
    """The object, or the infinity or NaN that `plain` wrote as one."""
    if set(made) != {NON_FINITE}:
        return made
    if made[NON_FINITE] not in ("nan", "inf", "-inf"):
        raise refused(path, "contents", f"{NON_FINITE} is {made[NON_FINITE]!r:.80}, not nan, inf or -inf")
    return float(made[NON_FINITE])
