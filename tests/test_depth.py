"""Depth is no limit: long chains of operations, many layers one after another, deep trees; what Python itself limits is said clearly."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import slopes as sl
from slopes import nn
from slopes.errors import ShapeError, TooDeepError

X = np.linspace(0, 1, 5).astype(np.float32)


def many_terms(x, count):
    total = x * 0
    for k in range(count):
        total = total + sl.sin(x * k)
    return total.sum()


def differences(x, count):  # x1 - (x2 - (x3 - ...))
    left = x
    for k in range(count):
        left = x * (k / count) - left
    return left.sum()


def products(x, count):
    for _ in range(count):
        x = x * 1.001
    return x.sum()


def choices(x, count):
    for k in range(count):
        x = sl.where(x > k, x - 1, x + 0.5)
    return x.sum()


def moves(x, count):
    for _ in range(count):
        x = sl.roll(x, 1).reshape(1, 5).permute_dims(1, 0).reshape(5) + 1
    return x.sum()


CHAINS = {"terms": many_terms, "differences": differences, "products": products, "choices": choices, "moves": moves}


@pytest.mark.parametrize("name", CHAINS)
def test_a_compiled_chain_may_be_longer_than_pythons_stack(name):
    def f(x):
        return CHAINS[name](x, 1100)

    plain = sl.tensor(X.astype(np.float64))
    expected = f(plain).item()
    assert sl.compile(f)(sl.tensor(X)).item() == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_its_gradient_too():
    def f(x):
        return products(x, 1500) + differences(x, 1500)

    found, expected = sl.compile(sl.grad(f))(sl.tensor(X)), sl.grad(f)(sl.tensor(X.astype(np.float64)))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-3)


def test_a_sum_of_doubled_sums_is_walked_once_per_node():
    def f(x):
        for _ in range(60):
            x = x + x
        return (x * 0.5).sum()

    assert sl.compile(f)(sl.ones(3)).item() == 3 * 2.0**59


def test_backward_through_100_000_additions():
    x = sl.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    assert pickle.loads(pickle.dumps(y)).item() == 100_001


def test_a_thousand_layers_one_after_another():
    net = nn.Sequential(*(nn.Tanh() for _ in range(1000)))
    expected = net(sl.tensor(X))
    np.testing.assert_allclose(sl.compile(net)(sl.tensor(X)).numpy(), expected.numpy(), rtol=1e-4, atol=1e-6)
    assert repr(net).count("\n") == 1001 and len(net.summary(sl.tensor(X)).rows) >= 1000


def nested(make, depth, inner):
    for _ in range(depth):
        inner = make(inner)
    return inner


@pytest.mark.parametrize("ran", [lambda net: net, sl.compile], ids=["eager", "compiled"])
def test_modules_within_modules_beyond_pythons_stack_are_told_clearly(ran):
    net = nested(nn.Sequential, 1000, nn.Linear(5, 2))
    assert len(net.parameters()) == 2 and len(net.state_dict()) == 2 and net.eval() is net
    with pytest.raises(TooDeepError, match=r"Sequential: its layers are nested deeper than Python's limit of") as caught:
        ran(net)(sl.tensor(X))
    assert "1000 levels" in str(caught.value) and "one flat nn.Sequential" in str(caught.value)
    assert "at test_depth.py:" in str(caught.value)
    assert nested(nn.Sequential, 50, nn.Linear(5, 2))(sl.tensor(X)).shape == (2,)


@pytest.mark.parametrize("leaf", [1.0, sl.tensor(1.0)], ids=["number", "tensor"])
@pytest.mark.parametrize("depth", [500, 5000])
def test_lists_deeper_than_arrays_have_axes(leaf, depth):
    with pytest.raises(ShapeError, match="do not have one shape"):
        sl.tensor(nested(lambda x: [x], depth, leaf))


def test_arguments_may_be_deep_trees():
    tree = nested(lambda x: [x], 2000, sl.tensor(X))
    found = sl.compile(lambda tree: tree)(tree)
    assert np.array_equal(sl.tree.flatten(found)[0][0].numpy(), X)
    gradient = sl.grad(lambda tree: (sl.tree.flatten(tree)[0][0] ** 2).sum())(tree)
    assert np.array_equal(sl.tree.flatten(gradient)[0][0].numpy(), 2 * X)
