"""The Training object: steps, events, the rate, and above all that an interrupted training goes on with the same bits."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from resumed import CASES, HELD_OUT, POINTS, dense, final_state, make

import slopes as sl
from slopes import files, nn, optim
from slopes.errors import ArgumentError, NonFiniteError, StateError
from slopes.optim import schedules
from slopes.train import Callback, Metric, OnEpoch, TrainSpec
from slopes.train.progress import CallbackReporter
from slopes.train.training import Position


def same_state(one, other):
    """Whether two states have the same names and bits."""
    return one.keys() == other.keys() and all(np.asarray(one[name]).tobytes() == np.asarray(other[name]).tobytes() for name in one)


def small(**settings):
    """A small training."""
    sl.seed(0)
    return sl.Training(nn.Linear(6, 3), POINTS, **{"epochs": 3, "batch_size": 8, "optimizer": optim.SGD(lr=0.1)} | settings)


# The same bits


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """For each case: its end without interruption, and for steps k its end in another process that began with the state after k.

    Every step of the training with everything, every third one of the others.
    """
    folder = tmp_path_factory.mktemp("states")
    whole = {name: final_state(make(name)) for name in CASES}
    for name in CASES:
        training, step = make(name), 0
        while not training.ended:
            step += training.advance(1).steps
            if not training.ended and (name == "everything" or step % 3 == 1):
                files.save_safetensors(folder / f"{name}.{step:02}.safetensors", training.named_state())
    command = [sys.executable, str(Path(__file__).parent / "resumed.py"), str(folder)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
    return whole, folder


@pytest.mark.parametrize("name", CASES)
def test_a_training_that_is_interrupted_after_a_step_has_the_same_bits_in_another_process(ends, name):
    whole, folder = ends
    paths = sorted(folder.glob(f"{name}.*.end.safetensors"))
    steps = len(whole[name]["history.losses"])
    assert len(paths) >= (steps - 1 if name == "everything" else steps // 3) and steps >= 6
    for path in paths:
        resumed = files.load_safetensors(path)
        different = [key for key in whole[name] if np.asarray(whole[name][key]).tobytes() != resumed.get(key, np.zeros(0)).tobytes()]
        assert not different and resumed.keys() == whole[name].keys(), path.name


@pytest.mark.parametrize("name", ["mlp", "lstm"])
def test_the_division_into_chunks_changes_no_bit(name):
    whole = final_state(make(name))
    for sizes in ((2, 3), (5, 1)):
        training = make(name)
        for i in range(100):
            if training.ended:
                break
            training.advance(sizes[i % 2])
        assert same_state(final_state(training), whole)


def test_the_training_that_is_interrupted_with_everything_stops_early():
    training = make("everything")
    training.run()
    whole = training.callbacks[0]
    assert whole.stopped and whole.epoch < len(training.history.epochs) - 1


def test_a_state_is_also_that_between_the_last_step_of_an_epoch_and_its_validation():
    training = make("mlp")
    for event in training:
        if event.kind == "chunk" and training.position.step == training.steps_per_epoch:
            break
    assert training.position == Position(0, 3) and not training.history.epochs
    state, again = training.named_state(), make("mlp")
    again.load_named_state(state)
    assert same_state(final_state(again), final_state(make("mlp")))


def test_a_training_goes_back_to_an_earlier_state_of_its_own():
    training = make("lstm")
    training.advance(3)
    state = training.named_state()
    first = final_state(training)
    training.load_named_state(state)
    assert training.position == Position(0, 3) and not training.ended
    assert same_state(final_state(training), first)


def test_fit_is_a_training_run_to_its_end():
    training = small(validation=HELD_OUT)
    result = training.run()
    sl.seed(0)
    run = sl.fit(nn.Linear(6, 3), POINTS, epochs=3, batch_size=8, optimizer=optim.SGD(lr=0.1), validation=HELD_OUT, progress=False)
    assert result.losses == run.losses and [each.validation for each in result.epochs] == [each.validation for each in run.epochs]


# Steps and events


def test_advance_does_as_many_steps_as_asked_for_over_the_ends_of_epochs():
    training = small(validation=HELD_OUT)
    chunk = training.advance(5)
    assert chunk.steps == 5 and training.position == Position(1, 2) and len(training.history.epochs) == 1
    assert chunk["loss"].tolist() == training.history.losses and chunk.counts.tolist() == [8, 8, 7, 8, 8]
    assert training.advance(100).steps == 4 and training.ended
    with pytest.raises(ArgumentError, match=r"(?s)the training has ended after 9 steps.*more epochs"):
        training.advance()


def test_one_call_stays_within_an_epoch():
    training = small()
    while not training.ended:
        before = training.position
        chunk = training.advance()
        assert 1 <= chunk.steps <= 3 - before.step


def test_a_chunk_gives_loss_and_metrics_by_name():
    training = small(metrics=("accuracy", lambda outputs, targets: (outputs ** 2).sum(axis=1)))
    chunk = training.advance(3)
    means = training.history.epochs[0]
    assert chunk.names == ["loss", "accuracy", "<lambda>"]
    assert np.average(chunk["accuracy"], weights=chunk.counts) == pytest.approx(means.metrics["accuracy"])
    assert np.average(chunk["<lambda>"], weights=chunk.counts) == pytest.approx(means.metrics["<lambda>"])
    with pytest.raises(ArgumentError, match=r"(?s)no value 'auc'.*loss, accuracy"):
        chunk["auc"]


class Seen(Callback):
    """Writes down what happens."""

    def __init__(self):
        self.events = []

    def begin(self, training):
        self.events.append("begin")

    def chunk_done(self, training, chunk):
        self.events.append(("chunk", chunk.steps))

    def epoch_done(self, training):
        self.events.append(("epoch", len(training.history.epochs)))

    def end(self, training):
        self.events.append(("end", type(training.error)))


def test_events_come_in_order_to_loops_and_to_callbacks():
    seen = Seen()
    training = small(epochs=2, callbacks=[seen])
    kinds = [event.kind for event in training]
    assert kinds[0] == "begin" and kinds[-1] == "end" and kinds.count("epoch") == 2 and kinds.index("epoch") > kinds.index("chunk")
    assert [each if isinstance(each, str) else each[0] for each in seen.events] == kinds
    assert sum(each[1] for each in seen.events if each[0] == "chunk") == 6 and seen.events[-1] == ("end", type(None))


def test_a_training_of_no_epochs_begins_and_ends():
    assert [event.kind for event in small(epochs=0)] == ["begin", "end"]


def test_a_callback_stops_a_training_within_an_epoch():
    class After(Seen):
        def chunk_done(self, training, chunk):
            training.stop()

    training = small(callbacks=[After()])
    run = training.run()
    assert training.ended and run.history.steps < 3 and not run.epochs and not run.interrupted


def test_an_error_of_a_callback_ends_the_training_and_is_told():
    seen = Seen()

    def fail(training):
        raise ZeroDivisionError

    training = small(callbacks=[seen, OnEpoch(fail)])
    with pytest.raises(ZeroDivisionError):
        training.advance(3)
    assert seen.events[-1] == ("end", ZeroDivisionError) and training.ended


def test_ctrl_c_in_a_step_is_raised_after_it_and_the_training_goes_on():
    class Once(Callback):
        def chunk_done(self, training, chunk):
            if chunk.first == 0:
                signal.raise_signal(signal.SIGINT)

    training = small(callbacks=[Once()])
    with pytest.raises(KeyboardInterrupt):
        training.advance(1)
    assert training.position == Position(0, 1) and training.run().losses == small().run().losses


def test_between_two_calls_the_net_is_one_in_use_and_random_numbers_are_the_caller_s():
    sl.seed(5)
    expected = float(sl.uniform())
    sl.seed(0)
    training = sl.Training(dense(), POINTS, epochs=2, batch_size=8)
    training.advance(2)
    assert not any(module.training for _, module in training.net.named_modules())
    x = sl.tensor(POINTS.inputs)
    assert np.array_equal(training.net(x).numpy(), training.net(x).numpy())
    sl.seed(5)
    training.advance(2)
    assert float(sl.uniform()) == expected


def test_a_compiled_net_is_in_use_between_steps_and_only_there():
    training = make("mlp")
    use, x = sl.compile(lambda x: training.net(x)), sl.tensor(POINTS.inputs)
    use(x)
    for _ in range(3):
        training.advance(2)
        np.testing.assert_allclose(use(x).numpy(), training.net(x).numpy(), rtol=1e-5, atol=1e-6)


# The rate


def test_the_rate_can_be_read_and_set_without_a_schedule():
    training, other = small(), small()
    training.advance(4)
    training.rate = 0.01
    assert training.rate == 0.01 and float(training.optimizer.lr) == 0.01
    training.advance(1)
    other.advance(4)
    other.optimizer.lr = 0.01
    other.advance(1)
    assert same_state(training.net.state_dict(), other.net.state_dict())


def test_a_rate_that_is_set_under_a_schedule_scales_the_rest_of_it():
    training = small(schedule="linear")
    rates = []
    for i in range(9):
        if i == 3:
            training.rate = 0.3
        rates.append(training.rate)
        training.advance(1)
    linear = np.linspace(1, 1 / 9, 9)
    np.testing.assert_allclose(rates[:3], 0.1 * linear[:3])
    np.testing.assert_allclose(rates[3:], 0.3 * linear[3:] / linear[3])
    assert float(training.optimizer.lr) == training.base_rate == pytest.approx(0.3 / linear[3])


def test_a_rate_of_a_step_whose_factor_is_zero_is_refused():
    training = small(schedule=lambda step, steps: step / steps)
    assert training.rate == 0
    with pytest.raises(ArgumentError, match=r"(?s)factor of the next step is 0.*base_rate"):
        training.rate = 0.1
    with pytest.raises(ArgumentError, match="rate must be"):
        training.rate = -1


def test_a_rate_that_is_set_is_part_of_the_state():
    training = small(schedule=schedules.Step(step_size=2))
    training.advance(2)
    training.rate = 0.5
    again = small(schedule=schedules.Step(step_size=2))
    again.load_named_state(training.named_state())
    assert again.rate == training.rate == 0.5 and again.run().losses == training.run().losses


def test_steps_are_repeated_with_the_rates_that_they_had():
    def loss(outputs, targets):
        return nn.cross_entropy(outputs, targets) + sl.log(1.05 - (outputs ** 2).mean() * 0)

    training = small(loss=loss, optimizer=optim.SGD(lr=0.1), epochs=40)
    training.advance(4)
    training.rate = 1e30
    kept = training.net.state_dict()
    with pytest.raises(NonFiniteError):
        training.run()
    assert same_state(training.net.state_dict(), kept)


# States that do not fit


@pytest.mark.parametrize("settings, text", [
    ({"batch_size": 7}, "(?s)the state is of another training: batch_size is 7 here, 8 there, steps_per_epoch is 4 here, 3 there"),
    ({"seed": 5}, "seed is 5 here, 0 there"),
    ({"optimizer": optim.Adam(lr=0.1)}, "(?s)does not match this training.*missing: optimizer.weight.exp_avg .*the same net, optimizer, "),
    ({"callbacks": [sl.train.EarlyStopping()]}, "missing: callbacks.0.best"),
    ({"average": optim.Average()}, "missing: average.decay")])
def test_a_state_of_another_training_is_refused_and_changes_nothing(settings, text):
    state = small().named_state()
    training = small(**settings)
    before = training.named_state()
    with pytest.raises(StateError) as caught:
        training.load_named_state(state)
    assert re.search(text, str(caught.value))
    assert same_state(training.named_state(), before)


def test_a_state_of_another_net_or_kind_is_refused():
    state = small().named_state()
    sl.seed(0)
    other = sl.Training(nn.Linear(6, 4), POINTS, epochs=3, batch_size=8, optimizer=optim.SGD(lr=0.1))
    with pytest.raises(StateError, match=r"unfit: net\.weight is float32"):
        other.load_named_state(state)
    with pytest.raises(StateError, match="a state of type str instead of arrays by name"):
        other.load_named_state("state.safetensors")
    with pytest.raises(StateError, match=r"unknown: net\.more"):
        small().load_named_state(state | {"net.more": np.zeros(2)})


def test_more_epochs_go_on_where_fewer_ended():
    short, long = small(epochs=2), small(epochs=5)
    short.run()
    long.load_named_state(short.named_state())
    assert long.run().losses == small(epochs=5).run().losses


# Settings


def test_settings_are_a_value_and_can_be_varied():
    spec = TrainSpec(epochs=2, batch_size=8, optimizer=optim.SGD(lr=0.1))
    sl.seed(0)
    training = sl.Training(nn.Linear(6, 3), POINTS, spec, epochs=3)
    assert training.spec.epochs == 3 and spec.epochs == 2 and training.run().losses == small().run().losses
    with pytest.raises(AttributeError):
        spec.epochs = 4
    with pytest.raises(TypeError):
        TrainSpec(nn.mse_loss)


def test_a_loader_that_gives_fewer_batches_than_it_says_is_refused():
    class Short(sl.data.Loader):
        def steps(self, batch_size):
            return 3

        def size(self, batch_size):
            return 6

        def batches(self, batch_size, seed=None, epoch=0, start=0):
            return iter([sl.data.Batch(np.ones((2, 6), np.float32), np.array([0, 1]))] * 2)

    with pytest.raises(ArgumentError, match=r"(?s)gave 2 batches in epoch 1, but its steps\(64\) is 3"):
        sl.fit(nn.Linear(6, 3), Short(), progress=False)


# Metrics


def far(outputs, targets):
    return (outputs ** 2).sum(axis=1)


def test_a_metric_says_how_it_is_written_and_which_way_is_better():
    distance = Metric("distance", far, lower_is_better=True)
    share = Metric("near", lambda outputs, targets: far(outputs, targets) < 1, format=".1%")
    stop = sl.train.EarlyStopping(patience=9, metric="distance", restore=False)
    lines = []
    sl.seed(0)
    run = sl.fit(nn.Linear(6, 3), POINTS, metrics=[distance, share, "accuracy"], validation=HELD_OUT, epochs=3, callbacks=[stop],
                 progress=CallbackReporter(lines.append))
    assert stop.best == min(epoch.validation["distance"] for epoch in run.epochs)
    last = run.epochs[-1]
    assert f"distance {last.metrics['distance']:.4g}  near {last.metrics['near']:.1%}  accuracy {last.metrics['accuracy']:.2%}" in lines[-1]
    assert run.metric("loss").lower_is_better and run.metric("absolute_error").lower_is_better and not run.metric("near").lower_is_better
    with pytest.raises(ArgumentError, match="the metric 'auc' has no function"):
        small(metrics=[Metric("auc")]).advance(1)
