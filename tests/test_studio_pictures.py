"""The engine of the page of pictures: its training, its drawings, and what it shows of the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")
pytest.importorskip("sklearn")

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset, digits, save_image_folder
from slopes.errors import ArgumentError, DataError, OutOfRangeError
from slopes.studio.engine import Context, Frame
from slopes.studio.live_engine import Control, Missing
from slopes.studio.messages import Attached, MessageError, parse
from slopes.studio.pictures.datasets import source_named, sources
from slopes.studio.pictures.drawing import MNIST, SMALL_DIGITS, centre_of_mass, condition, painted
from slopes.studio.pictures.engine import PicturesEngine
from slopes.studio.pictures.favourites import strongest
from slopes.studio.pictures.frames import PARTS
from slopes.studio.pictures.messages import MESSAGES, Choose, Configure, Draw, Explain, Hover, Ideal, Unit
from slopes.studio.pictures.network import fitted_lenet

SETTINGS = Configure(data="small-digits", filters=4, optimizer="adam", rate=0.01, batch=32, examples=600, seed=3, speed=0.0)
ZERO = tuple(float(value) for angle in np.linspace(0, 2 * np.pi, 25) for value in (0.5 + 0.2 * np.sin(angle), 0.5 + 0.35 * np.cos(angle)))
SEVEN = (0.2, 0.2, 0.7, 0.2, 0.4, 0.9)


def settle(engine: PicturesEngine) -> Frame:
    """Run all tasks; the last frame."""
    while engine.tasks.waiting:
        engine.tasks.shown = True
        engine.step(0.01)
    frame = engine.frame()
    assert frame is not None
    return frame


def ask(engine: PicturesEngine, message: object) -> Frame:
    """The frame after a message."""
    engine.handle(message)
    return settle(engine)


@pytest.fixture(scope="module")
def engine() -> PicturesEngine:
    """A page's engine whose network has done 150 steps."""
    engine = PicturesEngine(Context())
    engine.handle(Attached())
    engine.handle(SETTINGS)
    settle(engine)
    engine.handle(Control("play"))
    while engine.scene.model.live.steps < 150:
        assert engine.step(0.01)
    engine.handle(Control("pause"))
    return engine


def test_training_is_that_of_a_plain_program_and_shows_what_it_learned(engine):
    frame = ask(engine, Control("pause"))
    assert frame.header["status"]["playing"] is False and not engine.step(0.01)
    model = engine.scene.model
    sl.seed(3)
    net = fitted_lenet((1, 8, 8), 10, 4)
    plain = sl.Training(net, digits().train.subset(slice(0, 600)), optimizer=optim.Adam(lr=0.01), batch_size=32, epochs=100, seed=3)
    losses = plain.advance(model.live.steps)["loss"]
    assert losses.astype(np.float64).tolist() == model.live.training.history.losses
    engine.handle(Missing(("test", "maps", "data", "nothing")))
    frame = engine.frame()
    assert set(frame.header) == {"versions", "data", "maps", "test"}
    test, data = model.data.test, model.data
    predicted = net(test.inputs).numpy().argmax(axis=1)
    expected = np.zeros((10, 10), np.int64)
    np.add.at(expected, (test.targets, predicted), 1)
    model.measure()
    engine.parts.change("test")
    shown = engine.frame()
    assert (shown.arrays["test.counts"] == expected).all() and shown.header["test"]["accuracy"] == (predicted == test.targets).mean()
    assert shown.header["test"]["accuracy"] > 0.8
    worst = shown.header["test"]["mistakes"][0]
    assert data.test.targets[worst["index"]] == worst["label"] != worst["predicted"]
    assert (frame.arrays["maps.0"] == net[0](test.inputs[:1]).numpy()[0]).all()


def test_drawings_are_made_like_the_data_and_recognised(engine):
    for label, stroke in ((0, ZERO), (7, SEVEN)):
        frame = ask(engine, Draw((stroke,)))
        assert frame.arrays["maps.probabilities"].argmax() == label
        assert frame.header["picture"] == {"role": "drawn", "index": 0, "label": -1}
        smaller = tuple(0.3 * value + 0.6 for value in stroke)
        for conditioning in (MNIST, SMALL_DIGITS):
            picture = condition((stroke,), conditioning)
            assert np.abs(condition((smaller,), conditioning) - picture).max() < 1e-5  # size and position of a drawing do not matter
            assert picture.dtype == np.float32 and picture.min() == 0 and 0.9 < picture.max() <= 1
        picture = condition((stroke,), MNIST)
        assert np.abs(centre_of_mass(picture) - 14.5).max() < 0.3
        rows = np.flatnonzero(picture.max(axis=1) > 0.5)
        assert 19 <= rows[-1] - rows[0] + 1 <= 21
    small, mean = condition((ZERO,), SMALL_DIGITS), digits().train
    zeros = mean.inputs[mean.targets == 0, 0].mean(axis=0)
    assert np.corrcoef(small.reshape(-1), zeros.reshape(-1))[0, 1] > 0.8
    assert abs(small.sum() / zeros.sum() - 1) < 0.25
    moved = condition(((0.1, 0.1),), painted(20))
    assert moved[:5, :5].any() and not moved[10:].any()  # things stay where they are painted
    assert not condition((), MNIST).any()
    assert not ask(engine, Draw(())).arrays["picture.pixels"].any()


