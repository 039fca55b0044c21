"""Layers: published shapes and numbers, modes, and what no comparison with another system shows."""

from __future__ import annotations

import math

import numpy as np
import pytest

import slopes as sl
from slopes import nn
from slopes.errors import OutOfRangeError

IMAGE = np.array([
    [255, 128, 128, 240, 1, 128, 24, 255], [255, 128, 245, 240, 1, 128, 24, 255], [245, 128, 245, 240, 1, 128, 128, 128],
    [24, 24, 24, 255, 255, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0], [245, 245, 128, 128, 128, 128, 245, 245],
    [245, 245, 245, 240, 240, 240, 255, 240], [255, 240, 128, 240, 240, 128, 240, 255]], np.float32)


def filtered(kernel):
    layer = nn.Conv2d(1, 1, 3, bias=False)
    layer.weight.assign(np.array(kernel, np.float32).reshape(1, 1, 3, 3))
    return layer(sl.tensor(IMAGE.reshape(1, 1, 8, 8))).detach().numpy()[0, 0]


def test_smoothing_gives_the_published_first_row():
    first = filtered(np.array([[1, 1, 1], [1, 4, 1], [1, 1, 1]]) / 12)[0]
    assert np.allclose(first, [178.417, 204.75, 171.75, 92.5, 78.917, 105.833], atol=1e-3)


def test_vertical_edges_give_the_published_first_row():
    assert filtered([[1, 0, -1]] * 3)[0].tolist() == [137, -336, 615, 336, -173, -254]


VECTOR = sl.tensor([[[2.0, 3.0, 1.0, 3.0, 2.0, 1.0]]])


def test_a_vector_is_filtered_as_published():
    layer = nn.Conv1d(1, 1, 3, bias=False)
    layer.weight.assign(np.array([[[1, 2, 1]]], np.float32))
    assert layer(VECTOR).detach().numpy().ravel().tolist() == [9, 8, 9, 8]


@pytest.mark.parametrize("layer, expected", [
    (nn.MaxPool1d(3, 1), [3, 3, 3, 3]), (nn.MaxPool1d(3), [3, 3]), (nn.AvgPool1d(3, 1), [2, 7 / 3, 2, 2]), (nn.MaxPool1d(6), [3]),
    (nn.AvgPool1d(6), [2]), (nn.AdaptiveAvgPool1d(1), [2])])
def test_a_vector_is_pooled_as_published(layer, expected):
    assert np.allclose(layer(VECTOR).numpy().ravel(), expected)


def test_six_filters_see_75_numbers_each():
    layer = nn.Conv2d(3, 6, 5)
    assert layer(sl.zeros((1, 3, 32, 32))).shape == (1, 6, 28, 28)
    assert layer.weight[0].size == 75


def test_the_gradient_of_max_pooling_goes_to_the_first_of_equals():
    x = sl.tensor([[[1.0, 1.0, 1.0]]], requires_grad=True)
    nn.MaxPool1d(3)(x).sum().backward()
    assert x.grad.numpy().ravel().tolist() == [1, 0, 0]


def test_padding_same_keeps_the_size():
    for kernel in (1, 2, 3, 4, 5):
        assert nn.Conv2d(1, 2, kernel, padding="same")(sl.zeros((1, 1, 7, 6))).shape == (1, 2, 7, 6)


# Dropout


def test_dropout_scales_what_it_keeps():
    sl.seed(0)
    layer = nn.Dropout(0.25)
    y = layer(sl.ones((200, 100))).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.01
    assert np.array_equal(layer.eval()(sl.ones((3, 3))).numpy(), np.ones((3, 3)))


def test_dropout_draws_anew_each_time_and_again_from_the_same_seed():
    layer, x = nn.Dropout(0.5), sl.ones((64,))
    sl.seed(5)
    first, second = layer(x).numpy(), layer(x).numpy()
    sl.seed(5)
    assert np.array_equal(first, layer(x).numpy()) and not np.array_equal(first, second)


def test_dropout_with_its_own_generator_leaves_the_default_alone():
    sl.seed(1)
    expected = sl.uniform((3,)).numpy()
    sl.seed(1)
    layer = nn.Dropout(0.5, generator=sl.Generator(9))
    first = layer(sl.ones((32,))).numpy()
    assert np.array_equal(expected, sl.uniform((3,)).numpy())
    assert np.array_equal(first, nn.Dropout(0.5, generator=sl.Generator(9))(sl.ones((32,))).numpy())


def test_the_gradient_of_dropout_is_its_mask():
    x = sl.ones((50,))
    x.requires_grad = True
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    assert np.array_equal(x.grad.numpy(), y.detach().numpy())


# BatchNorm


