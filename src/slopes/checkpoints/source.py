"""From which arrays of a checkpoint a weight is made, and how: joined, transposed, reordered, reshaped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..files.reading import Path, refused

FIELDS = {"from": "names", "row": "row", "view": "view", "permute": "permute", "blocks": "blocks", "of": "of", "reshape": "reshape"}


@dataclass(frozen=True)
class Source:
    """The arrays that make one weight, and the steps between: for every array, in this order,

    * `row`: take this index of axis 0;
    * `view`: reshape to these sizes;
    * `permute`: reorder the axes (a transposed matrix is (1, 0));
    * `blocks`: cut axis 0 into `of` equal blocks (by default as many as are listed) and take these, in this order;

    then the arrays are joined along axis 0, and with `reshape` brought to the weight's shape. Without names the weight is zeros.

    >>> Source(("kernel",), permute=(1, 0)).text()
    'kernel, permute (1, 0)'
    """

    names: tuple[str, ...]
    row: int | None = None
    view: tuple[int, ...] | None = None
    permute: tuple[int, ...] | None = None
    blocks: tuple[int, ...] | None = None
    of: int | None = None
    reshape: bool = False

    def shape(self, shapes: Mapping[str, tuple[int, ...]], target: tuple[int, ...]) -> tuple[int, ...] | None:
        """The shape of the weight, from the shapes of the arrays; None where a step does not fit them."""
        if not self.names:
            return target
        parts = [self.step_shape(shapes[name]) for name in self.names]
        if None in parts or len({part[1:] for part in parts if part}) > 1 or (len(parts) > 1 and () in parts):
            return None
        whole = [part for part in parts if part is not None]
        joined = whole[0] if len(whole) == 1 else (sum(part[0] for part in whole), *whole[0][1:])
        return target if self.reshape and math.prod(joined) == math.prod(target) else joined

    def step_shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """The shape of one array after its steps."""
        if self.row is not None:
            if not shape or self.row >= shape[0]:
                return None
            shape = shape[1:]
        if self.view is not None:
            if math.prod(self.view) != math.prod(shape):
                return None
            shape = self.view
        if self.permute is not None:
            if sorted(self.permute) != list(range(len(shape))):
                return None
            shape = tuple(shape[axis] for axis in self.permute)
        if self.blocks is not None:
            count = self.of or len(self.blocks)
            if not shape or shape[0] % count or max(self.blocks) >= count:
                return None
            shape = (shape[0] // count * len(self.blocks), *shape[1:])
        return shape

    def values(self, arrays: Mapping[str, np.ndarray], target: tuple[int, ...]) -> np.ndarray:
        """The weight, once `shape` has been checked."""
        if not self.names:
            return np.zeros(target, np.float32)
        parts = [self.steps(arrays[name]) for name in self.names]
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return joined.reshape(target) if self.reshape else joined

    def steps(self, array: np.ndarray) -> np.ndarray:
        if self.row is not None:
            array = array[self.row]
        if self.view is not None:
            array = array.reshape(self.view)
        if self.permute is not None:
            array = array.transpose(self.permute)
        if self.blocks is not None:
            parts = np.split(array, self.of or len(self.blocks))
            array = np.concatenate([parts[i] for i in self.blocks])
        return array

    def text(self) -> str:
        """One line: the names, and the steps."""
        steps = [f"{key} {value}" for key, field in FIELDS.items() if field not in ("names", "reshape")
                 and (value := getattr(self, field)) is not None]
        return ", ".join([" + ".join(self.names) or "zeros", *steps, *(["reshape"] if self.reshape else [])])

    def to_json(self) -> Any:
        """A name, or an object with the fields that are set."""
        values = {key: getattr(self, field) for key, field in FIELDS.items()}
        fields = {key: plain(value) for key, value in values.items() if value is not None and value is not False}
        if len(self.names) == 1:
            fields["from"] = self.names[0]
        return fields["from"] if len(self.names) == 1 and len(fields) == 1 else fields


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def from_json(value: Any, path: Path, field: str) -> Source:
    """A source as `to_json` wrote it, perhaps edited; DataError for anything else."""
    fields = {"from": value} if isinstance(value, str) else value
    if not isinstance(fields, dict) or not fields.keys() <= FIELDS.keys():
        raise refused(path, field, f"{value!r:.200} is no source", f"it is a name, or an object with some of {', '.join(FIELDS)}")
    names = [fields["from"]] if isinstance(fields.get("from"), str) else fields.get("from", [])
    lists = {key: fields[key] for key in ("view", "permute", "blocks") if key in fields}
    counts = {key: fields[key] for key in ("row", "of") if key in fields}
    if not are_names(names) or not all(map(are_counts, lists.values())) or not all(map(is_count, counts.values())) \
            or counts.get("of") == 0 or lists.get("blocks") == [] or not isinstance(fields.get("reshape", False), bool):
        raise refused(path, field, f"{value!r:.200} is no source",
                      "from is a name or a list of names, view, permute and blocks are lists of integers from 0, row and of are integers")
    steps: dict[str, Any] = {**{key: tuple(items) for key, items in lists.items()}, **counts}
    return Source(tuple(names), **steps, reshape=fields.get("reshape", False))


def are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_count, value))
