"""Containers, shared weights, and the layers that look at one example only: what holds for them besides the contract."""

from __future__ import annotations

import re

import numpy as np
import pytest
from learning_parts import numbers

import slopes as sl
from slopes import nn
from slopes.errors import ArgumentError, OutOfRangeError, ShapeError


def given(name, *shape):
    return sl.tensor(numbers(name, shape))


# Residual, Parallel, Repeat


def test_a_residual_adds_what_it_was_given():
    inner, x = nn.Linear(5, 5), given("x", 7, 5)
    assert np.allclose((nn.Residual(inner)(x) - inner(x)).detach().numpy(), x.numpy(), atol=1e-6)
    assert np.array_equal(nn.Residual()(x).numpy(), (x + x).numpy())


def test_paths_of_residuals_and_branches():
    net = nn.Sequential(nn.Residual(nn.Linear(4, 3), shortcut=nn.Linear(4, 3)), nn.Parallel(nn.Linear(3, 2), nn.Identity()))
    assert [name for name, _ in net.named_parameters()] == [
        "0.0.weight", "0.0.bias", "0.shortcut.weight", "0.shortcut.bias", "1.0.weight", "1.0.bias"]
    rows = {row.path: row.output for row in net.summary((2, 4)).rows}
    assert rows["net[0].shortcut"] == (2, 3) and rows["net[1]"] == (2, 5)


def test_the_text_of_a_container_shows_its_arguments_and_layers():
    assert repr(nn.Parallel(nn.ReLU(), nn.Repeat(nn.Tanh(), 2))) == "\n".join([
        "Parallel(join='concat', axis=1,", "  [0] ReLU()", "  [1] Repeat(2 times,", "    layer: Tanh()", "  )", ")"])


def test_branches_are_joined_in_order():
    x = given("x", 2, 3, 4)
    joined = nn.Parallel(nn.Identity(), nn.Tanh(), axis=-1)(x)
    assert np.array_equal(joined.numpy(), np.concatenate([x.numpy(), np.tanh(x.numpy())], -1))


def test_a_repeated_layer_has_the_sum_of_gradients():
    inner = nn.Linear(3, 3, bias=False)
    x = given("x", 2, 3)
    nn.Repeat(inner, 2)(x).sum().backward()
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    for each in (first, second):
        each.load_state_dict(inner.state_dict())
    second(first(x)).sum().backward()
    assert np.allclose(inner.weight.grad.numpy(), (first.weight.grad + second.weight.grad).numpy(), atol=1e-6)


def test_a_repeated_layer_is_counted_and_saved_once():
    net = nn.Repeat(nn.Linear(3, 3), 5)
    assert net.summary((2, 3)).parameters == 12 and list(net.state_dict()) == ["layer.weight", "layer.bias"]
    assert net.summary((2, 3)).rows[1].output == (2, 3)


# Tied weights


def test_tied_weights_are_one():
    words, scores = nn.Embedding(7, 3), nn.Linear(3, 7)
    nn.tie(words, scores)
    net = nn.Sequential(words, scores)
    assert list(net.state_dict()) == ["0.weight", "1.bias"] and net.summary(np.zeros((2, 4), np.int64)).parameters == 28
    net(sl.tensor([1, 2])).sum().backward()
    assert (words.weight.grad != 0).all(axis=1).numpy().all()  # also rows that were not looked up: the scores use them


def test_tied_weights_stay_one_when_a_compiled_step_changes_them():
    words, scores = nn.Embedding(7, 3), nn.Linear(3, 7, bias=False)
    nn.tie(words, scores)
    net = nn.Sequential(words, scores)

    @sl.compile
    def step(x):
        net.zero_grad()
        loss = nn.cross_entropy(net(x), x)
        loss.backward()
        words.weight.assign(words.weight.detach() - words.weight.grad * 0.1)
        return loss

    before = words.weight.detach().numpy().copy()
    step(sl.tensor([1, 2]))
    assert scores.weight is words.weight and not np.allclose(before, words.weight.detach().numpy())


def test_separable_convolutions_have_few_weights():
    net = nn.separable_convolution(8, 16, 3, padding=1, bias=False)
    assert net.summary((1, 8, 5, 5)).parameters == 8 * 9 + 8 * 16
    assert net.summary((1, 8, 5, 5)).rows[0].output == (1, 16, 5, 5)


# Parameters without memory


def test_networks_of_any_size_can_be_summarised_without_memory():
    with nn.init.shapes_only():
        net = nn.Sequential(nn.Embedding(10**9, 4096, padding_idx=0), nn.Linear(4096, 10**9))
        nn.init.orthogonal(net[1].weight)
    assert net.summary(np.zeros((2, 3), np.int64)).parameters == 2 * 4096 * 10**9 + 10**9
    assert net[1].weight.detach().numpy().strides == (0, 0)
    assert nn.Linear(3, 2).weight.detach().numpy().any()


