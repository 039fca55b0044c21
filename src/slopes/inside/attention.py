"""Attention maps: the attention weights of every head of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..errors import ArgumentError
from ..nn.attention import ATTENTION
from ..nn.module import entries
from ..plot import Picture, View, new_figure
from ..taps import noted
from ..tensor import Tensor
from .watch import evaluate_once, recorded

TICKS = 24  # most positions to label in the figure


@dataclass
class AttentionMaps(View):
    """weights: by layer path, arrays (heads, L, S) whose rows sum to 1; queries and keys: labels of the positions, if given."""

    weights: dict[str, np.ndarray]
    queries: Sequence[str] = ()
    keys: Sequence[str] = ()

    def draw(self) -> Picture:
        """One row per layer, one column per head; the darkest colour is the head's largest weight."""
        heads = max(len(layer_weights) for layer_weights in self.weights.values())
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
    """The attention weights of every nn.MultiheadAttention in the network, for one example of a batch, in eval mode.

    queries, keys: labels of the positions in the figure (keys default to queries). Of a layer that is called several times, the
    last call is shown. Raises ArgumentError for a network without attention.

    >>> import slopes as sl
    >>> from slopes.zoo.networks import char_gpt
    >>> seen = sl.inside.attention_maps(char_gpt(vocabulary=5, context=8, width=16, depth=2, heads=4), np.array([[1, 2, 3]]))
    >>> [maps.shape for maps in seen.weights.values()], float(seen.weights["net.decoder.layers[0].self_attn"][0, 0, 1:].sum())
    ([(4, 3, 3), (4, 3, 3)], 0.0)
    """
    def function(*args: Any) -> dict[str, Tensor]:
        net(*args)
        trace = recorded()
        weights = {path: noted(trace, f"{path}.{ATTENTION}") for path, module in module_paths(net)
                   if isinstance(module, nn.MultiheadAttention)}
        return {path: trace.tensor(nodes[-1])[example] for path, nodes in weights.items() if nodes}

    weights = {path: np.array(tensor.numpy()) for path, tensor in evaluate_once(net, function, *inputs).items()}
    if not weights:
        raise ArgumentError("attention_maps: this network has no attention", why="no nn.MultiheadAttention in it was called")
    return AttentionMaps(weights, list(queries), list(queries if keys is None else keys))


def module_paths(net: nn.Module) -> list[tuple[str, nn.Module]]:
    """(path for display, module) of all modules."""
    return [(entry.display, entry.value) for entry in entries(net) if isinstance(entry.value, nn.Module)]
