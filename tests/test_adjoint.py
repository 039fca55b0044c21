"""Input gradients of convolutions rewritten as convolutions are the same gradients."""

from __future__ import annotations

import numpy as np
import pytest
from native_graphs import run_nodes

from slopes.autodiff.pullback import pull_back
from slopes.graph.build import build, variable
from slopes.graph.walk import topological
from slopes.machine.reference import evaluate
from slopes.ops import composite as c
from slopes.passes.adjoint import convolve_gradients
from slopes.passes.canonical import canonical

CASES = {
    "plain": (((2, 3, 9, 8), (5, 3, 3, 2)), {}),
    "1-d": (((3, 4, 17), (6, 4, 5)), {}),
    "1-d dilated, same": (((3, 4, 17), (6, 4, 5)), {"dilation": 2, "padding": "same"}),
    "stride 2": (((2, 3, 11, 12), (4, 3, 3, 3)), {"stride": 2}),
    "stride 2, rest left over": (((2, 3, 12, 11), (4, 3, 3, 3)), {"stride": (2, 3), "padding": 1}),
    "stride longer than the window": (((1, 2, 13, 13), (3, 2, 2, 2)), {"stride": 3}),
    "dilated": (((2, 3, 13, 12), (4, 3, 3, 2)), {"dilation": (2, 3)}),
    "strided and dilated": (((2, 3, 15, 14), (4, 3, 3, 3)), {"stride": (2, 1), "dilation": (1, 2), "padding": ((1, 0), (2, 1))}),
    "groups": (((2, 6, 9, 9), (9, 2, 3, 3)), {"groups": 3, "padding": 1}),
    "depthwise, strided": (((2, 6, 10, 9), (6, 1, 3, 3)), {"groups": 6, "stride": 2, "padding": 1}),
    "1x1": (((2, 6, 5, 5), (4, 6, 1, 1)), {}),
    "one window": (((2, 3, 4, 4), (5, 3, 4, 4)), {}),
    "3-d": (((1, 2, 6, 5, 7), (3, 2, 2, 3, 2)), {"stride": (1, 1, 2), "padding": (0, 1, 0)}),
}


def gradient_of(name: str):
    (shape, weights), params = CASES[name]
    x, w = variable(shape, np.dtype("float64")), variable(weights, np.dtype("float64"))
    y = c.convolution(x, w, **params)
    g = variable(y.shape, y.dtype)
    rng = np.random.default_rng(0)
    env = {node: rng.normal(size=node.shape) for node in (x, w, g)}
    return pull_back([y], [g], [x]), env


@pytest.mark.parametrize("name", CASES)
def test_the_pass_keeps_every_gradient(name):
    gradient, env = gradient_of(name)
    expected, = evaluate(gradient, env)
    rewritten = convolve_gradients(canonical(gradient))
    np.testing.assert_allclose(evaluate(rewritten, env)[0], expected, rtol=1e-12, atol=1e-12)
    for passes in (True, False):
        found, = run_nodes(gradient, env, passes=passes, poison=True)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["plain", "1-d dilated, same", "groups"])
def test_the_pass_replaces_the_addition_of_windows(name):
    gradient, _ = gradient_of(name)
    assert "unwindow" in {node.op.name for node in topological(canonical(gradient))}
    assert "unwindow" not in {node.op.name for node in topological(convolve_gradients(canonical(gradient)))}


@pytest.mark.parametrize("name", ["stride 2", "stride longer than the window", "3-d"])
def test_windows_are_added_where_a_convolution_would_mostly_multiply_zeros(name):
    gradient, _ = gradient_of(name)
    assert "unwindow" in {node.op.name for node in topological(convolve_gradients(canonical(gradient)))}


def test_windows_that_are_no_contraction_are_left_alone():
    x = variable((2, 9), np.dtype("float64"))
    windows = build("window", x, axes=(1,), size=(3,), stride=(1,), dilation=(1,))
    roots = [build("unwindow", windows * windows, axes=(1,), size=(3,), stride=(1,), dilation=(1,), lengths=(9,))]
    assert convolve_gradients(roots) == roots
    assert convolve_gradients([x]) == [x]


def test_a_contraction_that_mixes_counts_and_places_is_left_alone():
    a, b = variable((4, 5, 3), np.dtype("float64")), variable((5, 3, 7), np.dtype("float64"))
    product = build("contract", a, build("sum", b, axes=(2,)), a_axes=(0, 1, 2), b_axes=(1, 2), out_axes=(0, 1, 2))
    roots = [build("unwindow", product, axes=(1,), size=(3,), stride=(1,), dilation=(1,), lengths=(7,))]
    rewritten = convolve_gradients(roots)
    rng = np.random.default_rng(0)
    env = {node: rng.normal(size=node.shape) for node in (a, b)}
    np.testing.assert_allclose(evaluate(rewritten, env)[0], evaluate(roots, env)[0])


def test_second_gradients_pass_too():
    x, w = variable((1, 2, 7, 7), np.dtype("float64")), variable((3, 2, 3, 3), np.dtype("float64"))
    rng = np.random.default_rng(0)
    env = {node: rng.normal(size=node.shape) for node in (x, w)}
    y = build("sum", build("tanh", c.convolution(x, w, 2, 1)), axes=(0, 1, 2, 3))
    one = build("expand", build("multiply", y, y), shape=())
    first, = pull_back([one], [y * 0.0 + 1.0], [x])
    second = pull_back([build("sum", first * first, axes=(0, 1, 2, 3))], [y * 0.0 + 1.0], [x, w])
    for ours, expected in zip(run_nodes(second, env, poison=True), evaluate(second, env)):
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)
