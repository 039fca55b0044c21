"""fit and evaluate: results, reproducibility, odd batch sizes, interruption, failure, and what they refuse."""

from __future__ import annotations

import contextlib
import io
import signal
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.data.loaders.order import order
from slopes.errors import ArgumentError, NonFiniteError, OutOfRangeError, ShapeError
from slopes.train import OnEpoch, TrainSpec, runner
from slopes.train.estimate import Estimate, memory_of
from slopes.train.history import Epoch, History
from slopes.train.interrupt import Interrupts
from slopes.train.progress import Lines, Live, choose_reporter
from slopes.train.training import Position


def blobs(examples: int = 90, classes: int = 3, seed: int = 0) -> Dataset:
    """Well-separated heaps of points in the plane."""
    random = np.random.default_rng(seed)
    labels = np.arange(examples) % classes
    centres = np.array([[np.cos(a), np.sin(a)] for a in 2 * np.pi * np.arange(classes) / classes]) * 3
    return Dataset(centres[labels] + random.normal(size=(examples, 2)), labels, [str(i) for i in range(classes)])


def small_net(seed: int = 0, dropout: float = 0.0) -> nn.Module:
    sl.seed(seed)
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 3))


def fitted(net: nn.Module | None = None, data: Dataset | None = None, **given) -> sl.train.history.Run:
    given = {"optimizer": optim.Adam(lr=0.01), "epochs": 2, "batch_size": 16, "progress": False} | given
    return sl.fit(small_net() if net is None else net, blobs() if data is None else data, **given)


def same(one: nn.Module, other: nn.Module) -> bool:
    """Whether two nets hold the same bits."""
    first, second = one.state_dict(), other.state_dict()
    return all(first[name].tobytes() == second[name].tobytes() for name in first)


def test_fit_learns_heaps_of_points_and_says_so():
    run = fitted(epochs=40, validation=blobs(seed=1))
    assert run.epochs[-1].metrics["accuracy"] > 0.95
    assert run.epochs[-1].validation["accuracy"] > 0.9
    assert run.losses[-1] < run.losses[0] / 3
    assert len(run.epochs) == 40 and [each.epoch for each in run.epochs] == list(range(40))


def test_a_seed_gives_one_result_and_another_seed_another():
    nets = [fitted(small_net(dropout=0.5), seed=seed).net for seed in (3, 3, 4)]
    assert same(nets[0], nets[1])
    assert not same(nets[0], nets[2])


def test_the_default_random_numbers_go_on_as_if_there_had_been_no_training():
    net = small_net(dropout=0.5)
    sl.seed(5)
    expected = sl.uniform(4).numpy()
    sl.seed(5)
    fitted(net, validation=blobs(20), augment=lambda x, y: (x + sl.normal(x.shape), y))
    sl.train.range_test(net, blobs(), steps=10)
    assert np.array_equal(sl.uniform(4).numpy(), expected)


def test_what_a_caller_draws_after_an_epoch_is_drawn_by_the_default_and_changes_no_training():
    sl.seed(9)
    expected, seen = [float(sl.uniform()) for _ in range(2)], []
    alone = fitted(small_net(dropout=0.5))
    net = small_net(dropout=0.5)
    sl.seed(9)
    watched = fitted(net, callbacks=[OnEpoch(lambda training: seen.append(float(sl.uniform())))])
    assert seen == expected and same(alone.net, watched.net)