def test_parameters_have_memory_again_after_an_error():
    with pytest.raises(ArgumentError), nn.init.shapes_only():
        nn.Linear(0, 1)
    assert nn.Linear(3, 2).weight.detach().numpy().any()


# Normalization of single examples


def test_layer_norm_brings_each_example_to_mean_0_and_variance_1():
    y = nn.LayerNorm(50)(given("x", 7, 50) * 3 + 5).detach().numpy()
    assert np.allclose(y.mean(1), 0, atol=1e-5) and np.allclose(y.var(1), 1, atol=1e-4)


def test_one_group_is_all_channels_and_as_many_groups_are_each():
    x = given("x", 3, 4, 5, 6)
    whole = x.numpy().reshape(3, -1)
    expected = ((whole - whole.mean(1, keepdims=True)) / np.sqrt(whole.var(1, keepdims=True) + 1e-5)).reshape(x.shape)
    assert np.allclose(nn.GroupNorm(1, 4)(x).detach().numpy(), expected, atol=1e-5)
    assert np.allclose(nn.GroupNorm(4, 4)(x).detach().numpy(), nn.InstanceNorm2d(4)(x).numpy(), atol=1e-5)


def test_rms_norm_does_not_shift():
    y = nn.RMSNorm(50)(given("x", 7, 50) + 5).detach().numpy()
    assert np.allclose((y * y).mean(1), 1, atol=1e-4) and (y.mean(1) > 0.5).all()


