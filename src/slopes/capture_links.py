"""The links of a chain such as `config.optimizer["rate"]`: what an attribute or an item is, as far as it is known without running code."""

from __future__ import annotations

import functools
import weakref
from collections import UserList, deque
from collections.abc import Callable
from types import ClassMethodDescriptorType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Protocol

import numpy as np

from .bytecode import ATTRIBUTE, ITEM
from .capture_owners import is_library, is_own_class, is_own_module, tells
from .capture_values import CONTAINERS, MAPPINGS, METHOD, OPAQUE, UNKNOWN, slots_of, vars_of
from .tensor import Tensor

CHANGES = frozenset(("append", "add", "extend", "insert", "update", "clear", "setdefault", "remove", "discard", "popitem", "sort",
                     "reverse"))
ANY_NAME = frozenset(("getattr", "vars", "__dict__", "attrgetter", "asdict", "astuple"))  # what reads attributes without naming them


class Walk(Protocol):
    """Who follows code: captures.py has the class.

    package  the installed package of the function, "" for the user's own code
    names    attributes of values that no chain leads to
    waiting  what is still to be followed
    """

    package: str
    names: set[str]
    waiting: deque[Callable[[], None]]

    def remember(self, kind: str, holder: Any, name: Any, shown: str, value: Any, guarded: bool = True) -> Any:
        """Remember a slot; returns the value."""

    def reach(self, value: Any, shown: str, guarded: bool = True) -> None:
        """A value that the code has in its hands."""

    def is_own(self, code: CodeType) -> bool:
        """Whether code is looked into."""


def attribute(walk: Walk, value: Any, name: str, shown: str, guarded: bool = True) -> Any:
    """The attribute of a value, as far as it is known without running anybody's code."""
    if type(value) in weakref.ProxyTypes:
        return UNKNOWN
    if value is UNKNOWN or name in ANY_NAME:
        walk.names.add(name)
        walk.reach(value, shown.rpartition(".")[0])
        return UNKNOWN
    if isinstance(value, ModuleType):
        return module_attribute(walk, value, name, shown, guarded)
    if isinstance(value, (*OPAQUE, np.ndarray, Tensor)):
        walk.reach(value, shown.rpartition(".")[0])
        return UNKNOWN
    if isinstance(value, CONTAINERS) and name not in vars_of(value):
        if name not in CHANGES:
            walk.reach(value, shown.rpartition(".")[0])
        return UNKNOWN
    if isinstance(value, type):
        return class_attribute(walk, value, value, name, shown, guarded)
    return object_attribute(walk, value, name, shown, guarded)


def module_attribute(walk: Walk, module: ModuleType, name: str, shown: str, guarded: bool) -> Any:
    value = vars(module).get(name, UNKNOWN)
    if value is UNKNOWN or not is_own_module(module, walk.package):
        return value
    return walk.remember(ATTRIBUTE, module, name, shown, value, guarded)


def object_attribute(walk: Walk, value: Any, name: str, shown: str, guarded: bool) -> Any:
    raw = next((vars(owner)[name] for owner in type(value).__mro__ if name in vars(owner)), UNKNOWN)
    own = vars_of(value)
    if name in own and not hasattr(type(raw), "__set__"):
        return walk.remember(ATTRIBUTE, value, name, shown, own[name], guarded and not is_library(type(value)) and not tells(value))
    if name in slots_of(value):
        held = getattr(value, name, UNKNOWN)
        return held if held is UNKNOWN else walk.remember(ATTRIBUTE, value, name, shown, held, guarded)
    if raw is UNKNOWN:  # perhaps a `__getattr__` makes it
        walk.reach(value, shown.rpartition(".")[0])
        return UNKNOWN
    return class_attribute(walk, type(value), value, name, shown, guarded)


def class_attribute(walk: Walk, owner: type, value: Any, name: str, shown: str, guarded: bool) -> Any:
    """What a class holds under a name, bound to the value through which it is read."""
    home = next((base for base in owner.__mro__ if name in vars(base)), None)
    if home is None:
        return UNKNOWN
    raw, bound = vars(home)[name], None if isinstance(value, type) else value
    guarded = guarded and not is_library(home) and is_own_class(home, walk.package)
    if isinstance(raw, (staticmethod, classmethod)):
        return raw.__func__ if isinstance(raw, staticmethod) else MethodType(raw.__func__, owner)
    if isinstance(raw, ClassMethodDescriptorType):
        return getattr(owner, name)
    if isinstance(raw, FunctionType):
        if bound is None or tells(bound) or name.startswith("__"):
            walk.remember(ATTRIBUTE, owner, name, f"{owner.__name__}.{name}", raw, guarded)
        else:
            walk.remember(METHOD, bound, name, shown, raw, guarded)
        return raw if bound is None else MethodType(raw, bound)
    if isinstance(raw, (property, functools.cached_property)):
        getter = raw.fget if isinstance(raw, property) else raw.func
        walk.reach(getter if bound is None or not callable(getter) else MethodType(getter, bound), shown)
        return UNKNOWN
    if "__wrapped__" in vars_of(raw) and bound is not None:
        return MethodType(raw, bound)
    if hasattr(type(raw), "__get__"):  # whatever its code makes of the object
        walk.reach(raw, shown)
        walk.reach(bound, shown.rpartition(".")[0])
        return UNKNOWN
    return walk.remember(ATTRIBUTE, value, name, shown, raw, guarded)


def item(walk: Walk, value: Any, key: Any, shown: str) -> Any:
    """The item of a container under a constant key."""
    whole = shown.rpartition("[")[0]
    if isinstance(value, (list, tuple, UserList)) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key] if isinstance(value, tuple) or tells(value) else walk.remember(ITEM, value, key, shown, value[key])
    if isinstance(value, MAPPINGS) and key in value:
        return value[key] if tells(value) else walk.remember(ITEM, value, key, shown, value[key])
    walk.reach(value, whole)
    return UNKNOWN
