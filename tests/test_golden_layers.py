"""Published worked examples of layers, losses and optimizers, eager and compiled: what must come out, to the digits given."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.zoo.networks import lenet


@pytest.fixture(params=["eager", "compiled"])
def ran(request):
    """Runs a function as it is, or compiled."""
    return (lambda f: f) if request.param == "eager" else sl.compile


def t(data) -> sl.Tensor:
    return sl.tensor(np.array(data, np.float64))


def filled(layer: nn.Module, weight, bias=None) -> nn.Module:
    """The layer with these numbers in float64, as on paper."""
    layer.weight = sl.Parameter(np.array(weight, np.float64).reshape(layer.weight.shape))
    if bias is not None:
        layer.bias = sl.Parameter(np.array(bias, np.float64))
    return layer


# Networks


def test_the_xor_network_of_goodfellow_in_layers(ran):
    net = nn.Sequential(filled(nn.Linear(2, 2), [[1, 1], [1, 1]], [0, -1]), nn.ReLU(), filled(nn.Linear(2, 1), [[1, -2]], [0]))
    assert ran(net)(t([[0, 0], [0, 1], [1, 0], [1, 1]])).numpy().ravel().tolist() == [0, 1, 1, 0]


def test_the_network_of_mazur_takes_one_step(ran):
    hidden, output = filled(nn.Linear(2, 2), [[0.15, 0.20], [0.25, 0.30]]), filled(nn.Linear(2, 2), [[0.40, 0.45], [0.50, 0.55]])
    hidden.bias, output.bias = t([0.35, 0.35]), t([0.60, 0.60])  # plain tensors: the example keeps its biases
    net = nn.Sequential(hidden, nn.Sigmoid(), output, nn.Sigmoid())
    optimizer = optim.SGD(net.parameters(), lr=0.5)
    x, target = t([[0.05, 0.10]]), t([[0.01, 0.99]])

    @ran
    def step(x, target):
        out = net(x)
        error = nn.squared_loss(out, target) / 2
        net.zero_grad()
        error.backward()
        optimizer.step()
        return out, error

    out, error = step(x, target)
    assert out.numpy().ravel().tolist() == pytest.approx([0.75136507, 0.77292847], abs=5e-9)
    assert error.item() == pytest.approx(0.298371109, abs=5e-10)
    np.testing.assert_allclose(output.weight.numpy(), [[0.35891648, 0.40866619], [0.51130127, 0.56137012]], atol=5e-9)
    np.testing.assert_allclose(hidden.weight.numpy(), [[0.14978072, 0.19956143], [0.24975114, 0.29950229]], atol=5e-9)
    assert step(x, target)[1].item() == pytest.approx(0.2910277737, abs=5e-11)


@pytest.mark.parametrize("start, expected", [((0.6, 0.9), 0.0939557), ((2.0, 2.0), 0.2028484)])
def test_the_neuron_of_nielsen_learns_slowly_when_it_starts_badly(ran, start, expected):
    neuron = nn.Sequential(filled(nn.Linear(1, 1), [[start[0]]], [start[1]]), nn.Sigmoid())
    optimizer = optim.SGD(neuron.parameters(), lr=0.15)

    @ran
    def step(x, target):
        cost = nn.squared_loss(neuron(x), target) / 2
        neuron.zero_grad()
        cost.backward()
        optimizer.step()
        return cost

    x, target = t([[1.0]]), t([[0.0]])
    assert neuron(x).item() == pytest.approx({0.6: 0.82, 2.0: 0.98}[start[0]], abs=5e-3)
    for _ in range(300):
        step(x, target)
    assert neuron(x).item() == pytest.approx(expected, abs=5e-8)


# Descent


def descended(ran, height, start, optimizer, steps):
    """Where `steps` steps downhill lead."""
    place = sl.Parameter(np.array(start, np.float64))
    optimizer.bind([place])

    @ran
    def step():
        optimizer.zero_grad()
        height(place).backward()
        optimizer.step()

    for _ in range(steps):
        step()
    return place.numpy().tolist()


@pytest.mark.parametrize("rate, expected", [(0.2, 0.060466), (0.05, 3.486784), (1.1, 61.917364)])
def test_ten_steps_down_a_parabola(ran, rate, expected):
    assert descended(ran, lambda x: x * x, 10.0, optim.SGD(lr=rate), 10) == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("rate, momentum, expected", [
    (0.4, 0.0, (-0.943467, -0.000073)), (0.6, 0.5, (0.007188, 0.002553)), (0.6, 0.25, (-0.126340, -0.186632))])
def test_twenty_steps_down_the_valley_of_d2l(ran, rate, momentum, expected):
    found = descended(ran, lambda x: 0.1 * x[0] ** 2 + 2 * x[1] ** 2, (-5.0, -2.0), optim.SGD(lr=rate, momentum=momentum), 20)
    assert found == pytest.approx(expected, abs=5e-7)


# Activations and losses


@pytest.mark.parametrize("layer, x, value, slope", [
    (nn.Sigmoid(), 0.0, 0.5, 0.25), (nn.Tanh(), 0.0, 0.0, 1.0), (nn.Softplus(), 0.0, np.log(2), 0.5),
    (nn.Softplus(), 1e3, 1e3, 1.0), (nn.Softplus(), -1e3, 0.0, 0.0), (nn.ReLU(), 0.0, 0.0, 0.0), (nn.ReLU(), 2.0, 2.0, 1.0),
    (nn.LeakyReLU(0.1), -2.0, -0.2, 0.1), (nn.LeakyReLU(0.1), 2.0, 2.0, 1.0), (nn.ELU(), -1e3, -1.0, 0.0),
    (nn.GELU(), 0.0, 0.0, 0.5), (nn.SiLU(), 0.0, 0.0, 0.5), (nn.Identity(), 3.0, 3.0, 1.0), (nn.Heaviside(), 0.0, 1.0, 0.0)])
def test_activations_have_the_value_and_slope_of_the_books(ran, layer, x, value, slope):
    found, by = ran(sl.value_and_grad(lambda x: layer(x)))(t(x))
    assert (found.item(), by.item()) == pytest.approx((value, slope), abs=1e-12)


def test_cross_entropy_of_uniform_and_of_extreme_logits(ran):
    loss = ran(nn.cross_entropy)
    assert loss(t([[3.0] * 7]), sl.tensor([4])).item() == pytest.approx(np.log(7))
    assert loss(t([[1e4, 0.0]]), sl.tensor([0])).item() == 0
    assert loss(t([[1e4, 0.0]]), sl.tensor([1])).item() == 1e4


def test_the_linear_scores_of_cs231n_and_their_losses(ran):
    layer = filled(nn.Linear(4, 3), [[0.01, -0.05, 0.1, 0.05], [0.7, 0.2, 0.05, 0.16], [0, -0.45, -0.2, 0.03]], [0, 0.2, -0.3])

    @ran
    def losses(x, label):
        scores = layer(x)
        return scores, nn.hinge_loss(scores, label), nn.cross_entropy(scores, label)

    scores, hinge, entropy = losses(t([[-15, 22, -44, 56]]), sl.tensor([2]))
    assert scores.numpy().ravel().tolist() == pytest.approx([-2.85, 0.86, 0.28])
    assert hinge.item() == pytest.approx(1.58)
    assert entropy.item() == pytest.approx(1.0401905694, abs=5e-11)


# Filtering and pooling


IMAGE = [
    [255, 128, 128, 240, 1, 128, 24, 255],
    [255, 128, 245, 240, 1, 128, 24, 255],
    [245, 128, 245, 240, 1, 128, 128, 128],
    [24, 24, 24, 255, 255, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0],
    [245, 245, 128, 128, 128, 128, 245, 245],
    [245, 245, 245, 240, 240, 240, 255, 240],
    [255, 240, 128, 240, 240, 128, 240, 255]]
SMOOTHING = np.array([[1, 1, 1], [1, 4, 1], [1, 1, 1]]) / 12
EDGES = np.array([[1, 0, -1]] * 3)


@pytest.mark.parametrize("kernel, first_row", [
    (SMOOTHING, (178.417, 204.75, 171.75, 92.5, 78.917, 105.833)), (EDGES, (137, -336, 615, 336, -173, -254))])
def test_an_image_is_filtered_as_published(ran, kernel, first_row):
    layer = filled(nn.Conv2d(1, 1, 3, bias=False), kernel)
    found = ran(layer)(t([[IMAGE]])).numpy()[0, 0]
    assert found.shape == (6, 6)
    assert found[0].tolist() == pytest.approx(first_row, abs=5e-4)
    whole = [[(np.array(IMAGE)[i:i + 3, j:j + 3] * kernel).sum() for j in range(6)] for i in range(6)]
    np.testing.assert_allclose(found, whole, rtol=1e-12)


VECTOR = [[[2, 3, 1, 3, 2, 1]]]


@pytest.mark.parametrize("layer, expected", [
    (nn.MaxPool1d(3, stride=1), [3, 3, 3, 3]), (nn.MaxPool1d(3), [3, 3]), (nn.AvgPool1d(3, stride=1), [2, 7 / 3, 2, 2]),
    (nn.MaxPool1d(6), [3]), (nn.AvgPool1d(6), [2])])
def test_a_vector_is_pooled_as_published(ran, layer, expected):
    assert ran(layer)(t(VECTOR)).numpy().ravel().tolist() == pytest.approx(expected)


def test_a_vector_is_filtered_as_published(ran):
    layer = filled(nn.Conv1d(1, 1, 3, bias=False), [1, 2, 1])
    assert ran(layer)(t(VECTOR)).numpy().ravel().tolist() == [9, 8, 9, 8]


def test_the_cross_correlations_of_d2l(ran):
    one = filled(nn.Conv2d(1, 1, 2, bias=False), [[0, 1], [2, 3]])
    counted = np.arange(9.0).reshape(1, 1, 3, 3)
    assert ran(one)(t(counted)).numpy().ravel().tolist() == [19, 25, 37, 43]
    kernel = np.array([[[0, 1], [2, 3]], [[1, 2], [3, 4]]])
    three = filled(nn.Conv2d(2, 3, 2, bias=False), np.stack([kernel, kernel + 1, kernel + 2]))
    found = ran(three)(t(np.concatenate([counted, counted + 1], axis=1))).numpy()
    assert found.reshape(3, 4).tolist() == [[56, 72, 104, 120], [76, 100, 148, 172], [96, 128, 192, 224]]


def test_the_transposed_convolution_of_d2l(ran):
    layer = filled(nn.ConvTranspose2d(1, 1, 2, bias=False), [[0, 1], [2, 3]])
    assert ran(layer)(t([[[[0, 1], [2, 3]]]])).numpy()[0, 0].tolist() == [[0, 0, 1], [0, 4, 6], [4, 12, 9]]


@pytest.mark.parametrize("layer, expected", [(nn.MaxPool2d(2, stride=1), [4, 5, 7, 8]), (nn.AvgPool2d(2, stride=1), [2, 3, 5, 6])])
def test_the_pools_of_d2l(ran, layer, expected):
    assert ran(layer)(t(np.arange(9.0).reshape(1, 1, 3, 3))).numpy().ravel().tolist() == expected


def test_six_filters_over_a_colour_image_see_75_numbers_each(ran):
    layer, image = nn.Conv2d(3, 6, 5), sl.normal((1, 3, 32, 32))
    found = ran(layer)(image).numpy()
    assert found.shape == (1, 6, 28, 28) and layer.weight[0].size == 75
    patch = image.numpy()[0, :, 4:9, 7:12]
    assert found[0, 2, 4, 7] == pytest.approx((patch * layer.weight.numpy()[2]).sum() + layer.bias.numpy()[2], rel=1e-4, abs=1e-5)


def test_lenet_has_the_published_shapes_and_parameters(ran):
    net = lenet((1, 28, 28), 10)
    assert sum(each.size for each in net.parameters()) == 431_080
    shapes = []

    def walk(x):
        for layer in net:
            x = layer(x)
            if not isinstance(layer, nn.ReLU):
                shapes.append(x.shape[1:])
        return x

    assert ran(walk)(sl.zeros((2, 1, 28, 28))).shape == (2, 10)
    assert shapes == [(20, 24, 24), (20, 12, 12), (50, 8, 8), (50, 4, 4), (800,), (500,), (10,)]
