"""What networks.py builds from, in JAX: layers are functions of their parameters and of x, recurrent ones are lax.scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

BUFFERS = ("running_mean", "running_var")  # state that is not trained


@dataclass(frozen=True)
class Scope:
    """Parameters and buffers by their paths, seen from the layer at `path`; what becomes of the buffers is put into `new`."""

    values: dict[str, Any]
    training: bool
    new: dict[str, Any] = field(default_factory=dict)
    path: str = ""

    def __call__(self, name: str) -> Any:
        return self.values[self.path + name]

    def under(self, name: Any) -> Scope:
        return Scope(self.values, self.training, self.new, f"{self.path}{name}.")

    def put(self, name: str, value: Any) -> None:
        self.new[self.path + name] = value


@dataclass(frozen=True)
class Layer:
    """A function of what gives the parameters and of x, and the parameters' shapes under their paths."""

    apply: Callable[[Scope, Any], Any]
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


def inside(**layers: Layer) -> dict[str, tuple[int, ...]]:
    """The shapes of the parts of a layer."""
    return {f"{name}.{each}": shape for name, layer in layers.items() for each, shape in layer.shapes.items()}


def Sequential(*layers: Layer) -> Layer:
    def apply(p: Scope, x: Any) -> Any:
        for number, layer in enumerate(layers):
            x = layer.apply(p.under(number), x)
        return x

    return Layer(apply, inside(**{str(number): layer for number, layer in enumerate(layers)}))


def Residual(*layers: Layer, shortcut: Layer | None = None) -> Layer:
    body = Sequential(*layers)
    shapes = body.shapes | (inside(shortcut=shortcut) if shortcut else {})
    return Layer(lambda p, x: (shortcut.apply(p.under("shortcut"), x) if shortcut else x) + body.apply(p, x), shapes)


def Skip(channels: int) -> Layer:
    return Layer(lambda p, x: jnp.pad(x[:, :, ::2, ::2], ((0, 0), (0, channels - x.shape[1]), (0, 0), (0, 0))))


def Linear(before: int, after: int, bias: bool = True) -> Layer:
    return Layer(lambda p, x: x @ p("weight").T + p("bias") if bias else x @ p("weight").T,
                 {"weight": (after, before), **({"bias": (after,)} if bias else {})})


def Embedding(words: int, width: int) -> Layer:
    return Layer(lambda p, x: p("weight")[x], {"weight": (words, width)})


def Conv2d(before: int, after: int, size: int, stride: int = 1, padding: int = 0, bias: bool = True) -> Layer:
    def apply(p: Scope, x: Any) -> Any:
        y = lax.conv_general_dilated(x, p("weight"), (stride, stride), [(padding, padding)] * 2)
        return y + p("bias")[:, None, None] if bias else y

    return Layer(apply, {"weight": (after, before, size, size), **({"bias": (after,)} if bias else {})})


def ConvTranspose2d(before: int, after: int, size: int, stride: int = 1, padding: int = 0, output_padding: int = 0) -> Layer:
    edge = size - 1 - padding

    def apply(p: Scope, x: Any) -> Any:
        kernel = jnp.flip(p("weight"), (2, 3)).swapaxes(0, 1)
        y = lax.conv_general_dilated(x, kernel, (1, 1), [(edge, edge + output_padding)] * 2, lhs_dilation=(stride, stride))
        return y + p("bias")[:, None, None]

    return Layer(apply, {"weight": (before, after, size, size), "bias": (after,)})


def BatchNorm2d(channels: int, momentum: float = 0.1, eps: float = 1e-5) -> Layer:
    def apply(p: Scope, x: Any) -> Any:
        mean, var = p("running_mean"), p("running_var")
        if p.training:
            count = x.size // channels
            now, spread = x.mean((0, 2, 3)), x.var((0, 2, 3))
            p.put("running_mean", (1 - momentum) * mean + momentum * lax.stop_gradient(now))
            p.put("running_var", (1 - momentum) * var + momentum * count / (count - 1) * lax.stop_gradient(spread))
            mean, var = now, spread
        scale = p("weight") * lax.rsqrt(var + eps)
        return x * scale[:, None, None] + (p("bias") - mean * scale)[:, None, None]

    return Layer(apply, dict.fromkeys(("weight", "bias", *BUFFERS), (channels,)))


def LayerNorm(width: int, eps: float = 1e-5) -> Layer:
    def apply(p: Scope, x: Any) -> Any:
        return (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + eps) * p("weight")

    return Layer(apply, {"weight": (width,)})


def MaxPool2d(size: int, stride: int | None = None) -> Layer:
    window, step = (1, 1, size, size), (1, 1, stride or size, stride or size)
    return Layer(lambda p, x: lax.reduce_window(x, -jnp.inf, lax.max, window, step, "VALID"))


def GlobalAvgPool() -> Layer:
    return Layer(lambda p, x: x.mean((2, 3)))


def Flatten(first: int = 1, last: int = -1) -> Layer:
    def apply(p: Scope, x: Any) -> Any:
        return x.reshape(*x.shape[:first], -1, *(x.shape[last + 1:] if last >= 0 else ()))

    return Layer(apply)