def test_batch_norm_brings_channels_to_mean_0_and_variance_1():
    x = sl.tensor(np.random.default_rng(0).normal(5, 3, (32, 4, 5, 6)).astype(np.float32))
    y = nn.BatchNorm2d(4)(x).detach().numpy()
    assert np.allclose(y.mean((0, 2, 3)), 0, atol=1e-5) and np.allclose(y.var((0, 2, 3)), 1, atol=1e-4)


def test_batch_norm_leaves_its_moments_alone_in_use():
    layer = nn.BatchNorm1d(3)
    layer(sl.tensor(np.random.default_rng(0).normal(5, 3, (32, 3)).astype(np.float32)))
    before = layer.state_dict()
    layer.eval()(sl.ones((4, 3)))
    assert all(np.array_equal(before[name], array) for name, array in layer.state_dict().items())
    assert int(layer.num_batches_tracked) == 1


def test_batch_norm_without_momentum_averages_all_batches():
    layer, source = nn.BatchNorm1d(2, momentum=None), np.random.default_rng(0)
    batches = [source.normal(size=(8, 2)).astype(np.float32) for _ in range(4)]
    for batch in batches:
        layer(sl.tensor(batch))
    assert np.allclose(layer.running_mean.numpy(), np.mean([batch.mean(0) for batch in batches], 0), atol=1e-6)
    assert np.allclose(layer.running_var.numpy(), np.mean([batch.var(0, ddof=1) for batch in batches], 0), atol=1e-5)


def test_the_momentum_of_batch_norm_can_change():
    layer = nn.BatchNorm1d(1)
    layer.momentum = 1.0
    layer(sl.tensor([[1.0], [3.0]]))
    assert layer.running_mean.numpy().tolist() == [2] and layer.running_var.numpy().tolist() == [2]
    layer.momentum = None
    assert layer.momentum is None


# Embedding


def test_rows_used_twice_get_both_gradients():
    layer = nn.Embedding(4, 2)
    layer(sl.tensor([1, 1, 3])).sum().backward()
    assert layer.weight.grad.numpy().tolist() == [[0, 0], [2, 2], [0, 0], [1, 1]]


def test_the_padding_row_is_zero_and_stays():
    layer = nn.Embedding(4, 2, padding_idx=-1)
    assert layer.padding_idx == 3 and (layer.weight[3] == 0).all()
    layer(sl.tensor([[3, 0], [3, 3]])).sum().backward()
    assert layer.weight.grad.numpy().tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]


# Activations


@pytest.mark.parametrize("layer, x, value, slope", [
    (nn.Sigmoid(), 0, 0.5, 0.25), (nn.Tanh(), 0, 0, 1), (nn.Softplus(), 0, math.log(2), 0.5), (nn.Softplus(), 1e3, 1e3, 1),
    (nn.Softplus(), -1e3, 0, 0), (nn.ReLU(), 0, 0, 0), (nn.ReLU(), 2, 2, 1), (nn.ReLU(), -2, 0, 0),
    (nn.LeakyReLU(0.1), -2, -0.2, 0.1),
    (nn.ELU(), -1, math.exp(-1) - 1, math.exp(-1)), (nn.GELU(), 0, 0, 0.5), (nn.SiLU(), 0, 0, 0.5), (nn.Identity(), 3, 3, 1),
    (nn.Heaviside(), 3, 1, None), (nn.Heaviside(), 0, 1, None), (nn.Heaviside(0.5), 0, 0, None),
    (nn.Sigmoid(), -1e4, 0, 0), (nn.Sigmoid(), 1e4, 1, 0)])
def test_activations_have_the_books_values_and_slopes(layer, x, value, slope):
    x = sl.tensor(float(x), requires_grad=True)
    y = layer(x)
    assert math.isclose(float(y), value, rel_tol=1e-6, abs_tol=1e-7)
    if slope is not None:
        y.backward()
        assert math.isclose(float(x.grad), slope, rel_tol=1e-6, abs_tol=1e-7)


def test_softmax_sums_to_1_for_large_logits():
    y = nn.Softmax()(sl.tensor([[1e4, 1e4 - 1, -1e4], [-1e4, -1e4, -1e4]])).numpy()
    assert np.isfinite(y).all() and np.allclose(y.sum(1), 1)


def test_functions_and_layers_of_activations_agree():
    x = sl.tensor(np.linspace(-3, 3, 11).astype(np.float32))
    pairs = ((nn.ReLU(), nn.relu), (nn.Sigmoid(), nn.sigmoid), (nn.Tanh(), nn.tanh), (nn.GELU(), nn.gelu), (nn.SiLU(), nn.silu),
             (nn.ELU(), nn.elu), (nn.Softplus(), nn.softplus), (nn.LeakyReLU(), nn.leaky_relu), (nn.Softmax(), nn.softmax),
             (nn.LogSoftmax(), nn.log_softmax))
    for layer, function in pairs:
        assert np.array_equal(layer(x).numpy(), function(x).numpy())


# Initial values


