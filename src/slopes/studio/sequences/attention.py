"""What a small transformer attends to while it reads."""

from __future__ import annotations

import numpy as np

from ... import nn
from ...compile import compile
from ...functions import softmax
from ...inside.attention import module_paths
from ...modes import no_grad
from ...nn.attention import ATTENTION
from ...train.mode import Mode
from ...zoo.gpt import GPT


class AttentionReader:
    """A compiled function with taps at the attention weights of all layers."""

    def __init__(self, net: GPT) -> None:
        self.net = net
        self.paths = [f"{path}.{ATTENTION}" for path, module in module_paths(net) if isinstance(module, nn.MultiheadAttention)]
        self.reading = compile(lambda tokens: softmax(net(tokens), axis=-1), taps=self.paths)

    def read(self, tokens: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """(probabilities (T, characters), the weights (heads, T, T) of each layer) for a text (T,); a longer one is cut."""
        with Mode(self.net, training=False, quiet=True), no_grad():
            probabilities = self.reading(tokens[None, :self.net.context]).numpy()[0]
        return np.array(probabilities), [np.array(self.reading.tapped[path].numpy()[0]) for path in self.paths]
