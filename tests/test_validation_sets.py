"""Several validation sets: the figures of each by name, of which the first is watched."""

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError
from slopes.optim import schedules
from slopes.train import EarlyStopping, advice
from slopes.train.history import History
from slopes.train.progress import CallbackReporter
from slopes.train.runs import load_run

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(30, 4)).astype(np.float32)
LABELS = (INPUTS[:, 0] > 0).astype(np.int64)
DEV, OTHER = Dataset(INPUTS[10:20], LABELS[10:20]), Dataset(INPUTS[20:], 1 - LABELS[20:])  # the net gets worse on the other


def fit(validation, **options):
    sl.seed(0)
    options = {"optimizer": optim.SGD(lr=0.5), "epochs": 4, "progress": False, **options}
    return sl.fit(nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.5)), INPUTS[:10], LABELS[:10], validation=validation, batch_size=5, **options)


def test_each_set_has_the_figures_that_it_has_alone(tmp_path):
    lines = []
    both = fit({"dev": DEV, "other": OTHER}, progress=CallbackReporter(lines.append), run=tmp_path / "run")
    dev, other = fit(DEV), fit(OTHER)
    last = both.epochs[-1]
    assert list(last.validation) == ["dev/loss", "dev/accuracy", "other/loss", "other/accuracy"]
    assert both.losses == dev.losses
    for epoch, alone, another in zip(both.epochs, dev.epochs, other.epochs):
        assert epoch.validation == {f"{name}/{figure}": value for name, run in (("dev", alone), ("other", another))
                                    for figure, value in run.validation.items()}
        assert epoch.watched == alone.validation and alone.watched == alone.validation
    figures = last.validation
    assert (f"dev loss {figures['dev/loss']:.4f} accuracy {figures['dev/accuracy']:.2%}  "
            f"other loss {figures['other/loss']:.4f} accuracy {figures['other/accuracy']:.2%}") in lines[-1]
    assert both.metric("other/accuracy").is_share and both.metric("other/loss").lower_is_better
    assert [epoch.validation for epoch in History.from_json(both.history.to_json()).epochs] == [epoch.validation for epoch in both.epochs]
    assert load_run(tmp_path / "run").network.history.epochs[-1].watched == last.watched
    assert advice(both) == advice(dev) and both.draw() is not None


@pytest.mark.parametrize("metric, stopped", [("loss", False), ("dev/loss", False), ("other/loss", True)])
def test_early_stopping_watches_the_first_set_or_the_one_that_is_named(metric, stopped):
    stop = EarlyStopping(patience=2, metric=metric)
    fit({"dev": DEV, "other": OTHER}, callbacks=[stop])
    assert stop.stopped == stopped


@pytest.mark.parametrize("watch, factor", [("loss", 1), ("dev/loss", 1), ("other/loss", 0.25)])
def test_schedules_watch_the_first_set_or_the_one_that_is_named(watch, factor):
    plateau = schedules.Plateau(patience=1, gamma=0.25, watch=watch)
    fit({"dev": DEV, "other": OTHER}, schedule=plateau)
    assert plateau(0) == factor


@pytest.mark.parametrize("validation, what", [({}, "validation is an empty mapping"), ({"a/b": DEV}, "a validation set is called 'a/b'"),
                                              ({1: DEV}, "a validation set is called 1")])
def test_sets_without_a_usable_name_are_refused(validation, what):
    with pytest.raises(ArgumentError) as caught:
        fit(validation)
    assert caught.value.what == what and caught.value.repair


def test_errors_and_warnings_name_the_set():
    with pytest.raises(ArgumentError, match=r"^validation\['other'\]: inputs \(3, 4\) and targets \(2,\) do not pair up"):
        fit({"dev": DEV, "other": type("Data", (), {"inputs": np.zeros((3, 4)), "targets": np.zeros(2, int)})})
    with pytest.warns(UserWarning, match=r"1 of 3 validation\['other'\] targets are of classes without any training example"):
        sl.Training(nn.Linear(4, 3), (INPUTS[:10], LABELS[:10]), validation={"dev": DEV, "other": Dataset(INPUTS[:3], [0, 1, 2])})