def test_trainings_in_several_threads_do_not_share_random_numbers():
    alone = fitted(small_net(dropout=0.5), epochs=6)
    nets = [small_net(dropout=0.5) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        assert all(same(each.net, alone.net) for each in pool.map(lambda net: fitted(net, epochs=6), nets))


class Sampled(nn.Module):
    """Draws in use, too."""

    def __init__(self):
        self.layer = small_net(dropout=0.3)

    def forward(self, x):
        return self.layer(x + sl.normal(x.shape))


def test_validation_that_draws_changes_nothing_and_is_the_same_each_time():
    sl.seed(0)
    without, held = fitted(Sampled(), epochs=3), fitted(Sampled(), epochs=3, validation=blobs(31))
    assert same(without.net, held.net)
    still = fitted(Sampled(), epochs=3, validation=blobs(31), optimizer=optim.SGD(lr=0.0))
    assert len({each.validation["loss"] for each in still.epochs}) == 1


def test_the_length_of_native_calls_does_not_change_a_bit(monkeypatch):
    long = fitted(small_net(dropout=0.3), epochs=3)
    monkeypatch.setattr(runner, "CALL_SECONDS", 0.0)
    short = fitted(small_net(dropout=0.3), epochs=3)
    assert same(long.net, short.net) and long.losses == short.losses


@pytest.mark.parametrize("batch_size, steps", [(1, 90), (7, 13), (45, 2), (89, 2), (90, 1), (1000, 1)])
def test_every_batch_size_sees_each_example_once(batch_size, steps):
    run = fitted(batch_size=batch_size, epochs=1)
    assert run.history.steps == steps == run.epochs[0].steps
    assert run.epochs[0].examples == 90


def test_compiled_training_equals_an_eager_loop_over_the_same_order():
    data, net, optimizer = blobs(50), small_net(), optim.SGD(lr=0.1, momentum=0.9)
    eager = small_net()
    run = fitted(net, data, optimizer=optimizer, epochs=2, batch_size=16, seed=5)
    mine, losses = optim.SGD(eager.parameters(), lr=0.1, momentum=0.9), []
    for epoch in range(2):
        sequence = order(5, epoch, 50)
        for start in range(0, 50, 16):
            inputs, targets = data[sequence[start : start + 16]]
            loss = nn.cross_entropy(eager(sl.tensor(inputs)), sl.tensor(targets))
            eager.zero_grad()
            loss.backward()
            mine.step()
            losses.append(loss.item())
    np.testing.assert_allclose(run.losses, losses, rtol=1e-5)
    for name, array in eager.state_dict().items():
        np.testing.assert_allclose(net.state_dict()[name], array, rtol=1e-4, atol=1e-6)


def test_no_epochs_leave_the_net_as_it_was():
    net = small_net()
    run = fitted(net, epochs=0)
    assert same(net, small_net()) and run.history.steps == 0 and run.epochs == []


def test_validation_changes_neither_weights_nor_running_moments_nor_dropout():
    def net():
        sl.seed(0)
        return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.4), nn.Linear(8, 3))

    without, with_validation = fitted(net(), epochs=3), fitted(net(), epochs=3, validation=blobs(31, seed=2))
    assert same(without.net, with_validation.net) and without.losses == with_validation.losses


def modes(net):
    return [module.training for _, module in net.named_modules()]


def test_after_a_training_the_net_answers_as_one_in_use():
    net = small_net(dropout=0.5)
    fitted(net, epochs=1)
    assert modes(net) == [False] * 5
    x = sl.ones((3, 2))
    assert np.array_equal(net(x).numpy(), net(x).numpy())
    sl.evaluate(net, blobs())
    assert modes(net) == [False] * 5
    assert modes(net.train()) == [True] * 5 and not any(module.left_in_use for _, module in net.named_modules())


@pytest.mark.parametrize("end", [KeyboardInterrupt, ZeroDivisionError])
def test_however_a_training_ends_the_net_is_one_in_use(end):
    def stop(training):
        raise end

    net = small_net(dropout=0.5)
    with contextlib.suppress(ZeroDivisionError):
        fitted(net, callbacks=[OnEpoch(stop)])
    assert modes(net) == [False] * 5


def normed():
    sl.seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def seen_modes(net, **given):
    """The modes of the layers while a training step is traced."""
    seen = []

    def look(net):
        seen.append(modes(net))
        return sl.tensor(0.0)

    fitted(net, epochs=1, penalty=look, **given)
    return seen[0][1:]


def test_frozen_layers_stay_frozen_in_every_training():
    net = normed()
    net[1].eval()
    before = net[1].running_mean.numpy().copy()
    for _ in range(2):
        assert seen_modes(net) == [True, False, True, True, True]
    assert np.array_equal(net[1].running_mean.numpy(), before)
    net.train()
    assert seen_modes(net) == [True] * 5 and not np.array_equal(net[1].running_mean.numpy(), before)


