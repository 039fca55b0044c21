"""The callbacks that the documents show for MLflow, Weights & Biases and logging, with modules that record how they are called."""

import logging
import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.train import OnEpoch
from slopes.train.history import Epoch
from tests.test_docs import Recorder, blocks

RNG = np.random.default_rng(0)
INPUTS, LABELS = RNG.normal(size=(256, 1, 8, 8)).astype(np.float32), RNG.integers(0, 10, 256)
DIGITS = SimpleNamespace(train=Dataset(INPUTS[:192], LABELS[:192]), validation=Dataset(INPUTS[192:], LABELS[192:]))
SERVICES = ("mlflow", "wandb", "logging")
CODE = {name: next(code for _, code, _ in blocks("docs/practice.md") if f"import {name}\n" in code) for name in SERVICES}


def digits_net(width):
    sl.seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


def run_block(monkeypatch, name):
    """What a block of the page defines, and the calls that its stand-in for a module recorded."""
    names, module = {"sl": sl, "optim": optim, "digits": DIGITS, "digits_net": digits_net}, Recorder()
    if name != "logging":
        monkeypatch.setitem(sys.modules, name, module)
    exec(CODE[name], names)
    return names, module.calls


def fit(reporter, *others):
    return sl.fit(digits_net(16), DIGITS.train, validation=DIGITS.validation, epochs=2, callbacks=[reporter, *others], progress=False)


def figures(run, i):
    """The figures of an epoch as both services name them."""
    epoch = run.epochs[i]
    return {"loss": epoch.loss, **epoch.metrics, **{f"validation/{name}": value for name, value in epoch.validation.items()}}


def test_mlflow_gets_settings_and_the_figures_of_each_epoch(monkeypatch):
    names, calls = run_block(monkeypatch, "mlflow")
    run = names["run"]
    assert calls[:2] == [("start_run", (), {}), ("log_params", (run.settings,), {})] and calls[4:] == [("end_run", ("FINISHED",), {})]
    for i, (name, (logged,), options) in enumerate(calls[2:4]):
        assert (name, options) == ("log_metrics", {"step": i})
        assert logged == {**figures(run, i), "rate": 0.001, "seconds": run.epochs[i].seconds}
    assert {"accuracy", "validation/loss", "validation/accuracy"} <= logged.keys()


def test_mlflow_gets_names_that_it_allows_and_how_a_training_ended(monkeypatch):
    names, calls = run_block(monkeypatch, "mlflow")
    epoch = Epoch(0, 2.5, {"f1[cat]": 0.5}, {"dev/loss": 2.0}, examples=10, steps=1, seconds=0.1)
    names["MLflow"]().epoch_done(SimpleNamespace(history=SimpleNamespace(epochs=[epoch]), rate=0.1))
    logged = {"loss": 2.5, "f1_cat_": 0.5, "seconds": 0.1, "rate": 0.1, "validation/dev/loss": 2.0}
    assert calls[-1] == ("log_metrics", (logged,), {"step": 0})
    run = fit(names["MLflow"](), OnEpoch(lambda training: signal.raise_signal(signal.SIGINT)))
    assert run.interrupted and calls[-1] == ("end_run", ("KILLED",), {})
    with pytest.raises(ZeroDivisionError):
        fit(names["MLflow"](), OnEpoch(lambda training: 1 / 0))
    assert calls[-1] == ("end_run", ("FAILED",), {})


def test_weights_and_biases_gets_every_step_in_order(monkeypatch):
    names, calls = run_block(monkeypatch, "wandb")
    run = names["run"]
    assert calls[0] == ("init", (), {"project": "digits", "id": None, "resume": "allow", "config": run.settings})
    assert calls[-1] == ("finish", (), {"exit_code": 0})
    logged = [(values, options["step"]) for name, (values,), options in calls[1:-1] if name == "log"]
    assert [step for _, step in logged] == [0, 1, 2, 3, 3, 4, 5, 6] and len(logged) == len(calls) - 2
    assert [values["step/loss"] for values, _ in logged if "step/loss" in values] == run.losses
    assert [values for values, _ in logged if "loss" in values] == [{**figures(run, i), "epoch": i, "rate": 0.001} for i in range(2)]
    with pytest.raises(ZeroDivisionError):
        fit(names["WeightsAndBiases"]("digits", id="mine"), OnEpoch(lambda training: 1 / 0))
    assert calls[-1] == ("finish", (), {"exit_code": 1})


def test_a_function_writes_epochs_into_the_log(monkeypatch, caplog):
    with caplog.at_level(logging.INFO, logger="digits"):
        names, _ = run_block(monkeypatch, "logging")
    assert [record.getMessage() for record in caplog.records] == [str(epoch) for epoch in names["run"].epochs]


@pytest.mark.parametrize("name", CODE)
def test_a_reporter_has_twenty_lines(name):
    assert sum(bool(line.strip()) for line in CODE[name].splitlines()) <= 22  # with the import and the call of fit
