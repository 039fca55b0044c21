"""What networks.py builds from, in JAX: dense and convolutional layers only; more would be a library of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


@dataclass(frozen=True)
class Layer:
    """The shapes of the parameters under their paths, and a function of x and of what gives a parameter for its path."""

    apply: Callable[[Callable[[str], Any], Any], Any]
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


def __getattr__(name: str) -> Any:
    """A short word instead of a traceback for workloads that need more."""
    if name.startswith("_"):
        raise AttributeError(name)
    raise SystemExit(f"benchmarks.layers_jax has no {name}")


def Sequential(*layers: Layer) -> Layer:
    def apply(p: Callable[[str], Any], x: Any) -> Any:
        for number, layer in enumerate(layers):
            x = layer.apply(lambda name, number=number: p(f"{number}.{name}"), x)  # type: ignore[misc]
        return x

    return Layer(apply, {f"{number}.{name}": shape for number, layer in enumerate(layers) for name, shape in layer.shapes.items()})


def Linear(before: int, after: int) -> Layer:
    return Layer(lambda p, x: x @ p("weight").T + p("bias"), {"weight": (after, before), "bias": (after,)})


def Conv2d(before: int, after: int, size: int, stride: int = 1, padding: int = 0, bias: bool = True) -> Layer:
    def apply(p: Callable[[str], Any], x: Any) -> Any:
        y = lax.conv_general_dilated(x, p("weight"), (stride, stride), [(padding, padding)] * 2)
        return y + p("bias")[:, None, None] if bias else y

    return Layer(apply, {"weight": (after, before, size, size), **({"bias": (after,)} if bias else {})})


def MaxPool2d(size: int, stride: int | None = None) -> Layer:
    window, step = (1, 1, size, size), (1, 1, stride or size, stride or size)
    return Layer(lambda p, x: lax.reduce_window(x, -jnp.inf, lax.max, window, step, "VALID"))


def Flatten() -> Layer:
    return Layer(lambda p, x: x.reshape(len(x), -1))


def ReLU() -> Layer:
    return Layer(lambda p, x: jax.nn.relu(x))


def Tanh() -> Layer:
    return Layer(lambda p, x: jnp.tanh(x))