def test_in_a_net_that_was_in_use_only_layers_at_rest_stay_so():
    net = normed().eval()
    assert seen_modes(net) == [True] * 5
    net.eval()
    for parameter in net[1].parameters():
        parameter.requires_grad = False
    assert seen_modes(net) == [True, False, True, True, True]


def test_a_trained_part_learns_again_inside_of_another_net():
    part = normed()
    fitted(part, epochs=1)
    whole = nn.Sequential(part, nn.Linear(3, 3))
    assert all(seen_modes(whole))


def test_epoch_loss_is_the_mean_over_examples_not_over_batches():
    run = fitted(batch_size=64, epochs=1)
    assert run.epochs[0].loss == pytest.approx((run.losses[0] * 64 + run.losses[1] * 26) / 90, rel=1e-6)


def test_evaluate_counts_exactly_and_remembers_what_was_predicted():
    net, data = fitted(epochs=5).net, blobs(77, seed=9)
    result = sl.evaluate(net, data, batch_size=10)
    net.eval()
    logits = net(sl.tensor(data.inputs)).numpy()
    assert result["accuracy"] == (logits.argmax(1) == data.targets).sum() / 77
    assert result["loss"] == pytest.approx(nn.cross_entropy(sl.tensor(logits), sl.tensor(data.targets)).item(), rel=1e-5)
    assert (result.predicted == logits.argmax(1)).all()


def test_numbers_as_targets_need_no_accuracy():
    x = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    run = sl.fit(nn.Linear(1, 1), Dataset(x, 3 * x + 1), loss=nn.mse_loss, optimizer=optim.Adam(lr=0.1), epochs=80, batch_size=10,
                 metrics="absolute_error", progress=False)
    assert run.epochs[-1].metrics["absolute_error"] < 0.05
    assert fitted(nn.Linear(1, 1), Dataset(x, x), loss=nn.mse_loss).epochs[0].metrics == {}
    assert set(sl.evaluate(run.net, Dataset(x, 3 * x + 1), loss=nn.mse_loss)) == {"loss"}


def test_a_function_can_be_a_metric():
    def largest(outputs, targets):
        return sl.max(outputs, axis=1)

    run = fitted(metrics=["accuracy", largest])
    assert list(run.epochs[0].metrics) == ["accuracy", "largest"]


def test_a_schedule_changes_the_rate_of_each_step_and_is_undone():
    data, optimizer = blobs(40), optim.SGD(lr=0.2)
    net, eager = small_net(), small_net()
    fitted(net, data, optimizer=optimizer, epochs=2, batch_size=16, schedule="linear")
    mine, step = optim.SGD(eager.parameters(), lr=0.2), 0
    for epoch in range(2):
        for start in range(0, 40, 16):
            inputs, targets = data[order(0, epoch, 40)[start : start + 16]]
            mine.lr = 0.2 * (1 - step / 6)
            step += 1
            eager.zero_grad()
            nn.cross_entropy(eager(sl.tensor(inputs)), sl.tensor(targets)).backward()
            mine.step()
    assert float(optimizer.lr) == 0.2
    for name, array in eager.state_dict().items():
        np.testing.assert_allclose(net.state_dict()[name], array, rtol=1e-4, atol=1e-6)


def test_changing_the_rate_between_epochs_is_seen_by_the_next():
    optimizer, net = optim.SGD(lr=0.1), small_net()
    kept = []

    def stop_learning(training):
        optimizer.lr = 0.0
        kept.append(net.state_dict())

    fitted(net, optimizer=optimizer, epochs=3, callbacks=[OnEpoch(stop_learning)])
    assert all(kept[0][name].tobytes() == kept[2][name].tobytes() for name in kept[0])


def test_a_callback_can_stop_the_training():
    three = OnEpoch(lambda training: training.stop() if len(training.history.epochs) == 3 else None)
    assert len(fitted(epochs=10, callbacks=[three]).epochs) == 3


