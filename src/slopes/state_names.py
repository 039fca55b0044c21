"""Names of the tensors that a captured function reads or assigns: `net.0.weight`, `optimizer.0.weight.momentum`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import FunctionType, MethodType
from typing import Any

from .errors import SlopesError
from .tensor import Tensor
from .trace import Trace

PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
INDEX = re.compile(r"\[(\w+)\]")


def state_names(function: Any, trace: Trace, arrays: Iterable[tuple[str, Tensor]] = ()) -> dict[Tensor, str]:
    """A distinct name for each tensor that the trace read: its path in the object that holds it, as far as one can be reached.

    `arrays` are the tensors that stand for NumPy arrays outside of the function, with their names.
    """
    paths: dict[int, str] = {}
    for path, tensor in (*reachable_state(function), *layer_state(trace), *arrays):
        paths.setdefault(id(tensor), path)
    names: dict[Tensor, str] = {}
    for tensor in trace.reads:
        names[tensor] = unique(paths.get(id(tensor), tensor._prints_as), names)
    return names


def unique(name: str, names: Mapping[Tensor, str]) -> str:
    """The name, numbered when another tensor has it already."""
    taken, count, candidate = set(names.values()), 1, name
    while candidate in taken:
        count += 1
        candidate = f"{name}#{count}"
    return candidate


def reachable_state(function: Any) -> Iterator[tuple[str, Tensor]]:
    """(path, tensor) of the state of every object that the function is, belongs to or refers to by name."""
    for name, value in referred_objects(function):
        if isinstance(value, Tensor):
            yield name, value
        else:
            yield from named_state_of(name, value)


def referred_objects(function: Any) -> Iterator[tuple[str, Any]]:
    """(name, object) of the function itself, of what its object holds, and of the names of its closure and module."""
    if isinstance(function, MethodType):
        owner = function.__self__
        yield from vars(owner).items() if hasattr(owner, "__dict__") else ()
        yield "self", owner
    yield getattr(function, "name", "net"), function
    plain = inspect.unwrap(function.__func__ if isinstance(function, MethodType) else function)
    if isinstance(plain, FunctionType):
        variables = inspect.getclosurevars(plain)
        yield from {**variables.globals, **variables.nonlocals}.items()


def named_state_of(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    """(path, tensor) of an object of slopes that names its state: a module, an optimizer, an average."""
    if not any(kind.__module__.startswith("slopes.") for kind in type(value).__mro__) or not hasattr(value, "named_state"):
        return
    with suppress(SlopesError, TypeError, ValueError):  # state without distinct names, or not yet complete
        for key, tensor in value.named_state():
            if isinstance(tensor, Tensor):
                yield f"{name}.{key}", tensor


def layer_state(trace: Trace) -> Iterator[tuple[str, Tensor]]:
    """(path, tensor) of the tensors that layers which ran hold themselves."""
    for path, layer in trace.layers.items():
        base = INDEX.sub(r".\1", path)
        for name, value in vars(layer).items():
            if isinstance(value, Tensor):
                yield f"{base}.{name}", value


def parameter_names(function: Any, count: int) -> list[str]:
    """What the function calls its positional arguments; `input 1`, ... where it has no name for them."""
    try:
        known = list(inspect.signature(getattr(function, "forward", function)).parameters.values())  # of a layer: its forward
    except (TypeError, ValueError):
        known = []
    return [known[i].name if i < len(known) and known[i].kind in PLAIN else f"input {i + 1}" for i in range(count)]
