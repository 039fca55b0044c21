"""The recipes of series, tables and sounds on small data: they find what is there to be found, and the same again with the same seed."""

from __future__ import annotations

import wave as wavefile

import numpy as np
import pytest
from recipe_runs import run_recipe, same_weights

import slopes as sl
from slopes import data, nn
from slopes.data import Dataset, Series, Splits, Table
from slopes.data.transforms.sound import mel_filters, spectrogram
from slopes.errors import DataError, MissingExtraError, NonFiniteError, ShapeError
from slopes.experiments.load import load
from slopes.experiments.recipes import forecast, speech, tabular
from slopes.zoo.networks import Forecaster, SpokenCNN, SpokenGRU

# Series


def wave(period=8, length=400):
    """A wave whose period is not quite the one that is named: neither plain forecast is good."""
    steps = np.arange(length)
    values = 10 + 3 * np.sin(steps * 2 * np.pi / (period + 0.5))
    return Series(values.astype(np.float32), tuple(f"day {k}" for k in steps), period, "wave")


SMALL = {"past": 12, "horizon": 4, "hidden": 8, "epochs": 10, "batch": 16, "rate": 0.02}


def test_a_wave_is_forecast_better_than_by_both_plain_forecasts(monkeypatch, tmp_path):
    monkeypatch.setattr(forecast, "SERIES", {"sunspots": wave, "temperatures": wave})
    found = run_recipe(forecast.recipe, folder=tmp_path / "run", **SMALL)
    figures = list(found.figures.values())
    assert figures[0] < 0.5 and figures[1] < figures[3] and figures[1] < figures[4] and figures[1] == figures[2]
    assert set(found.report.plots) == {"forecast.png", "curve-sunspots.png", "curve-temperatures.png"}
    assert len(found.lines) == 3 and found.lines[1].startswith("sunspots")
    loaded = load(tmp_path / "run")
    (tmp_path / "wave.csv").write_text("day,value\n" + "".join(f"{i},{value}\n" for i, value in enumerate(wave().values)))
    ahead = [float(value) for value in loaded.predict(f"temperatures={tmp_path / 'wave.csv'}").text.split(", ")]
    assert loaded.predict("sunspots").text == loaded.predict("temperatures").text == ", ".join(f"{value:.4g}" for value in ahead)
    np.testing.assert_allclose(ahead, wave(length=404).values[-4:], atol=1.0)
    (tmp_path / "short.csv").write_text("value\n1\n2\n")
    for item, text in (("rain", "its series are sunspots, temperatures"), (f"sunspots={tmp_path / 'short.csv'}", "12 known numbers")):
        with pytest.raises(DataError, match=text):
            loaded.predict(item)


def test_one_series_is_forecast_when_asked_for_the_same_with_the_same_seed(monkeypatch):
    monkeypatch.setattr(forecast, "SERIES", {"sunspots": wave})
    found, again = (run_recipe(forecast.recipe, series="sunspots", **SMALL | {"epochs": 2}) for _ in range(2))
    assert found.figures == again.figures and found.lines == again.lines
    assert list(found.networks) == ["sunspots"] and same_weights(found, again)


def test_the_errors_of_a_forecast_are_those_of_the_series_own_units(monkeypatch):
    monkeypatch.setattr(forecast, "SERIES", {"sunspots": wave})
    result = run_recipe(forecast.recipe, series="sunspots", **SMALL | {"epochs": 1})
    view = forecast.outlook("sunspots", result.data["sunspots"], result.networks["sunspots"])
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


# Tables


def bends(words=False, rows=400):
    """What is near the middle is high: no weighted sum of the columns tells it."""
    rng = np.random.default_rng(0)
    x, kind = rng.uniform(-1, 1, rows), np.array(["a", "b"])[rng.integers(0, 2, rows)]
    y = np.abs(x) + 0.5 * (kind == "b")
    return data.split_table(Table({"x": x, "kind": kind, "y": np.where(y > 0.75, "high", "low") if words else 10 * y}), "y")


TINY = {"bins": 8, "layers": 2, "width": 16, "dropout": 0.0, "steps": 200, "batch": 32, "rate": 0.02}


