"""Attributes of modules by name: looked up by a path, or registered after a check."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from ..arrays import shorten
from ..errors import ArgumentError
from ..parameter import Parameter


def look_up(root: object, what: str, named: Mapping[str, Any], path: str) -> Any:
    if path not in named:
        near = get_close_matches(str(path), named, 1)
        raise ArgumentError(f"{type(root).__name__} has no {what} {path!r}",
                            repair=f"do you mean {near[0]!r}?" if near else f"its paths are {shorten(list(named))}")
    return named[path]


def set_registered(module: object, name: str, value: Any, kind: type) -> None:
    check_attribute(module, name)
    if value is not None and not isinstance(value, kind):
        raise ArgumentError(f"{type(module).__name__}: {name} is {shorten(value)} of type {type(value).__name__}, not a {kind.__name__}",
                            repair="nn.Parameter(tensor) makes a parameter of it" if kind is Parameter else "")
    setattr(module, name, value)


def check_attribute(module: object, name: str) -> None:
    """The name of a registered attribute; one that a class has, such as a method, would be hidden by it."""
    if not isinstance(name, str) or not name.isidentifier() or hasattr(type(module), name):
        raise ArgumentError(f"{type(module).__name__}: {name!r} cannot be the name of an attribute",
                            why="it is no identifier" if not str(name).isidentifier() else "the class has an attribute of this name")
