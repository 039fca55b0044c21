"""fit(run=FOLDER): a training that is saved while it runs, and continued to the same bits; what cannot be continued is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, DataError, NonFiniteError, SaveError
from slopes.files.claim import claimed
from slopes.train import Callback, EarlyStopping, OnEpoch, RunFolder, checkpoints, run_folder
from slopes.train.runs import load_run, save_run

posix = pytest.mark.skipif(os.name == "nt", reason="there are no such signals to send")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 6)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)


def network(hidden: int = 8) -> nn.Module:
    sl.seed(1)
    return nn.Sequential(nn.Linear(6, hidden), nn.Tanh(), nn.Dropout(0.2), nn.Linear(hidden, 2))


def train(folder, epochs: int = 4, net: nn.Module | None = None, data=(X[:50], Y[:50]), **options) -> sl.train.history.Run:
    settings = {"optimizer": optim.Adam(lr=0.05), "batch_size": 16, "validation": (X[50:], Y[50:]), "progress": False} | options
    return sl.fit(network() if net is None else net, *data, epochs=epochs, run=folder, **settings)


def files_of(folder: Path) -> dict[str, bytes]:
    """What is the same whenever the training is the same."""
    return {name: (folder / name).read_bytes() for name in ("weights.safetensors", "history.jsonl")}


def state_of(folder: Path) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in load_run(folder).network.state.items() if not name.endswith("seconds")}


def assert_same(one: Path, other: Path) -> None:
    assert files_of(one) == files_of(other) and state_of(one) == state_of(other)


def signal_after(epochs: int, *numbers: int) -> Callback:
    def send(training):
        if len(training.history.epochs) == epochs:
            for number in numbers:
                signal.raise_signal(number)
    return OnEpoch(send)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run of four epochs without interruption."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(folder)
    return folder


@pytest.fixture
def half(tmp_path) -> Path:
    """A run that Ctrl-C ended after two of four epochs."""
    assert train(tmp_path / "half", callbacks=[signal_after(2, signal.SIGINT)]).interrupted
    return tmp_path / "half"


# The same bits


@posix
def test_an_interrupted_run_continues(whole, half):
    saved = load_run(half)
    assert saved.interrupted and saved.network.position == {"epoch": 2, "step": 0}
    run = train(half, callbacks=[OnEpoch(lambda training: None)])
    assert len(run.epochs) == 4 and not run.interrupted and not load_run(half).interrupted
    assert_same(half, whole)


def test_a_finished_run_continues_to_more_epochs_and_is_not_trained_again(whole, tmp_path):
    train(tmp_path / "run", epochs=1)
    train(tmp_path / "run", epochs=4)
    assert_same(tmp_path / "run", whole)
    again = train(tmp_path / "run", epochs=4)
    assert len(again.losses) == 16
    assert_same(tmp_path / "run", whole)


def test_the_training_is_that_without_a_folder(whole):
    history = train(None).history
    saved = load_run(whole).network.history
    assert saved.losses == history.losses and [epoch.validation for epoch in saved.epochs] == [epoch.validation for epoch in history.epochs]


@posix
def test_sigterm_saves_the_run_and_ends_the_process(whole, tmp_path):
    with pytest.raises(SystemExit) as caught:
        train(tmp_path / "run", callbacks=[signal_after(2, signal.SIGTERM)])
    assert caught.value.code == 143 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert load_run(tmp_path / "run").network.position == {"epoch": 2, "step": 0}
    train(tmp_path / "run")
    assert_same(tmp_path / "run", whole)


@posix
def test_a_second_ctrl_c_ends_at_once_and_the_last_checkpoint_counts(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", 0)
    with pytest.raises(KeyboardInterrupt):
        train(RunFolder(tmp_path / "run", every=0), callbacks=[signal_after(3, signal.SIGINT, signal.SIGINT)])
    assert load_run(tmp_path / "run").network.position == {"epoch": 2, "step": 4}
    train(tmp_path / "run")
    assert_same(tmp_path / "run", whole)


@posix
def test_half_a_minute_after_the_first_signal_it_ends_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("slopes.train.interrupt.GRACE_SECONDS", 0.05)

    def hang(training):
        signal.raise_signal(signal.SIGINT)
        for _ in range(3000):
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", callbacks=[OnEpoch(hang)])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# Best weights


def weights(net: nn.Module) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in net.state_dict().items()}


def saved_weights(folder: Path) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in load_run(folder).network.weights.items()}


def test_the_best_weights_are_used_and_the_last_ones_are_kept(tmp_path):
    nets = [network() for _ in range(4)]
    options = {"optimizer": optim.Adam(lr=0.3), "epochs": 8}
    best = train(tmp_path / "best", net=nets[0], **options)
    last = train(RunFolder(tmp_path / "last", best=False), net=nets[1], **options | {"optimizer": optim.Adam(lr=0.3)})
    losses = [epoch.validation["loss"] for epoch in best.epochs]
    epoch = int(np.argmin(losses))
    assert epoch < 7 and last.losses == best.losses and weights(nets[0]) != weights(nets[1])
    train(None, net=nets[2], optimizer=optim.Adam(lr=0.3), epochs=epoch + 1)
    assert saved_weights(tmp_path / "best") == weights(nets[0]) == weights(nets[2])
    assert saved_weights(tmp_path / "last") == weights(nets[1])
    assert {name: array.tobytes() for name, array in load_run(tmp_path / "best").network.last_weights.items()} == weights(nets[1])
    train(tmp_path / "best", net=nets[3], **options | {"optimizer": optim.Adam(lr=0.3)})
    assert weights(nets[3]) == weights(nets[0])


def test_a_checkpoint_holds_the_best_weights_so_far(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", 0)
    stop, seen = EarlyStopping(patience=3), []

    def look(training):
        if stop.epoch >= 0 and stop.epoch < len(training.history.epochs) - 1 and holds(tmp_path / "run"):
            seen.append(saved_weights(tmp_path / "run") == {name: array.tobytes() for name, array in stop.weights.items()})

    def holds(folder):
        return (folder / "run.json").exists() and load_run(folder).network.position["epoch"] > stop.epoch + 1

    run = train(RunFolder(tmp_path / "run", every=0), epochs=30, callbacks=[stop, OnEpoch(look)], optimizer=optim.Adam(lr=0.3))
    assert stop.stopped and len(run.epochs) < 30 and seen and all(seen)
    assert saved_weights(tmp_path / "run") == weights(run.net)


def test_of_averaged_weights_the_run_has_the_average(tmp_path):
    average = optim.Average(0.5)
    run = train(tmp_path / "run", average=average)
    own = weights(run.net)
    assert saved_weights(tmp_path / "run") != own
    average.take()
    assert saved_weights(tmp_path / "run") == weights(run.net)
    assert {name: array.tobytes() for name, array in load_run(tmp_path / "run").network.last_weights.items()} == own


# Refused


def refused(kind, text: str, *args, **options) -> None:
    with pytest.raises(kind) as caught:
        train(*args, **options)
    assert text in str(caught.value) and caught.value.repair and "test_run_folder.py" in caught.value.where


@posix
def test_another_model_is_refused(half):
    refused(ArgumentError, "net.0 is Linear(6 -> 9) here, Linear(6 -> 8) there", half, net=network(9))
    deeper = nn.Sequential(*network(), nn.Linear(2, 2))
    refused(ArgumentError, "by this training\n", half, net=deeper)


@posix
@pytest.mark.parametrize("options, text", [
    ({"optimizer": optim.SGD(lr=0.1)}, "optimizer is SGD("), ({"batch_size": 8}, "batch_size is 8 here, 16 there"),
    ({"seed": 3}, "seed is 3 here, 0 there"), ({"schedule": "cosine"}, "schedule is cosine here, None there"),
    ({"clip": 1.0}, "clip is 1.0 here, None there"), ({"epochs": 3}, "it has 4 epochs, more than epochs=3"),
    ({"loss": lambda outputs, targets: nn.cross_entropy(outputs, targets)}, "loss is <lambda> here, cross_entropy there")])
def test_other_settings_are_refused(half, options, text):
    refused(ArgumentError, text, half, **options)


@posix
@pytest.mark.parametrize("options", [{"data": (X[:50] + 1e-3, Y[:50])}, {"data": (X[:50], 1 - Y[:50])},
                                     {"validation": (X[49:69], Y[49:69])}])
def test_other_data_are_refused(half, options):
    before = files_of(half)
    refused(DataError, "cannot be continued with these data\n  their SHA-256 begins with", half, **options)
    assert files_of(half) == before


@posix
def test_a_folder_that_holds_something_else_is_refused(half, tmp_path):
    damaged, newer = shutil.copytree(half, tmp_path / "damaged"), shutil.copytree(half, tmp_path / "newer")
    os.truncate(damaged / "state.safetensors", 100)
    with pytest.raises(DataError, match=r"state\.safetensors: "):
        train(damaged)
    record = json.loads((newer / "run.json").read_text())
    (newer / "run.json").write_text(json.dumps(record | {"version": 99}))
    with pytest.raises(DataError, match="written with the newer schema version 99"):
        train(newer)
    run = train(None)
    save_run(run, tmp_path / "recipe", recipe="digits")
    refused(ArgumentError, "recipe 'digits' made it\n  continue it by `slopes train digits --resume", tmp_path / "recipe")
    save_run(run, tmp_path / "stateless")
    refused(ArgumentError, "it holds no state of a training", tmp_path / "stateless")
    save_run({"a": run, "b": run}, tmp_path / "two")
    refused(ArgumentError, "holds 2 networks", tmp_path / "two")


def test_a_folder_that_is_being_written_is_refused(tmp_path):
    with claimed(tmp_path):
        refused(SaveError, f"{tmp_path} is being written by this process already", tmp_path)


def test_a_folder_that_cannot_be_written_is_refused_before_the_training(tmp_path):
    (tmp_path / "file").write_text("")
    refused(SaveError, "cannot hold a run", tmp_path / "file" / "run")


# Disks, clocks, errors


def test_a_checkpoint_that_cannot_be_written_is_a_warning_and_the_next_one_may_succeed(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", 0)
    real, calls = run_folder.save_run, []

    def sometimes_full(*args, **options):
        calls.append(args)
        if len(calls) in (2, 3):
            raise SaveError("the disk is full", repair="delete something")
        return real(*args, **options)

    monkeypatch.setattr(run_folder, "save_run", sometimes_full)
    with pytest.warns(UserWarning, match="no checkpoint was written: the disk is full\n  the training goes on") as caught:
        train(RunFolder(tmp_path / "run", every=0))
    assert len(caught) == 1 and len(calls) > 4
    assert_same(tmp_path / "run", whole)


def test_a_run_that_cannot_be_saved_in_the_end_is_saved_elsewhere(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "run").mkdir()

    def spoil(training):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        (tmp_path / "run").write_text("a file where the folder was")

    with pytest.warns(UserWarning, match=r"(?s)cannot hold a run.*the training is not lost: it was saved in (.*)\n") as caught:
        train(tmp_path / "run", callbacks=[OnEpoch(spoil)])
    folder = next(path for path in tmp_path.iterdir() if path.name.startswith("slopes-run-"))
    assert str(folder) in str(caught[0].message)
    assert_same(folder, whole)


def test_a_clock_that_goes_backwards_changes_nothing(whole, tmp_path, monkeypatch):
    now = [2e9]

    def backwards():
        now[0] -= 3600.0
        return now[0]

    monkeypatch.setattr(checkpoints, "SHARE", 0)
    monkeypatch.setattr(time, "time", backwards)
    train(RunFolder(tmp_path / "run", every=0), epochs=2)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    train(RunFolder(tmp_path / "run", every=0), epochs=4)
    assert_same(tmp_path / "run", whole)


def test_checkpoints_take_at_most_one_per_cent_of_the_time(tmp_path, monkeypatch):
    clock, taken = [0.0], []
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: clock[0])

    def save(training, state):
        taken.append(clock[0])
        clock[0] += cost

    def chunks(seconds, callback, training):
        for _ in range(seconds):
            clock[0] += 1
            callback.chunk_done(training, None)

    training = sl.Training(network(), (X, Y))
    for cost, expected in ((0.1, [60, 120, 180]), (5.0, [60, 565, 1070])):
        clock[0], callback = 0.0, checkpoints.Checkpoints(save)
        taken.clear()
        callback.begin(training)
        chunks(1200 if cost > 1 else 200, callback, training)
        assert [round(seconds) for seconds in taken[:3]] == expected


def test_an_error_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", 0)
    x = X[:50].copy()
    with pytest.raises(NonFiniteError):
        train(RunFolder(tmp_path / "run", every=0), data=(x, Y[:50].astype(np.float32)[:, None]), net=nn.Linear(6, 1), loss=nn.mse_loss,
              optimizer=optim.SGD(lr=1e18), validation=None, epochs=50, metrics=[])
    assert load_run(tmp_path / "run").interrupted
    with claimed(tmp_path / "run"):
        pass


# What the digest of data sees


def test_pictures_on_the_disk_are_known_by_names_and_sizes(tmp_path):
    pytest.importorskip("PIL")
    pictures = sl.data.Dataset(RNG.random((6, 1, 4, 4)).astype(np.float32), np.arange(6) % 2, ("a", "b"))
    sl.data.save_image_folder(pictures, tmp_path / "pictures")

    def digest():
        source = sl.train.sources.source_of(sl.data.image_folder(tmp_path / "pictures", 4, 1))
        return sl.train.data_digest.data_digest([(source, 2)])

    first = digest()
    assert digest() == first
    shutil.move(tmp_path / "pictures", tmp_path / "moved")
    shutil.copytree(tmp_path / "moved", tmp_path / "pictures")
    assert digest() == first
    path = next((tmp_path / "pictures" / "a").iterdir())
    path.write_bytes(path.read_bytes() + b"\0")
    assert digest() != first


class Blocks:
    """Inputs that are read when they are needed."""

    dtype, shape = np.dtype(np.float32), (5, 3)

    def __init__(self, shift: float = 0.0) -> None:
        self.values = np.arange(15, dtype=np.float32).reshape(5, 3) + shift

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return self.values[index]

    def gather(self, numbers):
        return self.values[numbers]


def test_arrays_loaders_and_inputs_that_are_read_have_digests():
    digest, source_of = sl.train.data_digest.data_digest, sl.train.sources.source_of
    tokens = np.arange(40) % 5
    datasets = [sl.data.Dataset(X, Y), sl.data.Dataset(X[:, ::-1], Y), sl.data.Dataset((X, X), Y), sl.text.Streams(tokens, 5),
                sl.text.Streams(tokens, 4), sl.text.Windows(tokens, 5), sl.text.Streams((tokens + 1) % 5, 5),
                sl.text.Rows([tokens[:5], tokens[:9]], targets=[tokens[:5], tokens[:9]])]
    digests = [digest([(source_of(dataset), 2)]) for dataset in datasets]
    digests += [digest([(sl.train.sources.ArraySource(Streaming(shift)), 2)]) for shift in (0.0, 1.0)]
    assert len(set(digests)) == len(digests)
    assert digests == [digest([(source_of(dataset), 2)]) for dataset in datasets] + digests[-2:]


class Streaming:
    """A data set whose inputs are read."""

    def __init__(self, shift: float) -> None:
        self.inputs, self.targets = Blocks(shift), np.zeros(5, np.int64)
