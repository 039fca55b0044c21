"""Layers of a network and what they give, in a function that is recorded: nothing in the network is replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import functions as F
from .. import nn
from ..autodiff.pullback import pull_back
from ..compile import compile
from ..errors import ArgumentError
from ..graph.build import constant
from ..nn.module import entries
from ..tensor import Tensor, asarray
from ..trace import Trace, current_trace
from ..train.mode import Mode

Layer = Any  # a module of the network, its path ("net[3]" or "3"), or its index in a Sequential


def find_layer(net: nn.Module, layer: Layer) -> tuple[str, nn.Module]:
    """(path, module) of a layer given by itself, by path or by index; ArgumentError lists what there is.

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


def evaluate_once(net: nn.Module, function: Callable[..., Any], *inputs: Any) -> Any:
    """The results of a function of tensors that runs the net in eval mode; it is recorded, and interpreted once, not compiled."""
    with Mode(net, training=False, quiet=True):
        return compile(function, backend="reference")(*(asarray(x) for x in inputs))


def recorded() -> Trace:
    """The recording of the function that runs."""
    trace = current_trace()
    assert trace is not None, "layers are looked at in functions that are recorded"
    return trace


def output_at(net: nn.Module, layer: nn.Module, *inputs: Any) -> Tensor:
    """What the layer gives when the network gets these inputs (the last time, if it is used several times), while it is recorded."""
    recorded().outputs.pop(id(layer), None)
    net(*inputs)
    return last_output(layer)


def last_output(layer: nn.Module) -> Tensor:
    """What the layer gave when it was called last, while it is recorded."""
    trace = recorded()
    if id(layer) not in trace.outputs:
        raise ArgumentError(f"{layer.describe()} gave no tensor", why="it was not used", repair="name another layer")
    return trace.tensor(trace.outputs[id(layer)][-1], requires_grad=True)


def slope(value: Tensor, at: Tensor) -> Tensor:
    """d value / d at, of a 0-d value, while it is recorded."""
    trace = recorded()
    gradient, = pull_back([trace.operand(value)], [constant(1, value.dtype)], [trace.operand(at)])
    return F.zeros(at.shape, at.dtype) if gradient is None else trace.tensor(gradient)


def layer_output(net: nn.Module, layer: nn.Module, *inputs: Any) -> np.ndarray:
    """The array that a layer gives in eval mode."""
    return np.array(evaluate_once(net, lambda *args: output_at(net, layer, *args), *inputs).numpy())
