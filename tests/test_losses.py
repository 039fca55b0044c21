"""Losses: published values, overflow, and which loss belongs to which distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest

import slopes as sl
from slopes import nn

SCORES = sl.tensor([[-2.85, 0.86, 0.28]])


def test_cross_entropy_of_uniform_logits_is_log_of_the_number_of_classes():
    for classes in (2, 10, 1000):
        loss = nn.cross_entropy(sl.zeros((3, classes)), sl.tensor([0, 1, 1]))
        assert math.isclose(float(loss), math.log(classes), rel_tol=1e-6)


@pytest.mark.parametrize("label, expected", [(0, 0.0), (1, 1e4)])
def test_cross_entropy_of_large_logits_does_not_overflow(label, expected):
    logits = sl.tensor([[1e4, 0.0]], requires_grad=True)
    loss = nn.cross_entropy(logits, sl.tensor([label]))
    loss.backward()
    assert float(loss) == expected
    assert logits.grad.numpy().tolist() == [[float(label), -float(label)]]


def test_the_published_scores_have_the_published_losses():
    assert math.isclose(float(nn.hinge_loss(SCORES, sl.tensor([2]))), 1.58, abs_tol=1e-6)
    assert math.isclose(float(nn.cross_entropy(SCORES, sl.tensor([2]))), 1.0401905694, rel_tol=1e-6)


def test_the_gradient_of_cross_entropy_is_softmax_minus_target():
    logits = sl.tensor(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32), requires_grad=True)
    labels = np.array([0, 2, 1, 1])
    nn.cross_entropy(logits, labels, reduction="sum").backward()
    expected = logits.softmax().detach().numpy() - np.eye(3, dtype=np.float32)[labels]
    assert np.allclose(logits.grad.numpy(), expected, atol=1e-6)


def test_log_likelihood_is_the_mirror_of_cross_entropy():
    logits, labels = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32), np.array([0, 2, 1, 1])
    for reduction in ("mean", "sum", "none"):
        ours, mirrored = nn.log_likelihood(logits, labels, reduction), nn.cross_entropy(logits, labels, reduction=reduction)
        assert np.array_equal(-ours.numpy(), mirrored.numpy())


def test_cross_entropy_and_nll_after_log_softmax_agree():
    logits = sl.tensor(np.random.default_rng(0).normal(size=(4, 3, 2)).astype(np.float32))
    labels = np.array([[0, 2], [1, 1], [2, 2], [0, 0]])
    assert np.array_equal(nn.nll_loss(nn.LogSoftmax(1)(logits), labels).numpy(), nn.cross_entropy(logits, labels).numpy())


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint8, np.uint16])
def test_labels_of_every_integer_type_are_taken(dtype):
    assert float(nn.cross_entropy(sl.zeros((2, 4)), np.array([3, 0], dtype))) == pytest.approx(math.log(4))


def test_ignored_examples_do_not_count():
    logits = sl.tensor(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32), requires_grad=True)
    loss = nn.cross_entropy(logits, np.array([0, -1, 2, -1]), ignore_index=-1)
    loss.backward()
    kept = nn.cross_entropy(logits.detach()[np.array([0, 2])], np.array([0, 2]))
    assert math.isclose(float(loss), float(kept), rel_tol=1e-6)
    assert (logits.grad[1] == 0).all() and (logits.grad[3] == 0).all() and (logits.grad[0] != 0).any()


def test_squared_and_mean_squared():
    x, t = sl.tensor([0.75136507, 0.77292847]), sl.tensor([0.01, 0.99])
    assert math.isclose(0.5 * float(nn.squared_loss(x, t)), 0.298371109, rel_tol=1e-6)
    assert math.isclose(float(nn.mse_loss(x, t)), 0.298371109, rel_tol=1e-6)


def test_binary_cross_entropy_of_large_logits_does_not_overflow():
    logits = sl.tensor([1e4, -1e4, 1e4, 0.0], requires_grad=True)
    losses = nn.binary_cross_entropy_with_logits(logits, sl.tensor([1.0, 0.0, 0.0, 1.0]), reduction="none")
    losses.sum().backward()
    assert np.allclose(losses.detach().numpy(), [0, 0, 1e4, math.log(2)])
    assert logits.grad.numpy().tolist() == [0, 0, 1, -0.5]


def test_kl_of_equal_distributions_is_0_and_of_others_positive():
    p, q = np.array([[0.2, 0.8, 0.0]], np.float32), np.array([[0.5, 0.25, 0.25]], np.float32)
    assert float(nn.kl_div(np.log(q), q, reduction="batchmean")) == 0
    expected = 0.2 * math.log(0.4) + 0.8 * math.log(3.2)
    assert math.isclose(float(nn.kl_div(np.log(q), p, reduction="batchmean")), expected, rel_tol=1e-6)


def test_huber_is_squared_near_0_and_straight_far_away():
    x = sl.tensor([0.5, -0.5, 3.0, -3.0, 1.0], requires_grad=True)
    losses = nn.huber_loss(x, sl.zeros((5,)), reduction="none")
    losses.sum().backward()
    assert losses.detach().numpy().tolist() == [0.125, 0.125, 2.5, 2.5, 0.5]
    assert x.grad.numpy().tolist() == [0.5, -0.5, 1, -1, 1]


def test_whole_number_targets_of_regressions_are_taken_as_floats():
    assert float(nn.mse_loss(sl.tensor([1.5, 2.0]), sl.tensor([1, 2]))) == 0.125


@pytest.mark.parametrize("distribution, loss", [
    ("categorical", nn.cross_entropy), ("bernoulli", nn.binary_cross_entropy_with_logits), ("gaussian", nn.mse_loss),
    ("laplace", nn.l1_loss)])
def test_the_loss_of_a_distribution_is_named_with_its_reason(distribution, loss):
    choice = nn.loss_for(distribution)
    assert choice.loss is loss
    assert distribution in str(choice) and loss.__name__ in str(choice) and "negative log likelihood" in choice.why


def test_the_loss_of_a_distribution_can_be_called():
    assert float(nn.loss_for("gaussian")(sl.ones((3,)), sl.zeros((3,)))) == 1
