"""minimize: Newton's method and L-BFGS reach minima that are known, end where they should, and refuse what is no problem for them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, GradientError, NonFiniteError, ShapeError
from slopes.optim import search


def valley(x):
    """Rosenbrock's function: lowest, 0, at (1, 1)."""
    return 100 * (x[1] - x[0] * x[0]) ** 2 + (1 - x[0]) ** 2


def bowl():
    """A quadratic with a matrix of condition 1000, and its minimum."""
    matrix, target = np.diag([1.0, 10.0, 1000.0]) + 0.3, np.array([1.0, 2.0, 3.0])
    x = sl.Parameter(np.array([10.0, -10.0, 10.0]))
    return x, lambda: ((x @ matrix) * x).sum() / 2 - (x * target).sum(), np.linalg.solve(matrix, target)


@pytest.mark.parametrize("method, searched", [("lbfgs", None), ("lbfgs", "backtracking"), ("newton", None), ("newton", "strong_wolfe")])
def test_rosenbrocks_valley_is_walked_to_its_end(method, searched):
    x = sl.Parameter(np.array([-1.2, 1.0]))
    found = optim.minimize(lambda: valley(x), [x], method, search=searched, tolerance=1e-9, change=0.0)
    np.testing.assert_allclose(x.numpy(), [1, 1], atol=1e-7)
    assert found.converged and found.value == found.values[-1] < 1e-14 and found.steps < 45
    assert all(later <= sooner for sooner, later in itertools.pairwise(found.values))


def test_newton_needs_one_step_for_a_quadratic():
    x, loss, lowest = bowl()
    found = optim.minimize(loss, [x], "newton")
    np.testing.assert_allclose(x.numpy(), lowest, rtol=1e-10)
    assert found.steps == 1 and found.evaluations == 2 and found.converged
    assert found.reason == "no element of the gradient is larger than 1e-07"


def test_lbfgs_needs_few_steps_for_a_quadratic():
    x, loss, lowest = bowl()
    found = optim.minimize(loss, [x], change=0.0)
    np.testing.assert_allclose(x.numpy(), lowest, atol=1e-6)
    assert found.steps < 30


def test_newton_walks_off_a_ridge_where_the_hessian_is_not_positive():
    x = sl.Parameter(np.array([0.1, 0.0]))
    found = optim.minimize(lambda: (x[0] * x[0] - 1) ** 2 + x[1] * x[1], [x], "newton")
    assert found.converged
    np.testing.assert_allclose(x.numpy(), [1, 0], atol=1e-5)


def classes():
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    return (np.eye(3)[labels] + 0.8 * random.standard_normal((60, 3))).astype(np.float32), labels


@pytest.mark.parametrize("method", ["lbfgs", "newton"])
def test_softmax_regression_ends_where_its_gradient_vanishes(method):
    x, labels = classes()
    sl.seed(0)
    net = nn.Linear(3, 3)

    def loss():
        return nn.cross_entropy(net(x), labels) + 0.01 * (net.weight * net.weight).sum()

    found = optim.minimize(loss, net, method, tolerance=1e-4)
    assert found.converged and found.gradient <= 1e-4 and net.weight.dtype == np.float32
    net.zero_grad()
    loss().backward()
    assert float(sl.max(sl.abs(net.weight.grad))) < 2e-4


def test_newtons_steps_are_those_of_the_formula():
    x, labels = classes()
    y = (labels == 0).astype(np.float64)
    w, mine = sl.Parameter(np.zeros(3)), np.zeros(3)
    for _ in range(3):
        optim.minimize(lambda: nn.binary_cross_entropy_with_logits(sl.asarray(x.astype(np.float64)) @ w, y, reduction="sum"), [w],
                       "newton", steps=1, search="fixed")
        shares = 1 / (1 + np.exp(-x @ mine))  # iteratively re-weighted least squares
        mine = mine - np.linalg.solve((x.T * (shares * (1 - shares))) @ x, x.T @ (shares - y))
    np.testing.assert_allclose(w.numpy(), mine, rtol=1e-6)


def test_all_parameters_of_a_small_network_are_one_vector():
    t = np.linspace(-1, 1, 30, dtype=np.float64)[:, None]
    sl.seed(1)
    net = nn.Sequential(nn.Linear(1, 5), nn.Tanh(), nn.Linear(5, 1))
    found = optim.minimize(lambda: nn.mse_loss(net(t.astype(np.float32)), np.sin(3 * t).astype(np.float32)), net, steps=200)
    assert found.value < 1e-4 < found.values[0]


def test_frozen_parameters_rest():
    x, y = sl.Parameter([2.0]), sl.Parameter([3.0])
    y.requires_grad = False
    optim.minimize(lambda: ((x - y) ** 2).sum(), [x, y])
    assert y.item() == 3 and x.item() == pytest.approx(3)


