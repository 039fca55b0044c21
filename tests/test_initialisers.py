"""Initialisers with PyTorch's names: exact ones are PyTorch's, random ones have its distributions, and what does not fit is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

import slopes as sl
from slopes import nn
from slopes.errors import ArgumentError, ShapeError
from slopes.nn import init


def blank(*shape):
    return sl.Parameter(np.full(shape, 7, np.float32))


@pytest.mark.parametrize("shape, groups", [((4, 3, 3), 1), ((6, 2, 3, 4), 2), ((3, 5, 2, 3, 1), 3), ((4, 2, 5), 4)])
def test_dirac_is_pytorchs(shape, groups):
    torch = pytest.importorskip("torch")
    assert np.array_equal(init.dirac(blank(*shape), groups).detach().numpy(), torch.nn.init.dirac_(torch.empty(shape), groups).numpy())


def test_dirac_passes_groups_of_channels_on():
    layer, x = nn.Conv2d(4, 4, (3, 5), padding=(1, 2), groups=2, bias=False), sl.normal((2, 4, 5, 6))
    init.dirac(layer.weight, groups=2)
    assert np.allclose(layer(x).detach().numpy(), x.numpy(), atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2)])
def test_eye_is_the_identity(shape):
    assert np.array_equal(init.eye(blank(*shape)).detach().numpy(), np.eye(*shape))


@pytest.mark.parametrize("sparsity, zeros", [(0.0, 0), (0.25, 25), (0.101, 11), (1.0, 100)])
def test_sparse_columns_have_equally_many_zeros_elsewhere(sparsity, zeros):
    weight = init.sparse(blank(100, 60), sparsity, std=0.5).detach().numpy()
    assert ((weight == 0).sum(axis=0) == zeros).all()
    if 0 < zeros < 100:
        assert len({tuple(np.flatnonzero(column == 0)) for column in weight.T}) > 50
        assert weight[weight != 0].std() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("mean, std, a, b", [(0, 1, -2, 2), (0.5, 2, -1, 0), (0, 1, 1.5, 9), (0, 0, -1, 1)])
def test_truncated_normal_numbers_have_the_moments_of_that_distribution(mean, std, a, b):
    sl.seed(1)
    values = init.trunc_normal(blank(200, 200), mean, std, a, b).detach().numpy().astype(np.float64)
    assert values.min() >= a and values.max() <= b
    if not std:
        assert (values == mean).all()
        return
    grid = np.linspace(a, b, 200_001)
    density = np.exp(-0.5 * ((grid - mean) / std) ** 2)
    expected = (grid * density).sum() / density.sum()
    spread = math.sqrt(((grid - expected) ** 2 * density).sum() / density.sum())
    assert values.mean() == pytest.approx(expected, abs=4 * spread / 200) and values.std() == pytest.approx(spread, rel=0.02)


def test_they_draw_from_the_generator():
    for fill in (lambda w, g: init.trunc_normal(w, generator=g), lambda w, g: init.sparse(w, 0.5, generator=g)):
        one, same, other = (fill(blank(9, 5), sl.Generator(seed)).numpy() for seed in (3, 3, 4))
        assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize("args", [("linear",), ("conv_transpose2d",), ("sigmoid",), ("tanh",), ("relu",), ("selu",), ("leaky_relu",),
                                  ("leaky_relu", 0.3)])
def test_gains_are_pytorchs(args):
    torch = pytest.importorskip("torch")
    assert init.calculate_gain(*args) == torch.nn.init.calculate_gain(*args)


@pytest.mark.parametrize("make, error, text", [
    (lambda: init.dirac(blank(3, 3)), ShapeError, "no weight of a convolution"),
    (lambda: init.dirac(blank(3, 3, 3), groups=2), ArgumentError, "2 groups do not divide 3 outputs"),
    (lambda: init.eye(blank(3)), ShapeError, "no matrix"), (lambda: init.sparse(blank(3, 3, 3), 0.5), ShapeError, "no matrix"),
    (lambda: init.sparse(blank(3, 3), 1.5), ArgumentError, "sparsity must be"),
    (lambda: init.trunc_normal(blank(3), a=2, b=-2), ArgumentError, "hardly any number is between"),
    (lambda: init.trunc_normal(blank(3), a=7, b=9), ArgumentError, "hardly any number is between"),
    (lambda: init.calculate_gain("gelu"), ArgumentError, "nonlinearity must be")])
def test_what_does_not_fit_is_refused_in_words(make, error, text):
    with pytest.raises(error, match=text):
        make()
