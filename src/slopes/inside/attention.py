"""Attention maps: which places each place of a sequence looks at, in every head of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..errors import ArgumentError
from ..nn.module import entries
from ..plot import Picture, View, new_figure
from ..tensor import asarray, no_grad
from ..train.mode import Mode
from .watch import replaced

TICKS = 24  # so many places are named


@dataclass
class AttentionMaps(View):
    """weights: for each layer's path an array (heads, L, S), the rows summing to 1; queries and keys: names of the places, if given."""

    weights: dict[str, np.ndarray]
    queries: Sequence[str] = ()
    keys: Sequence[str] = ()

    def draw(self) -> Picture:
        """One row per layer, one column per head; dark is much, the darkest is the head's largest weight."""
        heads = max(len(each) for each in self.weights.values())
        named = len(self.keys) <= TICKS and bool(self.keys)
        size = 2.6 if named else 1.7
        figure = new_figure(size * heads + 0.6, size * len(self.weights) + 0.4)
        grid = figure.subplots(len(self.weights), heads, squeeze=False)
        for axes in grid.reshape(-1):
            axes.axis("off")
        for row, (path, maps) in zip(grid, self.weights.items()):
            row[0].set_ylabel(path.removeprefix("net."), fontsize="x-small")
            for head, (axes, weights) in enumerate(zip(row, maps)):
                axes.axis("on")
                axes.imshow(weights, cmap="Blues", vmin=0, vmax=float(weights.max()), interpolation="nearest", aspect="auto")
                axes.set_title(f"head {head}, up to {weights.max():.2g}", fontsize="x-small")
                axes.set_xticks(range(len(self.keys)) if named else [], self.keys if named else [], rotation=90, fontsize=7)
                axes.set_yticks(range(len(self.queries)) if named else [], self.queries if named else [], fontsize=7)
        return Picture(figure)


def attention_maps(net: nn.Module, *inputs: Any, queries: Sequence[str] = (), keys: Sequence[str] | None = None,
                   example: int = 0) -> AttentionMaps:
    """The attention weights of every nn.MultiheadAttention in the network, for one example of a batch of inputs, in the mode of use.

    queries, keys: names of the places, for the picture (keys default to queries). A layer that is used several times shows its last
    use. Raises ArgumentError for a network that does not attend.

    >>> import slopes as sl
    >>> from slopes.zoo.networks import char_gpt
    >>> seen = sl.inside.attention_maps(char_gpt(vocabulary=5, context=8, width=16, depth=2, heads=4), np.array([[1, 2, 3]]))
    >>> [each.shape for each in seen.weights.values()], float(seen.weights["net.decoder.layers[0].self_attn"][0, 0, 1:].sum())
    ([(4, 3, 3), (4, 3, 3)], 0.0)
    """
    found: dict[str, np.ndarray] = {}
    with ExitStack() as stack, Mode(net, training=False, quiet=True), no_grad():
        for path, module in shown_paths(net):
            if isinstance(module, nn.MultiheadAttention):
                stack.enter_context(replaced(module, recorder(module, path, found, example)))
        net(*(asarray(each) for each in inputs))
    if not found:
        raise ArgumentError("attention_maps: this network does not attend", why="no nn.MultiheadAttention in it was used")
    return AttentionMaps(found, list(queries), list(queries if keys is None else keys))


def shown_paths(net: nn.Module) -> list[tuple[str, nn.Module]]:
    """(path for people, module) of all modules."""
    return [(each.display, each.value) for each in entries(net) if isinstance(each.value, nn.Module)]


def recorder(module: nn.MultiheadAttention, path: str, found: dict[str, np.ndarray], example: int) -> Any:
    """The layer's forward, which also notes its weights."""
    original = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        wanted, averaged = kwargs.pop("need_weights", False), kwargs.pop("average_attn_weights", True)
        y, weights = original(*args, **{**kwargs, "need_weights": True, "average_attn_weights": False})
        found[path] = np.array(weights.numpy()[example])
        return (y, weights.mean(axis=1) if averaged else weights) if wanted else y

    return forward
