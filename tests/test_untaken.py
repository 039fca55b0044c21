"""A branch that is not taken spoils no gradient, whatever its values and derivatives are; one that is taken keeps what it has."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes.autodiff.pullback import pull_back
from slopes.graph.build import build, variable
from slopes.graph.walk import topological

RUNS = pytest.mark.parametrize("run", [lambda f: f, sl.compile], ids=["eager", "compiled"])


def length(x):
    return sl.sqrt((x * x).sum(axis=1, keepdims=True))


BRANCHES = {  # function, at, gradient of the sum
    "sqrt or itself": (lambda x: sl.where(x > 0, sl.sqrt(x), x), [-1.0, 4.0], [1, 0.25]),
    "itself or sqrt": (lambda x: sl.where(x <= 0, x, sl.sqrt(x)), [-1.0, 0.0, 4.0], [1, 1, 0.25]),
    "log or 0": (lambda x: sl.where(x > 0, sl.log(x), 0.0), [-1.0, 0.0, 2.0], [0, 0, 0.5]),
    "sin(x) / x": (lambda x: sl.where(x == 0, 1.0, sl.sin(x) / x), [0.0, np.pi], [0, -1 / np.pi]),
    "elu on paper": (lambda x: sl.where(x > 0, x, sl.exp(x) - 1), [1000.0, 0.0], [1, 1]),
    "a product with a root": (lambda x: sl.where(x > 0, x * sl.sqrt(x), 0.0), [-1.0, 4.0], [0, 3]),
    "x log x": (lambda x: sl.where(x > 0, x * sl.log(x), 0.0), [0.0, 1.0], [0, 1]),
    "x ** x": (lambda x: sl.where(x > 0, x ** x, 0.0), [0.0, -1.0, 1.0], [0, 0, 1]),
    "1 / x": (lambda x: sl.where(x != 0, 1 / x, 0.0), [0.0, 2.0], [0, -0.25]),
    "nested": (lambda x: sl.where(x > 0, sl.where(x > 1, sl.log(x), sl.sqrt(x)), -x), [-1.0, 0.0, 4.0, 0.25], [-1, -1, 0.25, 1]),
    "rows of length 0": (lambda x: sl.where(length(x) > 0, x / length(x), 0.0)[:, 0], [[0.0, 0.0], [3.0, 4.0]],
                         [[0, 0], [0.128, -0.096]]),
    "log of a sum": (lambda x: sl.where(x.sum(axis=1) > 0, sl.log(x.sum(axis=1)), 0.0), [[0.0, 0.0], [1.0, 1.0]], [[0, 0], [0.5, 0.5]]),
    "turned and reshaped": (lambda x: sl.where(sl.tensor([[True], [False]]), sl.sqrt(x).reshape((1, 2)).T, 1.0), [4.0, 0.0], [0.25, 0]),
    "maximum": (lambda x: sl.maximum(sl.log(x), -5.0), [0.0, 2.0], [0, 0.5]),
    "minimum": (lambda x: sl.minimum(3.0, 1 / x), [0.0, 2.0], [0, -0.25]),
    "clip": (lambda x: sl.clip(sl.log(x), -5.0, 5.0), [0.0, 2.0], [0, 0.5]),
    "max": (lambda x: sl.max(sl.log(x)), [0.0, 2.0], [0, 0.5]),
    "what is taken stays infinite": (lambda x: sl.where(x >= 0, sl.sqrt(x), 0.0), [0.0, -1.0], [np.inf, 0]),
    "a second way to the same value": (lambda x: sl.where(x > 0, s := sl.exp(x), 0.0) + s, [-1.0, 1.0], [np.exp(-1), 2 * np.e]),
}


@RUNS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("branch", BRANCHES)
def test_gradients_of_branches(branch, dtype, run):
    f, at, gradient = BRANCHES[branch]
    x = sl.tensor(at, dtype=dtype)
    result, moved = run(lambda x: (sl.grad(lambda x: f(x).sum())(x), sl.jvp(lambda x: f(x).sum(), (x,), (sl.ones_like(x),))[1]))(x)
    np.testing.assert_allclose(result.numpy(), np.array(gradient, dtype), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(moved.numpy(), np.sum(gradient), rtol=1e-5, atol=1e-6)


@RUNS
def test_backward_and_steps_of_a_loop(run):
    def total(x):
        return sl.scan(lambda sum, each: (sum + sl.where(each > 0, sl.sqrt(each), each), None), sl.zeros(()), x)[0]

    assert run(sl.grad(total))(sl.tensor([4.0, -1.0, 0.0])).tolist() == [0.25, 1, 1]


def test_backward_of_recorded_tensors():
    x = sl.tensor([4.0, -1.0], requires_grad=True)
    sl.where(x > 0, sl.sqrt(x), x).sum().backward()
    assert x.grad.tolist() == [0.25, 1]


def test_activations_and_normalized_layers_take_no_choice_twice():
    """The gradients of a network's usual layers hold as many choices as before: derivatives that are always finite need no care."""
    def choices(function):
        x = variable((4, 8), np.dtype("float32"))
        y = function(x)
        gradient, = pull_back([y], [variable(y.shape, y.dtype)], [x])
        return sum(node.op.name == "where" for node in topological([gradient]))

    def normalized(x):
        return (x - 1) * build("expand", build("rsqrt", build("sum", x * x, axes=(0,))), shape=(4, 8)) * 2 + 1

    def relu(x):
        return build("where", x <= 0, 0, x)

    assert choices(lambda x: relu(normalized(x))) == choices(relu) == 1


def test_the_choice_of_a_double_where_is_not_repeated():
    def root(x):
        none = x <= 0
        return build("where", none, 0, build("sqrt", build("where", none, 1, x)))

    x = variable((3,), np.dtype("float32"))
    gradient, = pull_back([root(x)], [variable((3,), x.dtype)], [x])
    assert sum(node.op.name == "where" for node in topological([gradient])) == 3  # forwards once, and back through both
