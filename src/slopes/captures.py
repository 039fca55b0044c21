"""What a compiled function reads besides its arguments, by following its code through the objects that it names."""

from __future__ import annotations

import functools
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from .arrays import memory_of
from .capture_code import read_function
from .capture_links import ANY_NAME, attribute, class_attribute
from .capture_owners import called_by_others, code_of, is_library, is_own_class, is_own_module, own_classes, package_of, tells
from .capture_values import (
    CONTAINERS,
    CONTENTS,
    CONTEXT,
    OPAQUE,
    UNKNOWN,
    Slot,
    arguments_of,
    is_large,
    items_of,
    shown_type,
    slots_of,
    vars_of,
)
from .errors import warn
from .foreign_random import is_generator
from .tensor import Tensor

CLOCKS = frozenset(("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns",
                    "time.process_time", "time.thread_time", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"))


class Captures:
    """Everything that a function may read besides tensors among its arguments.

    slots    where it read values, each once
    arrays   the NumPy arrays, by the address of the object that owns their memory
    sources  generators of random numbers of Python and NumPy, by address
    clocks   the functions that tell the time, as the code calls them
    """

    def __init__(self, function: Callable, args: tuple = (), kwargs: Mapping[str, Any] | None = None) -> None:
        self.slots: dict[tuple, Slot] = {}
        self.arrays: dict[int, tuple[np.ndarray, str]] = {}
        self.sources: dict[int, tuple[Any, str]] = {}
        self.clocks: set[str] = set()
        self.seen: dict[Any, Any] = {}  # by address; it keeps the objects, so that no address is used again
        self.names: set[str] = set()  # attributes of values that no chain leads to
        self.objects: list[tuple[Any, str]] = []  # those whose attributes these may be
        self.waiting: deque[Callable[[], None]] = deque()
        self.package = package_of(code_of(function))
        self.start(function, args, kwargs or {})
        self.follow()

    def start(self, function: Any, args: tuple, kwargs: Mapping[str, Any]) -> None:
        """Begin with the function and the objects among its arguments."""
        owner = [] if not isinstance(function, MethodType) else [function.__self__]
        plain = function.__func__ if owner else function
        if isinstance(plain, FunctionType):
            self.first(id(plain), plain)
            self.first((id(plain), *map(id, owner)), plain)
            read_function(self, plain, {**dict(zip(arguments_of(plain), (*owner, *args))), **kwargs})
        for value in (*owner, plain, *args, *kwargs.values()):
            self.reach(value, shown_type(value))

    def follow(self) -> None:
        """Follow everything that was reached, until nothing new is."""
        while True:
            while self.waiting:
                self.waiting.popleft()()
            count = len(self.seen), len(self.slots)
            for value, shown in list(self.objects):
                self.read_named(value, shown)
            if not self.waiting and count == (len(self.seen), len(self.slots)):
                return

    def read_named(self, value: Any, shown: str) -> None:
        """The attributes of an object that some code reads from a value of which it is not known which object it is."""
        every = not ANY_NAME.isdisjoint(self.names)
        kind = value if isinstance(value, type) else type(value)
        names = {*vars_of(value), *slots_of(value), *(name for owner in own_classes(kind) for name in vars(owner))}
        for name in names if every and not isinstance(value, type) else names & self.names:
            if not (name.startswith("__") and name.endswith("__")) and self.first((id(value), name), value):
                self.reach(attribute(self, value, name, f"{shown}.{name}"), f"{shown}.{name}")
                for owner in own_classes(kind):  # also what `super()` finds
                    if isinstance(vars(owner).get(name), FunctionType):
                        self.reach(MethodType(vars(owner)[name], value), f"{owner.__name__}.{name}")

    def first(self, key: Any, value: Any) -> bool:
        """Whether this is met for the first time."""
        new = key not in self.seen
        self.seen.setdefault(key, value)
        return new

    def warn_of_clocks(self) -> None:
        """Warn of a function that asks for the time. Whether this code has run cannot be known: the time has no state."""
        if self.clocks:
            warn(f"a compiled function asks for the time ({', '.join(sorted(self.clocks))}), which is read only when it is recorded",
                 why="a program holds what Python computed while it was recorded",
                 repair="take the time outside of the function, and pass it as a tensor if the function computes with it")

    # ------------------------------------------------------------------ slots
    def remember(self, kind: str, holder: Any, name: Any, shown: str, value: Any, guarded: bool = True) -> Any:
        """Remember a slot, unless what is in it cannot change unnoticed; returns the value."""
        if guarded and value is not UNKNOWN and not (issubclass(type(value), ModuleType) and not is_own_module(value, self.package)):
            self.slots.setdefault((kind, id(holder), repr(name)), Slot(kind, holder, name, shown, value))
        return value

    # ------------------------------------------------------------------ values
    def reach(self, value: Any, shown: str, guarded: bool = True) -> None:
        """A value that the code has in its hands: what it may read of it.

        guarded: whether it may read all of it; what hangs in slopes' own objects is only looked through, for the user's code.
        """
        if value is UNKNOWN or type(value) in weakref.ProxyTypes or isinstance(value, OPAQUE):
            return
        if isinstance(value, np.ndarray):
            self.reach_array(value, shown, guarded)
        elif isinstance(value, BuiltinFunctionType):
            self.reach_builtin(value, shown)
        elif isinstance(value, (*CONTAINERS, tuple, frozenset)):
            self.reach_container(value, shown, guarded)
        elif self.first(id(value), value):
            self.reach_other(value, shown)

    def reach_array(self, array: np.ndarray, shown: str, guarded: bool) -> None:
        owner = memory_of(array)
        if guarded:
            self.arrays.setdefault(id(owner), (owner, shown))

    def reach_builtin(self, value: Any, shown: str) -> None:
        source = getattr(value, "__self__", None)
        if is_generator(source):
            self.sources[id(source)] = source, shown
        home = source.__name__ if isinstance(source, type) else getattr(value, "__module__", "")
        if f"{home}.{value.__name__}" in CLOCKS:
            self.clocks.add(shown)

    def reach_container(self, value: Any, shown: str, guarded: bool) -> None:
        if guarded and not tells(value) and not isinstance(value, (tuple, frozenset)):
            self.slots.setdefault((CONTENTS, id(value), ""), Slot(CONTENTS, value, "", shown, items_of(value)))
        if self.first((id(value), guarded), value) and not is_large(value):
            self.waiting.extend(functools.partial(self.reach, item, shown, guarded) for item in items_of(value))  # which may be deep

    def reach_other(self, value: Any, shown: str) -> None:
        """What follows from an object, each kind in its way."""
        if isinstance(value, FunctionType):
            self.waiting.append(lambda: read_function(self, value, {}))
        elif isinstance(value, MethodType) and is_generator(value.__self__):
            self.sources[id(value.__self__)] = value.__self__, shown
        elif isinstance(value, MethodType):
            self.reach_method(value)
        elif isinstance(value, functools.partial):
            for part in (value.func, *value.args, *value.keywords.values()):
                self.reach(part, shown)
        elif isinstance(value, weakref.ReferenceType):
            self.reach(value(), shown)
        elif isinstance(value, ContextVar):
            self.slots[CONTEXT, id(value), ""] = Slot(CONTEXT, value, "", shown, value.get(None))
            self.reach(value.get(None), shown)
        elif is_generator(value):
            self.sources[id(value)] = value, shown
        elif isinstance(value, type):
            self.reach_class(value)
        elif "__wrapped__" in vars_of(value):
            self.reach(vars_of(value)["__wrapped__"], shown)
        elif not isinstance(value, (ModuleType, Tensor)):
            self.reach_object(value, shown)

    def reach_method(self, method: MethodType) -> None:
        function = getattr(method.__func__, "__wrapped__", method.__func__)
        self.reach(method.__self__, shown_type(method.__self__))
        if isinstance(function, FunctionType) and self.first((id(function), id(method.__self__)), method):
            names = arguments_of(function)
            self.waiting.append(lambda: read_function(self, function, {names[0]: method.__self__} if names else {}))

    def reach_class(self, kind: type) -> None:
        if is_own_class(kind, self.package):
            self.objects.append((kind, kind.__name__))
            for name in ("__init__", "__new__", "__post_init__"):
                self.reach(attribute(self, kind, name, f"{kind.__name__}.{name}", False), f"{kind.__name__}.{name}")

    def reach_object(self, value: Any, shown: str) -> None:
        """An object with attributes. Those of slopes' own kinds are looked through: they tell of their changes."""
        kind = type(value)
        if is_library(kind) or tells(value):
            self.waiting.extend(functools.partial(self.reach, item, f"{shown}.{name}", False) for name, item in vars_of(value).items())
        if not is_library(kind):
            self.objects.append((value, shown))
        for owner in own_classes(kind):
            if is_own_class(owner, self.package):
                for name in called_by_others(owner, kind):
                    class_attribute(self, kind, value, name, f"{kind.__name__}.{name}", True)
                    self.reach(MethodType(vars(owner)[name], value), f"{kind.__name__}.{name}")

    def is_own(self, code: CodeType) -> bool:
        """Whether code is looked into: the function's own package and everything that is not installed."""
        return package_of(code) in ("", self.package)
