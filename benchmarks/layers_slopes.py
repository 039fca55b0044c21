"""What networks.py builds from, in slopes: its layers, and those of the zoo's parts that peers have to imitate."""

from __future__ import annotations

from typing import Any

from slopes import nn
from slopes.nn import *  # noqa: F403
from slopes.nn import Embedding, LayerNorm, LearnedEncoding, Module, TransformerEncoder, TransformerEncoderLayer
from slopes.zoo.gpt import GPT as GPT
from slopes.zoo.resnet import Skip as Skip


class Decoder(Module):
    """What slopes.zoo.gpt.GPT has before its output: (N, L) tokens to (N, L, width)."""

    def __init__(self, vocabulary: int, context: int, width: int, depth: int, heads: int) -> None:
        self.words, self.positions = Embedding(vocabulary, width), LearnedEncoding(context, width)
        layer = TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True, bias=False)
        self.decoder = TransformerEncoder(layer, depth, LayerNorm(width, bias=False))

    def forward(self, tokens: Any) -> Any:
        return self.decoder(self.positions(self.words(tokens)), is_causal=True)


def recurrent(kind: Any) -> Any:
    """A layer for x of shape (batch, time, features)."""
    return lambda before, hidden: kind(before, hidden, batch_first=True)


RNN, LSTM, GRU = recurrent(nn.RNN), recurrent(nn.LSTM), recurrent(nn.GRU)


class Outputs(Module):
    """A recurrent layer's outputs without its last state."""

    def __init__(self, layer: Module) -> None:
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x)[0]