def test_a_seed_decides_initial_values():
    def weights(seed):
        sl.seed(seed)
        return nn.Sequential(nn.Linear(5, 4), nn.Conv2d(1, 2, 3), nn.Embedding(3, 2)).state_dict()

    first, again, other = weights(0), weights(0), weights(1)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not any(np.array_equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("fill, deviation, bound", [
    (nn.init.xavier_uniform, math.sqrt(2 / 500), math.sqrt(6 / 500)), (nn.init.xavier_normal, math.sqrt(2 / 500), None),
    (nn.init.kaiming_uniform, math.sqrt(2 / 300), math.sqrt(6 / 300)), (nn.init.kaiming_normal, math.sqrt(2 / 300), None),
    (nn.init.lecun_uniform, math.sqrt(1 / 300), math.sqrt(3 / 300)), (nn.init.lecun_normal, math.sqrt(1 / 300), None),
    (nn.init.normal, 1, None), (nn.init.uniform, math.sqrt(1 / 12), 1)])
def test_initial_distributions_have_their_width(fill, deviation, bound):
    sl.seed(0)
    weight = nn.Linear(300, 200).weight
    assert fill(weight) is weight
    array = weight.detach().numpy()
    assert abs(array.std() / deviation - 1) < 0.02
    assert bound is None or 0.99 * bound < np.abs(array).max() <= bound


def test_fans_count_the_window():
    weight = nn.Conv2d(8, 16, 5).weight
    sl.seed(0)
    array = nn.init.kaiming_normal(weight, mode="fan_out", nonlinearity="relu").detach().numpy()
    assert abs(array.std() / math.sqrt(2 / (16 * 25)) - 1) < 0.05


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (6, 2, 2)])
def test_orthogonal_rows_or_columns(shape):
    weight = nn.init.orthogonal(nn.Parameter(np.zeros(shape, np.float32)), gain=2.0).detach().numpy().reshape(shape[0], -1)
    small = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
    assert np.allclose(small, 4 * np.eye(len(small)), atol=1e-5)


def test_constants():
    weight = nn.Linear(3, 2).weight
    assert (nn.init.zeros(weight) == 0).all() and (nn.init.ones(weight) == 1).all()
    assert (nn.init.constant(weight, 0.5) == 0.5).all()


def test_values_from_a_file(tmp_path):
    from slopes.files import save_safetensors

    sl.seed(0)
    net, other = nn.Linear(3, 2), nn.Linear(3, 2)
    save_safetensors(tmp_path / "net.safetensors", net.state_dict())
    assert nn.init.from_file(other, tmp_path / "net.safetensors") is other
    assert np.array_equal(net.weight.detach().numpy(), other.weight.detach().numpy())


# Compiled


def test_switching_to_use_is_seen_by_compiled_functions():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    compiled, x = sl.compile(lambda x: net(x)), sl.tensor(np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32))
    compiled(x)
    net.eval()
    assert np.allclose(compiled(x).detach().numpy(), net(x).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert int(net[1].num_batches_tracked) == 1
    net.train()
    compiled(x)
    assert int(net[1].num_batches_tracked) == 2
    assert "a flag" in compiled.reasons[1]


def test_changing_the_rate_of_dropout_compiles_nothing_anew_and_is_seen():
    layer = nn.Dropout(0.5)
    compiled, x = sl.compile(lambda x: layer(x)), sl.ones((1000,))
    first, second = compiled(x).numpy(), compiled(x).numpy()
    assert not np.array_equal(first, second)
    layer.p = 0.0
    assert (compiled(x) == 1).all() and compiled.compilations == 1


def test_a_replaced_layer_is_seen_by_compiled_functions():
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    compiled, x = sl.compile(lambda x: net(x)), sl.ones((2, 3))
    compiled(x)
    net.layers = [nn.Linear(3, 5)]
    assert compiled(x).shape == (2, 5)


@pytest.mark.parametrize("label", [-1, 3, 1000])
def test_compiled_losses_and_embeddings_refuse_what_is_out_of_range(label):
    loss = sl.compile(lambda x, labels: nn.cross_entropy(x, labels))
    table = nn.Embedding(3, 2)
    rows = sl.compile(lambda x: table(x))
    assert math.isclose(float(loss(sl.zeros((2, 3)), sl.tensor([0, 2]))), math.log(3), rel_tol=1e-6)
    with pytest.raises(OutOfRangeError):
        loss(sl.zeros((2, 3)), sl.tensor([0, label]))
    with pytest.raises(OutOfRangeError):
        rows(sl.tensor([0, label]))
    assert rows(sl.tensor([0, 2])).shape == (2, 2)


def test_outputs_of_layers_can_be_tapped_by_path():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    compiled, x = sl.compile(lambda x: net(x), taps=["net[1]"]), sl.ones((2, 3))
    compiled(x)
    assert np.allclose(compiled.tapped["net[1]"].numpy(), net[:2](x).detach().numpy(), rtol=1e-5)
