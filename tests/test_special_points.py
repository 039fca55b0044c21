"""Values and gradients at zeros, infinities, ties and nothing at all: the written-down conventions, eager and compiled.

Where PyTorch has a finite gradient it is the same one; rows marked "finite here" are nan there.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from together import together

import slopes as sl
from slopes import nn

inf, nan = math.inf, math.nan
TIE, ROWS = [[1.0, 1.0, 0.0]], [[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]]

# name: (function, x, value, gradient of the sum of all values)
NORMS = {
    "norm": (lambda x: sl.vector_norm(x, axis=1), ROWS, [5, 0], [[0.6, 0.8, 0], [0, 0, 0]]),
    "norm, axes kept": (lambda x: sl.vector_norm(x, axis=1, keepdims=True), ROWS, [[5], [0]], [[0.6, 0.8, 0], [0, 0, 0]]),
    "norm squared": (lambda x: sl.vector_norm(x) ** 2, [0.0, 0.0], 0, [0, 0]),
    "norm of order 3, cubed": (lambda x: sl.vector_norm(x, ord=3) ** 3, [0.0, 0.0], 0, [0, 0]),
    "norm of order 3": (lambda x: sl.vector_norm(x, axis=1, ord=3), [[0.0, -2.0], [0.0, 0.0]], [2, 0], [[0, -1], [0, 0]]),
    "norm of order 1": (lambda x: sl.vector_norm(x, axis=1, ord=1), [[0.0, -2.0], [0.0, 0.0]], [2, 0], [[0, -1], [0, 0]]),
    "norm of order 1.5": (lambda x: sl.vector_norm(x, axis=1, ord=1.5), [[0.0, -2.0], [0.0, 0.0]], [2, 0], [[0, -1], [0, 0]]),
    "norm of order 0.5": (lambda x: sl.vector_norm(x, axis=1, ord=0.5), [[1.0, 4.0, 0.0], [0.0, 0.0, 0.0]], [9, 0],
                          [[3, 1.5, 0], [0, 0, 0]]),
    "norm of order 0": (lambda x: sl.vector_norm(x, axis=1, ord=0), ROWS, [2, 0], [[0, 0, 0], [0, 0, 0]]),
    "norm of order inf": (lambda x: sl.vector_norm(x, axis=1, ord=inf), [[2.0, -2.0, 1.0], [0.0, 0.0, 0.0]], [2, 0],
                          [[0.5, -0.5, 0], [0, 0, 0]]),
    "norm of order -inf": (lambda x: sl.vector_norm(x, axis=1, ord=-inf), [[2.0, -2.0, 3.0], [0.0, 0.0, 1.0]], [2, 0],
                           [[0.5, -0.5, 0], [0, 0, 0]]),
    "norm of order -1": (lambda x: sl.vector_norm(x, axis=1, ord=-1), [[2.0, -2.0], [0.0, 2.0]], [1, 0], [[0.25, -0.25], [0, 0]]),
    "norm of nothing": (lambda x: sl.vector_norm(x, axis=1), np.zeros((2, 0)), [0, 0], np.zeros((2, 0))),
    "std of a constant": (lambda x: sl.std(x, axis=1), [[2.0, 2.0], [1.0, 3.0]], [0, 1], [[0, 0], [-0.5, 0.5]]),
    "std of one": (lambda x: sl.std(x, axis=1), [[2.0], [0.0]], [0, 0], [[0], [0]]),
    "sample std of a constant": (lambda x: sl.std(x, axis=1, correction=1), [[2.0, 2.0]], [0], [[0, 0]]),
    "std of a constant, squared": (lambda x: x.std() ** 2, [2.0, 2.0, 2.0], 0, [0, 0, 0]),
    "max of equals": (lambda x: sl.max(x, axis=1), TIE, [1], [[0.5, 0.5, 0]]),
    "min of equals": (lambda x: sl.min(-x, axis=1), TIE, [-1], [[-0.5, -0.5, 0]]),
    "prod with a zero": (lambda x: sl.prod(x, axis=1), [[0.0, 2.0, 3.0]], [0], [[6, 0, 0]]),
    "prod with two zeros": (lambda x: sl.prod(x, axis=1), [[0.0, 0.0, 3.0]], [0], [[0, 0, 0]]),
}

EACH = {
    "abs": (sl.abs, [0.0, -0.0, -2.0], [0, 0, 2], [0, 0, -1]),
    "sign": (sl.sign, [0.0, 3.0], [0, 1], [0, 0]),
    "relu": (sl.relu, [0.0, -0.0, 1.0], [0, 0, 1], [0, 0, 1]),
    "x ** 0": (lambda x: x ** 0, [0.0, -1.0, inf, nan], [1, 1, 1, 1], [0, 0, 0, 0]),
    "x ** zeros": (lambda x: x ** sl.zeros((4,), dtype=x.dtype), [0.0, -1.0, inf, nan], [1, 1, 1, 1], [0, 0, 0, 0]),
    "x ** one zero": (lambda x: x ** sl.zeros((), dtype=x.dtype), [0.0, 1.0], [1, 1], [0, 0]),
    "x ** [0, 1, 2, 3]": (lambda x: x ** sl.tensor([0.0, 1.0, 2.0, 3.0], dtype=x.dtype), [0.0] * 4, [1, 0, 0, 0], [0, 1, 0, 0]),
    "x ** 2, negative": (lambda x: x ** sl.full((2,), 2.0, dtype=x.dtype), [-3.0, 0.0], [9, 0], [-6, 0]),
    "x ** 3, negative": (lambda x: x ** sl.tensor([3.0, 4.0], dtype=x.dtype), [-2.0, -2.0], [-8, 16], [12, -32]),
    "0 ** x": (lambda x: sl.pow(0.0, x), [0.0, 1.0, 2.0], [1, 0, 0], [0, 0, 0]),
    "0 ** x, a tensor": (lambda x: sl.zeros((3,), dtype=x.dtype) ** x, [0.0, 1.0, 2.0], [1, 0, 0], [0, 0, 0]),
    "clip at its bounds": (lambda x: sl.clip(x, 0.0, 1.0), [-1.0, 0.5, 2.0], [0, 0.5, 1], [0, 1, 0]),
    "atan2 at the origin": (lambda x: sl.atan2(x, x * 0), [0.0, 1.0], [0, math.pi / 2], [0, 0]),
    "logaddexp of inf": (lambda x: sl.logaddexp(x, sl.tensor([0.0, inf, -inf], dtype=x.dtype)), [inf, 0.0, 1.0], [inf, inf, 1], [1, 0, 1]),
    "logaddexp of -inf": (lambda x: sl.logaddexp(x, 2.0), [-inf, 2.0], [2, 2 + math.log(2)], [0, 0.5]),
    "logaddexp of equal infinities, finite here": (lambda x: sl.logaddexp(x, sl.tensor([-inf, inf], dtype=x.dtype)), [-inf, inf],
                                                   [-inf, inf], [0.5, 0.5]),
    "logaddexp of logaddexp": (lambda x: sl.logaddexp(sl.logaddexp(x, -inf), 2.0), [-inf], [2], [0]),
    "logsumexp of -inf": (lambda x: sl.logsumexp(x, axis=1), [[-inf, 1.0], [-inf, -inf]], [1, -inf], [[0, 1], [0, 0]]),
    "logsumexp of nothing": (lambda x: sl.logsumexp(x, axis=1), np.zeros((2, 0)), [-inf, -inf], np.zeros((2, 0))),
    "logsumexp of nothing, axes kept": (lambda x: sl.logsumexp(x, axis=1, keepdims=True), np.zeros((2, 0)), [[-inf], [-inf]],
                                        np.zeros((2, 0))),
    "softmax with -inf": (lambda x: sl.softmax(x)[:, 1], [[-inf, 1.0]], [1], [[0, 0]]),
    "log_softmax with -inf": (lambda x: sl.log_softmax(x)[:, 1], [[-inf, 1.0, 1.0]], [-math.log(2)], [[0, 0.5, -0.5]]),
    "softmax of nothing": (lambda x: sl.softmax(x, axis=1), np.zeros((2, 0)), np.zeros((2, 0)), np.zeros((2, 0))),
    "log_softmax of nothing": (lambda x: sl.log_softmax(x, axis=1), np.zeros((2, 0)), np.zeros((2, 0)), np.zeros((2, 0))),
}


def loss(function, targets, **options):
    """The loss as a function of outputs of either type."""
    given = {name: np.array(value) if isinstance(value, list) else value for name, value in options.items()}
    cast = {name: value.dtype.kind == "f" for name, value in given.items() if isinstance(value, np.ndarray)}
    wanted = np.array(targets)

    def apply(x):
        real = {name: sl.tensor(value, dtype=x.dtype) if cast.get(name) else value for name, value in given.items()}
        return function(x, sl.tensor(wanted, dtype=x.dtype) if wanted.dtype.kind == "f" else sl.tensor(wanted), **real)

    return apply


CE, BCE, LOG2 = nn.cross_entropy, nn.binary_cross_entropy_with_logits, math.log(2)
LOSSES = {
    "every label ignored": (loss(CE, [-1, -1], ignore_index=-1), [[1.0, 2.0], [-inf, 0.0]], nan, [[0, 0], [0, 0]]),
    "every label ignored, summed": (loss(CE, [-1, -1], ignore_index=-1, reduction="sum"), [[1.0, 2.0], [-inf, 0.0]], 0, [[0, 0], [0, 0]]),
    "every label ignored, smoothed": (loss(CE, [-1, -1], ignore_index=-1, label_smoothing=0.1, reduction="none"),
                                      [[1.0, 2.0], [-inf, 0.0]], [0, 0], [[0, 0], [0, 0]]),
    "an ignored example of nan": (loss(CE, [1, -1], ignore_index=-1), [[0.0, 0.0], [nan, nan]], LOG2, None),
    "every token ignored": (loss(nn.token_cross_entropy, [[-100, -100]]), [[[1.0, 2.0], [0.0, 0.0]]], nan, [[[0, 0], [0, 0]]]),
    "nll, every label ignored": (loss(nn.nll_loss, [-1, -1], ignore_index=-1, reduction="sum"), [[-inf, 0.0], [-1.0, -1.0]], 0,
                                 [[0, 0], [0, 0]]),
    "an impossible class without weight, finite here": (loss(CE, [0, 1], weight=[0.0, 2.0]), [[-inf, 0.0], [0.0, 0.0]], LOG2,
                                                        [[0, 0], [0.5, -0.5]]),
    "smoothing over a class without weight, finite here": (
        loss(CE, [1], weight=[0.0, 1.0], label_smoothing=0.5, reduction="sum"), [[-inf, 0.0]], 0, [[0, 0]]),
    "no share of an impossible class, finite here": (loss(CE, [[0.0, 0.5, 0.5]]), [[-inf, 0.0, 0.0]], LOG2, [[0, 0, 0]]),
    "kl without targets": (loss(nn.kl_div, [[0.0, 1.0]], reduction="sum"), [[-1.0, 0.0]], 0, [[0, -1]]),
    "kl of an impossible target, finite here": (loss(nn.kl_div, [[0.0, 1.0]], reduction="sum"), [[-inf, 0.0]], 0, [[0, -1]]),
    "kl of log targets, finite here": (loss(nn.kl_div, [[-inf, 0.0]], reduction="sum", log_target=True), [[-1.0, 0.0]], 0, [[0, -1]]),
    "bce at 0": (loss(BCE, [0.0, 1.0, 0.5], reduction="none"), [0.0, -0.0, 0.0], [LOG2] * 3, [0.5, -0.5, 0]),
    "bce, sure and right, finite here": (loss(BCE, [1.0, 0.0], reduction="none"), [inf, -inf], [0, 0], [0, 0]),
    "bce, sure and wrong": (loss(BCE, [0.0, 1.0], reduction="none"), [inf, -inf], [inf, inf], [1, -1]),
    "bce without weight, finite here": (loss(BCE, [0.0, 1.0], reduction="sum", weight=[0.0, 1.0]), [inf, 0.0], LOG2, [0, -0.5]),
    "bce, positives without weight, finite here": (loss(BCE, [1.0, 0.0], reduction="sum", pos_weight=[0.0, 0.0]), [-inf, 0.0], LOG2,
                                                   [0, 0.5]),
    "l1 at 0": (loss(nn.l1_loss, [1.0, 1.0], reduction="none"), [1.0, 3.0], [0, 2], [0, 1]),
    "huber at its bound": (loss(nn.huber_loss, [0.0, 0.0, 0.0], reduction="none"), [0.0, 1.0, 2.0], [0, 0.5, 1.5], [0, 1, 1]),
}

POINTS = NORMS | EACH | LOSSES


def value_and_gradient(f, x):
    value, pull = sl.vjp(f, x)
    return value, pull(sl.ones_like(value))[0]


@pytest.mark.parametrize("run", [lambda f: f, sl.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradients(dtype, run):
    """All points in one program, where each has an input of its own, and so kernels of its own."""
    inputs = [sl.tensor(at, dtype=dtype) for _, at, _, _ in POINTS.values()]
    results = run(lambda *xs: [value_and_gradient(f, x) for (f, *_), x in zip(POINTS.values(), xs)])(*inputs)

    @together("point, x, result", zip(POINTS, inputs, results, strict=True), ids=repr)
    def check(point, x, result):
        _, _, value, gradient = POINTS[point]
        result, slope = result
        assert result.dtype == slope.dtype == x.dtype
        np.testing.assert_allclose(result.numpy(), np.array(value, dtype), rtol=1e-6, atol=1e-7)
        if gradient is not None:
            np.testing.assert_allclose(slope.numpy(), np.array(gradient, dtype), rtol=1e-5, atol=1e-7)
        else:
            assert np.isfinite(slope.numpy()[0]).all()

    check()


SMOOTH = {  # where first derivatives are finite by convention, so are second ones
    "norm": (lambda x: sl.vector_norm(x), [0.0, 0.0]),
    "norm squared": (lambda x: sl.vector_norm(x) ** 2, [0.0, 0.0]),
    "norm of order 3": (lambda x: sl.vector_norm(x, ord=3), [0.0, 0.0]),
    "std": (lambda x: sl.std(x), [1.0, 1.0]),
    "pow": (lambda x: (x ** sl.tensor([0.0, 1.0, 2.0, 3.0], dtype=x.dtype)).sum(), [0.0, 0.0, 0.0, 0.0]),
    "logaddexp": (lambda x: sl.logaddexp(x, -inf).sum(), [-inf, 1.0]),
    "logsumexp": (lambda x: sl.logsumexp(x), [-inf, -inf]),
    "atan2": (lambda x: sl.atan2(x[0], x[1]), [0.0, 0.0]),
    "bce": (lambda x: BCE(x, sl.tensor([1.0, 0.0], dtype=x.dtype)), [inf, 0.0]),
}


@pytest.mark.parametrize("run", [lambda f: f, sl.compile], ids=["eager", "compiled"])
def test_second_derivatives_are_finite(run):
    inputs = [sl.tensor(at, dtype="float64") for _, at in SMOOTH.values()]
    results = run(lambda *xs: [sl.hessian(f)(x) for (f, _), x in zip(SMOOTH.values(), xs)])(*inputs)
    assert [name for name, result in zip(SMOOTH, results, strict=True) if not np.isfinite(result.numpy()).all()] == []


def test_logaddexp_of_equals_has_its_second_derivative():
    second = sl.grad(sl.grad(lambda x: sl.logaddexp(x, 1.0)))
    assert second(sl.tensor(1.0)).item() == pytest.approx(0.25)


def test_trained_weights_of_losses_keep_their_gradient_at_zero():
    x, t = sl.tensor([2.0, -1.0]), sl.tensor([0.0, 0.0])
    result = sl.grad(lambda w: BCE(x, t, weight=w, reduction="sum"))(sl.zeros((2,)))
    np.testing.assert_allclose(result.numpy(), np.log1p(np.exp([2.0, -1.0])), rtol=1e-6)


@pytest.mark.parametrize("ord", [nan, "2", None, True])
def test_vector_norm_refuses_what_is_no_power(ord):
    with pytest.raises(sl.errors.ArgumentError, match=r"vector_norm: ord=.* is not the order of a norm"):
        sl.vector_norm(sl.ones(3), ord=ord)


@pytest.mark.parametrize("ord", [inf, -inf, -1])
def test_extreme_norms_of_nothing_speak_in_their_own_name(ord):
    with pytest.raises(sl.errors.ShapeError, match=r"vector_norm: ord=.* over no elements"):
        sl.vector_norm(sl.zeros((2, 0)), axis=1, ord=ord)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_a_missing_axis_is_refused_in_the_functions_own_name(name):
    with pytest.raises(sl.errors.SlopesError, match=f"^{name}: "):
        getattr(sl, name)(sl.ones((2, 3)), axis=2)
