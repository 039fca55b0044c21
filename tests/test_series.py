"""Time series: windows hold what they should, nothing of the future leaks into training, plain forecasts are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from slopes import data
from slopes.data import Series, split_series, windows
from slopes.errors import ArgumentError, DataError, NonFiniteError, OutOfRangeError, ShapeError


def series(length=200, channels=None, period=10):
    values = np.arange(length, dtype=np.float32)
    values = values if channels is None else np.stack([values * (k + 1) for k in range(channels)], axis=1)
    return Series(values, tuple(str(k) for k in range(length)), period, "count")


@pytest.mark.parametrize("length, size, horizon, step", [(20, 5, 1, 1), (20, 5, 3, 2), (8, 7, 1, 1), (9, 1, 1, 4)])
def test_windows_are_followed_by_what_came_next(length, size, horizon, step):
    past, future = windows(np.arange(length), size, horizon, step)
    assert past.shape == (1 + (length - size - horizon) // step, size, 1) and future.shape == (len(past), horizon)
    for k in range(len(past)):
        assert past[k, :, 0].tolist() == list(range(k * step, k * step + size))
        assert future[k].tolist() == list(range(k * step + size, k * step + size + horizon))


def test_windows_of_several_channels_keep_them():
    past, future = windows(series(20, 3).values, 4, 2)
    assert past.shape == (15, 4, 3) and future.shape == (15, 2, 3)
    assert future[0].tolist() == [[4, 8, 12], [5, 10, 15]]


@pytest.mark.parametrize("call, kind, text", [
    (lambda: windows(np.zeros(5), 5), ShapeError, "5 values are too few for 5 past and 1 future ones"),
    (lambda: windows(np.zeros(5), 0), ArgumentError, "size=0, horizon=1, step=1"),
    (lambda: windows(np.zeros((5, 5, 5)), 1), ShapeError, "a series has shape (5, 5, 5)"),
    (lambda: windows([1.0, np.nan, 2.0], 1), NonFiniteError, "the values of the series hold nan at [1]"),
    (lambda: split_series(series(20), 3, 5), ShapeError, "2 values are too few for 3 past and 5 future ones"),
    (lambda: split_series(series()._replace(values=np.zeros(200)), 3), OutOfRangeError, "the training values of count are all 0.0"),
    (lambda: split_series(series(), 3).seasonal("test", 300), ArgumentError, "the test windows begin less than 300 steps"),
    (lambda: split_series(series(), 3).seasonal("test", 0), ArgumentError, "period=0"),
    (lambda: split_series(series(), 3).persistence("tset"), ArgumentError, "there is no part 'tset'"),
])
def test_wrong_uses_of_series_are_refused(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)


@pytest.mark.parametrize("channels", [None, 2])
@pytest.mark.parametrize("horizon", [1, 4])
def test_no_target_is_in_two_parts_and_the_scale_is_that_of_training(channels, horizon):
    splits = split_series(series(200, channels), size=12, horizon=horizon)
    np.testing.assert_allclose(splits.mean, np.arange(140).mean() * np.arange(1, (channels or 1) + 1) if channels else 69.5)
    spans = []
    for part in (splits.train, splits.validation, splits.test):
        times = np.rint(splits.unscaled(part.targets)).reshape(len(part), horizon, -1)[..., 0]
        seen = np.rint(splits.unscaled(part.inputs)[..., 0]) if channels else np.rint(splits.unscaled(part.inputs[..., 0]))
        assert (times[:, 0] == seen[:, -1] + 1).all()
        spans.append((times.min(), times.max()))
    assert spans == [(12, 139), (140, 159), (160, 199)]


def test_persistence_is_the_last_value_seen_and_seasonal_the_one_a_period_ago():
    splits = split_series(series(period=10), size=3, horizon=12)
    last = splits.unscaled(splits.test.inputs[:, -1])
    np.testing.assert_allclose(splits.unscaled(splits.persistence()), last + np.zeros(12), rtol=1e-5)
    np.testing.assert_allclose(splits.unscaled(splits.seasonal())[0], [*range(150, 160), 150, 151], rtol=1e-5)
    assert splits.persistence("train").shape == splits.train.targets.shape
    many = split_series(series(200, 2), size=3, horizon=2)
    assert many.seasonal().shape == many.test.targets.shape


def test_parts_may_be_left_out():
    splits = split_series(series(), 5, fractions=(0.8, 0, 0.2))
    assert splits.validation is None and len(splits.test) == 40 and splits.test_untouched is False


def test_the_public_series(data_folder):
    spots, degrees = data.sunspots(data_folder), data.temperatures(data_folder)
    assert repr(spots) == "Series(sunspots: 2820 values from 1749-01 to 1983-12, period 132)"
    assert repr(degrees) == "Series(temperatures: 3650 values from 1981-01-01 to 1990-12-31, period 365)"
    assert spots.values[[0, -1]].tolist() == [58.0, np.float32(33.4)] and spots.values.dtype == np.float32
    splits = split_series(spots, 48)
    assert splits.test_untouched
    errors = [float(np.abs(each - splits.test.targets).mean() * splits.std) for each in (splits.persistence(), splits.seasonal())]
    np.testing.assert_allclose(errors, [14.837, 32.825], atol=1e-3)


@pytest.mark.parametrize("text, message", [
    ('"Month","Sunspots"\n"1749-01",58\n"1749-02",?\n', "column 'Sunspots': nothing in row 2"),
    ('"Month","Sunspots"\n"1749-01",58\n"1749-02",many\n', "column 'Sunspots': it holds words, not numbers"),
    ('"Month","Spots"\n"1749-01",58\n', "column 'Sunspots': it is not there"),
    ('"Month","Sunspots"\n"1749-01",58\n"1749-02"\n', "line 3: 1 fields instead of 2"),
])
def test_damaged_series_are_refused(tmp_path, text, message):
    path = tmp_path / "monthly-sunspots.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        data.sunspots(tmp_path)
    assert str(caught.value).startswith(f"{path}: {message}")
