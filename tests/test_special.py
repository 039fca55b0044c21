"""Special functions and changes along an axis: SciPy's and NumPy's values, derivatives, compiled code, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from together import together

import slopes as sl
from slopes.errors import DTypeError, OutOfRangeError, ShapeError

RNG = np.random.default_rng(0)
NEAR_ONE = 10.0 ** -np.arange(1, 16)
POINTS = {
    "erfc": np.concatenate([RNG.uniform(-6, 26, 500), [0.0, 1.0, 6.0, -np.inf, np.inf, np.nan]]),
    "erfinv": np.concatenate([RNG.uniform(-1, 1, 500), 1 - NEAR_ONE, NEAR_ONE - 1, NEAR_ONE, [0.0, 0.5, 1.0, -1.0, 1.5, np.nan]]),
    "lgamma": np.concatenate([RNG.uniform(-20, 200, 500), 10.0 ** np.arange(-10, 10), [1.0, 2.0, 0.5, 0.0, -1.0, -2.0, 171.0, np.nan]]),
    "digamma": np.concatenate([RNG.uniform(-20, 200, 500), 10.0 ** np.arange(-10, 10), [1.0, 2.0, -1.0, -2.0, np.nan]]),
}
SCIPY = {"erfc": "erfc", "erfinv": "erfinv", "lgamma": "gammaln", "digamma": "digamma"}


@together("name", POINTS)
def test_values_are_those_of_scipy(name):
    special = pytest.importorskip("scipy.special")
    x = POINTS[name]
    with np.errstate(all="ignore"):
        expected = getattr(special, SCIPY[name])(x)
        ours = getattr(sl, name)(x)
        single = getattr(sl, name)(x.astype(np.float32))
        with_single = getattr(special, SCIPY[name])(x.astype(np.float32).astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=5e-12, atol=1e-13)
    np.testing.assert_allclose(single.numpy(), with_single, rtol=3e-7, atol=1e-13 if name == "lgamma" else 1e-37)
    assert single.dtype == "float32" and getattr(sl, name)(1).dtype == "float32"


@pytest.mark.parametrize("name, points", [("erfc", (-3.0, 0.3, 7.0)), ("erfinv", (-0.99, 0.1, 0.7)), ("lgamma", (-0.7, 0.3, 2.0, 30.0)),
                                          ("digamma", (-0.7, 0.3, 2.0, 30.0))])
def test_derivatives_and_compiled_values(name, points):
    function = getattr(sl, name)
    sl.check_grads(lambda x: function(x).sum(), sl.tensor(points, "float64"))


def test_the_derivative_of_lgamma_is_digamma():
    x = sl.tensor([-2.5, 0.1, 1.0, 3.0, 100.0], "float64")
    np.testing.assert_allclose(sl.grad(lambda x: sl.lgamma(x).sum())(x).numpy(), sl.digamma(x).numpy(), rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_values_along_an_axis(axis):
    x, indices = RNG.normal(size=(4, 5)), RNG.permuted(np.arange(20).reshape(4, 5) % (4 if axis == 0 else 5), axis=axis)[:3, :3]
    x = x[:, :3] if axis == 0 else x[:3]
    indices = indices % x.shape[axis]
    values = RNG.normal(size=indices.shape)
    added, count = x.copy(), np.zeros_like(x)
    where = [*np.indices(indices.shape)]
    where[axis] = indices
    np.add.at(added, tuple(where), values)
    np.add.at(count, tuple(where), 1)
    np.testing.assert_allclose(sl.add_along_axis(x, indices, values, axis).numpy(), added)
    means = np.where(count > 0, (added - x) / np.maximum(count, 1), x)
    np.testing.assert_allclose(sl.put_along_axis(x, indices, values, axis).numpy(), means)
    for function in (sl.add_along_axis, sl.put_along_axis):
        sl.check_grads(lambda x, values, function=function: function(x, indices, values, axis), sl.tensor(x), sl.tensor(values))


def test_a_put_of_different_positions_is_that_of_numpy():
    x, indices = np.zeros((2, 4), np.float32), np.array([[0, 3], [2, 1]])
    expected = x.copy()
    np.put_along_axis(expected, indices, 5.0, 1)
    assert sl.put_along_axis(x, indices, sl.full((2, 2), 5.0)).tolist() == expected.tolist()


@pytest.mark.parametrize("shape", [(3,), (0,), (3, 4), (4, 3), (2, 3, 4), (3, 0)])
def test_diagonals_are_those_of_numpy(shape):
    x = RNG.normal(size=shape)
    for k in range(-5, 6):
        expected = np.diag(x, k) if x.ndim == 1 else np.diagonal(x, k, -2, -1)
        np.testing.assert_array_equal(sl.diag(x, k).numpy(), expected)
    sl.check_grads(lambda x: sl.diag(x, 1), sl.tensor(x))


REFUSED = [
    (lambda: sl.put_along_axis([1, 2], [0], [5]), DTypeError, "put_along_axis has no meaning for int64"),
    (lambda: sl.add_along_axis([1.0, 2.0], [2], [5.0]), OutOfRangeError, "index 2 is outside axis 0 of size 2"),
    (lambda: sl.add_along_axis([[1.0, 2.0]], [0], [5.0]), ShapeError, "differ on an axis other than"),
    (lambda: sl.diag(1.0), ShapeError, "diag: a 0-d tensor has no diagonal"),
    (lambda: sl.erfc(1j), DTypeError, "complex"),
]


@pytest.mark.parametrize("call, error, text", REFUSED)
def test_what_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
