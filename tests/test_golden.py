"""Published worked examples of graphs and gradients: what must come out, to the digits given."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes.trace import Trace, tracing


def t(data):
    return sl.tensor(data, dtype="float64")


def sigmoid(x):
    """As on paper, so that the examples test primitive operations."""
    return 1 / (1 + (-x).exp())


def gradients(f, *values):
    """The value and all gradients, by backward; they must equal those of sl.value_and_grad."""
    tensors = [sl.tensor(value, dtype="float64", requires_grad=True) for value in values]
    result = f(*tensors)
    result.backward()
    value, found = sl.value_and_grad(f, argnums=tuple(range(len(values))))(*map(t, values))
    assert value.item() == result.item()
    for tensor, gradient in zip(tensors, found):
        assert np.array_equal(tensor.grad.numpy(), gradient.numpy())
    return value.item(), [gradient.numpy() for gradient in found]


CIRCUITS = [
    ("CS231n: (x + y) z", lambda x, y, z: (x + y) * z, (-2, 5, -4), -12, (-4, -4, 3)),
    ("Olah: (a + b)(b + 1)", lambda a, b: (a + b) * (b + 1), (2, 1), 6, (2, 5)),
    ("Goldberg: (a b + 1)(a b + 2)", lambda a, b: (a * b + 1) * (a * b + 2), (2, 3), 56, (45, 30)),
    ("CS231n: 2 (x y + max(z, w))", lambda x, y, z, w: 2 * (x * y + sl.maximum(z, w)), (3, -4, 2, -1), -20, (-8, 6, 2, 0)),
    ("CS231n: (x + s(y)) / (s(x) + (x + y)^2)", lambda x, y: (x + sigmoid(y)) / (sigmoid(x) + (x + y) ** 2), (3, -4),
     1.5456448841066441, (2.0595697955721652, 1.5922327514838093)),
    ("CS231n: a sigmoid neuron", lambda w0, w1, w2, x0, x1: sigmoid(w0 * x0 + w1 * x1 + w2), (2, -3, -3, -1, -2),
     0.731058578630, (-0.196611933241, -0.393223866483, 0.196611933241, 0.393223866483, -0.589835799724)),
]


@pytest.mark.parametrize("name, f, point, value, slopes", CIRCUITS, ids=[row[0] for row in CIRCUITS])
def test_circuits_of_the_textbooks(name, f, point, value, slopes):
    found, by = gradients(f, *point)
    assert found == pytest.approx(value, rel=1e-9)
    assert [float(each) for each in by] == pytest.approx(list(slopes), rel=1e-9)


def test_the_shared_product_appears_once_in_the_graph():
    trace = Trace()
    with tracing(trace):
        a, b = (trace.argument((), "float32", requires_grad=True) for _ in range(2))
        first, second = a * b, a * b
    assert first._node is second._node


def test_the_readme_expression_of_micrograd():
    def relu(x):
        return sl.where(x > 0, x, 0.0)

    def f(a, b):
        c = a + b
        d = a * b + b ** 3
        c = c + c + 1
        c = c + 1 + c + (-a)
        d = d + d * 2 + relu(b + a)
        d = d + 3 * d + relu(b - a)
        e = c - d
        square = e ** 2
        return square / 2.0 + 10.0 / square

    value, (by_a, by_b) = gradients(f, -4.0, 2.0)
    assert value == pytest.approx(24.70408163265306, abs=1e-12)
    assert (float(by_a), float(by_b)) == pytest.approx((138.83381924198252, 645.5772594752186), rel=1e-12)


def test_the_xor_network_of_goodfellow():
    w, c, v = t([[1, 1], [1, 1]]), t([0, -1]), t([1, -2])
    inputs = t([[0, 0], [0, 1], [1, 0], [1, 1]])
    hidden = inputs @ w + c
    assert (sl.where(hidden > 0, hidden, 0.0) @ v).tolist() == [0, 1, 1, 0]


def test_the_network_of_mazur_step_by_step():
    x, target, rate = t([0.05, 0.10]), t([0.01, 0.99]), 0.5
    w1, w2 = t([[0.15, 0.20], [0.25, 0.30]]), t([[0.40, 0.45], [0.50, 0.55]])

    def forward(w1, w2):
        hidden = sigmoid(w1 @ x + 0.35)
        return hidden, sigmoid(w2 @ hidden + 0.60)

    def error(w1, w2):
        return 0.5 * ((target - forward(w1, w2)[1]) ** 2).sum()

    hidden, output = forward(w1, w2)
    assert hidden.tolist() == pytest.approx([0.59326999, 0.59688438], abs=5e-9)
    assert output.tolist() == pytest.approx([0.75136507, 0.77292847], abs=5e-9)
    value, (by_w1, by_w2) = sl.value_and_grad(error, argnums=(0, 1))(w1, w2)
    assert value.item() == pytest.approx(0.298371109, abs=5e-10)
    new1, new2 = w1 - rate * by_w1, w2 - rate * by_w2
    np.testing.assert_allclose(new2.numpy(), [[0.35891648, 0.40866619], [0.51130127, 0.56137012]], atol=5e-9)
    np.testing.assert_allclose(new1.numpy(), [[0.14978072, 0.19956143], [0.24975114, 0.29950229]], atol=5e-9)
    assert error(new1, new2).item() == pytest.approx(0.2910277737, abs=5e-11)  # both layers at once, not one after the other


def test_slopes_of_activations_at_zero():
    for f, value, slope in ((sl.sigmoid, 0.5, 0.25), (sl.tanh, 0, 1), (sl.softplus, np.log(2), 0.5), (sl.relu, 0, 0)):
        found, (by,) = gradients(f, 0.0)
        assert (found, float(by)) == pytest.approx((value, slope), abs=1e-12)


def test_softplus_does_not_overflow():
    assert sl.softplus(t([1e3, -1e3])).tolist() == [1e3, 0]


def test_gradient_of_the_sum_of_the_logistic_function():
    _, (by,) = gradients(lambda x: sl.sigmoid(x).sum(), [0.0, 1.0, 2.0])
    assert by.tolist() == pytest.approx([0.25, 0.19661193, 0.10499359], abs=5e-9)


def test_derivatives_of_tanh_at_two():
    f = sl.tanh
    for expected in (0.07065082, -0.13621869, 0.25265407):
        f = sl.grad(f)
        assert f(t(2.0)).item() == pytest.approx(expected, abs=5e-9)


def test_the_polynomial_of_the_pytorch_tutorial():
    _, (by_a, by_b) = gradients(lambda a, b: (3 * a ** 3 - b ** 2).sum(), [2, 3], [6, 4])
    assert by_a.tolist() == [36, 81] and by_b.tolist() == [-12, -8]


def test_the_linear_scores_of_cs231n():
    w = t([[0.01, -0.05, 0.1, 0.05], [0.7, 0.2, 0.05, 0.16], [0, -0.45, -0.2, 0.03]])
    x, b, label = t([-15, 22, -44, 56]), t([0, 0.2, -0.3]), 2
    scores = w @ x + b
    assert scores.tolist() == pytest.approx([-2.85, 0.86, 0.28])
    margins = sl.maximum(scores - scores[label] + 1, t(0.0))
    assert (margins.sum() - 1).item() == pytest.approx(1.58)
    assert -(sl.log_softmax(scores, axis=0)[label]).item() == pytest.approx(1.0401905694, abs=5e-11)


@pytest.mark.parametrize("rate, expected", [(0.2, 0.060466), (0.05, 3.486784), (1.1, 61.917364)])
def test_gradient_descent_on_a_parabola(rate, expected):
    x, slope = t(10.0), sl.grad(lambda x: x * x)
    for _ in range(10):
        x = x - rate * slope(x)
    assert x.item() == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("rate, momentum, expected", [
    (0.4, 0.0, (-0.943467, -0.000073)), (0.6, 0.5, (0.007188, 0.002553)), (0.6, 0.25, (-0.126340, -0.186632))])
def test_descent_in_the_valley_of_d2l(rate, momentum, expected):
    slope = sl.grad(lambda x: 0.1 * x[0] ** 2 + 2 * x[1] ** 2)
    x, velocity = t([-5.0, -2.0]), t([0.0, 0.0])
    for _ in range(20):
        velocity = momentum * velocity + slope(x)
        x = x - rate * velocity
    assert x.tolist() == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("start, expected", [((0.6, 0.9), 0.0939557), ((2.0, 2.0), 0.2028484)])
def test_the_neuron_of_nielsen_that_starts_badly(start, expected):
    slope = sl.grad(lambda w, b: sigmoid(w + b) ** 2 / 2, argnums=(0, 1))
    w, b = map(t, start)
    for _ in range(300):
        by_w, by_b = slope(w, b)
        w, b = w - 0.15 * by_w, b - 0.15 * by_b
    assert sigmoid(w + b).item() == pytest.approx(expected, abs=5e-8)


def lstm_step(x, hidden, state, w, u, b):
    """Gates in the order of the worked example: a, i, f, o."""
    a, i, f, o = ((w[k] * x).sum() + u[k] * hidden + b[k] for k in range(4))
    state = a.tanh() * sigmoid(i) + sigmoid(f) * state
    return state.tanh() * sigmoid(o), state


def test_two_steps_of_the_lstm_of_gomez():
    w = t([[0.45, 0.25], [0.95, 0.8], [0.7, 0.45], [0.6, 0.4]])
    u, b = t([0.15, 0.8, 0.1, 0.25]), t([0.2, 0.65, 0.15, 0.1])
    h1, s1 = lstm_step(t([1.0, 2.0]), t(0.0), t(0.0), w, u, b)
    h2, s2 = lstm_step(t([0.5, 3.0]), h1, s1, w, u, b)
    assert (h1.item(), h2.item()) == pytest.approx((0.53631, 0.77198), abs=5e-6)
    assert (s1.item(), s2.item()) == pytest.approx((0.78573, 1.51763), abs=1e-5)
    loss = 0.5 * (h1 - 0.5) ** 2 + 0.5 * (h2 - 1.25) ** 2
    assert loss.item() == pytest.approx(0.11491036, abs=5e-9)


def test_cross_entropy_of_uniform_and_of_extreme_logits():
    negative_log_likelihood = lambda logits, label: -sl.log_softmax(logits, axis=0)[label]  # noqa: E731
    assert negative_log_likelihood(t([3.0] * 7), 4).item() == pytest.approx(np.log(7))
    assert negative_log_likelihood(t([1e4, 0.0]), 0).item() == 0
    assert negative_log_likelihood(t([1e4, 0.0]), 1).item() == 1e4
