"""Event files for TensorBoard: every figure once, at its step, also of a training that was resumed."""

import struct
import sys

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import MissingExtraError
from slopes.train import TensorBoard

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(24, 4)).astype(np.float32)
LABELS = (INPUTS[:, 0] > 0).astype(np.int64)


def training(folder, every=1, **options):
    sl.seed(0)
    options = {"epochs": 3, "batch_size": 8, "schedule": "linear", "statistics": "net.0.weight/norm", **options}
    held_out = Dataset(INPUTS[:6], LABELS[:6])
    return sl.Training(nn.Sequential(nn.Linear(4, 2)), (INPUTS, LABELS), optimizer=optim.SGD(lr=0.5), validation=held_out,
                       callbacks=[TensorBoard(folder, every)], **options)


def records(path):
    """The contents of the records of an event file: length, its checksum, content, its checksum."""
    raw = path.read_bytes()
    while raw:
        length, = struct.unpack("<Q", raw[:8])
        yield raw[12 : 12 + length]
        raw = raw[16 + length :]


def scalars(folder):
    """(name, step) -> values, as TensorBoard reads them: a file that begins at a step replaces what others have from there on."""
    events = pytest.importorskip("tensorboardX.proto.event_pb2")
    values = {}
    for path in sorted(folder.iterdir()):
        for record in records(path):
            event = events.Event.FromString(record)
            if event.HasField("session_log"):
                values = {key: value for key, value in values.items() if key[1] < event.step}
            for value in event.summary.value:
                values.setdefault((value.tag, event.step), []).append(value.simple_value)
    return values


def expected(run, every=1):
    """The same from the history."""
    history, values = run.history, {}
    for step in range(0, history.steps, every):
        values["step/loss", step] = history.losses[step]
        values["step/rate", step] = 0.5 * (1 - step / history.steps)
    for step, value in zip(history.statistics_steps, history.statistics["net.0.weight/norm"]):
        values["net.0.weight/norm", step] = value
    for i, epoch in enumerate(history.epochs):
        figures = {"epoch/loss": epoch.loss, "epoch/accuracy": epoch.metrics["accuracy"], "epoch/seconds": epoch.seconds,
                   **{f"validation/{name}": value for name, value in epoch.validation.items()}}
        values |= {(name, 3 * (i + 1)): value for name, value in figures.items()}
    return values


def check(folder, run, every=1):
    written = {key: value for key, value in scalars(folder).items() if key[0] != "step/accuracy"}
    assert all(len(value) == 1 for value in written.values())
    assert {key: value for key, (value,) in written.items()} == pytest.approx(expected(run, every))


@pytest.mark.parametrize("every", [1, 4])
def test_every_figure_is_written_at_its_step(tmp_path, every):
    pytest.importorskip("tensorboardX")
    run = training(tmp_path, every).run()
    check(tmp_path, run, every)
    assert {step for name, step in scalars(tmp_path) if name == "step/accuracy"} == set(range(0, 9, every))


@pytest.mark.parametrize("stop", [2, 3, 4])
def test_a_training_that_is_resumed_replaces_what_was_lost(tmp_path, stop):
    pytest.importorskip("tensorboardX")
    first = training(tmp_path)
    first.advance(stop)
    state = first.named_state()
    first.advance(3)  # lost with its process
    again = training(tmp_path)
    again.load_named_state(state)
    check(tmp_path, again.run())


def test_a_training_that_begins_anew_replaces_everything(tmp_path):
    pytest.importorskip("tensorboardX")
    training(tmp_path, epochs=4).run()
    check(tmp_path, training(tmp_path).run())


def histograms(folder):
    """(name, step) -> (number, minimum, maximum) of the histograms."""
    events = pytest.importorskip("tensorboardX.proto.event_pb2")
    values = [(value, event.step) for path in folder.iterdir() for record in records(path)
              for event in [events.Event.FromString(record)] for value in event.summary.value if value.HasField("histo")]
    return {(value.tag, step): (value.histo.num, value.histo.min, value.histo.max) for value, step in values}


def test_histograms_of_parameters_and_of_statistics(tmp_path):
    pytest.importorskip("tensorboardX")
    made = training(tmp_path, statistics=["net.0.weight/norm", "net.0.weight.grad/histogram"])
    made.callbacks[0].histograms = True
    made.run()
    seen, weight = histograms(tmp_path), made.net[0].weight.numpy()
    assert {step for name, step in seen if name == "net.0.weight"} == {3, 6, 9}
    assert seen["net.0.weight", 9] == pytest.approx((8, weight.min(), weight.max())) and ("net.0.bias", 9) in seen
    number, low, high = seen["net.0.weight.grad/histogram", made.history.statistics_steps[-1]]
    assert number == 8 and 0 < low < high < 2 and np.log2(low) == int(np.log2(low))


def test_without_the_writer_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtraError, match=r"train.TensorBoard needs tensorboardX, which is not installed") as caught:
        TensorBoard(tmp_path)
    assert caught.value.repair == "pip install 'slopes[tensorboard]'"
