"""Compiled functions at edge values: equal products, NaN constants, huge arguments give what eager mode and NumPy give."""

from __future__ import annotations

import math

import numpy as np
import pytest

import slopes as sl

PRODUCTS = {
    "x x - y y": lambda a, b: a * a - b * b,
    "x y + (-y) x": lambda a, b: a * b + (-b) * a,
    "-(x y) + y x": lambda a, b: -(a * b) + b * a,
    "x^2 - y y": lambda a, b: a ** 2 - b * b,
    "x x x - y y y": lambda a, b: a * a * a - b * b * b,
    "2 x y - x x - y y": lambda a, b: 2 * a * b - a * a - b * b,
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(PRODUCTS))
def test_differences_of_equal_products_are_zero(name, dtype):
    x = np.random.default_rng(0).uniform(1, 2, 1000).astype(dtype)
    found = sl.compile(PRODUCTS[name])(sl.tensor(x), sl.tensor(x.copy()))
    np.testing.assert_array_equal(found.numpy(), PRODUCTS[name](sl.tensor(x), sl.tensor(x)).numpy())
    assert not found.numpy().any()


def test_a_variance_of_one_number_is_not_negative():
    x = sl.tensor(np.random.default_rng(0).uniform(1, 2, (500, 1)).astype("f4"))
    spread = sl.compile(lambda x: sl.sqrt((x * x).mean(1) - x.mean(1) * x.mean(1)))
    assert not np.isnan(spread(x).numpy()).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arithmetic_has_the_bits_of_eager_mode(dtype):
    """No product is fused with a later sum, whatever stands between them."""
    random = np.random.default_rng(1)
    x, y, z = (sl.tensor(random.normal(size=999).astype(dtype)) for _ in range(3))

    def chain(x, y, z):
        p = x * y
        return p + z, z - p, p - z, (p + z) * x - y * z, p / z + x * 0.1, sl.sqrt(sl.abs(p - z * y)), 1 - x * x

    for found, expected in zip(sl.compile(chain)(x, y, z), chain(x, y, z)):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


@pytest.mark.parametrize("bound", [math.nan, math.inf, -math.inf, 0.0, -0.0])
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extremes_against_a_constant(name, bound):
    x = np.array([1.0, -2.0, 0.0, math.inf, -math.inf, math.nan, 1e-45], "f4")
    function, expected = getattr(sl, name), getattr(np, name)(x, np.float32(bound))
    for form in (lambda x: function(x, bound), lambda x: function(bound, x)):
        np.testing.assert_array_equal(sl.compile(form)(sl.tensor(x)).numpy(), expected)
        np.testing.assert_array_equal(form(sl.tensor(x)).numpy(), expected)


def test_gelu_vanishes_far_below_zero():
    x = np.array([-5.6, -6, -20, -88, -1e5, -1e10, -1e30], "f4")
    for function in (sl.gelu, sl.compile(sl.gelu)):
        np.testing.assert_array_equal(function(sl.tensor(x)).numpy(), 0)
        np.testing.assert_array_equal(function(sl.tensor(-x)).numpy(), -x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_of_any_size_are_numpys(name, dtype):
    x = np.array([1e5, 1e8, 1e14, 2e15, 1e17, 9.3e18, 1e20, -1e30, np.finfo(dtype).max, 0.5, -0.0], dtype)
    x = np.concatenate([x, np.tile(x, 5)])
    found = sl.compile(getattr(sl, name))(sl.tensor(x)).numpy()
    np.testing.assert_allclose(found, getattr(np, name)(x), rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["remainder", "floor_divide"])
def test_rests_of_any_quotient_are_numpys(name, dtype):
    info = np.finfo(dtype)
    sizes = np.array([info.max, 1e30, 3e7, 7.5, 0.1, 1e-30, info.tiny, info.smallest_subnormal], dtype)
    x, y = (grid.ravel() for grid in np.meshgrid(np.concatenate([sizes, -sizes]), np.concatenate([sizes, -sizes])))
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x, y)
    for function in (getattr(sl, name), sl.compile(getattr(sl, name))):
        np.testing.assert_array_equal(function(sl.tensor(x), sl.tensor(y)).numpy(), expected)
