"""Forms on paper in compiled functions: where the value is made stable, so are its derivatives, however they are taken."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim

pytestmark = pytest.mark.filterwarnings("ignore:the compiled function .* runs operation by operation:UserWarning")
E = np.exp(-100.0)

FORMS = {  # function of x, at, value, gradient
    "log(sum(exp(x)))": (lambda x: sl.log(sl.sum(sl.exp(x))), [1000, 0], 1000, [1, 0]),
    "log(sum(exp(x))), axis kept": (lambda x: sl.log(sl.sum(sl.exp(x), axis=0, keepdims=True)).sum(), [1000, 0], 1000, [1, 0]),
    "log(mean(exp(x)))": (lambda x: sl.log(sl.exp(x).mean()), [-1000, -1000], -1000, [0.5, 0.5]),
    "log(3 exp(x))": (lambda x: sl.log(3 * sl.exp(x)).sum(), [1000, -1000], 2 * np.log(3), [1, 1]),
    "log(exp(x))": (lambda x: sl.log(sl.exp(x)).sum(), [100, -200], -100, [1, 1]),
    "log(1 + exp(x))": (lambda x: sl.log(1 + sl.exp(x)).sum(), [1000, -1000], 1000, [1, 0]),
    "log1p(exp(x))": (lambda x: sl.log1p(sl.exp(x)).sum(), [1000, -1000], 1000, [1, 0]),
    "log(sigmoid(x))": (lambda x: sl.log(sl.sigmoid(x)).sum(), [1000, -1000], -1000, [0, 1]),
    "log(1 / (1 + exp(-x)))": (lambda x: sl.log(1 / (1 + sl.exp(-x))).sum(), [1000, -1000], -1000, [0, 1]),
    "log(1 - sigmoid(x))": (lambda x: sl.log(1 - sl.sigmoid(x)).sum(), [1000, -1000], -1000, [-1, 0]),
    "log1p(-1 / (1 + exp(-x)))": (lambda x: sl.log1p(-1 / (1 + sl.exp(-x))).sum(), [1000, -1000], -1000, [-1, 0]),
    "1 / (1 + exp(-x))": (lambda x: (1 / (1 + sl.exp(-x))).sum(), [-100, 1000], 1 + E, [E, 0]),
    "exp(x) / (1 + exp(x))": (lambda x: (sl.exp(x) / (1 + sl.exp(x))).sum(), [-100, 1000], 1 + E, [E, 0]),
    "x / (1 + exp(-x))": (lambda x: (x / (1 + sl.exp(-x))).sum(), [-1000, 1000], 1000, [0, 1]),
    "2 / (1 + exp(-2 x)) - 1": (lambda x: (2 / (1 + sl.exp(-2 * x)) - 1).sum(), [-1000, 1000], 0, [0, 0]),
    "log(exp(x) / sum(exp(x)))": (lambda x: sl.log(sl.exp(x) / sl.sum(sl.exp(x)))[0], [-1000, 0], -1000, [1, -1]),
    "log(softmax(x))": (lambda x: sl.log(sl.softmax(x))[0], [-1000, 0], -1000, [1, -1]),
    "sqrt(x x)": (lambda x: sl.sqrt(x * x).sum(), [0, -2], 2, [0, -1]),
    "sqrt(exp(x))": (lambda x: sl.sqrt(sl.exp(x)).sum(), [-1000, 0], 1, [0, 0.5]),
    "log(1 + exp(x)), step by step": (
        lambda x: sl.scan(lambda total, each: (total + sl.log(1 + sl.exp(each)), None), sl.zeros((), dtype=x.dtype), x)[0],
        [1000, -1000], 1000, [1, 0]),
    "log(1 + exp(x)), part by part": (lambda x: sl.in_parts(lambda rows: sl.log(1 + sl.exp(rows)), x, size=1).sum(),
                                      [1000, -1000], 1000, [1, 0]),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_gradients_are_as_stable_as_values(form, dtype):
    f, at, value, gradient = FORMS[form]
    x = sl.tensor(at, dtype=dtype)
    result = sl.compile(lambda x: sl.value_and_grad(f)(x))(x)
    np.testing.assert_allclose(result[0].numpy(), value, rtol=1e-5, atol=1e-4)  # 1000 + log(3) - 1000
    np.testing.assert_allclose(result[1].numpy(), np.array(gradient, dtype), rtol=1e-5, atol=1e-40)


@pytest.mark.parametrize("form", FORMS)
def test_every_way_to_a_derivative_is_stable(form):
    f, at, _, gradient = FORMS[form]
    x = sl.tensor(at, dtype="float64")
    tangents = sl.tensor(np.ones(len(at)))
    pulled = sl.compile(lambda x: sl.vjp(f, x)[1](sl.tensor(1.0, dtype="float64")))(x)[0]
    pushed = sl.compile(lambda x: sl.jvp(f, (x,), (tangents,))[1])(x)
    rows = sl.compile(lambda x: sl.jacobian(f)(x))(x)
    np.testing.assert_allclose(pulled.numpy(), gradient, rtol=1e-9, atol=1e-40)
    np.testing.assert_allclose(pushed.numpy(), np.sum(gradient), rtol=1e-9, atol=1e-40)
    np.testing.assert_allclose(rows.numpy(), gradient, rtol=1e-9, atol=1e-40)
    if "part by part" not in form and "step by step" not in form:
        assert np.isfinite(sl.compile(lambda x: sl.hessian(f)(x))(x).numpy()).all()


@pytest.mark.parametrize("form", FORMS)
def test_backward_in_a_compiled_function_is_stable(form):
    f, at, _, gradient = FORMS[form]
    weight = sl.Parameter(np.array(at, "float64"))

    @sl.compile
    def step():
        weight.grad = None
        f(weight * 1).backward()
        return weight.grad

    np.testing.assert_allclose(step().numpy(), gradient, rtol=1e-9, atol=1e-40)


def test_a_derivative_stops_where_it_was_told_to():
    f = sl.compile(lambda x: sl.grad(lambda x: sl.log(1 + sl.exp(sl.stop_gradient(x) + x)))(x))
    assert f(sl.tensor(500.0)).item() == 1
    g = sl.compile(lambda x: sl.grad(lambda x: sl.log(1 + sl.stop_gradient(sl.exp(x))) * x)(x))
    assert g(sl.tensor(100.0)).item() == 100


def test_derivatives_within_derivatives_know_their_arguments():
    @sl.compile
    def slope_of_slope(x):
        return sl.grad(lambda y: sl.grad(lambda z: sl.log(1 + sl.exp(z)) * y)(y))(x)

    s = 1 / (1 + np.exp(-0.5))
    assert slope_of_slope(sl.tensor(0.5, dtype="float64")).item() == pytest.approx(s + 0.5 * s * (1 - s))
    assert slope_of_slope(sl.tensor(1000.0)).item() == 1


def test_training_with_the_loss_of_a_textbook_keeps_its_weights():
    def on_paper(logits, labels):
        picked = sl.take_along_axis(logits, labels.reshape(-1, 1), axis=1)[:, 0]
        return (sl.log(sl.sum(sl.exp(logits), axis=1)) - picked).mean()

    net = nn.Linear(1, 2)
    net.weight.assign(np.array([[60.0], [-60.0]], np.float32))
    net.bias.assign(np.zeros(2, np.float32))
    points = sl.data.Dataset(np.full((4, 1), 2.0, np.float32), np.zeros(4, int))
    run = sl.fit(net, points, loss=on_paper, optimizer=optim.SGD(lr=0.1), epochs=1, batch_size=4, progress=False)
    assert run.history.losses == [0]
    assert net.weight.numpy().tolist() == [[60], [-60]]


@pytest.mark.parametrize("derivative", [sl.grad, sl.jacobian, lambda f: lambda x: sl.vjp(f, x)[1](sl.tensor(1.0))[0],
                                        lambda f: lambda x: sl.jvp(f, (x,), (sl.ones_like(x),))[1]], ids=["grad", "jacobian", "vjp", "jvp"])
def test_a_derivative_outside_of_a_compiled_function_is_right(derivative):
    f = sl.compile(lambda x: (x * x * x).sum())
    x = sl.tensor([2.0])
    assert f(x).item() == 8
    assert derivative(f)(x).numpy().ravel().tolist() == [12]
    assert f(x).item() == 8 and f.compilations == 1


def test_a_value_and_a_second_derivative_outside_of_a_compiled_function():
    f = sl.compile(lambda x: (x * x * x).sum())
    value, slope = sl.value_and_grad(f)(sl.tensor([2.0]))
    assert (value.item(), slope.tolist()) == (8, [12])
    assert sl.hessian(f)(sl.tensor([2.0])).tolist() == [[12]]


@pytest.mark.parametrize("form", FORMS)
def test_derivatives_outside_of_compiled_functions_are_stable(form):
    f, at, value, gradient = FORMS[form]
    result, slope = sl.value_and_grad(sl.compile(f))(sl.tensor(at, dtype="float64"))
    np.testing.assert_allclose(result.numpy(), value, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(slope.numpy(), gradient, rtol=1e-9, atol=1e-40)


def test_a_derivative_outside_reaches_what_a_compiled_function_reads():
    weight = sl.Parameter([3.0])
    scaled = sl.compile(lambda x, power: {"scaled": (x * weight) ** power, "power": power})

    def loss(x):
        return scaled(x, 2)["scaled"].sum()

    assert sl.grad(loss)(sl.tensor([2.0])).tolist() == [36]
    assert sl.grad(lambda x: loss(x) * loss(x))(sl.tensor([2.0])).tolist() == [2592]


def test_a_derivative_outside_of_a_function_that_draws_numbers_or_keeps_state():
    layer = nn.BatchNorm1d(2)
    run = sl.compile(lambda x: (layer(x) * sl.tensor([[1.0, 0.0], [2.0, 0.0]])).sum())
    x = sl.tensor([[1.0, 2.0], [3.0, 5.0]])
    before = layer.running_mean.tolist()
    assert np.isfinite(sl.grad(run)(x).numpy()).all()
    assert layer.running_mean.tolist() != before
