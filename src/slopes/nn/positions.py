"""Positional encodings, which give attention the order of a sequence."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..constraint import COUNT, NOT_NEGATIVE, POSITIVE, check
from ..errors import ArgumentError, ShapeError
from ..ops.composite import part, stack
from ..parameter import Parameter
from ..tensor import Tensor, tensor
from . import init
from .module import Module
from .where import layer_and_location


class SinusoidalEncoding(Module):
    """y[..., t, 2i] = x + sin(t / base^(2i / width)), y[..., t, 2i + 1] = x + cos(t / base^(2i / width)): no parameters.

    x and y: (..., L, width) for any length L. Raises ShapeError for another width.
    Source: Vaswani et al., "Attention is all you need", 2017.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.SinusoidalEncoding(4)(sl.zeros((1, 2, 4))).numpy().round(2).tolist()
    [[[0.0, 1.0, 0.0, 1.0], [0.8399999737739563, 0.5400000214576721, 0.009999999776482582, 1.0]]]
    """

    constraints = {"width": COUNT, "base": POSITIVE}

    def __init__(self, width: int, base: float = 10000.0) -> None:
        check("SinusoidalEncoding", self.constraints, {"width": width, "base": base})
        self.width, self.base = int(width), float(base)

    def forward(self, x: Tensor) -> Tensor:
        check_sequence(self, x, self.width)
        angle = angles(x.shape[-2], self.width, self.base)
        waves = np.stack([np.sin(angle), np.cos(angle)], -1).reshape(x.shape[-2], -1)[:, :self.width]
        return x + tensor(waves.astype(x.dtype))

    def details(self) -> str:
        return f"{self.width}"


class LearnedEncoding(Module):
    """y[..., t, :] = x[..., t, :] + weight[t, :].

    x and y: (..., L, width) with L <= length. weight: (length, width), initially normal with mean 0 and standard deviation std.
    Raises ShapeError for another width or a longer sequence. Source: Gehring et al., "Convolutional sequence to sequence
    learning", 2017.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> layer = nn.LearnedEncoding(64, 8)
    >>> layer(sl.zeros((2, 5, 8))).shape, layer.weight.shape
    ((2, 5, 8), (64, 8))
    """

    weight: Parameter  # (length, width)
    constraints = {"length": COUNT, "width": COUNT, "std": NOT_NEGATIVE}

    def __init__(self, length: int, width: int, std: float = 0.02) -> None:
        check("LearnedEncoding", self.constraints, {"length": length, "width": width, "std": std})
        self.length, self.width = int(length), int(width)
        self.weight = init.normal(init.blank((self.length, self.width)), std=std)

    def forward(self, x: Tensor) -> Tensor:
        check_sequence(self, x, self.width)
        length = x.shape[-2]
        if length > self.length:
            what, where = layer_and_location(self, x)
            raise ShapeError(f"{what} has {self.length} positions, but x is {tuple(x.shape)}: {length} positions",
                             repair=f"truncate the sequence to {self.length}, or build it with {length}", where=where)
        return x + (self.weight if length == self.length else part(self.weight, 0, 0, length))

    def details(self) -> str:
        return f"{self.length} x {self.width}"


class RotaryEncoding(Module):
    """Rotate each pair (x[t, 2i], x[t, 2i + 1]) by the angle t / base^(2i / width): for queries and keys, before attention.

    The product of a query at position t and a key at position s then depends on t - s only. x and y: (..., L, width), width even.
    Raises ArgumentError for an odd width, ShapeError for an input of another width.
    Source: Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> turn = nn.RotaryEncoding(2)
    >>> turn(sl.tensor([[1.0, 0.0], [1.0, 0.0]])).numpy().round(2).tolist()
    [[1.0, 0.0], [0.5400000214576721, 0.8399999737739563]]
    >>> q = k = v = sl.ones((3, 4, 7, 2))  # (batch, heads, positions, width)
    >>> sl.scaled_dot_product_attention(turn(q), turn(k), v, is_causal=True).shape
    (3, 4, 7, 2)
    """

    constraints = {"width": COUNT, "base": POSITIVE}

    def __init__(self, width: int, base: float = 10000.0) -> None:
        check("RotaryEncoding", self.constraints, {"width": width, "base": base})
        if width % 2:
            raise ArgumentError(f"RotaryEncoding: width={width} must be even", why="features are rotated in pairs",
                                repair="width is that of one head: embed_dim / num_heads")
        self.width, self.base = int(width), float(base)

    def forward(self, x: Tensor) -> Tensor:
        check_sequence(self, x, self.width)
        angle = angles(x.shape[-2], self.width, self.base)
        cos, sin = (tensor(function(angle).astype(x.dtype)) for function in (np.cos, np.sin))  # (L, width / 2)
        axis = x.ndim - 1
        even, odd = (part(x, axis, first, self.width, 2) for first in (0, 1))
        return stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(x.shape)

    def details(self) -> str:
        return f"{self.width}"


@lru_cache(maxsize=16)
def angles(length: int, width: int, base: float) -> np.ndarray:
    """(length, ceil(width / 2)): position t times the frequency base^(-2i / width)."""
    return np.arange(length)[:, None] * base ** (-np.arange(0, width, 2) / width)


def check_sequence(layer: Module, x: Tensor, width: int) -> None:
    if x.ndim < 2 or x.shape[-1] != width:
        what, where = layer_and_location(layer, x)
        raise ShapeError(f"{what} needs x of shape (..., L, {width}), but x is {tuple(x.shape)}", where=where)