def test_classes_and_numbers_of_tables_are_learned_beside_scikit_learn(monkeypatch, tmp_path):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(tabular, "TABLES", {"adult": lambda: bends(True), "wine-quality": bends})
    found = run_recipe(tabular.recipe, folder=tmp_path / "run", **TINY)
    assert list(found.figures)[:3] == ["error / scikit-learn's, worst table", "adult accuracy", "wine-quality error"]
    assert found.figures["adult accuracy"] > 0.94 and found.figures["wine-quality error"] < 0.5 and len(found.figures) == 7
    wrong = 1 - found.figures["adult accuracy"], found.figures["wine-quality error"]
    theirs = (1 - max(value for name, value in found.figures.items() if name.startswith("adult accuracy, scikit-learn")),
              min(value for name, value in found.figures.items() if name.startswith("wine-quality error, scikit-learn")))
    assert found.figures["error / scikit-learn's, worst table"] == pytest.approx(max(a / b for a, b in zip(wrong, theirs) if b))
    assert set(found.report.plots) == {"adult.png", "wine-quality.png", "curve-adult.png", "curve-wine-quality.png"}
    loaded = load(tmp_path / "run")
    (tmp_path / "rows.csv").write_text("kind,x\nb,0.9\na,0.1\n")
    assert [line.split(" (")[0] for line in loaded.predict(str(tmp_path / "rows.csv")).text.splitlines()] == [
        "adult", "  row 1: high", "  row 2: low"]
    (tmp_path / "other.csv").write_text("colour,x\nb,0.9\n")
    with pytest.raises(DataError, match="for adult it lacks kind"):
        loaded.predict(str(tmp_path / "other.csv"))


def test_without_scikit_learn_a_table_is_learned_alone(monkeypatch, tmp_path):
    def missing(*arguments, **named):
        raise MissingExtraError("the comparison needs sklearn, which is not installed")

    monkeypatch.setattr(tabular, "require", missing)
    monkeypatch.setattr(tabular, "TABLES", {"wine-quality": bends})
    found = run_recipe(tabular.recipe, folder=tmp_path / "run", table="wine-quality", **TINY | {"steps": 40})
    assert list(found.figures) == ["wine-quality error"]
    (tmp_path / "rows.csv").write_text("x,kind\n0.5,a\n")
    title, row = load(tmp_path / "run").predict(str(tmp_path / "rows.csv")).text.splitlines()
    assert title == "wine-quality" and 0 < float(row.removeprefix("  row 1: ")) < 15
    assert found.lines[-1] == "not compared with scikit-learn, which is not installed: pip install 'slopes[sklearn]'"


def test_scores_are_those_of_the_targets_own_units():
    numbers = tabular.Answer("t", np.array([1.0, 3.0]), np.array([2.0, 5.0]), None, {"a": 3.0, "b": 1.0})
    assert numbers.score(numbers.predicted) == pytest.approx(np.sqrt(2.5)) and numbers.ratio() == pytest.approx(np.sqrt(2.5))
    classes = tabular.Answer("t", np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]), ("no", "yes"), {"a": 0.5, "b": 0.25})
    assert classes.score(classes.predicted) == 0.75 and classes.ratio() == 0.5


def test_bins_follow_the_training_column_by_column():
    rng = np.random.default_rng(0)
    training = np.stack([rng.normal(size=101), np.arange(101) % 2, np.full(101, 3.0)], axis=1)
    bins = nn.Bins(training, count=8)
    assert bins.outputs == 3 + 4 and repr(bins) == "Bins(3 -> 7)"
    y = bins(sl.asarray(training.astype(np.float32))).numpy()
    np.testing.assert_array_equal(y[:, :3], training.astype(np.float32))
    edges = np.quantile(training[:, 0].astype(np.float32), [0, 0.25, 0.5, 0.75, 1])
    for j in range(4):
        wanted = np.clip((training[:, 0] - edges[j]) / (edges[j + 1] - edges[j]), 0, 1)
        np.testing.assert_allclose(y[:, 3 + j], wanted, atol=1e-5)
    assert nn.Bins(training[:, 1:])(sl.ones((2, 2))).shape == (2, 2)  # nothing to divide
    often = nn.Bins(np.repeat([[0.0], [1.0], [2.0], [5.0]], [90, 4, 3, 3], axis=0), count=6)  # frequent values are values as others are
    assert often(sl.tensor([[3.5]])).tolist() == [[3.5, 1.0, 1.0, 0.5]]
    with pytest.raises(ShapeError, match=r"Bins: the training inputs have shape \(3,\)"):
        nn.Bins([1.0, 2.0, 3.0])
    with pytest.raises(NonFiniteError, match="Bins: the training inputs are not finite"):
        nn.Bins([[np.nan], [1.0]])
    with pytest.raises(ShapeError, match=r"needs x of shape \(N, 3\)"):
        bins(sl.ones((2, 2)))


