"""The texts of the errors of layers and losses, word for word: what, why, how to repair, where."""

from __future__ import annotations

import re

import numpy as np
import pytest

import slopes as sl
from slopes import nn
from slopes.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError


def message(kind, function):
    """The text of the error that `function` raises, with the lines of this file written as LINE."""
    with pytest.raises(kind) as error:
        function()
    return re.sub(r"test_layer_messages\.py:\d+", "test_layer_messages.py:LINE", str(error.value))


CALLED = "layer called at test_layer_messages.py:LINE"


def test_wrong_width_into_linear_suggests_flatten():
    def train():
        net = nn.Sequential(nn.Linear(784, 128), nn.ReLU())
        net(sl.zeros((32, 28, 28)))

    assert message(ShapeError, train) == (
        "Linear(784 -> 128) at net[0] needs the last axis to be 784, but x is (32, 28, 28)\n"
        "  28 * 28 = 784: put nn.Flatten() before it, or x.reshape(32, 784)\n"
        f"  {CALLED}")


def test_wrong_width_says_where_the_input_was_built():
    def train():
        x = sl.zeros((32, 28, 28))
        x.requires_grad = True
        y = x * 2
        nn.Linear(784, 128)(y)

    assert message(ShapeError, train).endswith(f"  x built at test_layer_messages.py:LINE; {CALLED}")


def test_the_line_named_is_the_users_own():
    with pytest.raises(ShapeError) as error:
        nn.Sequential(nn.Linear(3, 2))(sl.zeros((1, 4)))
    line = error.traceback[0].lineno + 1
    assert str(error.value).endswith(f"layer called at test_layer_messages.py:{line}")


@pytest.mark.parametrize("width, shape, repair", [
    (784, (32, 1, 28, 28), "1 * 28 * 28 = 784: put nn.Flatten() before it, or x.reshape(32, 784)"),
    (6, (5, 4, 2, 3), "2 * 3 = 6: put nn.Flatten(2) before it, or x.reshape(5, 4, 6)"),
    (784, (28, 28), "28 * 28 = 784: for one example, x.reshape(1, 784)"),
    (5, (3, 5, 7), "axis 1 is 5: put it last with x.permute_dims((0, 2, 1))"),
    (5, (4, 3), "build it for this width, nn.Linear(3, ...), or give it 5 values per example"),
    (5, (), "a 0-d tensor has no axis: give it the shape (1, 5)")])
def test_wrong_width_has_a_repair_for_each_shape(width, shape, repair):
    def call():
        nn.Linear(width, 2)(sl.zeros(shape))

    assert message(ShapeError, call) == (
        f"Linear({width} -> 2) at net needs the last axis to be {width}, but x is {shape}\n  {repair}\n  {CALLED}")


class Pictures(nn.Module):
    def __init__(self):
        self.layers = [nn.Conv2d(3, 6, 5)]

    def forward(self, x):
        return self.layers[0](x)


@pytest.mark.parametrize("layer, shape, what, repair", [
    (nn.Conv2d(1, 20, 5), (64, 28, 28), "Conv2d(1 -> 20, 5x5) at net needs x of shape (N, 1, H, W), but x is (64, 28, 28)",
     "add the axis of the one channel: x.reshape(64, 1, 28, 28)"),
    (nn.Conv2d(3, 6, 5), (3, 32, 32), "Conv2d(3 -> 6, 5x5) at net needs x of shape (N, 3, H, W), but x is (3, 32, 32)",
     "for one example, add the batch axis: x.reshape(1, 3, 32, 32)"),
    (Pictures(), (8, 32, 32, 3), "Conv2d(3 -> 6, 5x5) at net.layers[0] needs 3 channels on axis 1, but x is (8, 32, 32, 3)",
     "the channels are the last axis of x: put them second with x.permute_dims((0, 3, 1, 2))"),
    (nn.Conv2d(3, 6, 5), (8, 1, 32, 32), "Conv2d(3 -> 6, 5x5) at net needs 3 channels on axis 1, but x is (8, 1, 32, 32)",
     "build it for this input: 1 as its first argument"),
    (nn.Conv1d(2, 3, 4, stride=2, padding=1, bias=False), (7,),
     "Conv1d(2 -> 3, 4, stride=2, padding=1, bias=False) at net needs x of shape (N, 2, L), but x is (7,)",
     "x has 1 axis, it needs 3: batch, channels, and 1 in space"),
    (nn.ConvTranspose2d(3, 6, 2, stride=2), (8, 4, 5, 5),
     "ConvTranspose2d(3 -> 6, 2x2, stride=2) at net needs 3 channels on axis 1, but x is (8, 4, 5, 5)",
     "build it for this input: 4 as its first argument"),
    (nn.MaxPool2d(2), (8, 28, 28), "MaxPool2d(2x2) at net needs x of shape (N, C, H, W), but x is (8, 28, 28)",
     "for one example, add the batch axis: x.reshape(1, 8, 28, 28)"),
    (nn.BatchNorm2d(3), (8, 4, 5, 5), "BatchNorm2d(3) at net needs 3 channels on axis 1, but x is (8, 4, 5, 5)",
     "build it for this input: nn.BatchNorm2d(4)"),
])
def test_wrong_channels_or_axes(layer, shape, what, repair):
    def call():
        layer(sl.zeros(shape))

    assert message(ShapeError, call) == f"{what}\n  {repair}\n  {CALLED}"


