"""What the curves of a run say: each remark from a training that earns it, and none from sound ones."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.train import advice
from slopes.train.history import Chance, Epoch, History, Run

STEPS = 2000
RNG = np.random.default_rng(0)


def run_of(losses, epochs=()):
    return Run(None, History(list(map(float, losses)), list(epochs)))


def epoch(number, loss, held_out, accuracy=0.9, held_out_accuracy=0.9):
    return Epoch(number, loss, {"accuracy": accuracy}, {"loss": held_out, "accuracy": held_out_accuracy}, 100, 10, 1.0)


def signs(run):
    return [each.sign for each in advice(run)]


def curve(rate, noise=0.3, floor=0.2, seed=0):
    """An exponential fall, with the noise of minibatches in proportion to the loss."""
    loss = floor + 2.0 * np.exp(-np.arange(STEPS) / STEPS * rate)
    return loss * (1 + noise * np.random.default_rng(seed).standard_normal(STEPS))


def test_sound_curves_earn_no_remark():
    said = [(rate, noise, seed, *signs(run_of(curve(rate, noise, seed=seed))))
            for rate in (4, 8, 20, 100) for noise in (0.0, 0.1, 0.4) for seed in range(40)]
    assert [each for each in said if len(each) > 3] == []


def test_a_straight_line_wants_a_higher_rate():
    for noise in (0.0, 0.1):
        found, = advice(run_of(curve(0.3, noise)))
        assert found.sign == "the loss falls linearly" and "raise the learning rate" in found.repair
        assert float(found.evidence.split("by ")[1].split(" ")[0]) > float(found.evidence.split("by ")[2].split(" ")[0])


def test_a_loss_that_hardly_falls_wants_another_rate():
    flat = [signs(run_of(2.3 + 0.3 * np.random.default_rng(seed).standard_normal(STEPS))) for seed in range(100)]
    assert flat == [["the loss hardly fell"]] * 100
    for sound in (1, 6):
        exploded = np.concatenate([np.full(sound, 2.3), np.full(100 - sound, 40.0), np.full(STEPS - 100, 2.4)])
        assert signs(run_of(exploded * RNG.uniform(0.9, 1.1, STEPS))) == ["the loss hardly fell"]


def test_a_loss_that_rises_wants_a_lower_rate():
    falling = curve(8)
    found, = advice(run_of(np.concatenate([falling[: STEPS // 2], falling[: STEPS // 2][::-1]])))
    assert found.sign == "the loss rose" and "lower the learning rate" in found.repair
    step = int(found.evidence.split("step ")[1].split(" ")[0].replace(",", ""))
    assert 850 <= step <= 1150 and found.evidence.endswith("at the end")
    assert str(found).startswith("the loss rose: from 0.") and ". Lower the learning rate" in str(found)


def test_a_jagged_loss_wants_a_lower_rate():
    waves = curve(8, 0.05) + 0.4 * (1 + np.sin(np.arange(STEPS) / STEPS * 40 + 2.41)) * (np.arange(STEPS) > STEPS // 10)
    found, = advice(run_of(waves))
    assert found.sign == "the loss oscillates" and "% of its movement" in found.evidence


@pytest.mark.parametrize("losses", [[], [1.0] * 59, [1.0] * 30 + [float("nan")] + [1.0] * 60])
def test_short_and_failed_runs_earn_no_remark(losses):
    assert advice(run_of(losses)) == []


def test_learning_by_heart_wants_regularization():
    held_out = [0.9, 0.7, 0.6, 0.62, 0.65, 0.7, 0.72, 0.8]
    found, = advice(run_of([], [epoch(n, 1 / (n + 1), each) for n, each in enumerate(held_out)]))
    assert found.sign == "the network overfits" and "from 0.6 in epoch 3 to 0.8" in found.evidence and "EarlyStopping" in found.repair
    assert advice(run_of([], [epoch(n, 1 - 0.01 * n, each) for n, each in enumerate(held_out)])) == []  # it does not overfit
    one_bad_epoch = [0.9, 0.7, 0.6, 0.61, 0.6, 0.62, 0.6, 0.8]
    assert advice(run_of([], [epoch(n, 1 / (n + 1), each) for n, each in enumerate(one_bad_epoch)])) == []


def test_a_gap_of_accuracy_wants_regularization():
    found, = advice(run_of([], [epoch(0, 1.0, 0.9), epoch(1, 0.1, 0.5, 0.99, 0.90)]))
    assert found.sign == "validation is far behind"
    assert found.evidence == "accuracy 99.00% in training, 90.00% on validation data"
    assert advice(run_of([], [epoch(0, 1.0, 0.9), epoch(1, 0.1, 0.5, 0.95, 0.93)])) == []


def scaled(factor, seed=0, labels=None, rate=0.1):
    found = sl.data.digits()
    sl.seed(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    part = Dataset(found.train.inputs * factor, found.train.targets if labels is None else labels(found.train.targets))
    return sl.fit(net, part, optimizer=optim.SGD(lr=rate), epochs=5, seed=seed, progress=False)


def test_a_net_that_answers_as_by_chance_is_told():
    found, = advice(scaled(255))
    assert found.sign == "the network predicts no better than chance" and "a constant prediction reaches 2.302 and 10.17%" in found.evidence
    assert "standardize the inputs" in found.repair
    assert "the network predicts no better than chance" not in signs(scaled(1))


def test_one_class_only_is_told():
    found = sl.data.digits().train
    with pytest.warns(UserWarning, match="targets are class 3"):
        run = sl.fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), found.subset(found.targets == 3), epochs=2, progress=False)
    assert signs(run) == ["there is only one class"]


def test_chance_is_the_entropy_and_the_commonest_class():
    chance = Chance(np.log(2), 0.5, 10_000)
    flat = list(np.full(100, 0.69) * RNG.uniform(0.99, 1.01, 100))
    jumped = [50.0, 20.0, *flat]  # so that the loss has fallen

    def told(loss, accuracy, losses=jumped, chance=chance):
        run = run_of(losses, [Epoch(0, loss, {"accuracy": accuracy}, {}, 10_000, 100, 1.0)])
        run.chance = chance
        return signs(run)

    assert told(0.70, 0.50) == told(0.692, 0.515) == ["the network predicts no better than chance"]
    assert told(0.70, 0.53) == told(0.68, 0.50) == told(0.70, 0.50, chance=None) == told(0.70, 0.50, losses=jumped[:40]) == []


def test_runs_without_validation_or_epochs_say_nothing_of_it():
    without = [Epoch(n, 1.0, {"accuracy": 1.0}, {}, 100, 10, 1.0) for n in range(3)]
    assert advice(run_of([], without)) == [] and advice(run_of([], [epoch(0, 1.0, 2.0)])) == []


def digits(rate, seed=0, examples=None, epochs=8):
    found = sl.data.digits()
    sl.seed(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    part = Dataset(found.train.inputs[:examples], found.train.targets[:examples])
    return sl.fit(net, part, optimizer=optim.SGD(lr=rate, momentum=0.9), epochs=epochs, batch_size=32,
                  validation=found.validation, seed=seed, progress=False)


def test_trainings_on_digits():
    assert [signs(digits(0.05, seed)) for seed in range(5)] == [[]] * 5
    assert signs(digits(3e-4)) == ["the loss falls linearly"]
    assert signs(digits(1.5)) in (["the loss hardly fell"], ["the loss rose"])  # it explodes: the last digits decide how it ends
    assert "validation is far behind" in signs(digits(0.05, examples=100, epochs=60))