# Pooling


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7])
def test_adaptive_windows_cover_the_axis(size):
    x = np.random.default_rng(0).permutation(7).astype(np.float32).reshape(1, 1, 7)
    expected = [x[0, 0, i * 7 // size:-(-(i + 1) * 7 // size)].max() for i in range(size)]
    assert nn.AdaptiveMaxPool1d(size)(sl.tensor(x)).numpy()[0, 0].tolist() == expected


def test_outputs_larger_than_the_input_repeat():
    assert nn.AdaptiveMaxPool1d(4)(sl.tensor([[[1.0, 2.0]]])).numpy().tolist() == [[[1, 1, 2, 2]]]


def test_the_gradient_of_adaptive_max_pooling_goes_to_the_first_of_equals():
    x = sl.ones((1, 1, 2, 3))
    x.requires_grad = True
    nn.AdaptiveMaxPool2d((1, 2))(x).sum().backward()
    assert x.grad.numpy().tolist() == [[[[1, 1, 0], [0, 0, 0]]]]


def test_power_pooling_approaches_the_maximum():
    x = sl.tensor([[[1.0, -3.0, 2.0, 0.0, 0.0, 0.0]]], requires_grad=True)
    for power, expected in ((1, 6), (2, 14 ** 0.5), (60, 3)):
        assert np.allclose(nn.LPPool1d(power, 3)(x).detach().numpy(), [[[expected, 0]]])
    nn.LPPool1d(2, 3)(x).sum().backward()
    assert np.allclose(x.grad.numpy(), np.array([[[1, -3, 2, 0, 0, 0]]]) / np.sqrt(14))


# Dropout


def test_channels_are_dropped_as_a_whole():
    y = nn.Dropout2d(0.25)(sl.ones((50, 40, 3, 3))).numpy().reshape(2000, 9)
    assert (y == y[:, :1]).all() and abs((y[:, 0] == 0).mean() - 0.25) < 0.04
    assert y.max() == np.float32(1) / np.float32(0.75)


def test_alpha_dropout_keeps_mean_and_variance():
    y = nn.AlphaDropout(0.4)(sl.normal((200_000,))).numpy()
    assert abs(y.mean()) < 0.01 and abs(y.std() - 1) < 0.01


def test_the_probability_can_change_without_a_new_program():
    layer = nn.Dropout2d(0.5)
    compiled, x = sl.compile(lambda x: layer(x)), sl.ones((4, 50, 2, 2))
    compiled(x)
    layer.p = 0.0
    assert (compiled(x) == 1).all() and compiled.compilations == 1


# Bags


def test_bags_of_several_lengths():
    layer = nn.EmbeddingBag(9, 3, mode="sum")
    table = layer.weight.detach().numpy()
    y = layer(sl.tensor([1, 1, 8, 4]), offsets=sl.tensor([0, 2, 2])).detach().numpy()
    assert np.allclose(y, [2 * table[1], np.zeros(3), table[8] + table[4]], atol=1e-6)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_an_empty_bag_gives_zeros(mode):
    layer = nn.EmbeddingBag(9, 3, mode=mode, padding_idx=0)
    y = layer(sl.tensor([[0, 0], [0, 5]]))
    assert (y[0] == 0).all() and np.allclose(y[1].detach().numpy(), layer.weight[5].detach().numpy())
    y.sum().backward()
    assert np.isfinite(layer.weight.grad.numpy()).all() and (layer.weight.grad[0] == 0).all()
    assert (layer(sl.zeros((2, 0), dtype="int64")) == 0).all()


# Messages


def message(kind, function):
    with pytest.raises(kind) as error:
        function()
    text = re.sub(r"test_containers\.py:\d+", "test_containers.py:LINE", str(error.value))
    return text.replace("x built at test_containers.py:LINE; ", "")


CALLED = "layer called at test_containers.py:LINE"


@pytest.mark.parametrize("layer, shape, text", [
    (nn.Residual(nn.Linear(4, 3)), (2, 4), "Residual() at net cannot add its layers' output (2, 3) to (2, 4)\n"
     "  x itself is added\n  pass a shortcut that maps x to this shape, such as nn.Conv2d(channels, new, 1, stride)"),
    (nn.Parallel(nn.Linear(4, 3), nn.Linear(4, 2), join="sum"), (2, 4), "Parallel(join='sum') at net cannot add results of the "
     "shapes (2, 3), (2, 2)\n  join='concat' concatenates them"),
    (nn.LayerNorm(5), (2, 4), "LayerNorm(5) at net needs the last axis to be 5, but x is (2, 4)\n"
     "  build it for this input: nn.LayerNorm(4)"),
    (nn.LayerNorm((3, 5)), (2, 5, 3), "LayerNorm(3x5) at net needs the last axes to be (3, 5), but x is (2, 5, 3)\n"
     "  build it for this input: nn.LayerNorm((5, 3))"),
    (nn.RMSNorm((3, 5)), (5,), "RMSNorm(3x5) at net needs the last axes to be (3, 5), but x is (5,)"),
    (nn.GroupNorm(2, 6), (2, 4, 3), "GroupNorm(2, 6) at net needs 6 channels on axis 1, but x is (2, 4, 3)\n"
     "  build it for this input: nn.GroupNorm(groups, 4)"),
    (nn.InstanceNorm1d(3), (2, 3, 1), "InstanceNorm1d(3) at net needs more than one position per channel, but x is "
     "(2, 3, 1)\n  mean and variance are computed for each channel of each example, and one value has no variance\n"
     "  use nn.LayerNorm or nn.GroupNorm, which normalize several channels together"),
    (nn.GlobalAvgPool(), (2, 3), "GlobalAvgPool() at net needs x of shape (N, C, ...) with at least one position, but x is (2, 3)\n"
     "  for one example, add the batch axis: x.reshape(1, 2, 3)"),
    (nn.GlobalMaxPool(), (2, 3, 0), "GlobalMaxPool() at net needs x of shape (N, C, ...) with at least one position, but x is (2, 3, 0)"),
    (nn.Dropout2d(0.5), (2, 3), "Dropout2d(0.5) at net needs x of shape (N, C, H, W), but x is (2, 3)\n"
     "  it drops whole channels of images\n  nn.Dropout drops single values"),
    (nn.AdaptiveMaxPool2d(2), (2, 3, 4), "AdaptiveMaxPool2d(2x2) at net needs x of shape (N, C, H, W), but x is (2, 3, 4)\n"
     "  for one example, add the batch axis: x.reshape(1, 2, 3, 4)"),
])
def test_inputs_of_other_shapes(layer, shape, text):
    assert message(ShapeError, lambda: layer(sl.zeros(shape))) == f"{text}\n  {CALLED}"


@pytest.mark.parametrize("kind, make, text", [
    (ArgumentError, lambda: nn.GroupNorm(4, 6), "GroupNorm: num_groups=4 must divide num_channels=6\n"
     "  each group takes an equal share of the channels\n  groups that fit: 1, 2, 3, 6"),
    (ArgumentError, lambda: nn.Parallel(), "Parallel: there are no layers\n  pass at least one"),
    (ArgumentError, lambda: nn.Residual([nn.ReLU()]), "Residual: layer 0 is [ReLU()] of type list, not a module\n"
     "  unpack the list: nn.Residual(*layers)"),
    (ArgumentError, lambda: nn.tie(nn.Linear(3, 2), nn.ReLU()), "tie: ReLU() has no parameter 'weight'\n  it has none"),
    (ShapeError, lambda: nn.tie(nn.Embedding(5, 3), nn.Linear(5, 3)),
     "tie: weight of Linear(5 -> 3) is (3, 5), that of Embedding(5 x 3) (5, 3)\n  a tied weight is one array"),
    (OutOfRangeError, lambda: nn.EmbeddingBag(5, 3, padding_idx=5), "EmbeddingBag: padding_idx=5 is outside a table of 5 rows\n"
     "  rows run from 0 to 4"),
])
def test_wrong_arguments(kind, make, text):
    assert message(kind, make) == f"{text}\n  at test_containers.py:LINE"


def test_a_bag_without_bags():
    layer = nn.EmbeddingBag(5, 3)
    assert message(ShapeError, lambda: layer(sl.tensor([1, 2, 3]))) == (
        "EmbeddingBag(5 x 3, mode='mean') at net needs x of shape (bags, words), but x is (3,)\n"
        f"  for one bag, x.reshape(1, -1); for bags of several lengths in one row, pass offsets\n  {CALLED}")