def ReLU() -> Layer:
    return Layer(lambda p, x: jax.nn.relu(x))


def Tanh() -> Layer:
    return Layer(lambda p, x: jnp.tanh(x))


def Sigmoid() -> Layer:
    return Layer(lambda p, x: jax.nn.sigmoid(x))


def attention(width: int, heads: int) -> Layer:
    """Causal self-attention by JAX's own function."""
    projection = Linear(width, width, bias=False)

    def apply(p: Scope, x: Any) -> Any:
        q, k, v = jnp.moveaxis((x @ p("in_proj_weight").T).reshape(*x.shape[:2], 3, heads, -1), 2, 0)
        return projection.apply(p.under("out_proj"), jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(x.shape))

    return Layer(apply, {"in_proj_weight": (3 * width, width), **inside(out_proj=projection)})


def block(width: int, heads: int) -> Layer:
    """Attention and two dense layers, each normalized before and added after."""
    norm, wider, back = LayerNorm(width), Linear(width, 4 * width, bias=False), Linear(4 * width, width, bias=False)
    attend = attention(width, heads)

    def apply(p: Scope, x: Any) -> Any:
        x = x + attend.apply(p.under("self_attn"), norm.apply(p.under("norm1"), x))
        hidden = jax.nn.gelu(wider.apply(p.under("linear1"), norm.apply(p.under("norm2"), x)), approximate=False)
        return x + back.apply(p.under("linear2"), hidden)

    return Layer(apply, inside(self_attn=attend, linear1=wider, linear2=back, norm1=norm, norm2=norm))


def Decoder(vocabulary: int, context: int, width: int, depth: int, heads: int) -> Layer:
    """What slopes.zoo.gpt.GPT has before its output."""
    layers, norm = Sequential(*(block(width, heads) for _ in range(depth))), LayerNorm(width)

    def apply(p: Scope, tokens: Any) -> Any:
        x = p("words.weight")[tokens] + p("positions.weight")[:tokens.shape[1]]
        decoder = p.under("decoder")
        return norm.apply(decoder.under("norm"), layers.apply(decoder.under("layers"), x))

    shapes = inside(decoder=Layer(apply, inside(layers=layers, norm=norm)))
    return Layer(apply, {"words.weight": (vocabulary, width), "positions.weight": (context, width), **shapes})


def GPT(vocabulary: int, context: int, width: int, depth: int, heads: int) -> Layer:
    """slopes.zoo.gpt.GPT: the output has the weights of the embedding."""
    decoder = Decoder(vocabulary, context, width, depth, heads)
    return Layer(lambda p, tokens: decoder.apply(p, tokens) @ p("words.weight").T, decoder.shapes)


def recurrent(gates: int, before: int, hidden: int, states: int, step: Callable[..., tuple[Any, ...]]) -> Layer:
    """(N, T, before) -> (N, T, hidden): the inputs' products for all times at once, then step by step.

    `step(p, products, *state)` returns the new state, whose first array is the output.
    """
    def apply(p: Scope, x: Any) -> Any:
        products = x.swapaxes(0, 1) @ p("weight_ih_l0").T + p("bias_ih_l0")
        state = (jnp.zeros((len(x), hidden), x.dtype),) * states

        def advance(state: Any, products: Any) -> Any:
            state = step(p, products, *state)
            return state, state[0]

        return lax.scan(advance, state, products)[1].swapaxes(0, 1)

    rows = gates * hidden
    return Layer(apply, {"weight_ih_l0": (rows, before), "weight_hh_l0": (rows, hidden), "bias_ih_l0": (rows,), "bias_hh_l0": (rows,)})


def recall(p: Scope, h: Any) -> Any:
    """What the last output contributes."""
    return h @ p("weight_hh_l0").T + p("bias_hh_l0")


def RNN(before: int, hidden: int) -> Layer:
    return recurrent(1, before, hidden, 1, lambda p, products, h: (jnp.tanh(products + recall(p, h)),))


def LSTM(before: int, hidden: int) -> Layer:
    def step(p: Scope, products: Any, h: Any, c: Any) -> tuple[Any, ...]:
        i, f, g, o = jnp.split(products + recall(p, h), 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    return recurrent(4, before, hidden, 2, step)


def GRU(before: int, hidden: int) -> Layer:
    def step(p: Scope, products: Any, h: Any) -> tuple[Any, ...]:
        (r, z, n), (rh, zh, nh) = (jnp.split(each, 3, -1) for each in (products, recall(p, h)))
        r, z = jax.nn.sigmoid(r + rh), jax.nn.sigmoid(z + zh)
        n = jnp.tanh(n + r * nh)
        return (n + z * (h - n),)

    return recurrent(3, before, hidden, 1, step)


def Outputs(layer: Layer) -> Layer:
    """A recurrent layer's outputs without its last state, which the functions above do not give."""
    return Layer(lambda p, x: layer.apply(p.under("layer"), x), inside(layer=layer))
