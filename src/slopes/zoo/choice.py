"""Arguments that choose from a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ..errors import ArgumentError

V = TypeVar("V")


def resolve(network: str, name: str, value: Any, table: Mapping[Any, V]) -> V:
    """The entry of the table for this value, or an ArgumentError that lists what there is.

    >>> resolve("resnet", "depth", 18, {18: "basic"})
    'basic'
    """
    if value not in table:
        raise ArgumentError(f"{network}: {name}={value!r} is not known", repair=f"choose one of {', '.join(map(str, table))}")
    return table[value]
