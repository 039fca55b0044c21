"""What is taken part by part: the same values and derivatives, never the whole of what is large in between; and attention made of it."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, ShapeError, TraceError
from slopes.functions import attention

DRAW = np.random.default_rng(0)


def array(*shape: int) -> np.ndarray:
    return DRAW.standard_normal(shape).astype(np.float32)


def same(found, expected, tolerance=2e-5) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        with sl.no_grad():
            np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=tolerance, atol=tolerance)


def arena(function) -> int:
    """Bytes of intermediate values."""
    return function.programs[0].manifest.arena


def rows_loss(x, w, size):
    """A loss with a value (n, 4) in between, in parts if a size is given."""
    def layer(rows):
        return sl.tanh(rows @ w)

    y = layer(x) if size is None else sl.in_parts(layer, x, size)
    return (y * y * sl.arange(4.0)).sum()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 9])
def test_values_and_derivatives_are_those_of_the_whole(size):
    x, w = sl.tensor(array(7, 3)), sl.tensor(array(3, 4))

    def everything(size):
        first = lambda x, w: rows_loss(x, w, size)  # noqa: E731
        second = lambda w: (sl.grad(lambda v: first(x, v))(w) ** 2).sum()  # noqa: E731
        return lambda x, w: (first(x, w), sl.grad(first)(x, w), sl.grad(lambda v: first(x, v))(w), sl.grad(second)(w))

    expected = everything(None)(x, w)
    same(everything(size)(x, w), expected, 1e-4)
    same(sl.compile(everything(size))(x, w), expected, 1e-4)


def test_batches_and_tangents_go_through_parts():
    x, w = sl.tensor(array(4, 6, 3)), sl.tensor(array(3, 4))
    parts, whole = (lambda x: rows_loss(x, w, 2)), (lambda x: rows_loss(x, w, None))
    same([sl.compile(lambda x: sl.vmap(parts)(x))(x)], [sl.stack([whole(each) for each in x])])
    same([sl.compile(lambda x: sl.jvp(parts, (x,), (x,))[1])(x[0])], [sl.jvp(whole, (x[0],), (x[0],))[1]])


def test_trees_and_rows_that_are_left_over():
    rows = {"a": sl.arange(7.0), "b": sl.arange(14).reshape((7, 2))}

    def f(part):
        return {"sum": part["a"] + part["b"].sum(axis=1).astype(sl.float32), "even": part["b"] % 2 == 0}

    for run in (lambda rows: sl.in_parts(f, rows, 3), sl.compile(lambda rows: sl.in_parts(f, rows, 3))):
        found = run(rows)
        same([found["sum"], found["even"]], [f(rows)["sum"], f(rows)["even"]])


def test_what_is_large_in_between_is_there_in_parts_only():
    x, w = sl.tensor(array(512, 8)), sl.tensor(array(8, 4096))

    def loss(size):
        def wide(rows):
            return sl.exp(-(rows @ w) ** 2).sum(axis=1)

        return sl.compile(lambda x, w_: sl.grad(lambda x: (wide(x) if size is None else sl.in_parts(wide, x, size)).sum())(x))

    whole, parts = loss(None), loss(16)
    same([parts(x, w)], [whole(x, w)], 1e-4)
    assert arena(whole) > 4 * 512 * 4096 and arena(parts) < 4 * 64 * 4096


def test_parameters_learn_through_parts():
    def trained(size):
        sl.seed(0)
        net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
        optimizer = optim.SGD(net.parameters(), lr=0.1)

        @sl.compile
        def step(x, y):
            out = net(x) if size is None else sl.in_parts(net, x, size)
            loss = ((out - y) ** 2).mean()
            net.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        x = sl.tensor(np.linspace(-1, 1, 30, dtype=np.float32).reshape(10, 3))
        return [step(x, x.sum(axis=1, keepdims=True)).item() for _ in range(20)]

    same([trained(4)], [trained(None)], 1e-4)


def test_what_cannot_be_taken_in_parts_is_said():
    x, net = sl.ones((4, 3)), nn.BatchNorm1d(3)
    for run in (lambda f: f(x), lambda f: sl.compile(f)(x)):
        with pytest.raises(ShapeError, match="returned result of shape \\(3,\\) for 2 rows"):
            run(lambda x: sl.in_parts(lambda rows: rows.sum(axis=0), x, 2))
    with pytest.raises(TraceError, match="the function assigns a tensor"):
        sl.compile(lambda x: sl.in_parts(net, x, 2))(x)
    with pytest.raises(ArgumentError, match="size is 0"):
        sl.in_parts(lambda rows: rows, x, 0)
    with pytest.raises(ShapeError, match="first axes must have the same length"):
        sl.in_parts(lambda rows: rows[0], (x, sl.ones(3)), 2)
    with pytest.raises(ShapeError, match="is a single number"):
        sl.in_parts(lambda rows: rows, sl.tensor(1.0), 2)


MASKS = {
    "none": None,
    "one for all": DRAW.random((7, 9)) < 0.7,
    "floats": array(7, 9),
    "of keys": DRAW.random((2, 1, 1, 9)) < 0.6,
    "of every head": DRAW.random((2, 3, 7, 9)) < 0.6,
    "one row": DRAW.random((1, 9)) < 0.6,
    "without rows": DRAW.random(9) < 0.6,
}


PARTS = {"queries": 9 * 4 * 2, "heads": 7 * 9 * 4 * 2, "single queries": 1}
DIVISIONS = [(mask, causal, [*PARTS][(i + causal) % 3]) for i, mask in enumerate(MASKS) for causal in (False, True)]


@pytest.mark.parametrize(("mask", "causal", "part"), [*DIVISIONS, *(("none", True, part) for part in ("heads", "single queries"))])
def test_attention_in_parts_is_the_same(monkeypatch, mask, causal, part):
    arrays = [sl.tensor(array(2, 3, length, width)) for length, width in ((7, 4), (9, 4), (9, 5))]
    hidden = None if MASKS[mask] is None else sl.tensor(MASKS[mask])
    calls = []

    def everything(q, k, v):
        def loss(q, k, v):
            return (sl.scaled_dot_product_attention(q, k, v, attn_mask=hidden, is_causal=causal) ** 2).sum()
        return (sl.scaled_dot_product_attention(q, k, v, attn_mask=hidden, is_causal=causal), sl.grad(loss)(q, k, v),
                sl.grad(lambda k: loss(q, k, v))(k), sl.grad(lambda v: loss(q, k, v))(v))

    expected = sl.compile(everything)(*arrays)
    monkeypatch.setattr(attention, "WHOLE", 0)
    monkeypatch.setattr(attention, "PART", PARTS[part])
    in_parts = attention.in_parts
    monkeypatch.setattr(attention, "in_parts", lambda *args: calls.append(args[2]) or in_parts(*args))
    same(sl.compile(everything)(*arrays), expected, 1e-4)
    assert calls


def test_a_long_context_needs_no_square_of_memory():
    layer = nn.MultiheadAttention(32, 2, batch_first=True)

    @sl.compile
    def step(x):
        loss = (layer(x, is_causal=True) ** 2).mean()
        layer.zero_grad()
        loss.backward()
        return loss, layer.in_proj_weight.grad

    loss, gradient = step(sl.tensor(array(1, 3000, 32)))
    assert arena(step) < 40 << 20 < 2 * 3000 * 3000 * 4
    assert np.isfinite(loss.item()) and np.abs(gradient.numpy()).max() > 0
