"""Taps: any layer's output, parameter, gradient or update of a compiled call, by path."""

from __future__ import annotations

import numpy as np
import pytest
from training import training_step

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError

PATHS = ("net", "net[0]", "net[0].weight", "net[0].weight.grad", "net[0].weight.update")


def tapped_step(paths):
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    return net, sl.compile(training_step(net, optimizer), taps=paths)


X, Y = np.ones((4, 2), np.float32), np.array([0, 1, 0, 1])


def test_taps_show_what_the_call_computed():
    net, step = tapped_step(PATHS)
    before = net[0].weight.numpy().copy()
    hidden = net[0](sl.asarray(X)).numpy()
    step(sl.asarray(X), sl.asarray(Y))
    seen = {path: value.numpy() for path, value in step.tapped.items()}
    assert list(seen) == list(PATHS)
    np.testing.assert_allclose(seen["net[0]"], hidden, rtol=1e-6)
    np.testing.assert_array_equal(seen["net[0].weight"], net[0].weight.numpy())
    np.testing.assert_allclose(seen["net[0].weight.update"], net[0].weight.numpy() - before, atol=1e-7)
    np.testing.assert_allclose(seen["net[0].weight.update"], -0.1 * seen["net[0].weight.grad"], atol=1e-7)
    assert seen["net"].shape == (4, 2)


def test_attention_weights_are_tapped_where_the_layer_does_not_return_them():
    net, x = nn.MultiheadAttention(8, 2, batch_first=True), np.random.default_rng(0).normal(size=(3, 5, 8)).astype(np.float32)
    tapped = sl.compile(lambda x: net(x, is_causal=True), taps=["net.attention"])
    y = tapped(sl.asarray(x))
    expected, weights = net(sl.asarray(x), is_causal=True, need_weights=True, average_attn_weights=False)
    np.testing.assert_allclose(tapped.tapped["net.attention"].numpy(), weights.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize(("path", "text"), [
    ("net[7]", """compile: nothing at path 'net[7]' to tap
  a path names a layer's output (net[0]), a tensor of a layer (net[0].weight), or that with .grad or .update
  the layers are net, net[0], net[1], net[2]"""),
    ("net[1].weight.grad", "compile: nothing at path 'net[1].weight.grad' to tap"),
])
def test_a_path_that_leads_nowhere_lists_the_layers(path, text):
    _, step = tapped_step([path])
    with pytest.raises(ArgumentError) as error:
        step(sl.asarray(X), sl.asarray(Y))
    assert str(error.value).startswith(text)


def test_what_a_function_does_not_compute_cannot_be_tapped():
    net = nn.Linear(2, 2)
    for path, text in (("net.weight.grad", "net.weight has no gradient at the end of the function"),
                       ("net.weight.update", "the function does not change net.weight")):
        with pytest.raises(ArgumentError, match=text):
            sl.compile(lambda x: net(x), taps=[path])(sl.asarray(X))
