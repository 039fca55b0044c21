"""What a compiled function reads besides its arguments, by following its code through the objects that it names."""

from __future__ import annotations

import builtins
import functools
import os
import sys
import threading
import weakref
from collections import ChainMap, UserDict, UserList, deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import BuiltinFunctionType, CellType, ClassMethodDescriptorType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from .arrays import memory_of
from .bytecode import ATTRIBUTE, CELL, GLOBAL, ITEM, LOCAL, MODULE, Chain, Reads, find_reads
from .errors import is_internal, warn
from .foreign_random import is_generator
from .tensor import Tensor

CONTENTS, METHOD, CONTEXT = "contents", "method", "context"
LARGE = 1000  # items: of a larger container only the number of items is compared, and it is not looked into
UNKNOWN: Any = object()  # a value that only running the code would tell
LIBRARY = __package__
OPAQUE = (bool, int, float, complex, str, bytes, type(None), np.generic, np.dtype, CodeType, CellType, type(...), slice, range)
MAPPINGS = (dict, UserDict, ChainMap, MappingProxyType)
CONTAINERS = (*MAPPINGS, list, UserList, set, deque)
CHANGES = frozenset(("append", "add", "extend", "insert", "update", "clear", "setdefault", "remove", "discard", "popitem", "sort",
                     "reverse"))
NOT_CALLED = frozenset(("__init__", "__new__", "__repr__", "__str__", "__del__", "__reduce__", "__reduce_ex__", "__getstate__",
                        "__setstate__", "__init_subclass__", "__class_getitem__", "__copy__", "__deepcopy__", "__setattr__", "__delattr__"))
