"""Regions: the layer or the function that a node was made in, with its arguments; pictures, profiles and exports group nodes by them."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, TypeVar

from .. import errors

FUNCTION = "function"
NOT_PLAIN: Any = object()
Return = TypeVar("Return")


class Region:
    """One call of a layer, or of a function composed of operations: it marks the nodes that are made while it runs.

    name       the path of the layer (`net[0]`), or the name of the function (`softmax`)
    kind       the class of the layer (`Linear`), or "function"
    layer      the path of the innermost layer that runs: its own if it is one, "" outside of layers
    arguments  numbers, strings, None and tuples of them by name: attributes of a layer, arguments of a function with their defaults;
               tensors are not among them. Empty where nothing is traced
    parent     the region in which this one runs; None for an outermost one
    forward    of a region of gradients: the region whose derivative its nodes compute; None for others
    """

    __slots__ = ("_gradient", "arguments", "forward", "kind", "layer", "name", "parent")

    def __init__(self, name: str, kind: str, layer: str, arguments: Mapping[str, Any], parent: Region | None,
                 forward: Region | None = None) -> None:
        self.name, self.kind, self.layer, self.arguments, self.parent, self.forward = name, kind, layer, arguments, parent, forward
        self._gradient: Region | None = None

    @property
    def is_layer(self) -> bool:
        """Whether it is a call of a layer rather than of a function."""
        return self.kind != FUNCTION

    @property
    def gradient(self) -> Region:
        """The region of the nodes that compute derivatives of its own; a derivative of a derivative is in the same one."""
        if self.forward is not None:
            return self
        if self._gradient is None:
            parent = self.parent.gradient if self.parent is not None else None
            self._gradient = Region(self.name, self.kind, self.layer, self.arguments, parent, self)
        return self._gradient

    @property
    def chain(self) -> tuple[Region, ...]:
        """The regions that it lies in, from the outermost to itself."""
        chain: list[Region] = []
        region: Region | None = self
        while region is not None:
            chain.append(region)
            region = region.parent
        return tuple(reversed(chain))

    @property
    def label(self) -> str:
        """What a table calls it: the path of its layer, outside of layers the outermost function; `net[0] gradient` of gradients."""
        return (self.layer or self.chain[0].name) + (" gradient" if self.forward is not None else "")

    @property
    def call(self) -> str:
        """The function or the class with its arguments: `softmax(axis=1)`."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.kind if self.is_layer else self.name}({arguments})"

    def __repr__(self) -> str:
        words = ["gradient of"] * (self.forward is not None) + [self.layer] * bool(self.layer) + [self.call]
        return f"<{' '.join(words)}>"


class Scopes(threading.local):
    """What this thread is in: the innermost region, and whether a function is traced, so that calls make regions."""

    region: Region | None = None
    tracing: bool = False


scopes = Scopes()


def running_layer() -> str:
    """The path of the innermost layer that is running, "" outside of all."""
    region = scopes.region
    return "" if region is None else region.layer


def running_layer_text() -> str:
    """`in net[0]`, where a layer is running."""
    layer = running_layer()
    return f"in {layer}" if layer else ""


errors.contexts.append(running_layer_text)


def named_call(function: Callable[..., Return]) -> Callable[..., Return]:
    """Decorator of a function of tensors: while a function is traced, each call of it is a region.

    >>> from slopes.graph.scopes import named_call, scopes
    >>> @named_call
    ... def scaled(x, by=2):
    ...     return scopes.region
    >>> scopes.tracing = True
    >>> scaled(None).call
    'scaled(x=None, by=2)'
    >>> scopes.tracing = False
    >>> scaled(None) is None
    True
    """
    signature = Defaults(function)

    @wraps(function)
    def call(*args: Any, **options: Any) -> Return:
        if not scopes.tracing:
            return function(*args, **options)
        outer = scopes.region
        scopes.region = Region(function.__name__, FUNCTION, running_layer(), signature.arguments(args, options), outer)
        try:
            return function(*args, **options)
        finally:
            scopes.region = outer

    return call


class Defaults:
    """The names of a function's parameters and their defaults."""

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = inspect.signature(function).parameters.values()
        self.names = [parameter.name for parameter in parameters]
        self.defaults = {parameter.name: parameter.default for parameter in parameters if parameter.default is not parameter.empty}

    def arguments(self, args: Iterable[Any], options: Mapping[str, Any]) -> dict[str, Any]:
        """The plain values among the arguments of a call, with defaults."""
        values = {**self.defaults, **dict(zip(self.names, args)), **options}
        return plain_values({name: values[name] for name in self.names if name in values})


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are numbers, strings, None, or lists and tuples of them, which become tuples."""
    pairs = ((name, plain(value)) for name, value in values.items())
    return {name: value for name, value in pairs if value is not NOT_PLAIN}


def plain(value: Any) -> Any:
    """The value as a region keeps it, NOT_PLAIN for tensors and other objects."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = tuple(map(plain, value))
        return NOT_PLAIN if NOT_PLAIN in items else items
    return NOT_PLAIN
