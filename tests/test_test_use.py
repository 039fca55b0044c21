"""A test set that is measured with more than one set of weights is reported, once, and reports of recipes are not."""

import gc
from dataclasses import replace

import numpy as np
import pytest

import slopes as sl
from slopes import data, nn
from slopes.data.loaders.handed_out import test_sets
from slopes.errors import said
from slopes.experiments.catalog import find_recipe
from slopes.experiments.run import run
from slopes.train.test_use import final_figures

NOTE = "slopes: the test set of points was measured with more than one set of weights."


@pytest.fixture
def splits():
    said.clear()
    rng = np.random.default_rng(0)
    return data.split(data.Dataset(rng.normal(size=(40, 3)), np.arange(40) % 2, name="points"))


def test_other_weights_are_noted_once(splits, capsys):
    net = nn.Linear(3, 2)
    assert [sl.evaluate(net, splits.test) for _ in range(2)] and not capsys.readouterr().err
    sl.fit(net, splits.train, validation=splits.validation, progress=False)
    sl.evaluate(net, splits.validation)
    assert not capsys.readouterr().err
    sl.evaluate(net, splits.test.standardized(0.0, 2.0))  # made of the test set
    assert capsys.readouterr().err.startswith(NOTE)
    sl.evaluate(nn.Linear(3, 2), splits.test)
    assert not capsys.readouterr().err


def test_other_networks_are_noted_too_but_for_a_report(splits, capsys):
    with final_figures():
        for _ in range(2):
            sl.evaluate(nn.Linear(3, 2), splits.test)
    assert not capsys.readouterr().err
    for _ in range(2):
        sl.evaluate(nn.Linear(3, 2), splits.test)
    assert capsys.readouterr().err.startswith(NOTE)


def test_validation_and_data_of_ones_own_are_nobodys_test_set(splits, capsys):
    for part in (splits.train, splits.validation, data.Dataset(np.eye(3), [0, 1, 1])):
        for _ in range(2):
            sl.evaluate(nn.Linear(3, 2), part)
    assert not capsys.readouterr().err


def test_a_test_set_that_is_gone_is_forgotten(splits):
    key = id(splits.test.targets)
    assert key in test_sets
    del splits._test
    gc.collect()
    assert key not in test_sets


def test_the_report_of_a_recipe_raises_no_alarm(capsys):
    said.clear()
    digits = data.digits()
    sl.evaluate(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), digits.test)
    result = run(replace(find_recipe("digits"), data=lambda config: digits), {"epochs": 1}, progress=False)
    assert "measured with more than one set" not in capsys.readouterr().err
    sl.evaluate(result.run.net, digits.test)
    assert "measured with more than one set" in capsys.readouterr().err
