"""Batches of no examples: gradients are zeros, compiled as in eager mode."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn

LAYERS = {
    "Linear": (lambda: nn.Linear(2, 3), (0, 2)),
    "Conv1d": (lambda: nn.Conv1d(2, 3, 3), (0, 2, 5)),
    "Conv2d, groups": (lambda: nn.Conv2d(2, 4, 3, groups=2), (0, 2, 5, 5)),
    "Conv3d": (lambda: nn.Conv3d(2, 3, 3), (0, 2, 5, 5, 5)),
    "ConvTranspose1d, stride": (lambda: nn.ConvTranspose1d(2, 3, 3, stride=2), (0, 2, 5)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(2, 3, 3), (0, 2, 5, 5)),
    "RNN": (lambda: nn.RNN(3, 4, batch_first=True), (0, 5, 3)),
    "GRU": (lambda: nn.GRU(3, 4, batch_first=True), (0, 5, 3)),
    "LSTM": (lambda: nn.LSTM(3, 4, batch_first=True), (0, 5, 3)),
    "attention": (lambda: nn.MultiheadAttention(4, 2, batch_first=True), (0, 3, 4)),
    "transformer": (lambda: nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), (0, 3, 4)),
    "LayerNorm": (lambda: nn.LayerNorm(4), (0, 4)),
    "PReLU": (lambda: nn.PReLU(), (0, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_gradients_of_an_empty_batch_are_zeros(name, mode):
    make, shape = LAYERS[name]
    layer = make()

    def gradients(x):
        layer.zero_grad()
        y = layer(x)
        (y[0] if isinstance(y, tuple) else y).sum().backward()
        return [p.grad for p in layer.parameters()]

    found = (sl.compile(gradients) if mode == "compiled" else gradients)(sl.zeros(shape))
    for gradient, parameter in zip(found, layer.parameters()):
        assert gradient.shape == parameter.shape
        assert not np.any(gradient.numpy())


@pytest.mark.parametrize("function", [
    lambda x: (x.T @ x).sum(),
    lambda x: sl.einsum("ni,nj->ij", x, x).sum(),
    lambda x: sl.tensordot(x, x, axes=2),
], ids=["matmul", "einsum", "tensordot"])
def test_products_over_nothing_are_zero(function):
    x = sl.zeros((0, 3))
    for run in (sl.value_and_grad(function), sl.compile(sl.value_and_grad(function))):
        value, gradient = run(x)
        assert not np.any(value.numpy())
        assert gradient.shape == (0, 3)
