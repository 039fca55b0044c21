"""Sequential: a chain of layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import ArgumentError
from .module import Module


class Sequential(Module):
    """y = layer_n(... layer_2(layer_1(x))).

    net[0] is the first layer, net[-1] the last, net[1:3] a Sequential that shares those layers. Paths omit the name of the list,
    as in PyTorch: "0.weight".

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

    layers: list[Module]
    unnamed = "layers"

    def __init__(self, *layers: Module) -> None:
        check_modules(type(self).__name__, layers)
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __getitem__(self, index: int | slice) -> Any:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __setitem__(self, index: int, layer: Module) -> None:
        check_modules(type(self).__name__, [layer])
        self.layers[index] = layer


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
