"""The learning-rate range test: it finds a rate that works, ends in time, and leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim, random, text
from slopes.data import Dataset
from slopes.errors import ArgumentError
from slopes.zoo.language import LanguageModel


def heaps(examples=90):
    random = np.random.default_rng(0)
    labels = np.arange(examples) % 3
    return Dataset((np.eye(3)[labels] * 2 + random.standard_normal((examples, 3))).astype(np.float32), labels)


def network(seed=0):
    sl.seed(seed)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))


def searched(net=None, optimizer=None, **given):
    given = {"batch_size": 16, "steps": 60, "lowest": 1e-5, "highest": 100.0} | given
    return sl.train.range_test(network() if net is None else net, heaps(), optimizer=optimizer or optim.SGD(), **given)


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam])
@pytest.mark.parametrize("seed", range(6))
def test_the_suggested_rate_trains_whatever_the_seed(optimizer, seed):
    test = searched(network(seed), optimizer(), seed=seed)
    assert 1e-2 < test.suggestion < test.highest < 100
    run = sl.fit(network(seed), heaps(), optimizer=optimizer(lr=test.suggestion), epochs=20, batch_size=16, seed=seed, progress=False)
    assert np.mean(run.losses[-6:]) < 0.6 * run.losses[0]


def test_it_ends_when_the_loss_explodes():
    found = searched(nn.Linear(3, 3), highest=1e6, steps=80)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 80 and np.isfinite(found.losses).all()


@pytest.mark.parametrize("bound", [True, False])
def test_net_optimizer_gradients_modes_and_random_numbers_are_what_they_were(bound):
    net = network()
    optimizer = optim.Adam(net if bound else None, lr=0.01)
    if bound:
        nn.cross_entropy(net(heaps().inputs), heaps().targets).backward()
        optimizer.step()
    net[3].eval()
    state, before = optimizer.state_dict(), net.state_dict()
    gradients = [each.grad for each in net.parameters()]
    modes, draws = [module.training for _, module in net.named_modules()], int(random.default.counter)
    searched(net, optimizer)
    assert all(array.tobytes() == net.state_dict()[name].tobytes() for name, array in before.items())
    assert all(array.tobytes() == optimizer.state_dict()[name].tobytes() for name, array in state.items())
    assert len(optimizer.parameters) == (6 if bound else 0)
    assert all(each.grad is gradient for each, gradient in zip(net.parameters(), gradients))
    assert [module.training for _, module in net.named_modules()] == modes and int(random.default.counter) == draws


def test_the_training_after_it_is_that_without_it():
    def trained(test):
        net, optimizer = network(), optim.SGD(lr=0.05, momentum=0.9)
        if test:
            searched(net, optimizer)
        return sl.fit(net, heaps(), optimizer=optimizer, batch_size=16, progress=False).losses

    assert trained(True) == trained(False)


def test_it_draws_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    found = searched()
    found.plot(tmp_path / "rates.png")
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
    assert "falls fastest" in found.plot()._repr_svg_() or len(found.plot()._repr_svg_()) > 5000


@pytest.mark.parametrize("given, text", [
    ({"lowest": 1.0, "highest": 0.1}, "range_test: it should go up from lowest=1 to highest=0.1\n  give a lowest rate that is too small"),
    ({"lowest": 0}, "range_test: lowest must be a finite number greater than 0, not 0"),
    ({"steps": 0}, "range_test: steps must be a whole number of at least 1, not 0"),
    ({"batch_size": 0}, "batch_size is 0"),
    ({"net": "mlp"}, "net is 'mlp', not a module")])
def test_what_it_cannot_use_is_refused_in_words(given, text):
    with pytest.raises(ArgumentError) as error:
        searched(**given)
    assert str(error.value).startswith(text)


def test_a_loss_that_is_never_finite_says_so_and_leaves_the_net_alone():
    net = network()
    before = net.state_dict()
    with pytest.raises(ArgumentError, match="range_test: the loss was not finite at the lowest rate, 1e-05"):
        sl.train.range_test(net, heaps(), loss=lambda outputs, targets: sl.log(outputs.sum() * 0 - 1), lowest=1e-5, batch_size=16)
    assert all(array.tobytes() == net.state_dict()[name].tobytes() for name, array in before.items())


def test_its_steps_are_those_of_the_training_with_all_its_settings():
    def double(inputs, targets):
        return inputs * 2, targets

    def losses(**settings):
        return searched(steps=6, lowest=1e-9, highest=2e-9, **settings).losses

    plain = losses()
    assert not np.array_equal(losses(augment=double), plain)
    spec = {"augment": double, "clip": 0.5, "accumulate": 2, "penalty": lambda net: 1e-3 * nn.l2_penalty(net), "constrain": 3.0}
    training = sl.Training(network(), heaps(), optimizer=optim.SGD(lr=1.0), batch_size=16, schedule=lambda step, steps: 1e-9, **spec)
    np.testing.assert_allclose(losses(**spec), training.advance(6)["loss"], rtol=1e-6)


def test_it_takes_loaders():
    net, tokens = LanguageModel(4, 5, 6), np.tile([1, 2, 0, 3], 30)
    before = net.state_dict()
    test = sl.train.range_test(net, text.Streams(tokens, 5), lowest=1e-4, highest=10.0, batch_size=2, steps=40)
    assert 1e-4 < test.suggestion <= test.highest
    assert all(np.array_equal(array, net.state_dict()[name]) for name, array in before.items())
