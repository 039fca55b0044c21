"""Captured functions and backends: what a capture names, that every backend computes the same, and that a new one is a few lines."""

from __future__ import annotations

import re
from pathlib import Path

import array_api_strict
import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, DivisionError, OutOfRangeError
from slopes.reference_backend import ReferenceBackend

BACKENDS = {"native": "native", "reference": "reference", "array API": ReferenceBackend(array_api_strict)}


@pytest.fixture(params=BACKENDS)
def backend(request):
    return BACKENDS[request.param]


def page_backend():
    """The backend that the page for contributors writes."""
    page = (Path(__file__).resolve().parent.parent / "docs" / "contributing.md").read_text(encoding="utf-8")
    block = re.search(r"^```python\n# src/slopes/toy_backend\.py \(new\)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    names = {"__name__": "slopes.toy_backend", "__package__": "slopes"}
    exec(block[1], names)
    return names["BACKEND"]


def network():
    sl.seed(1)
    net = nn.Sequential(nn.Linear(3, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))
    optimizer = optim.Adam(net.parameters(), lr=0.01)

    def step(x, y):
        loss = nn.cross_entropy(net(x), y)
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return net, step


def batch(steps=()):
    rng = np.random.default_rng(0)
    return sl.tensor(rng.standard_normal((*steps, 16, 3), dtype=np.float32)), sl.tensor(rng.integers(0, 4, (*steps, 16)))


def test_a_capture_names_inputs_state_outputs_and_updates():
    net, step = network()
    captured = sl.capture(step, *batch())
    assert [value.path for value in captured.inputs] == ["x", "y"]
    names = {value.path for value in captured.state}
    assert {"net.0.weight", "net.1.running_mean", "net.3.weight", "optimizer.0.weight.exp_avg", "optimizer.lr"} <= names
    assert [value.path for value in captured.outputs] == ["result"]
    updated = {value.path for value in captured.updates}
    assert {"net.0.weight", "net.1.running_mean", "optimizer.3.bias.exp_avg"} <= updated <= names
    assert all(value.tensor is not None and value.tensor.shape == value.node.shape for value in captured.state)
    by_path = {value.path: value.tensor for value in captured.state}
    assert by_path["net.0.weight"] is net[0].weight
    assert str(captured).startswith("captured step\ninput x: float32[16, 3]\n")


def test_a_capture_changes_nothing():
    net, step = network()
    before = net.state_dict()
    sl.capture(step, *batch())
    assert all((net.state_dict()[name] == array).all() for name, array in before.items())


def test_names_of_a_capture_are_distinct_also_where_nothing_names_a_tensor():
    tensors = [sl.tensor([1.0]), sl.tensor([2.0])]
    captured = sl.capture(lambda x: x * tensors[0] + tensors[1], sl.ones(1))
    assert [value.path for value in captured.state] == ["tensor", "tensor#2"]


def test_training_steps_are_the_same_on_every_backend(backend):
    trained, step = network()
    compiled = sl.compile(step, backend=backend)
    eager, eager_step = network()
    x, y = batch()
    for _ in range(5):
        assert compiled(x, y).item() == pytest.approx(eager_step(x, y).item(), rel=1e-5)
    for name, array in eager.state_dict().items():
        np.testing.assert_allclose(trained.state_dict()[name], array, rtol=2e-4, atol=2e-5)
    assert compiled.compilations == 1


def test_many_steps_are_the_same_on_every_backend(backend):
    stacks = batch((4,))
    _, step = network()
    losses = sl.compile(step, backend=backend).many(4, *stacks, stepped=(0, 1))
    _, eager_step = network()
    expected = [eager_step(*(sl.tensor(stack.numpy()[i]) for stack in stacks)).item() for i in range(4)]
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-5)


def test_taps_and_gradients_of_arguments_are_the_same_on_every_backend(backend):
    _, step = network()
    compiled = sl.compile(step, taps=["net[0]", "net.0.weight.grad", "net[3].bias.update"], backend=backend)
    compiled(*batch())
    eager, eager_step = network()
    before = eager[3].bias.numpy().copy()
    eager_step(*batch())
    np.testing.assert_allclose(compiled.tapped["net.0.weight.grad"].numpy(), eager[0].weight.grad.numpy(), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(compiled.tapped["net[3].bias.update"].numpy(), eager[3].bias.numpy() - before, rtol=1e-3, atol=1e-6)
    x = sl.tensor([1.0, 2.0], requires_grad=True)
    sl.compile(lambda x: (x**3).sum().backward(), backend=backend)(x)
    np.testing.assert_allclose(x.grad.numpy(), [3, 12])


@pytest.mark.parametrize("name", ["native", "reference"])
def test_errors_are_the_same_on_every_backend_and_change_no_state(name):
    total = sl.tensor([0.0])

    def take(table, i):
        total.assign(total + 1)
        return table[i]

    compiled = sl.compile(take, backend=name)
    table = sl.ones(3)
    compiled(table, sl.tensor(1))
    with pytest.raises(OutOfRangeError, match="axis 0 of size 3"):
        compiled(table, sl.tensor(5))
    assert total.item() == 1
    with pytest.raises(DivisionError, match="division by zero"):
        sl.compile(lambda x: 7 // x, backend=name)(sl.tensor(0))


def test_a_backend_of_a_few_lines_trains_without_a_name_in_the_table():
    _, step = network()
    _, eager_step = network()
    compiled = sl.compile(step, backend=page_backend())
    for _ in range(3):
        assert compiled(*batch()).item() == pytest.approx(eager_step(*batch()).item(), rel=1e-5)


def test_an_unknown_backend_is_refused():
    with pytest.raises(ArgumentError, match="no backend is called 'cuda'"):
        sl.compile(lambda x: x, backend="cuda")
    with pytest.raises(ArgumentError, match="is no backend"):
        sl.compile(lambda x: x, backend=3)
