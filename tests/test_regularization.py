"""Regularization: penalties have their formulas' values and slopes, limits hold, training stops in time, ensembles answer together."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError, ShapeError
from slopes.train import EarlyStopping, Snapshots


def noisy(examples: int = 40, seed: int = 0) -> Dataset:
    """Points in 20 dimensions of which two decide, with a fifth of the labels wrong: easily learned by heart."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(examples, 20))
    return Dataset(x, (x[:, 0] + x[:, 1] > 0) ^ (random.random(examples) < 0.2))


def wide(seed: int = 0) -> nn.Module:
    sl.seed(seed)
    return nn.Sequential(nn.Linear(20, 40), nn.Tanh(), nn.Linear(40, 2))


def fitted(net=None, **given):
    given = {"optimizer": optim.SGD(lr=0.1), "epochs": 3, "batch_size": 8, "progress": False} | given
    return sl.fit(wide() if net is None else net, noisy(), **given)


# Penalties


def test_penalties_of_a_net_count_its_weights_and_not_its_biases():
    net = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    weight = net[0].weight.detach().numpy()
    assert nn.l1_penalty(net).item() == pytest.approx(np.abs(weight).sum(), rel=1e-6)
    assert nn.l2_penalty(net).item() == pytest.approx((weight ** 2).sum(), rel=1e-6)
    assert nn.l2_penalty(net[0].bias).item() == pytest.approx((net[0].bias.detach().numpy() ** 2).sum(), rel=1e-6)
    with pytest.raises(ArgumentError, match="l1_penalty: there are no weights to sum"):
        nn.l1_penalty(nn.ReLU())


def test_the_penalty_of_squares_is_not_the_weight_decay_of_sgd():
    net = nn.Linear(20, 2, bias=False)
    start = net.state_dict()
    fitted(net, penalty=lambda net: 0.05 * nn.l2_penalty(net))
    penalized = net.state_dict()
    net.load_state_dict(start)
    fitted(net, optimizer=optim.SGD(lr=0.1, weight_decay=0.1))
    np.testing.assert_allclose(penalized["weight"], net.state_dict()["weight"], rtol=1e-5, atol=1e-6)


def test_the_penalty_of_sizes_leaves_few_weights_that_matter():
    net = wide()
    fitted(net, epochs=60, penalty=lambda net: 0.02 * nn.l1_penalty(net))
    plain = wide()
    fitted(plain, epochs=60)
    small = [np.mean(np.abs(each[0].weight.detach().numpy()) < 0.02) for each in (net, plain)]
    assert small[0] > 0.8 and small[1] < 0.3


def test_a_penalty_is_no_part_of_the_reported_loss_and_accumulates():
    first = fitted(penalty=lambda net: sl.asarray(100.0) + 0 * nn.l2_penalty(net)).losses
    assert first == pytest.approx(fitted().losses, rel=1e-5)
    whole, parts = wide(), wide()
    for net, count in ((whole, 1), (parts, 2)):
        fitted(net, penalty=lambda net: 0.1 * nn.l2_penalty(net), accumulate=count)
    np.testing.assert_allclose(whole[0].weight.detach().numpy(), parts[0].weight.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_sparsity_follows_its_formula_and_its_slope():
    active = np.random.default_rng(0).uniform(0.01, 0.9, (7, 5))
    q = active.mean(axis=0)
    wanted = (0.1 * np.log(0.1 / q) + 0.9 * np.log(0.9 / (1 - q))).sum()
    assert nn.kl_sparsity(active, 0.1).item() == pytest.approx(wanted, rel=1e-12)
    slope = sl.grad(lambda a: nn.kl_sparsity(a, 0.1))(sl.tensor(active)).numpy()
    np.testing.assert_allclose(slope, np.broadcast_to((-0.1 / q + 0.9 / (1 - q)) / 7, (7, 5)), rtol=1e-9)
    assert np.isfinite(nn.kl_sparsity(np.zeros((3, 2))).item())
    with pytest.raises(ArgumentError, match="target must be a number between 0 and 1, not 0"):
        nn.kl_sparsity(active, 0)


@pytest.mark.parametrize("wrap", [lambda f: f, sl.compile], ids=["eager", "compiled"])
def test_the_contractive_penalty_of_a_sigmoid_layer_is_not_rifai_s_formula(wrap):
    layer = nn.Sequential(nn.Linear(6, 4), nn.Sigmoid())
    x = sl.tensor(np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32))
    h, weight = layer(x).detach().numpy(), layer[0].weight.detach().numpy()
    wanted = (((h * (1 - h)) ** 2) @ (weight ** 2).sum(axis=1)).mean()
    assert wrap(lambda x: nn.contractive_penalty(layer, x))(x).item() == pytest.approx(wanted, rel=1e-4)
    guess = np.mean([nn.contractive_penalty(layer, x, draws=50).item() for _ in range(10)])
    assert guess == pytest.approx(wanted, rel=0.1)


