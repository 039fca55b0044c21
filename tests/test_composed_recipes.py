"""Recipes on made data: they beat their baselines on a few examples, draw what they found, the same again with the same seed."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from recipe_runs import run_recipe, same_weights

import slopes as sl
from slopes import data
from slopes.data.sets import composed
from slopes.errors import DataError
from slopes.experiments.experiment import Config
from slopes.experiments.load import load
from slopes.experiments.recipes import caption, recommend, segment
from slopes.experiments.run import known_values, rebuilt
from slopes.train.runs import load_run
from slopes.zoo import show_attend_tell as captioner

# recommend


def test_ratings_are_forecast_better_than_by_biases(monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(data, "ratings", partial(data.ratings, users=60, items=50, per_user=40))
    small = {"epochs": 12, "batch": 32, "rank": 1, "factors": 1, "hidden": 4, "rate": 0.03}
    found = run_recipe(recommend.recipe, folder=tmp_path / "run", **small)
    assert found.figures["noise"] < found.figures["test RMSE"] < 0.5 * found.figures["biases only"]
    chosen = min(("factors", "MLP", "both"), key=lambda kind: found.figures[f"validation RMSE, {kind}"])
    assert f"({chosen})" in found.lines[0]
    assert set(found.report.plots) == {"ratings.png", "curve.png"}
    again = run_recipe(recommend.recipe, **small)
    assert again.figures == found.figures and again.lines == found.lines and same_weights(again, found)
    loaded = load(tmp_path / "run")
    assert len(loaded.networks) == 3
    things = loaded.predict("7", top=6).text.split(", ")
    rated = set(found.data.train.inputs[found.data.train.inputs[:, 0] == 7, 1].tolist())
    assert len(things) == 6 and not rated & {int(thing.split()[1]) for thing in things}
    with pytest.raises(DataError, match="users are numbered from 0 to 59"):
        loaded.predict("60")


def test_what_is_rated_already_is_not_recommended(monkeypatch):
    monkeypatch.setattr(recommend, "BEST", 1)
    made = data.ratings(users=4, items=3, per_user=3, noise=0.0)
    made.clear = np.zeros((4, 3), np.float32)
    made.clear[tuple(made.train.inputs.T)] = 9.0
    assert recommend.recommended(made, lambda pairs: made.clear[tuple(pairs.T)]) < 9


# segment


def few(folder=None):
    """Hardly any digits: four classes of strokes, thick enough to be seen at once, some brighter than others."""
    images, labels = np.zeros((40, 1, 28, 28), np.float32), np.arange(40) % 4
    for number, label in enumerate(labels):
        place = 10 + number % 5
        stroke = [np.s_[6:22, place:place + 3], np.s_[place:place + 3, 6:22], np.s_[6:13, place:place + 3], np.s_[place:place + 3, 6:13]]
        images[(number, 0, *stroke[label])] = 0.5 + number % 3 / 4
    examples = data.Dataset(images, labels, [str(digit) for digit in range(10)])
    return data.Splits(examples, examples, examples, "toy")


@pytest.fixture
def strokes(monkeypatch):
    """The makers of composed pictures take these strokes for digits."""
    monkeypatch.setattr(composed, "mnist", few)


def test_ink_is_found_better_than_by_a_threshold(strokes, tmp_path):
    pytest.importorskip("matplotlib")
    found = run_recipe(segment.recipe, folder=tmp_path / "run", pictures=64, tested=8, epochs=30, batch=8, width=4, levels=1, rate=0.02)
    assert found.figures["mean IoU"] > found.figures["mean IoU of one threshold"] + 0.05
    assert set(found.report.plots) == {"masks.png", "curve.png"} <= {file.name for file in (tmp_path / "run").iterdir()}
    image = found.data.test.inputs[0]
    (tmp_path / "ink.pgm").write_bytes(b"P5 56 56 255\n" + (image[0] * 255).round().astype("u1").tobytes())
    prediction = load(tmp_path / "run").predict(str(tmp_path / "ink.pgm"))
    truth = found.data.test.targets[0]
    assert (prediction.picture == truth).mean() > 0.95 and prediction.text.endswith("of 56 x 56 pixels are ink")


def test_overlap_is_that_of_sets_of_pixels():
    truth, answers = (np.array(each).reshape(2, 2, 2) for each in ([0, 1, 1, 1, 2, 2, 0, 0], [0, 1, 1, 2, 2, 0, 0, 0]))
    found = segment.overlap(truth, answers, 4)
    sets = [(set(np.flatnonzero(truth == each)), set(np.flatnonzero(answers == each))) for each in range(3)]
    np.testing.assert_allclose(found[:3], [len(a & b) / len(a | b) for a, b in sets])
    assert np.isnan(found[3])


# caption


def test_captions_are_learned_and_where_each_word_looked(strokes, tmp_path):
    pytest.importorskip("matplotlib")
    found = run_recipe(caption.recipe, folder=tmp_path / "run", pictures=64, tested=16, epochs=2, batch=16, filters=2, width=4, hidden=8,
                       beams=2)
    assert found.lines[0].endswith("of 16 captions are right to the last word")
    assert {"captions.png", "looks.png", "curve.png"} <= {file.name for file in (tmp_path / "run").iterdir()}
    image = found.data.test.inputs[0]
    (tmp_path / "digits.pgm").write_bytes(b"P5 56 56 255\n" + (image[0] * 255).round().astype("u1").tobytes())
    sentence = load(tmp_path / "run").predict(str(tmp_path / "digits.pgm")).text
    assert sentence == caption.written(found.run.net, np.rint(image * 255)[None].astype(np.float32) / 255, 11, 2)[0]
    saved, network = load_run(tmp_path / "run"), load(tmp_path / "run").net
    saved.network.weights["places"] = saved.network.weights.pop("positions")  # its name in runs of older versions
    older = rebuilt(caption.recipe, saved, Config(known_values(caption.recipe, saved), saved.seed), next(iter(saved.networks)))
    assert np.array_equal(older.positions.numpy(), network.positions.numpy())


def test_lessons_end_with_the_sentence():
    pictures = data.Dataset(np.zeros((2, 1, 8, 8)), [[1, 10, 0, 0, 0], [1, 10, 13, 14, 0]])
    taught = caption.lessons(pictures)
    assert taught.inputs[1].tolist() == [[0, 1, 10, 0, 0], [0, 1, 10, 13, 14]]
    assert taught.targets.tolist() == [[1, 10, 0, -100, -100], [1, 10, 13, 14, 0]]


def test_a_sentence_is_whole_when_each_counted_word_is_the_likeliest():
    words = np.array([[1, 2, 0, -100], [1, 2, 0, -100], [3, 3, 3, 0]])
    said = np.array([[1, 2, 0, 3], [1, 1, 0, 3], [3, 3, 3, 0]])
    found = caption.whole(sl.one_hot(said, 4), sl.tensor(words))
    assert found.numpy().tolist() == [True, False, True]


def test_what_is_written_is_what_is_likeliest_at_each_word(strokes):
    sl.seed(2)
    net = captioner.Captioner((1, 56, 56), len(data.CAPTION_WORDS), 2, 4, 8)
    pictures = data.digit_captions(sizes=(1, 1, 5)).test
    found = caption.written(net, pictures.inputs, 4, beams=1)
    with sl.no_grad():
        net.eval()
        tokens = np.full((5, 1), caption.END)
        for _ in range(4):
            likeliest = net(sl.tensor(pictures.inputs), sl.tensor(tokens)).numpy()[:, -1].argmax(axis=1)
            tokens = np.concatenate([tokens, likeliest[:, None]], axis=1)
    assert found == [data.caption_text(row) for row in tokens[:, 1:]]


@pytest.mark.parametrize("sentence, kind", [
    ("an eight", "one digit"), ("a seven left of a two", "left of"), ("a three above a nine", "above"),
    ("a seven left of a two and a five below", "three digits")])
def test_each_sentence_has_its_kind(sentence, kind):
    assert caption.kind_of(sentence) == kind
