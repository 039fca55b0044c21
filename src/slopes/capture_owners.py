"""Whose code it is: the user's, which compiled functions watch for changes, or that of slopes and of installed packages."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from .capture_values import vars_of
from .errors import is_internal

LIBRARY = __package__
NOT_CALLED = frozenset(("__init__", "__new__", "__repr__", "__str__", "__del__", "__reduce__", "__reduce_ex__", "__getstate__",
                        "__setstate__", "__init_subclass__", "__class_getitem__", "__copy__", "__deepcopy__", "__setattr__", "__delattr__"))


def code_of(function: Any) -> CodeType | None:
    """The code of a function, also of one that is wrapped or bound."""
    while isinstance(function, (MethodType, functools.partial)) or "__wrapped__" in vars_of(function):
        if isinstance(function, functools.partial):
            function = function.func
        else:
            function = function.__func__ if isinstance(function, MethodType) else vars_of(function)["__wrapped__"]
    return function.__code__ if isinstance(function, FunctionType) else None


def package_of(code: CodeType | None) -> str:
    """Which library code belongs to: "" for the user's own."""
    if code is None:
        return ""
    return package_of_file(code.co_filename)


@functools.lru_cache(maxsize=4096)
def package_of_file(file: str) -> str:
    if is_internal(file):
        return LIBRARY + ":" + os.path.basename(file)  # each file for itself: slopes is looked through, not into
    _, installed, rest = file.rpartition("-packages" + os.sep)
    return rest.partition(os.sep)[0] if installed else ""


def is_own_module(module: ModuleType, package: str) -> bool:
    top = module.__name__.partition(".")[0]
    if top == LIBRARY or (top in sys.stdlib_module_names and top != "__main__"):
        return False
    return package_of_file(getattr(module, "__file__", None) or "") in ("", package)


def is_own_class(kind: type, package: str) -> bool:
    module = sys.modules.get(kind.__module__)
    return module is None or is_own_module(module, package)


def is_library(kind: type) -> bool:
    """Whether a class is one of slopes."""
    return kind.__module__.partition(".")[0] == LIBRARY


def tells(value: Any) -> bool:
    """Whether compiled functions learn of changes of this object by `versions.structure`."""
    return bool(getattr(type(value), "tracks_changes", False))


def own_classes(kind: type) -> Iterator[type]:
    """The classes of an object that are the user's."""
    return (base for base in kind.__mro__ if base is not object and not is_library(base) and base.__module__ != "builtins")


def called_by_others(own: type, kind: type) -> list[str]:
    """The methods of a class that run without being named: those for Python's operators, and those that slopes calls."""
    inherited = {name for base in kind.__mro__ if is_library(base) for name in vars(base)}
    methods = [name for name, value in vars(own).items() if isinstance(value, FunctionType) or "__wrapped__" in vars_of(value)]
    return [name for name in methods if name not in NOT_CALLED and (name in inherited or (name.startswith("__") and name.endswith("__")))]
