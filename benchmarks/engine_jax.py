"""A workload in JAX: one function under jit, whose state goes in and comes out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import layers_jax
from .engine import Engine
from .layers_jax import BUFFERS, Layer, Scope
from .workloads import Workload, weights


def build(workload: Workload, threads: int, mode: str) -> Engine:
    """The engine of a workload; the number of threads is NPROC's."""
    net = workload.net(layers_jax)
    values = {name: jnp.asarray(weights(name, shape)) for name, shape in net.shapes.items()}
    step = training(workload, net, values) if workload.optimizer else inference(net, values)
    return Engine(step, [tuple(map(jnp.asarray, batch)) for batch in zip(*workload.data())], np.asarray)


def SGD(values: Any, lr: float) -> Any:
    """The first state, and (gradients, state, values) -> (state, values)."""
    return (), lambda slopes, state, values: (state, jax.tree.map(lambda value, slope: value - lr * slope, values, slopes))


def Adam(values: Any, lr: float, decay: float = 0.0) -> Any:
    """As SGD."""
    def update(slopes: Any, state: Any, values: Any) -> Any:
        count = state[0] + 1
        first = jax.tree.map(lambda old, slope: 0.9 * old + 0.1 * slope, state[1], slopes)
        second = jax.tree.map(lambda old, slope: 0.999 * old + 0.001 * slope**2, state[2], slopes)
        rate, scale, kept = lr / (1 - 0.9**count), jnp.sqrt(1 - 0.999**count), 1 - lr * decay
        moved = jax.tree.map(lambda value, m, v: kept * value - rate * m / (jnp.sqrt(v) / scale + 1e-8), values, first, second)
        return (count, first, second), moved

    return (jnp.float32(0), jax.tree.map(jnp.zeros_like, values), jax.tree.map(jnp.zeros_like, values)), update


def cross_entropy(logits: Any, labels: Any) -> Any:
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


def mse_loss(outputs: Any, targets: Any) -> Any:
    return ((outputs - targets) ** 2).mean()


OPTIMIZERS = SimpleNamespace(SGD=SGD, Adam=Adam, AdamW=partial(Adam, decay=0.01))
LOSSES = {"cross_entropy": cross_entropy, "mse_loss": mse_loss}


def training(workload: Workload, net: Layer, values: Any) -> Callable[..., Any]:
    """Forward, loss, gradients, optimizer."""
    assert workload.optimizer is not None
    buffers = {name: values.pop(name) for name in list(values) if name.endswith(BUFFERS)}
    memory, update = workload.optimizer(OPTIMIZERS, values)

    def forward(values: Any, buffers: Any, inputs: Any, targets: Any) -> Any:
        scope = Scope(values | buffers, training=True)
        return LOSSES[workload.loss](net.apply(scope, inputs), targets), scope.new

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def advance(values: Any, buffers: Any, memory: Any, inputs: Any, targets: Any) -> Any:
        (loss, buffers), slopes = jax.value_and_grad(forward, has_aux=True)(values, buffers, inputs, targets)
        memory, values = update(slopes, memory, values)
        return values, buffers, memory, loss

    def step(inputs: Any, targets: Any) -> Any:
        nonlocal values, buffers, memory
        values, buffers, memory, loss = advance(values, buffers, memory, inputs, targets)
        return loss

    return step


def inference(net: Layer, values: Any) -> Callable[..., Any]:
    """Forward in the mode of use."""
    return partial(jax.jit(lambda values, inputs: net.apply(Scope(values, training=False), inputs)), values)