def test_receptive_fields_are_what_changes_a_unit(engine):
    model = engine.scene.model
    rng = np.random.default_rng(0)
    picture = rng.random((1, 1, 8, 8), np.float32)
    pixels = np.repeat(picture, 64, axis=0)
    pixels[np.arange(64), 0, np.arange(64) // 8, np.arange(64) % 8] += 1
    for layer, position in ((0, (0, 3)), (2, (1, 1)), (3, (2, 2)), (5, (1, 0))):
        field = ask(engine, Hover(layer, *position)).header["field"]
        top, left, bottom, right = field["box"]
        linear = nn.Sequential(*(nn.AvgPool2d(2) if isinstance(part, nn.MaxPool2d) else part for part in list(model.net)[:layer + 1]
                                 if not isinstance(part, nn.ReLU)))  # so that no unit hides behind another one
        changed = (linear(pixels).numpy() != linear(picture).numpy())[:, :, *position].any(axis=1).reshape(8, 8)
        expected = np.zeros((8, 8), bool)
        expected[top:bottom + 1, left:right + 1] = True
        assert (changed == expected).all()


def test_favourites_saliency_and_ideal_pictures_are_of_the_unit(engine):
    model = engine.scene.model
    pictures = model.data.train.inputs
    frame = ask(engine, Unit(3, 2))
    maps = model.net[:4](pictures).numpy()[:, 2].reshape(len(pictures), -1)
    values = maps.max(axis=1)
    best = frame.header["favourites"]
    assert best["indices"] == np.argsort(-values, kind="stable")[:9].tolist()
    assert np.allclose(best["activations"], np.sort(values)[::-1][:9], rtol=1e-5)
    dense = strongest(model.probe, pictures[:50], 7, 1, model.field)
    assert (dense.boxes == [0, 0, 7, 7]).all()
    ideal = ask(engine, Ideal()).header["ideal"]
    assert ideal["made"] and ideal["activation"] > maps.mean()  # gradient ascent makes the mean over positions large
    engine.handle(Choose("training", 5))
    shown = ask(engine, Explain(4))
    expected = sl.inside.saliency(model.net, pictures[5], 4).map
    assert shown.header["saliency"] == {"target": 4, "chosen": True} and np.allclose(shown.arrays["saliency.map"], expected)
    filters = ask(engine, Missing(("filters",))).arrays
    assert (filters["filters.0"] == model.net[0].weight.detach().numpy()).all() and filters["filters.3"].shape == (8, 4, 3, 3)


def test_settings_change_at_once_or_begin_anew(engine):
    before = engine.scene.model
    engine.handle(Configure(**{**vars(SETTINGS), "rate": 0.5}))
    assert engine.scene.model is before and before.live.training.rate == 0.5 and not engine.tasks.waiting
    frame = ask(engine, Configure(**{**vars(SETTINGS), "rate": 0.01, "seed": 4}))
    assert engine.scene.model is not before and engine.scene.model.data is before.data
    assert frame.header["curve"]["step"] == 0 and set(frame.header) == {"versions", *PARTS}
    ask(engine, Control("step"))
    assert engine.scene.model.live.steps == 1 and engine.frame() is None
    for message in (Hover(6, 0, 0), Hover(0, 8, 0), Unit(0, 4), Unit(60, 0), Choose("test", 10**6), Explain(10)):
        with pytest.raises(OutOfRangeError):
            engine.handle(message)
    for text in ('{"kind": "draw", "strokes": [[2, 0]]}', '{"kind": "draw", "strokes": [[]]}', '{"kind": "choose", "role": "file"}'):
        with pytest.raises(MessageError):
            parse(text, MESSAGES)
    with pytest.raises(ArgumentError, match="no folder of pictures"):
        engine.handle(Configure(**{**vars(SETTINGS), "data": "folder"}))


def test_a_folder_of_pictures_is_learned_without_its_damaged_files(tmp_path):
    rng = np.random.default_rng(0)
    bright = np.repeat([0.2, 0.8], 12)[:, None, None, None] + 0.1 * rng.random((24, 3, 12, 12))
    save_image_folder(Dataset(bright.astype(np.float32), np.repeat([0, 1], 12), ["dark", "light"]), tmp_path / "things")
    (tmp_path / "things" / "dark" / "broken.png").write_bytes(b"no picture")
    data = source_named(sources(tmp_path / "things"), "folder").read(100)
    assert data.classes == ("dark", "light") and data.shape[1:] == (32, 32)
    assert len(data.train) + len(data.test) == 24 and set(data.test.targets.tolist()) == {0, 1}
    assert data.conditioning.keeps and data.note == "Damaged files were left out: dark/broken.png."


def test_a_folder_that_cannot_be_learned_is_refused_and_the_page_goes_on(tmp_path):
    def make(name: str, count: int, classes: list[str]) -> Path:
        targets = np.arange(count) % len(classes)
        save_image_folder(Dataset(np.full((count, 3, 4, 4), 0.5, np.float32), targets, classes), tmp_path / name)
        return tmp_path / name

    (tmp_path / "empty").mkdir()
    (tmp_path / "hollow" / "a").mkdir(parents=True)
    cases = ((tmp_path / "empty", "it has no subfolders"), (tmp_path / "hollow", "there is no picture in it"),
             (make("one", 8, ["a"]), "all pictures are of the class 'a'"), (make("few", 4, ["a", "b"]), "it has 4 readable pictures"))
    for folder, words in cases:
        engine = PicturesEngine(Context(shared={"pictures": folder}))
        with pytest.raises(DataError, match=words):
            settle(engine)
        status = engine.frame().header["status"]
        assert not status["playing"] and not status["task"] and not status["ready"]
    assert ask(engine, SETTINGS).header["status"]["ready"]  # other data can be chosen