ANY_NAME = frozenset(("getattr", "vars", "__dict__", "attrgetter", "asdict", "astuple"))  # what reads attributes without naming them
CLOCKS = frozenset(("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns",
                    "time.process_time", "time.thread_time", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"))


class Slot(NamedTuple):
    """Where the function read a value: in a global, a cell, an attribute, an item, or all items of a container."""

    kind: str  # GLOBAL, CELL, ATTRIBUTE, METHOD, ITEM, CONTENTS or CONTEXT
    holder: Any  # the namespace, the cell, the object or the container
    name: Any
    shown: str  # how messages call it
    value: Any  # what was in it when the function had been traced


class Scope(NamedTuple):
    """Where the names of running code are looked up."""

    namespace: dict[str, Any]
    cells: dict[str, CellType]
    known: dict[str, Any]  # local variables whose values are known
    guarded: bool  # whether its names are remembered: those of slopes' own code and of installed packages do not change


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
            self.read_function(plain, {**dict(zip(arguments_of(plain), (*owner, *args))), **kwargs})
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
                self.reach(self.attribute(value, name, f"{shown}.{name}"), f"{shown}.{name}")
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

    # ------------------------------------------------------------------ code
    def read_function(self, function: FunctionType, known: dict[str, Any]) -> None:
        """What a function reads, when these of its parameters are known."""
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
        if not self.is_own(function.__code__):
            self.waiting.append(lambda: self.reach_cells(cells))
            return
        defaults = dict(zip(reversed(arguments_of(function)), reversed(function.__defaults__ or ())))
        known = {**defaults, **(function.__kwdefaults__ or {}), **known}
        for name, value in known.items():
            self.reach(value, name)
        guarded = not is_internal(function.__code__.co_filename)
        self.read_code(function.__code__, Scope(function.__globals__, cells, known, guarded))

    def reach_cells(self, cells: dict[str, CellType]) -> None:
        """Look for the user's functions behind a wrapper that is not the user's code."""
        for name, cell in cells.items():
            self.reach(contents(cell), name)

    def read_code(self, code: CodeType, scope: Scope) -> None:
        reads = find_reads(code)
        for chain in reads.chains:
            self.read_chain(chain, reads, scope)
        for inner in reads.inner:
            self.read_code(inner, scope._replace(known={name: scope.known[name] for name in inner.co_freevars if name in scope.known}))

    def read_chain(self, chain: Chain, reads: Reads, scope: Scope) -> None:
        """Follow a chain to its end, and remember each slot on the way."""
        value = self.root(chain, reads, scope)
        shown = chain.root
        for kind, name in chain.links:
            if kind == ATTRIBUTE:
                shown += f".{name}"
                value = self.attribute(value, name, shown, (ATTRIBUTE, name) not in reads.counted)
            else:
                shown += f"[{name!r}]"
                value = self.item(value, name, shown)
        if value is not UNKNOWN:
            self.reach(value, shown)
            if chain.target is not None:
                scope.known[chain.target] = value

    def root(self, chain: Chain, reads: Reads, scope: Scope) -> Any:
        name = chain.root
        if name in ANY_NAME:
            self.names.add(name)
        guarded = scope.guarded and (chain.kind, name) not in reads.counted
        if chain.kind == LOCAL or (chain.kind == CELL and name not in scope.cells):
            return scope.known.get(name, UNKNOWN)
        if chain.kind == CELL:
            return self.remember(CELL, scope.cells[name], name, name, contents(scope.cells[name]), guarded)
        if chain.kind == MODULE:
            return sys.modules.get(name, UNKNOWN)
        if chain.kind == GLOBAL and name in scope.namespace:
            return self.remember(GLOBAL, scope.namespace, name, name, scope.namespace[name], guarded)
        return getattr(builtins, name, UNKNOWN) if chain.kind == GLOBAL else UNKNOWN

    def remember(self, kind: str, holder: Any, name: Any, shown: str, value: Any, guarded: bool = True) -> Any:
        """Remember a slot, unless what is in it cannot change unnoticed; returns the value."""
        if guarded and value is not UNKNOWN and not (issubclass(type(value), ModuleType) and not is_own_module(value, self.package)):
            self.slots.setdefault((kind, id(holder), repr(name)), Slot(kind, holder, name, shown, value))
        return value

    # ------------------------------------------------------------------ links of a chain
    def attribute(self, value: Any, name: str, shown: str, guarded: bool = True) -> Any:
        """The attribute of a value, as far as it is known without running anybody's code."""
        if type(value) in weakref.ProxyTypes:
            return UNKNOWN
        if value is UNKNOWN or name in ANY_NAME:
            self.names.add(name)
            self.reach(value, shown.rpartition(".")[0])
            return UNKNOWN
        if isinstance(value, ModuleType):
            return self.module_attribute(value, name, shown, guarded)
        if isinstance(value, (*OPAQUE, np.ndarray, Tensor)):
            self.reach(value, shown.rpartition(".")[0])
            return UNKNOWN
        if isinstance(value, CONTAINERS) and name not in vars_of(value):
            if name not in CHANGES:
                self.reach(value, shown.rpartition(".")[0])
            return UNKNOWN
        if isinstance(value, type):
            return self.class_attribute(value, value, name, shown, guarded)
        return self.object_attribute(value, name, shown, guarded)

    def module_attribute(self, module: ModuleType, name: str, shown: str, guarded: bool) -> Any:
        value = vars(module).get(name, UNKNOWN)
        if value is UNKNOWN or not is_own_module(module, self.package):
            return value
        return self.remember(ATTRIBUTE, module, name, shown, value, guarded)

    def object_attribute(self, value: Any, name: str, shown: str, guarded: bool) -> Any:
        raw = next((vars(owner)[name] for owner in type(value).__mro__ if name in vars(owner)), UNKNOWN)
        own = vars_of(value)
        if name in own and not hasattr(type(raw), "__set__"):
            return self.remember(ATTRIBUTE, value, name, shown, own[name], guarded and not is_library(type(value)) and not tells(value))
        if name in slots_of(value):
            held = getattr(value, name, UNKNOWN)
            return held if held is UNKNOWN else self.remember(ATTRIBUTE, value, name, shown, held, guarded)
        if raw is UNKNOWN:  # perhaps a `__getattr__` makes it
            self.reach(value, shown.rpartition(".")[0])
            return UNKNOWN
        return self.class_attribute(type(value), value, name, shown, guarded)

    def class_attribute(self, owner: type, value: Any, name: str, shown: str, guarded: bool) -> Any:
        """What a class holds under a name, bound to the value through which it is read."""
        home = next((base for base in owner.__mro__ if name in vars(base)), None)
        if home is None:
            return UNKNOWN
        raw, bound = vars(home)[name], None if isinstance(value, type) else value
        guarded = guarded and not is_library(home) and is_own_class(home, self.package)
        if isinstance(raw, (staticmethod, classmethod)):
            return raw.__func__ if isinstance(raw, staticmethod) else MethodType(raw.__func__, owner)
        if isinstance(raw, ClassMethodDescriptorType):
            return getattr(owner, name)
        if isinstance(raw, FunctionType):
            if bound is None or tells(bound) or name.startswith("__"):
                self.remember(ATTRIBUTE, owner, name, f"{owner.__name__}.{name}", raw, guarded)
            else:
                self.remember(METHOD, bound, name, shown, raw, guarded)
            return raw if bound is None else MethodType(raw, bound)
        if isinstance(raw, (property, functools.cached_property)):
            getter = raw.fget if isinstance(raw, property) else raw.func
            self.reach(getter if bound is None or not callable(getter) else MethodType(getter, bound), shown)
            return UNKNOWN
        if "__wrapped__" in vars_of(raw) and bound is not None:
            return MethodType(raw, bound)
        if hasattr(type(raw), "__get__"):  # whatever its code makes of the object
            self.reach(raw, shown)
            self.reach(bound, shown.rpartition(".")[0])
            return UNKNOWN
        return self.remember(ATTRIBUTE, value, name, shown, raw, guarded)

    def item(self, value: Any, key: Any, shown: str) -> Any:
        """The item of a container under a constant key."""
        whole = shown.rpartition("[")[0]
        if isinstance(value, (list, tuple, UserList)) and isinstance(key, int) and -len(value) <= key < len(value):
            return value[key] if isinstance(value, tuple) or tells(value) else self.remember(ITEM, value, key, shown, value[key])
        if isinstance(value, MAPPINGS) and key in value:
            return value[key] if tells(value) else self.remember(ITEM, value, key, shown, value[key])
        self.reach(value, whole)
        return UNKNOWN

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
            self.waiting.append(lambda: self.read_function(value, {}))
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
            self.waiting.append(lambda: self.read_function(function, {names[0]: method.__self__} if names else {}))

    def reach_class(self, kind: type) -> None:
        if is_own_class(kind, self.package):
            self.objects.append((kind, kind.__name__))
            for name in ("__init__", "__new__", "__post_init__"):
                self.reach(self.attribute(kind, name, f"{kind.__name__}.{name}", False), f"{kind.__name__}.{name}")

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
                    self.class_attribute(kind, value, name, f"{kind.__name__}.{name}", True)
                    self.reach(MethodType(vars(owner)[name], value), f"{kind.__name__}.{name}")

    def is_own(self, code: CodeType) -> bool:
        """Whether code is looked into: the function's own package and everything that is not installed."""
        return package_of(code) in ("", self.package)


# ---------------------------------------------------------------------- whose code it is
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


# ---------------------------------------------------------------------- parts of values
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
