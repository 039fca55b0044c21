"""What networks.py builds from, in PyTorch: its layers, and those that it lacks, with slopes' names for their parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import *  # noqa: F403
from torch.nn import functional


class Residual(nn.Sequential):
    """x + f(x), or shortcut(x) + f(x)."""

    def __init__(self, *layers: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__(*layers)
        self.body = list(layers)  # without the shortcut, which becomes one of the modules
        self.shortcut = shortcut or nn.Identity()

    def forward(self, x: Any) -> Any:
        straight = self.shortcut(x)
        for layer in self.body:
            x = layer(x)
        return straight + x


class Skip(nn.Module):
    """Every other place, and channels of zeros up to `channels`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Any) -> Any:
        return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.channels - x.shape[1]))


class GlobalAvgPool(nn.Module):
    """The mean over all positions."""

    def forward(self, x: Any) -> Any:
        return x.mean((2, 3))


class Attention(nn.Module):
    """Causal self-attention by PyTorch's fused function: faster than its MultiheadAttention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.out_proj = nn.Linear(width, width, bias=False)

    def forward(self, x: Any) -> Any:
        q, k, v = functional.linear(x, self.in_proj_weight).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and two dense layers, each normalized before and added after."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.linear1 = nn.Linear(width, 4 * width, bias=False)
        self.linear2 = nn.Linear(4 * width, width, bias=False)
        self.norm1, self.norm2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)

    def forward(self, x: Any) -> Any:
        x = x + self.self_attn(self.norm1(x))
        return x + self.linear2(functional.gelu(self.linear1(self.norm2(x))))


class Decoder(nn.Module):
    """What slopes.zoo.gpt.GPT has before its output."""

    def __init__(self, vocabulary: int, context: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        layers = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.decoder = nn.ModuleDict({"layers": layers, "norm": nn.LayerNorm(width, bias=False)})

    def forward(self, tokens: Any) -> Any:
        x = self.words(tokens) + self.positions.weight[:tokens.shape[1]]
        return self.decoder["norm"](self.decoder["layers"](x))


class GPT(Decoder):
    """slopes.zoo.gpt.GPT: the output has the weights of the embedding."""

    def forward(self, tokens: Any) -> Any:
        return functional.linear(super().forward(tokens), self.words.weight)


def recurrent(kind: type[nn.RNNBase]) -> Any:
    """PyTorch's layer for x of shape (batch, time, features)."""
    return lambda before, hidden: kind(before, hidden, batch_first=True)


RNN, LSTM, GRU = recurrent(nn.RNN), recurrent(nn.LSTM), recurrent(nn.GRU)


class Outputs(nn.Module):
    """A recurrent layer's outputs without its last state."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x)[0]
