"""The whole system in ten seconds: tensors, gradients, compiling, learning, saving, reviving."""

from __future__ import annotations

import numpy as np
import pytest
from training import training_step

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.train.runs import load_run, save_run

XOR = Dataset([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0], ["same", "different"], name="xor")


def xor_net() -> nn.Module:
    sl.seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))


def test_a_gradient_is_right():
    x, y, z = (sl.tensor(each, requires_grad=True) for each in (-2.0, 5.0, -4.0))
    ((x + y) * z).backward()
    assert [each.grad.item() for each in (x, y, z)] == [-4.0, -4.0, 3.0]


def test_a_compiled_function_equals_the_eager_one():
    def f(x):
        return (sl.tanh(x) * x).sum()

    x = sl.tensor(np.linspace(-2, 2, 11, dtype=np.float32))
    assert sl.compile(f)(x).item() == pytest.approx(f(x).item(), rel=1e-6)
    np.testing.assert_allclose(sl.compile(sl.grad(f))(x).numpy(), sl.grad(f)(x).numpy(), rtol=1e-5, atol=1e-6)


def test_a_compiled_step_learns():
    net, x, y = xor_net(), sl.tensor(XOR.inputs), sl.tensor(XOR.targets)
    optimizer = optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
    step = sl.compile(training_step(net, optimizer))
    losses = [step(x, y).item() for _ in range(100)]
    assert losses[-1] < 0.1 < losses[0] and step.compilations == 1


def test_fit_save_and_load_solve_xor(tmp_path):
    run = sl.fit(xor_net(), XOR, optimizer=optim.Adam(lr=0.05), epochs=150, batch_size=4, progress=False)
    assert sl.evaluate(run.net, XOR)["accuracy"] == 1.0
    saved = load_run(save_run(run, tmp_path / "run"))
    again = xor_net()
    again.load_state_dict(saved.network.weights)
    assert sl.evaluate(again, XOR) == sl.evaluate(run.net, XOR)


def test_the_graph_can_be_looked_at():
    shown = sl.graph(lambda x: (x * x).sum(), sl.ones((3,)))
    assert "multiply" in str(shown) and "<svg" in shown._repr_svg_()
