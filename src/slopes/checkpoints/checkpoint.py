"""A checkpoint: named arrays of a file, which are read when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from ..errors import StateError
from ..files.reading import Path
from .storage import Stored


class Checkpoint(Mapping[str, np.ndarray]):
    """The arrays of a checkpoint by name, in the file's order; shapes are known at once, values are read on demand.

    `format` is "pytorch", "safetensors", "keras" or "numpy"; `others` are the entries that are not arrays (epochs, settings), by name;
    `metadata` the text that safetensors files carry. Arrays are read-only; bfloat16 is converted to float32.

    >>> np.savez("weights.npz", weight=np.ones((2, 3), np.float32), bias=np.zeros(2, np.float32))
    >>> checkpoint = sl.read_checkpoint("weights.npz")
    >>> checkpoint
    Checkpoint(weights.npz: 2 arrays, 8 numbers)
    >>> checkpoint.shapes
    {'weight': (2, 3), 'bias': (2,)}
    """

    def __init__(self, path: Path, format: str, arrays: Mapping[str, Stored], others: Mapping[str, Any] | None = None,
                 metadata: Mapping[str, str] | None = None) -> None:
        self.path, self.format = path, format
        self.arrays, self.others = dict(arrays), dict(others or {})
        self.metadata = dict(metadata or {})

    def __getitem__(self, name: str) -> np.ndarray:
        return self.stored(name).read(name)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array; StateError where there is none of this name."""
        return self.stored(name).shape

    def stored(self, name: str) -> Stored:
        """Where an array lies; StateError where there is none of this name."""
        if name not in self.arrays:
            close = get_close_matches(str(name), list(self.arrays), n=1, cutoff=0.6)
            raise StateError(f"{self.path}: there is no array {name!r}", repair=f"did you mean {close[0]!r}?" if close else "")
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: stored.shape for name, stored in self.arrays.items()}

    @property
    def dtypes(self) -> dict[str, np.dtype]:
        return {name: stored.dtype for name, stored in self.arrays.items()}

    def shared(self) -> list[tuple[str, ...]]:
        """Groups of names that are one array in the file: tied weights."""
        groups: dict[Any, list[str]] = {}
        for name, stored in self.arrays.items():
            groups.setdefault(stored.identity, []).append(name)
        return [tuple(names) for names in groups.values() if len(names) > 1]

    def under(self, prefix: str) -> Checkpoint:
        """The part below a name, without it: `read_checkpoint("last.pt").under("model")`. StateError where there is none.

        >>> np.savez("weights.npz", **{"model.bias": np.zeros(2)})
        >>> list(sl.read_checkpoint("weights.npz").under("model"))
        ['bias']
        """
        start = prefix.rstrip("./") + ("/" if self.format == "keras" else ".")
        arrays = {name.removeprefix(start): stored for name, stored in self.arrays.items() if name.startswith(start)}
        if not arrays:
            first = sorted({name.partition(start[-1])[0] for name in self.arrays})
            raise StateError(f"{self.path}: no array is below {prefix!r}", repair=f"the first parts of names are {', '.join(first[:20])}")
        others = {name.removeprefix(start): value for name, value in self.others.items() if name.startswith(start)}
        return Checkpoint(self.path, self.format, arrays, others, self.metadata)

    def rename(self, rules: Mapping[str, str]) -> Checkpoint:
        """The same arrays under other names: each rule, a regular expression and what replaces it, is applied to every name.

        >>> np.savez("weights.npz", **{"module.norm.gamma": np.ones(2)})
        >>> list(sl.read_checkpoint("weights.npz").rename({r"^module\\.": "", r"gamma$": "weight"}))
        ['norm.weight']
        """
        names = list(self.arrays)
        for pattern, text in rules.items():
            names = [re.sub(pattern, text, name) for name in names]
        arrays = dict(zip(names, self.arrays.values()))
        if len(arrays) < len(names):
            raise StateError(f"{self.path}: two arrays would be named {max(names, key=names.count)!r}")
        return Checkpoint(self.path, self.format, arrays, self.others, self.metadata)

    def __repr__(self) -> str:
        count = sum(int(np.prod(stored.shape)) for stored in self.arrays.values())
        return f"Checkpoint({self.path}: {len(self)} arrays, {count:,} numbers)"
