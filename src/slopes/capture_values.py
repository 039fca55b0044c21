"""What values hold, without running anybody's code: attributes, items, cells; and the slots in which a compiled function reads them."""

from __future__ import annotations

import threading
from collections import ChainMap, UserDict, UserList, deque
from types import CellType, CodeType, FunctionType, MappingProxyType, MethodType
from typing import Any, NamedTuple

import numpy as np

CONTENTS, METHOD, CONTEXT = "contents", "method", "context"
LARGE = 1000  # items: of a larger container only the number of items is compared, and it is not looked into
UNKNOWN: Any = object()  # a value that only running the code would tell
OPAQUE = (bool, int, float, complex, str, bytes, type(None), np.generic, np.dtype, CodeType, CellType, type(...), slice, range)
MAPPINGS = (dict, UserDict, ChainMap, MappingProxyType)
CONTAINERS = (*MAPPINGS, list, UserList, set, deque)


class Slot(NamedTuple):
    """Where the function read a value: in a global, a cell, an attribute, an item, or all items of a container."""

    kind: str  # GLOBAL, CELL, ATTRIBUTE, METHOD, ITEM, CONTENTS or CONTEXT
    holder: Any  # the namespace, the cell, the object or the container
    name: Any
    shown: str  # how messages call it
    value: Any  # what was in it when the function had been traced


def arguments_of(function: FunctionType) -> tuple[str, ...]:
    """The names of the positional parameters."""
    return function.__code__.co_varnames[:function.__code__.co_argcount]


def contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing was assigned yet
        return UNKNOWN


def vars_of(value: Any) -> dict[str, Any]:
    """The attributes of an object, without asking a `__getattr__` of its own."""
    if isinstance(value, threading.local):
        return value.__dict__
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return attributes if isinstance(attributes, dict) else {}


def slots_of(value: Any) -> list[str]:
    """The names of attributes that an object keeps in slots."""
    slots: list[str] = []
    for base in type(value).__mro__:
        names = vars(base).get("__slots__", ())
        slots += (names,) if isinstance(names, str) else names
    return slots


def items_of(container: Any) -> list[Any]:
    """All that a container holds, in its order; of a large one only the number of items."""
    if is_large(container):
        return [len(container)]
    return [*container.keys(), *container.values()] if isinstance(container, MAPPINGS) else list(container)


def is_large(container: Any) -> bool:
    return len(container) > LARGE


def shown_type(value: Any) -> str:
    return value.__name__ if isinstance(value, (type, FunctionType, MethodType)) else type(value).__name__