def test_the_contractive_penalty_has_a_gradient():
    W = np.random.default_rng(1).normal(size=(3, 2))
    x = sl.tensor(np.random.default_rng(2).normal(size=(4, 3)))
    sl.check_grads(lambda W: nn.contractive_penalty(lambda x: sl.tanh(x @ W), x), W)
    with pytest.raises(ShapeError, match="the code has shape"):
        nn.contractive_penalty(lambda x: x.sum(axis=1), x)


# Limits


def test_no_unit_s_weights_are_longer_than_the_limit():
    net = wide()
    fitted(net, epochs=20, optimizer=optim.SGD(lr=0.5), constrain=0.7)
    for layer in (net[0], net[2]):
        norms = np.linalg.norm(layer.weight.detach().numpy(), axis=1)
        assert norms.max() <= 0.7 * (1 + 1e-5) and norms.max() > 0.69
    with pytest.raises(ArgumentError, match="constrain is -1"):
        fitted(constrain=-1)
    with pytest.raises(ArgumentError, match=r"penalty is 0\.1, not a function of the net"):
        fitted(penalty=0.1)


def test_limiting_leaves_short_weights_and_zeros_as_they_are():
    weight = sl.Parameter(np.array([[0.0, 0.0], [0.1, 0.2], [3.0, 4.0]], np.float32))
    optim.limit_norm([weight], 0.5)
    assert weight.numpy()[:2].tolist() == np.array([[0, 0], [0.1, 0.2]], np.float32).tolist()
    assert np.linalg.norm(weight.numpy()[2]) == pytest.approx(0.5)


# Early stopping


def test_training_stops_when_validation_no_longer_gains_and_the_best_weights_come_back():
    stop, net, held_out = EarlyStopping(patience=4), wide(), noisy(200, seed=1)
    run = fitted(net, epochs=300, optimizer=optim.Adam(lr=0.01), validation=held_out, callbacks=[stop])
    figures = [each.validation["loss"] for each in run.epochs]
    assert stop.stopped and len(figures) == stop.epoch + 5 and stop.best == min(figures) == figures[stop.epoch]
    assert sl.evaluate(net, held_out)["loss"] == pytest.approx(stop.best, rel=1e-6)


def test_the_best_weights_come_back_after_the_last_epoch_too():
    stop, net, held_out = EarlyStopping(patience=1000), wide(), noisy(200, seed=1)
    run = fitted(net, epochs=40, optimizer=optim.Adam(lr=0.01), validation=held_out, callbacks=[stop])
    assert len(run.epochs) == 40 and not stop.stopped and stop.epoch < 39
    assert sl.evaluate(net, held_out)["loss"] == pytest.approx(stop.best, rel=1e-6)
    again = fitted(net, epochs=1, validation=held_out, callbacks=[stop])
    assert stop.epoch == 0 and stop.best == again.epochs[0].validation["loss"]


def test_of_an_accuracy_more_is_better_and_a_missing_figure_is_named():
    stop = EarlyStopping(patience=3, metric="accuracy", restore=False)
    run = fitted(epochs=30, validation=noisy(100, seed=1), callbacks=[stop])
    assert stop.best == max(each.validation["accuracy"] for each in run.epochs)
    with pytest.raises(ArgumentError, match="no validation figure 'loss'"):
        fitted(callbacks=[EarlyStopping()])
    with pytest.raises(ArgumentError, match="no validation figure 'auc'"):
        fitted(callbacks=[EarlyStopping(metric="auc")], validation=noisy())


# Ensembles


def test_an_ensemble_means_probabilities():
    nets, x = [wide(i) for i in range(3)], sl.tensor(noisy().inputs)
    means = np.mean([sl.softmax(net(x)).detach().numpy() for net in nets], axis=0)
    np.testing.assert_allclose(nn.Ensemble(*nets)(x).exp().detach().numpy(), means, rtol=1e-5)
    result = sl.evaluate(nn.Ensemble(*nets), noisy())
    assert result["loss"] == pytest.approx(-np.log(means[np.arange(40), noisy().targets]).mean(), rel=1e-5)


def test_snapshots_are_taken_where_the_rate_is_lowest():
    shots, net = Snapshots(count=2), wide()
    factors = [shots.schedule(step, 10) for step in range(10)]
    assert factors[0] == factors[5] == 1 and factors[4] == factors[9] == min(factors) < 0.1
    with pytest.raises(ArgumentError, match="there is no snapshot yet"):
        shots.ensemble()
    fitted(net, epochs=4, schedule=shots.schedule, callbacks=[shots])
    both = shots.ensemble()
    assert len(both.nets) == 2 and all(each is not net for each in both.nets)
    assert not np.array_equal(both.nets[0][0].weight.numpy(), both.nets[1][0].weight.numpy())
    assert np.array_equal(both.nets[1][0].weight.numpy(), net[0].weight.numpy())
