"""Nested containers of a checkpoint as one row of names: {"model": {"0.weight": w}} has the name model.0.weight."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..files.reading import Path, refused
from .globals import SAVE_STATE, Class, DType, Kind
from .storage import InMemory, Stored, Strided

MOST_DEPTH = 32
LEAST_NAMES = 2**22  # characters that the names of any file may have together; larger files may have as many as they have bytes


def flatten(value: Any, path: Path, most: int) -> tuple[dict[str, Stored], dict[str, Any]]:
    """(arrays, other values) of nested dicts, lists and tuples by name; keys and indices are joined by dots.

    `most` bounds the bytes of a tensor: the file's size. Raises DataError for two values of one name, and for containers that
    contain themselves.
    """
    arrays: dict[str, Stored] = {}
    others: dict[str, Any] = {}
    stack: list[tuple[str, Any, int]] = [("", value, 0)]
    characters = 0
    nested: dict[int, bool] = {}  # by address: one list may have many names, and is looked through once
    while stack:
        name, value, depth = stack.pop()
        if id(value) not in nested:
            nested[id(value)] = is_nested(value)
        if nested[id(value)]:
            items = value.items() if isinstance(value, dict) else enumerate(value)
            characters += len(value) * (len(name) + 16)
            if depth == MOST_DEPTH or characters > max(LEAST_NAMES, most):
                raise refused(path, f"name {name!r:.200}", "containers are nested too deeply", "one may contain itself", SAVE_STATE)
            stack.extend(reversed([(f"{name}.{key}" if name else str(key), item, depth + 1) for key, item in items]))
            continue
        if name in arrays or name in others:
            raise refused(path, f"name {name!r}", "two values have it")
        if isinstance(value, (Strided, np.ndarray)):
            arrays[name] = as_stored(value, name, path, most)
        else:
            others[name] = plain(value)
    if "" in arrays:
        arrays = {"tensor": arrays[""]}
    return arrays, others


def is_nested(value: Any) -> bool:
    """Whether a value is a container with names for its items: a dict, or a list with tensors or containers in it."""
    if isinstance(value, (list, tuple)) and not isinstance(value, (Class, DType, Kind)):
        return any(isinstance(item, (dict, list, tuple, Strided, np.ndarray)) for item in value)
    return isinstance(value, dict)


def as_stored(value: Strided | np.ndarray, name: str, path: Path, most: int) -> Stored:
    if isinstance(value, np.ndarray):
        return InMemory(value)
    value.check(path, name, most)
    return value


def plain(value: Any) -> Any:
    """A value for people: types as their names."""
    if isinstance(value, (Kind, Class)):
        return value.name
    return value.dtype.name if isinstance(value, DType) else value
