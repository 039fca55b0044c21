"""The recipes of series, tables and sounds on small data: they find what is there to be found, and the same again with the same seed."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import data
from slopes.data import Series
from slopes.errors import ShapeError
from slopes.zoo import forecast
from slopes.zoo.networks import Forecaster


def found_by(recipe, seed=0, **given):
    told = []
    findings = recipe.investigate(recipe.chosen(**given), seed, told.append)
    assert told and findings.lines and all(np.isfinite(value) for value in findings.figures.values())
    assert findings.weights and all(draw().data("png") for draw in findings.pictures.values())
    return findings


# Series


def wave(period=8, length=400):
    """A wave whose period is not quite the one that is named: neither plain forecast is good."""
    steps = np.arange(length)
    values = 10 + 3 * np.sin(steps * 2 * np.pi / (period + 0.5))
    return Series(values.astype(np.float32), tuple(f"day {k}" for k in steps), period, "wave")


SMALL = {"past": 12, "horizon": 4, "hidden": 8, "epochs": 10, "batch": 16, "rate": 0.02}


def test_a_wave_is_forecast_better_than_by_both_plain_forecasts(monkeypatch):
    monkeypatch.setattr(forecast, "SERIES", {"sunspots": wave, "temperatures": wave})
    found = found_by(forecast.recipe, **SMALL)
    figures = list(found.figures.values())
    assert figures[0] < 0.5 and figures[1] < figures[3] and figures[1] < figures[4] and figures[1] == figures[2]
    assert set(found.pictures) == {"forecast.png", "curve-sunspots.png", "curve-temperatures.png"}
    assert len(found.lines) == 3 and found.lines[1].startswith("sunspots")


def test_one_series_is_forecast_when_asked_for_the_same_with_the_same_seed(monkeypatch):
    monkeypatch.setattr(forecast, "SERIES", {"sunspots": wave})
    found, again = (found_by(forecast.recipe, series="sunspots", **SMALL | {"epochs": 2}) for _ in range(2))
    assert found.figures == again.figures and found.lines == again.lines
    assert all(path.startswith("sunspots.") and (again.weights[path] == array).all() for path, array in found.weights.items())


def test_the_errors_of_a_forecast_are_those_of_the_series_own_units(monkeypatch):
    monkeypatch.setattr(forecast, "SERIES", {"sunspots": wave})
    _, _, view = forecast.learned("sunspots", forecast.recipe.chosen(**SMALL | {"epochs": 1}), 0, lambda text: None)
    splits = data.split_series(wave(), 12, 4)
    first = int(splits.firsts("test")[0, 0])
    assert view.times[0] == f"day {first}" and len(view.truth) == len(splits.test)
    np.testing.assert_allclose(view.truth[0], wave().values[first:first + 4], rtol=1e-5)
    np.testing.assert_allclose(view.forecasts["nothing changes"][0], wave().values[first - 1], rtol=1e-5)
    np.testing.assert_allclose(view.forecasts["one period ago"][0], wave().values[first - 8:first - 4], rtol=1e-5)


def test_a_forecaster_adds_to_the_last_value():
    net = Forecaster(3, 4)
    x = sl.normal((2, 6, 1))
    moved = net(x) - x[:, -1]
    assert moved.shape == (2, 3)
    for weight in (net.head.weight, net.head.bias):
        weight.assign(sl.zeros_like(weight))
    np.testing.assert_array_equal(net(x).numpy(), np.repeat(x.numpy()[:, -1], 3, axis=1))
    with pytest.raises(ShapeError, match=r"Forecaster: x is \(2, 6\)"):
        net(x[:, :, 0])