# Sounds


def sounds(speaker=None):
    """Words of two tones each: a low and a high one, in an order that tells the word; some voices are lower, some recordings louder."""
    rng = np.random.default_rng(0 if speaker is None else 1)
    x, y = rng.normal(-12, 0.3, (96, 1, 16, 12)), np.arange(96) % 3
    for row, word in zip(x[:, 0], y):
        low = rng.integers(2, 4)
        for moment, tone in zip((slice(2, 5), slice(6, 9)), ((0, 8), (8, 0), (4, 4))[word]):
            row[low + tone:low + tone + 2, moment] += 10
        row += rng.normal()
    part = Dataset(x, y, ("up", "down", "level"))
    return Splits(part.subset(slice(0, 64)), part.subset(slice(64, 80)), part.subset(slice(80, 96)))


@pytest.mark.parametrize("kind", ["cnn", "gru"])
def test_spoken_words_are_told_apart_also_of_a_stranger(kind, monkeypatch, tmp_path):
    monkeypatch.setattr(data, "spoken_digits", sounds)
    small = {"speakers": 1, "epochs": 12, "batch": 16, "channels": 4, "mask": 1, "shift": 1, "dropout": 0.0, "rate": 0.02}
    found = run_recipe(speech.recipe, folder=tmp_path / "run", kind=kind, **small)
    assert found.figures["accuracy"] == 1 and found.figures["held-out speaker accuracy"] > 0.8
    assert found.figures["george accuracy"] == found.figures["worst held-out speaker accuracy"] and set(found.report.plots) == {
        "curve.png", "confusion.png"}


def test_the_word_of_a_wav_file_is_recognised(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "spoken_digits", sounds)
    run_recipe(speech.recipe, folder=tmp_path / "run", speakers=1, epochs=1, batch=16, channels=4, mask=1)
    wave = (8000 * np.sin(np.arange(4000) / 3)).astype("<i2")
    loaded = load(tmp_path / "run")
    assert list(loaded.networks) == ["all speakers"]
    for rate in (8000, 44100):
        with wavefile.open(str(tmp_path / "word.wav"), "wb") as file:
            file.setparams((1, 2, rate, len(wave), "NONE", ""))
            file.writeframes(wave.tobytes())
        if rate == 8000:
            features = np.log(mel_filters(16, 256, 8000) @ spectrogram(np.pad(wave / 2**15, (0, 4000)), 256, 128) + 1e-6)
            scaled = (speech.level(features[None, None]) - loaded.facts["mean"]) / loaded.facts["std"]
            with sl.no_grad():
                word = ("up", "down", "level")[int(loaded.net(sl.tensor(scaled.astype(np.float32))).numpy().argmax())]
            assert loaded.predict(str(tmp_path / "word.wav")).text.startswith(f"{word} (")
    with pytest.raises(DataError, match="it has 44,100 samples a second"):
        loaded.predict(str(tmp_path / "word.wav"))


def test_a_loud_recording_is_the_same_as_a_low_one():
    part = sounds().train
    np.testing.assert_allclose(speech.level(part.inputs), speech.level(part.inputs + 3), atol=1e-5)
    assert speech.level(part.inputs).min() == 0 and speech.level(part.inputs).max() == pytest.approx(speech.QUIET)


def test_augmented_sounds_keep_their_words_and_hide_whole_bands():
    change = speech.varied(speech.recipe.resolve(shift=1, pitch=1, mask=5, noise=0.0), silence=-1.0)
    x, y = change(sl.ones((8, 1, 40, 61)), sl.arange(8))
    x = x.numpy()[:, 0]
    assert y.tolist() == list(range(8)) and set(np.unique(x)) == {-1.0, 0.0, 1.0}
    hidden = (x == 0).all(axis=2).sum(axis=1)
    assert hidden.max() == 5 and hidden.min() >= 3 and ((x == 0).any(axis=2) == (x == 0).all(axis=2)).all()


@pytest.mark.parametrize("make", [SpokenCNN, SpokenGRU])
def test_sounds_of_other_sizes_are_refused(make):
    net = make(16, 3)
    assert net(sl.zeros((2, 1, 16, 9))).shape == (2, 3)
    with pytest.raises(ShapeError, match=rf"{make.__name__}: x is \(2, 1, 12, 9\)"):
        net(sl.zeros((2, 1, 12, 9)))
    with pytest.raises(ShapeError, match="SpokenCNN: bands=7"):
        SpokenCNN(7, 3)
