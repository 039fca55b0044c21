"""Indices of max pooling and unpooling: against PyTorch, compiled against eager, gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
import slopes.torch
from slopes import nn
from slopes.errors import OutOfRangeError, ShapeError

rng = np.random.default_rng(5)


def ties(*shape):
    """Small whole numbers: many maxima are equal."""
    return rng.integers(-2, 3, shape).astype(np.float64)


def test_indices_are_those_of_pytorch():
    original = pytest.importorskip("torch")
    infinite = np.full((1, 1, 5), -np.inf)
    cases = [("MaxPool1d", (3, 2, 1), {"dilation": 2, "ceil_mode": True}, ties(2, 3, 12)), ("MaxPool1d", (2, 1, 1), {}, infinite),
             ("MaxPool2d", ((3, 2), 3, (1, 0)), {"ceil_mode": True}, ties(2, 3, 9, 8)), ("MaxPool2d", (3, 1), {}, ties(1, 2, 5, 6)),
             ("MaxPool3d", ((2, 1, 3),), {"padding": (1, 0, 1)}, ties(1, 2, 4, 3, 7)),
             ("AdaptiveMaxPool1d", (4,), {}, ties(2, 3, 9)), ("AdaptiveMaxPool2d", ((3, None),), {}, ties(2, 3, 7, 2)),
             ("AdaptiveMaxPool2d", ((2, 1),), {}, ties(1, 2, 5, 4)), ("AdaptiveMaxPool3d", ((2, 3, 1),), {}, ties(1, 2, 5, 4, 3))]
    for name, args, options, x in cases:
        layer = getattr(nn, name)(*args, **options, return_indices=True)
        theirs = getattr(original.nn, name)(*args, **options, return_indices=True)(original.tensor(x))
        for run in (layer, sl.compile(lambda x, layer=layer: layer(x))):
            for mine, other in zip(run(sl.tensor(x)), theirs, strict=True):
                assert np.array_equal(mine.numpy(), other.numpy()), name
        assert layer(sl.tensor(x))[1].dtype == "int64"
    nan = np.array([[[1.0, np.nan, 2.0, 0.0]]])
    assert nn.MaxPool1d(2, return_indices=True)(sl.tensor(nan))[1].tolist() == [[[1, 2]]]
    assert sl.max_pool1d(sl.tensor([[[1, 5, 7, 2]]]), 2, return_indices=True)[1].tolist() == [[[1, 2]]]


def pooled_twice(library, x, axes, sizes, shape):
    """x after pooling, a product, and unpooling."""
    values, indices = getattr(library.nn, f"MaxPool{axes}d")(*sizes, return_indices=True)(x)
    return getattr(library.nn, f"MaxUnpool{axes}d")(*sizes)(values * values, indices, shape)


def test_unpooling_and_its_gradients_are_those_of_pytorch():
    original = pytest.importorskip("torch")
    for axes, sizes, shape in [(1, (2,), (2, 3, 7)), (2, ((3, 2), 3, (1, 0)), (2, 3, 9, 8)), (3, ((1, 2, 2),), (1, 2, 3, 4, 6))]:
        values = rng.normal(size=shape)
        theirs, mine = original.tensor(values, requires_grad=True), sl.torch.tensor(values, requires_grad=True)
        results = [pooled_twice(original, theirs, axes, sizes, shape), pooled_twice(sl.torch, mine, axes, sizes, shape)]
        for result in results:
            (result ** 3).sum().backward()
        np.testing.assert_allclose(results[1].detach().numpy(), results[0].detach().numpy())
        np.testing.assert_allclose(mine.grad.numpy(), theirs.grad.numpy(), rtol=1e-12)
        loss = lambda x, axes=axes, sizes=sizes, shape=shape: (pooled_twice(sl, x, axes, sizes, shape) ** 3).sum()  # noqa: E731
        gradient = sl.compile(sl.grad(loss))(sl.tensor(values))
        np.testing.assert_allclose(gradient.numpy(), theirs.grad.numpy(), rtol=1e-12)
        sl.check_grads(loss, sl.tensor(values))
    functional = sl.torch.nn.functional
    values, indices = functional.max_pool2d(sl.torch.ones(1, 1, 4, 4), 2, 2, 0, 1, False, True)
    assert functional.max_unpool2d(values, indices, 2, output_size=(5, 4)).sum().item() == 4


def test_values_for_one_index_give_their_mean():
    def unpooled(x):
        return nn.MaxUnpool1d(2, 1)(x, sl.tensor([[[1, 1, 2]]]))

    x = sl.tensor([[[2.0, 4.0, 5.0]]], dtype="float64")
    assert unpooled(x).tolist() == [[[0, 3, 5, 0]]]
    sl.check_grads(lambda x: (unpooled(x) ** 2).sum(), x)


def test_what_unpooling_does_not_take():
    x, indices = sl.ones((1, 2, 3)), sl.zeros((1, 2, 3), dtype="int64")
    with pytest.raises(ShapeError, match=r"MaxUnpool1d\(2\) at net has x of shape \(1, 2, 3\) and indices of shape \(1, 2\)"):
        nn.MaxUnpool1d(2)(x, indices[:, :, 0])
    for size in ((8,), (1, 2, 4), (2, 7)):
        with pytest.raises(ShapeError, match=r"makes no output_size=.*\n.*windows of x cover \(6,\)"):
            nn.MaxUnpool1d(2)(x, indices, size)
    with pytest.raises(OutOfRangeError):
        nn.MaxUnpool1d(2)(x, indices + 6)
