"""Sequential: a chain of layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

from ..errors import ArgumentError
from .module import Module


class Sequential(Module):
    """y = layer_n(... layer_2(layer_1(x))).

    net[0] is the first layer, net[-1] the last, net[1:3] a Sequential that shares those layers. Paths omit the name of the list,
    as in PyTorch: "0.weight". A dictionary as the only argument gives the layers names: Sequential({"conv": layer, ...}) has
    the path "conv.weight".

    >>> import slopes as sl
    >>> from slopes import nn
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    >>> net(sl.ones((7, 4))).shape
    (7, 2)
    >>> len(net), net[1]
    (3, Tanh())
    >>> net[1] = nn.ReLU()
    >>> net[1]
    ReLU()
    """

    layers: list[Module] | dict[str, Module]
    unnamed = "layers"

    def __init__(self, *layers: Any) -> None:
        named = layers[0] if len(layers) == 1 and isinstance(layers[0], dict) else None
        check_modules(type(self).__name__, layers if named is None else list(named.values()))
        self.layers = list(layers) if named is None else {check_key(type(self).__name__, key): layer for key, layer in named.items()}

    def forward(self, x: Any) -> Any:
        for layer in self:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers.values() if isinstance(self.layers, dict) else self.layers)

    def __getitem__(self, index: int | slice) -> Any:
        if not isinstance(index, slice):
            return list(self)[index]
        if isinstance(self.layers, dict):
            return Sequential(dict(list(self.layers.items())[index]))
        return Sequential(*self.layers[index])

    def __setitem__(self, index: int, layer: Module) -> None:
        check_modules(type(self).__name__, [layer])
        if isinstance(self.layers, dict):
            self.layers[list(self.layers)[index]] = layer
        else:
            self.layers[index] = layer

    def append(self, layer: Module) -> Self:
        """Add a layer at the end, under its number as its name; returns the net."""
        check_modules(type(self).__name__, [layer])
        if isinstance(self.layers, dict):
            self.layers[str(len(self.layers))] = layer
        else:
            self.layers.append(layer)
        return self


def check_key(owner: str, key: Any) -> str:
    """A name of a layer in paths, which dots separate."""
    if not isinstance(key, str) or not key or "." in key:
        raise ArgumentError(f"{owner}: {key!r} cannot be a key", why="it is a part of paths, which dots separate")
    return key


def check_modules(owner: str, layers: Sequence[Any]) -> None:
    for index, layer in enumerate(layers):
        if not isinstance(layer, Module):
            raise ArgumentError(f"{owner}: layer {index} is {layer!r} of type {type(layer).__name__}, not a module",
                                repair=hint(owner, layer))


def hint(owner: str, layer: Any) -> str:
    if isinstance(layer, type) and issubclass(layer, Module):
        return f"create an instance: nn.{layer.__name__}(...)"
    if isinstance(layer, (list, tuple)):
        return f"unpack the list: nn.{owner}(*layers)"
    return "write a Module whose forward calls it" if callable(layer) else f"a {owner} holds modules only"