def test_the_same_optimizer_goes_on_with_the_same_net():
    net, optimizer = small_net(), optim.Adam(lr=0.01)
    first = fitted(net, optimizer=optimizer)
    second = fitted(net, optimizer=optimizer)
    assert np.mean(second.losses) < np.mean(first.losses)


# Ctrl-C


def signal_after(epochs):
    """A callback that sends Ctrl-C after so many epochs."""
    return OnEpoch(lambda training: signal.raise_signal(signal.SIGINT) if len(training.history.epochs) == epochs else None)


def test_ctrl_c_stops_between_calls_and_keeps_the_work():
    net = small_net()
    run = fitted(net, epochs=50, callbacks=[signal_after(2)])
    assert run.interrupted and len(run.epochs) == 2 and run.history.steps == 12
    assert run.message == "interrupted after 12 steps (2 whole epochs): the net keeps what it learned"
    assert same(net, fitted(epochs=2).net)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_keyboard_interrupt_raised_anywhere_keeps_the_work_too():
    def stop(training):
        raise KeyboardInterrupt

    run = fitted(epochs=5, callbacks=[OnEpoch(stop)])
    assert run.interrupted and len(run.epochs) == 1


def test_after_ctrl_c_early_stopping_gives_the_best_weights_back():
    stop, net, held = sl.train.EarlyStopping(patience=100), small_net(), blobs(31, seed=1)
    run = fitted(net, epochs=50, validation=held, optimizer=optim.SGD(lr=30.0), callbacks=[stop, signal_after(4)])
    assert run.interrupted and stop.epoch < 3
    assert run.message == f"interrupted after 24 steps (4 whole epochs): the net has the weights of epoch {stop.epoch + 1}, its best"
    assert sl.evaluate(net, held)["loss"] == stop.best == min(each.validation["loss"] for each in run.epochs)


def test_an_error_leaves_the_net_where_it_says():
    stop = sl.train.EarlyStopping(patience=100)

    def fail(training):
        if len(training.history.epochs) == 4:
            raise ZeroDivisionError

    net = small_net()
    with pytest.raises(ZeroDivisionError):
        fitted(net, epochs=50, validation=blobs(31, seed=1), callbacks=[stop, OnEpoch(fail)])
    assert same(net, fitted(epochs=4).net) and stop.weights


def test_the_second_ctrl_c_stops_at_once():
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        assert interrupts.requested
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_program_s_own_handler_is_left_alone():
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
        assert seen == [signal.SIGINT] and not interrupts.requested
    finally:
        signal.signal(signal.SIGINT, before)


# A loss that is no longer finite


def diverging(epochs: int = 40) -> tuple[nn.Module, NonFiniteError]:
    x = np.linspace(-2, 2, 40, dtype=np.float32)[:, None]
    sl.seed(0)
    net = nn.Linear(1, 1)
    with pytest.raises(NonFiniteError) as caught:
        sl.fit(net, Dataset(x, 2 * x), loss=nn.mse_loss, optimizer=optim.SGD(lr=10.0), epochs=epochs, batch_size=8,
               progress=False)
    return net, caught.value


def test_a_loss_that_is_not_finite_is_an_error_with_numbers_and_a_repair():
    _, error = diverging()
    assert "the loss became " in error.what and "in epoch " in error.what
    assert "steps of rate 10 probably overshoot" in error.why
    assert "lr=1" in error.repair and "error.run" in error.repair