def test_the_limit_of_steps_is_kept_and_said():
    x = sl.Parameter(np.array([-1.2, 1.0]))
    found = optim.minimize(lambda: valley(x), [x], steps=3)
    assert (found.steps, found.converged, found.reason) == (3, False, "the limit of 3 steps was reached")
    assert float(valley(x)) == pytest.approx(found.value)


def test_a_start_that_is_the_minimum_stays():
    x = sl.Parameter([1.0, 1.0])
    assert optim.minimize(lambda: valley(x), [x]).steps == 0 and x.numpy().tolist() == [1, 1]


def test_a_step_into_what_is_not_finite_is_taken_back():
    x = sl.Parameter(np.array([0.01]))
    found = optim.minimize(lambda: (x - 2 * sl.log(x)).sum(), [x])  # steps of the first length lead below 0
    assert found.converged and x.item() == pytest.approx(2, abs=1e-4)


def test_a_loss_without_a_floor_ends_at_the_limit_with_finite_parameters():
    x = sl.Parameter(np.array([1.0]))
    assert not optim.minimize(lambda: -(x * x).sum(), [x], steps=5).converged and np.isfinite(x.item())


def test_after_an_interruption_the_parameters_hold_the_last_accepted_point(monkeypatch):
    x = sl.Parameter(np.array([-1.2, 1.0]))
    calls = iter(range(100))

    def stopped(along, start, step, reach):
        place = search.strong_wolfe(along, start, step, reach)
        if next(calls) == 2:
            along(1e6)
            raise KeyboardInterrupt
        return place

    monkeypatch.setitem(optim.descent.SEARCHES, "strong_wolfe", stopped)
    with pytest.raises(KeyboardInterrupt):
        optim.minimize(lambda: valley(x), [x])
    other = sl.Parameter(np.array([-1.2, 1.0]))
    monkeypatch.undo()
    optim.minimize(lambda: valley(other), [other], steps=2)
    assert np.array_equal(x.numpy(), other.numpy())


def test_a_wolfe_step_gains_and_is_flat():
    def along(step):
        return search.Trial(step, (step - 3) ** 2 + np.sin(5 * step), 2 * (step - 3) + 5 * np.cos(5 * step), np.zeros(1))

    start = along(0.0)
    for first in (0.01, 0.3, 1.0, 20.0):
        if start.slope < 0:
            found = search.strong_wolfe(along, start, first, 1.0)
            assert search.decreases_enough(found, start) and search.is_flat(found, start)


# What it refuses

W = sl.Parameter([1.0, 2.0])
REFUSED = [
    (lambda: 1.0, {}, ShapeError, ["minimize: the loss returned a value of type float, not a scalar",
                                   "  take its mean: .mean() at its end"]),
    (lambda: W * 2, {}, ShapeError, ["minimize: the loss returned a value of shape (2,), not a scalar"]),
    (lambda: sl.tensor(1.0), {}, GradientError, ["minimize: the loss depends on none of 0"]),
    (lambda: sl.log(W - 5).sum(), {}, NonFiniteError, ["minimize: the loss is not finite at the start",
                                                       "  it has no descent direction there"]),
    (W.sum(), {}, ArgumentError, ["minimize: loss is tensor(3., requires_grad=True), not a function"]),
    (lambda: W.sum(), {"method": "sgd"}, ArgumentError, ["minimize: method must be 'lbfgs' or 'newton', not 'sgd'"]),
    (lambda: W.sum(), {"steps": 0}, ArgumentError, ["minimize: steps must be a whole number of at least 1, not 0"]),
]


@pytest.mark.parametrize("loss, given, kind, lines", REFUSED, ids=[lines[0] for *_, lines in REFUSED])
def test_what_is_no_problem_is_refused_in_words(loss, given, kind, lines):
    with pytest.raises(kind) as error:
        optim.minimize(loss, [W], **given)
    assert str(error.value).split("\n")[:len(lines)] == lines
    assert W.detach().numpy().tolist() == [1, 2]


def test_a_parameter_that_plays_no_part_is_named():
    with pytest.raises(GradientError) as error:
        optim.minimize(lambda: (W * W).sum(), {"w": W, "idle": sl.Parameter([1.0])})
    assert str(error.value).split("\n")[0] == "minimize: the loss does not depend on idle"


def test_a_hessian_that_is_too_large_is_refused_before_it_is_made():
    net = nn.Linear(100, 100)
    with pytest.raises(ArgumentError) as error:
        optim.minimize(lambda: net(np.ones((1, 100), np.float32)).sum(), net, "newton")
    assert str(error.value).split("\n")[:3] == [
        "minimize: Newton's method for 10,100 parameters needs a Hessian of 1e+08 numbers",
        "  every step solves a linear system with it; at most 4,096 parameters are supported",
        '  use method="lbfgs", which needs no matrix, or freeze parameters']