def test_batch_norm_names_the_shapes_it_takes():
    def call():
        nn.BatchNorm1d(3)(sl.zeros((3,)))

    assert message(ShapeError, call) == f"BatchNorm1d(3) at net needs x of shape (N, 3) or (N, 3, L), but x is (3,)\n  {CALLED}"


@pytest.mark.parametrize("rows", [0, 1])
def test_batch_norm_with_one_value_per_channel(rows):
    def call():
        nn.BatchNorm1d(3)(sl.zeros((rows, 3)))

    assert message(ShapeError, call) == (
        f"BatchNorm1d(3) at net needs more than one value per channel in training, but x is ({rows}, 3)\n"
        "  training uses the mean and variance of the batch, and one value has no variance\n"
        "  train with larger batches (drop a last batch of 1), or call net.eval() first\n"
        f"  {CALLED}")


def test_unflatten_of_another_size():
    def call():
        nn.Unflatten(1, (1, 28, 28))(sl.zeros((5, 700)))

    assert message(ShapeError, call) == (
        "Unflatten(1, (1, 28, 28)) at net needs axis 1 to be 1 * 28 * 28 = 784, but x is (5, 700)\n"
        f"  {CALLED}")


def test_embedding_of_a_word_outside_the_table():
    def call():
        nn.Embedding(10, 3)(sl.tensor([[1, 2], [12, 10]]))

    assert message(OutOfRangeError, call) == (
        "Embedding(10 x 3) at net has the rows 0 to 9, but x[1, 0] is 12\n"
        "  2 of 4 indices are outside the table\n"
        "  build it with at least 13 rows\n"
        f"  {CALLED}")


def test_embedding_of_floats():
    def call():
        nn.Embedding(10, 3)(sl.zeros((2, 2)))

    assert message(DTypeError, call) == (
        "Embedding(10 x 3) at net needs integers, but x is float32\n"
        "  each index selects a row of the table\n"
        "  x.astype(slopes.int64)\n"
        f"  {CALLED}")


# Construction


@pytest.mark.parametrize("make, text", [
    (lambda: nn.Linear(-3, 2), "Linear: in_features must be a whole number of at least 1, not -3"),
    (lambda: nn.Linear(3, 2.5), "Linear: out_features must be a whole number of at least 1, not 2.5"),
    (lambda: nn.Conv2d(3, 4, 0), "Conv2d: kernel_size must be a whole number of at least 1, or one per axis, not 0"),
    (lambda: nn.Conv2d(3, 4, (3, 3, 3)),
     "Conv2d: kernel_size must be one number or 2 of them, not (3, 3, 3)\n  there are 2 spatial axes"),
    (lambda: nn.Dropout(1), "Dropout: p must be a number p with 0 <= p < 1, not 1"),
    (lambda: nn.Dropout(-0.1), "Dropout: p must be a number p with 0 <= p < 1, not -0.1"),
    (lambda: nn.Conv2d(6, 4, 3, groups=4), "Conv2d: groups=4 must divide both in_channels=6 and out_channels=4\n"
     "  each group takes an equal share of the channels\n  groups that fit: 1, 2"),
    (lambda: nn.Conv2d(6, 4, 3, stride=2, padding="same"), "Conv2d: padding='same' needs stride 1, not (2, 2)\n"
     "  with a larger stride the output is always shorter\n  pass integers, such as padding=kernel_size // 2"),
    (lambda: nn.MaxPool2d(2, padding=2), "MaxPool2d: padding=(2, 2) must be at most half of kernel_size=(2, 2)\n"
     "  otherwise a window could contain only padding, which has no maximum or mean"),
    (lambda: nn.loss_for("cauchy"), "loss_for: 'cauchy' is not a known distribution\n"
     "  choose categorical, bernoulli, gaussian, laplace"),
])
def test_wrong_arguments(make, text):
    assert message(ArgumentError, make) == f"{text}\n  at test_layer_messages.py:LINE"


# Losses


