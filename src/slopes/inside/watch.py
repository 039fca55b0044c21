"""Capture the output of any layer while its network runs, also while tracing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .. import nn
from ..errors import ArgumentError
from ..nn.module import entries
from ..tensor import Tensor

Layer = Any  # a module of the network, its path ("net[3]" or "3"), or its number in a Sequential


def find_layer(net: nn.Module, layer: Layer) -> tuple[str, nn.Module]:
    """(path, module) of a layer given by itself, by path or by number; ArgumentError lists what there is.

    >>> from slopes import nn
    >>> find_layer(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), 1)
    ('net[1]', ReLU())
    """
    layers = [entry for entry in entries(net) if isinstance(entry.value, nn.Module)]
    if isinstance(layer, int) and isinstance(net, nn.Sequential) and -len(net) <= layer < len(net):
        layer = net[layer]
    for entry in layers:
        if layer is entry.value or (isinstance(layer, str) and layer in (entry.key, entry.display)):
            return entry.display, entry.value
    raise ArgumentError(f"there is no layer {layer if isinstance(layer, (str, int)) else type(layer).__name__!r} in this network",
                        why=f"it has {', '.join(entry.display for entry in layers[:12])}{', ...' if len(layers) > 12 else ''}",
                        repair="name one of them")


@contextmanager
def replace_forward(layer: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """While entered, the layer computes `forward`; its class and compiled programs are not touched."""
    attributes = vars(layer)
    before = attributes.get("forward")
    attributes["forward"] = forward
    try:
        yield
    finally:
        if before is None:
            del attributes["forward"]
        else:
            attributes["forward"] = before


def output_at(net: nn.Module, layer: nn.Module, *inputs: Any) -> Tensor:
    """What the layer gives when the network gets these inputs (the last time, if it is used several times)."""
    outputs: list[Any] = []
    original = layer.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        outputs.append(original(*args, **kwargs))
        return outputs[-1]

    with replace_forward(layer, forward):
        net(*inputs)
    if not outputs or not isinstance(outputs[-1], Tensor):
        raise ArgumentError(f"{layer.describe()} gave no tensor", why="it was not used, or gives several",
                            repair="name another layer")
    return outputs[-1]