def test_after_a_loss_that_is_not_finite_the_net_is_at_its_last_sound_step():
    net, error = diverging()
    losses = error.run.losses
    assert np.isfinite(losses[:-1]).all() and not np.isfinite(losses[-1])
    assert all(np.isfinite(array).all() for array in net.state_dict().values())
    sl.seed(0)
    again, step = nn.Linear(1, 1), len(losses) - 2
    x = np.linspace(-2, 2, 40, dtype=np.float32)[:, None]
    rows = np.concatenate([order(0, epoch, 40) for epoch in range(1 + step // 5)])[step * 8 : step * 8 + 8]
    assert nn.mse_loss(net(sl.tensor(x[rows])), sl.tensor(2 * x[rows])).item() == pytest.approx(losses[-2], rel=1e-4)
    assert not same(net, again)


def test_a_loss_that_breaks_at_the_first_step_blames_the_inputs():
    data = Dataset(np.full((8, 2), 1e30, np.float32), np.zeros((8, 3), np.float32))
    net = small_net()
    before = net.state_dict()
    with pytest.raises(NonFiniteError, match="very first step") as caught:
        fitted(nn.Linear(2, 3), data, loss=nn.mse_loss)
    assert caught.value.run.history.steps == 1
    assert all(before[name].tobytes() == array.tobytes() for name, array in net.state_dict().items())


class Rooted(nn.Module):
    """y = sqrt(w x), which has an infinite slope at 0; x of the last example is 0."""

    def __init__(self):
        self.head = nn.Linear(1, 1, bias=False)
        self.head.weight.assign(np.ones((1, 1), np.float32))

    def forward(self, x):
        return sl.sqrt(abs(self.head(x)) + 0 * x)


def rooted(zero, steps, **given):
    x = np.ones((steps, 1), np.float32)
    x[zero] = 0
    net = Rooted()
    with pytest.raises(NonFiniteError) as caught:
        sl.fit(net, Dataset(x, np.full((steps, 1), 0.5)), loss=nn.mse_loss, optimizer=optim.SGD(lr=0.01), batch_size=1, progress=False,
               **given)
    return net, caught.value


def test_weights_that_are_no_longer_finite_are_noticed_though_no_loss_is():
    last = int(order(0, 0, 30)[-1])
    net, error = rooted(last, 30)
    assert error.what == "net.head.weight became nan or infinite in epoch 1, step 30 of 30, while the loss was 0.25"
    assert "the net is back at its last sound step" in error.repair and len(error.run.losses) == 30
    again = Rooted()
    kept = [number for number in order(0, 0, 30) if number != last]
    step, optimizer = np.ones((1, 1), np.float32), optim.SGD(again.parameters(), lr=0.01)
    for _ in kept:
        again.zero_grad()
        nn.mse_loss(again(sl.tensor(step)), sl.full((1, 1), 0.5)).backward()
        optimizer.step()
    np.testing.assert_allclose(net.head.weight.numpy(), again.head.weight.numpy(), rtol=1e-6)


def test_a_broken_weight_is_named_where_the_next_loss_shows_it():
    net, error = rooted(int(order(0, 0, 30)[7]), 30)
    assert "in epoch 1, step 9 of 30, after the step before made net.head.weight so" in error.what
    assert np.isfinite(net.head.weight.numpy()).all()


def test_callers_never_see_broken_weights():
    seen = []
    rooted(int(order(0, 0, 30)[-1]), 30, callbacks=[OnEpoch(seen.append)])
    assert seen == []


def test_running_moments_that_overflow_are_noticed():
    class Far(nn.Module):
        def __init__(self):
            self.norm, self.layer = nn.BatchNorm1d(2), nn.Linear(2, 3)

        def forward(self, x):
            return self.layer(self.norm(x * 1e19))

    net = Far()
    with pytest.raises(NonFiniteError, match=r"net.norm.running_var became nan or infinite in epoch 1, step 1 of 6"):
        fitted(net)
    assert np.isfinite(net.norm.running_var.numpy()).all()


def test_weights_that_were_infinite_before_are_left_alone():
    net = small_net()
    net.mask = nn.Parameter(np.array([np.inf], np.float32), requires_grad=False)
    assert fitted(net).history.steps == 12


# What is refused


class Pair:
    """A data set made by hand, which checks nothing."""

    def __init__(self, inputs, targets):
        self.inputs, self.targets = np.asarray(inputs), np.asarray(targets)


GOOD = np.zeros((4, 2), np.float32)
REFUSED = [
    ({"data": Pair(GOOD[:0], np.zeros(0, int))}, ArgumentError, "dataset has no examples: inputs (0, 2)"),
    ({"data": Pair(GOOD, np.zeros(3, int))}, ArgumentError, "dataset: inputs (4, 2) and targets (3,) do not pair up"),
    ({"data": Pair(GOOD + np.nan, np.zeros(4, int))}, ArgumentError, "dataset.inputs[0, 0] is nan"),
    ({"data": Pair(GOOD, np.array([0, 1, 3, 0]))}, OutOfRangeError,
     "dataset.targets[2] is 3, but the net has 3 outputs: classes 0 to 2"),
    ({"data": Pair(GOOD, np.array([0, 1, -1, 0]))}, OutOfRangeError, "number the classes from 0"),
    ({"validation": Pair(GOOD, np.array([0, 1, 7, 0]))}, OutOfRangeError, "validation.targets[2] is 7"),
    ({"data": GOOD}, ArgumentError, "dataset is a ndarray without inputs and targets"),
    ({"batch_size": 0}, ArgumentError, "batch_size is 0"),
    ({"batch_size": 2.5}, ArgumentError, "batch_size is 2.5"),
    ({"epochs": -1}, ArgumentError, "epochs is -1"),
    ({"metrics": ["acuracy"]}, ArgumentError, "did you mean 'accuracy'?"),
    ({"schedule": "cosin"}, ArgumentError, "no schedule is called 'cosin'"),
    ({"seed": -1}, ArgumentError, "seed -1 is not a seed"),
    ({"data": Pair(np.zeros((4, 5), np.float32), np.zeros(4, int))}, ShapeError, "Linear(2 -> 8)"),
]


@pytest.mark.parametrize("given, kind, text", REFUSED, ids=[text[:40] for _, _, text in REFUSED])
def test_bad_input_is_refused_before_anything_is_compiled(given, kind, text):
    net = small_net()
    with pytest.raises(kind) as caught:
        fitted(net, **given)
    assert text in str(caught.value)
    assert same(net, small_net()) and net.training


def test_an_optimizer_of_another_net_is_refused():
    optimizer = optim.SGD(small_net().parameters(), lr=0.1)
    with pytest.raises(ArgumentError) as caught:
        fitted(optimizer=optimizer)
    assert "SGD is bound to 4 parameters, of which 4 are not of this net" in str(caught.value)
    assert "optim.SGD(lr=...)" in caught.value.repair


def test_splits_in_place_of_a_data_set_are_explained():
    splits = sl.data.split(blobs(), (0.6, 0.2, 0.2))
    with pytest.raises(ArgumentError, match=r"splits\.train"):
        fitted(data=splits)


def test_evaluate_refuses_what_fit_refuses():
    with pytest.raises(ArgumentError, match="batch_size is 0"):
        sl.evaluate(small_net(), blobs(), batch_size=0)
    with pytest.raises(OutOfRangeError, match="the net has 3 outputs"):
        sl.evaluate(small_net(), Pair(GOOD, np.array([0, 1, 3, 0])))


# Progress


def test_plain_lines_tell_every_epoch(capsys):
    fitted(progress=None, validation=blobs(30, seed=1))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2/2  loss ") and "accuracy " in lines[1] and "validation loss " in lines[1]
    assert "examples/s" in lines[1]


def test_silence_is_silent(capsys):
    fitted(progress=False)
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_live_line_others_plain_ones():
    assert [type(each) for each in choose_reporter(None, Terminal())] == [Live]
    assert [type(each) for each in choose_reporter(True, io.StringIO())] == [Lines]
    assert choose_reporter(False, Terminal()) == []
    quiet, = choose_reporter("epochs", Terminal())
    assert isinstance(quiet, Lines) and not quiet.within
    with pytest.raises(ArgumentError, match="progress is 'loud'") as caught:
        choose_reporter("loud")
    assert "'epochs'" in caught.value.why


def shown_training(epochs, examples):
    """What a reporter looks at in a training."""
    return SimpleNamespace(spec=TrainSpec(epochs=epochs), epochs=epochs, best=None, steps_per_epoch=10, examples=examples, metrics={},
                           history=History(), tensors={}, runner=SimpleNamespace(program=SimpleNamespace(memory=3 << 29)),
                           result=SimpleNamespace(message=""))


def show(reporter, training, epoch, examples, loss, metrics):
    """A chunk ends where the epoch has these means."""
    training.position = Position(epoch, 1)
    training.epoch_metrics = SimpleNamespace(examples=examples, loss=loss, metrics=metrics)
    reporter.chunk_done(training, None)


def test_the_live_line_shows_epoch_loss_and_accuracy():
    stream = Terminal()
    live, training = Live(stream), shown_training(2, 100)
    live.begin(training)
    show(live, training, 0, 50, 0.5, {"accuracy": 0.75})
    training.history.epochs.append(Epoch(0, 0.4, {"accuracy": 0.8}, {}, 100, 10, 1.0))
    live.epoch_done(training)
    show(live, training, 1, 100, 0.3, {"accuracy": 0.9})
    training.result.message = "the end"
    live.end(training)
    text = stream.getvalue()
    assert "epoch 1/2" in text and "loss 0.5000" in text and "accuracy 75.00%" in text
    assert "epoch 1/2  loss 0.4000  accuracy 80.00%" in text and text.rstrip().endswith("the end")


def test_long_epochs_report_in_between(monkeypatch):
    stream, training = io.StringIO(), shown_training(3, 1000)
    lines = Lines(stream)
    monkeypatch.setattr("slopes.train.progress.QUIET_SECONDS", 0.0)
    lines.begin(training)
    show(lines, training, 1, 200, 0.25, {"accuracy": 0.5})
    assert stream.getvalue() == "epoch 2/3  200/1,000 examples  loss 0.2500  accuracy 50.00%\n"


@pytest.mark.parametrize("per_step, text", [
    (0.5, "about 1.6 min for 20 epochs; 1.5 GiB of memory\n"), (5, "about 16 min for 20 epochs; 1.5 GiB of memory\n"),
    (50, "about 2.7 h for 20 epochs; 1.5 GiB of memory\n"), (5000, "about 11 days for 20 epochs; 1.5 GiB of memory\n"), (0.3, "")])
@pytest.mark.parametrize("reporter", [Lines, Live])
def test_a_long_training_is_estimated_once(per_step, text, reporter):
    stream = io.StringIO()
    shown, training = reporter(stream), shown_training(20, 100)
    shown.begin(training)
    training.history.losses += [1.0]
    training.history.seconds = training.history.compile_seconds = 2.0
    show(shown, training, 0, 50, 0.25, {})
    assert stream.getvalue() == ""
    training.history.losses += [1.0] * 3
    training.history.seconds += 4 * per_step
    for _ in range(2):
        show(shown, training, 0, 50, 0.25, {})
    assert stream.getvalue() == text


def test_with_auto_epochs_one_epoch_is_estimated():
    training = shown_training("auto", 100)
    training.epochs, training.best = 1000, object()
    training.history.losses, training.history.seconds = [1.0], 10.0
    assert Estimate().text(training) == "about 1.7 min for 1 epoch; 1.5 GiB of memory"


def test_the_memory_of_a_training_counts_weights_optimizer_and_program():
    training = sl.Training(nn.Linear(1000, 500), (np.zeros((64, 1000), np.float32), np.zeros((64, 500), np.float32)))
    training.advance(1)
    weights = 4 * 1001 * 500
    assert 3 * weights < memory_of(training) < 5 * weights  # with two moments in the optimizer, and the gradient


def test_the_history_plots_and_survives_json(tmp_path):
    run = fitted(validation=blobs(30, seed=1))
    assert type(run.history).from_json(run.history.to_json()) == run.history
    run.plot(tmp_path / "curve.png")
    run.plot(tmp_path / "curve.svg")
    assert (tmp_path / "curve.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "<svg" in (tmp_path / "curve.svg").read_text()
    assert "<svg" in run.plot()._repr_svg_()
    with pytest.raises(ArgumentError, match=r"saved as \.png or \.svg"):
        run.plot(tmp_path / "curve.bmp")