@pytest.mark.parametrize("labels, kind, text", [
    ([0, 1, 10, 12], OutOfRangeError, "cross_entropy: labels[2] is 10, but there are 10 classes, 0 to 9\n"
     "  2 of 4 labels are outside of them\n  give the last layer 13 outputs"),
    ([1, 2, 10, 5], OutOfRangeError, "cross_entropy: labels[2] is 10, but there are 10 classes, 0 to 9\n"
     "  1 of 4 labels is outside of them\n  classes are counted from 0: labels - 1"),
    ([1, -100, 3, 5], OutOfRangeError, "cross_entropy: labels[1] is -100, but there are 10 classes, 0 to 9\n"
     "  1 of 4 labels is outside of them\n  to ignore examples labelled -100, pass ignore_index=-100"),
    ([1.0, 2.0, 3.0, 5.0], DTypeError, "cross_entropy: labels are float32 of shape (4,), not integers\n"
     "  a label is the index of the correct class\n  labels.astype(slopes.int64)"),
    (np.full((4, 10), 0.5), OutOfRangeError, "cross_entropy: the labels are floats of the outputs' shape, but not class "
     "probabilities\n  one sum is 5; along axis 1 they must be at least 0 and sum to 1\n"
     "  for regression, use nn.mse_loss; for classes, pass integers of shape (N,)"),
    (np.eye(10)[:4, ::-1] * 2 - 0.1, OutOfRangeError, "cross_entropy: the labels are floats of the outputs' shape, but not class "
     "probabilities\n  one is -0.1; along axis 1 they must be at least 0 and sum to 1\n"
     "  for regression, use nn.mse_loss; for classes, pass integers of shape (N,)"),
    (np.eye(10, dtype=int)[:4], ShapeError, "cross_entropy: outputs have shape (4, 10), labels (4, 10)\n"
     "  labels have the shape of the outputs without the class axis (axis 1)\n"
     "  one row per label looks like one-hot: labels.argmax(axis=1)"),
    ([[1], [2], [3], [5]], ShapeError, "cross_entropy: outputs have shape (4, 10), labels (4, 1)\n"
     "  labels have the shape of the outputs without the class axis (axis 1)\n  labels.reshape(-1)"),
    ([1, 2, 3], ShapeError, "cross_entropy: outputs have shape (4, 10), labels (3,)\n"
     "  labels have the shape of the outputs without the class axis (axis 1)\n  labels of shape (4,) match these outputs"),
])
def test_wrong_labels(labels, kind, text):
    def call():
        nn.cross_entropy(sl.zeros((4, 10)), sl.tensor(labels))

    assert message(kind, call) == f"{text}\n  at test_layer_messages.py:LINE"


def test_labels_of_pictures_are_named_by_all_their_indices():
    def call():
        nn.cross_entropy(sl.zeros((2, 3, 4)), np.array([[0, 1, 2, 0], [0, 7, 0, 0]]))

    assert message(OutOfRangeError, call).startswith("cross_entropy: labels[1, 1] is 7, but there are 3 classes, 0 to 2\n")


def test_one_example_without_a_batch():
    def call():
        nn.cross_entropy(sl.zeros((10,)), sl.tensor(3))

    assert message(ShapeError, call) == (
        "cross_entropy: outputs have shape (10,), labels ()\n  outputs need an axis of examples and one of classes\n"
        "  for one example, outputs.reshape(1, -1)\n  at test_layer_messages.py:LINE")


def test_outputs_that_are_no_floats():
    def call():
        nn.cross_entropy(sl.tensor([[1, 2]]), sl.tensor([0]))

    assert message(DTypeError, call) == (
        "cross_entropy: the outputs are int64, not floats\n  outputs.astype(slopes.float32)\n  at test_layer_messages.py:LINE")


def test_weights_for_another_number_of_classes():
    def call():
        nn.cross_entropy(sl.zeros((2, 3)), sl.tensor([0, 1]), weight=sl.ones((4,)))

    assert message(ShapeError, call) == (
        "cross_entropy: weight has shape (4,), but there are 3 classes\n  pass one weight per class: shape (3,)\n"
        "  at test_layer_messages.py:LINE")


def test_regressions_broadcast_nothing():
    def call():
        nn.mse_loss(sl.zeros((32, 1)), sl.zeros((32,)))

    assert message(ShapeError, call) == (
        "mse_loss: outputs have shape (32, 1), but targets (32,)\n"
        "  each output is compared with its own target; nothing is broadcast\n  targets.reshape(-1, 1)\n"
        "  at test_layer_messages.py:LINE")


def test_initial_values_that_need_two_axes():
    def call():
        nn.init.xavier_uniform(nn.Linear(3, 2).bias)

    assert message(ShapeError, call) == (
        "init: a parameter of shape (2,) has no fan_in and fan_out\n  they come from its first two axes\n"
        "  use init.uniform, init.normal or init.constant for it\n  at test_layer_messages.py:LINE")
