"""The runs page: the listing follows the folder, histories are read as they grow, and only listed files are given out."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

import slopes as sl
from slopes import nn
from slopes.data.loaders.write_images import save_png
from slopes.errors import DataError
from slopes.experiments.catalog import RECIPES
from slopes.experiments.experiment import Config
from slopes.files import appended
from slopes.files.claim import claimed
from slopes.plot import Picture as Plotted
from slopes.studio.engine import Context
from slopes.studio.messages import Attached, MessageError, Upload, parse
from slopes.studio.runs import folder as folder_module
from slopes.studio.runs.curves import MOST_POINTS, curves_of
from slopes.studio.runs.engine import RunsEngine
from slopes.studio.runs.messages import MESSAGES, Look, Picture, Plot, Predict, Select
from slopes.studio.runs.predict import LARGEST
from slopes.train.follow import FollowedRun
from slopes.train.history import Epoch, History, Run
from slopes.train.runs import RECORD, load_run, save_run

PIXEL = b"\x89PNG\r\n\x1a\n a picture"


class Bytes(Plotted):
    """A plot that is some bytes."""

    def __init__(self):
        super().__init__(None)

    def save(self, path, *args, **options):
        with open(path, "wb") as file:
            file.write(PIXEL)


def history(epochs, steps=10, scale=1.0):
    """A history of falling losses."""
    losses = [scale / (1 + i) for i in range(epochs * steps)]
    records = [Epoch(i, losses[i * steps], {"accuracy": i / 10}, {"loss": scale / (1 + i), "accuracy": i / 11}, 100, steps, 0.5)
               for i in range(epochs)]
    return History(losses, records, 0.5 * epochs, 0.1)


def saved(folder, epochs=3, rate=0.1, **more):
    """A run of a recipe with an untrained network, as `slopes train softmax` would leave it."""
    recipe = RECIPES["softmax"]
    config = Config(recipe.resolve(rate=rate))
    facts = {"name": "mnist", "shape": [1, 28, 28], "classes": [str(i) for i in range(10)]}
    net = recipe.network(config, facts, "")
    return save_run(Run(net, history(epochs)), folder, recipe="softmax", hyperparameters=dict(config), data=facts,
                    figures={"test accuracy": rate}, lines=["a line"], plots={"confusion.png": Bytes()}, **more)


@pytest.fixture
def folder(tmp_path):
    saved(tmp_path / "runs" / "a")
    saved(tmp_path / "runs" / "deep" / "b", rate=0.2)
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / RECORD).write_text("{}")
    saved(tmp_path / "outside")
    os.symlink(tmp_path / "outside", tmp_path / "runs" / "link")
    return tmp_path / "runs"


def test_the_listing_follows_the_folder_and_reads_only_what_changed(folder, monkeypatch):
    engine = RunsEngine(Context(folder=folder))
    shown = engine.frame().header
    assert json.dumps(shown, allow_nan=False) and [row["run"] for row in shown["rows"]] == ["a", "deep/b"]
    assert list(shown["unreadable"]) == ["broken"] and shown["rows"][0]["figures"] == {"test accuracy": "0.1"}
    reads = []
    read_record = folder_module.read_record
    monkeypatch.setattr(folder_module, "read_record", lambda path, *more: reads.append(path) or read_record(path, *more))
    engine.poll()
    assert not reads and engine.frame() is None
    saved(folder / "a", epochs=5, rate=0.1)
    saved(folder / "c")
    shutil.rmtree(folder / "deep")
    with claimed(folder / "c"):
        engine.poll()
        rows = {row["run"]: row for row in engine.frame().header["rows"]}
    assert list(rows) == ["a", "c"] and rows["a"]["epochs"] == 5 and rows["c"]["state"] == "running" and len(reads) == 2
    engine.due = 0.0
    assert engine.step(0.01) is False and engine.frame().header["rows"][1]["state"] == "finished"
    assert RunsEngine(Context(folder=folder / "none")).frame().header["rows"] == []
    alone = RunsEngine(Context(run=folder / "a"))
    assert alone.frame().header["selected"] == ["a"]


def test_a_growing_history_is_read_from_where_it_was_left(tmp_path, monkeypatch):
    run, written, lengths = tmp_path / "run", {}, []
    net = nn.Linear(1, 1)
    save_run(Run(net, history(2)), run, written=written)
    engine = RunsEngine(Context(folder=tmp_path))  # selects the only run, which has no figures yet but its losses
    followed = engine.followed["run"]
    assert followed.histories[""].steps == 20 and not followed.poll() and len(engine.frame().arrays["x0"]) == 20
    read_exactly = appended.read_exactly
    monkeypatch.setattr(appended, "read_exactly", lambda stream, size, *args: lengths.append(size) or read_exactly(stream, size, *args))
    before = os.path.getsize(run / "history.jsonl")
    save_run(Run(net, history(5)), run, written=written)
    engine.poll()
    shown = engine.frame()
    assert sum(lengths) == os.path.getsize(run / "history.jsonl") - before and len(shown.arrays["x0"]) == 50
    assert shown.header["rows"][0]["figures"] == {"lowest validation loss": "0.2"}
    assert followed.histories[""] == load_run(run).network.history
    save_run(Run(net, history(3, scale=2.0)), run)  # another training
    assert followed.poll() and followed.histories[""] == load_run(run).network.history
    with open(run / "history.jsonl", "r+b") as file:
        file.write(b"damaged")
    with pytest.raises(DataError, match="SHA-256"):
        FollowedRun(run).poll()
    save_run({"x": Run(net, history(1)), "y": Run(net, history(2))}, run)
    assert followed.poll() and {name: one.steps for name, one in followed.histories.items()} == {"x": 10, "y": 20}


def test_runs_are_compared(folder):
    engine = RunsEngine(Context(folder=folder))
    engine.handle(Select(("a", "deep/b", "../outside", "a")))
    frame = engine.frame()
    shown = frame.header
    assert shown["selected"] == ["a", "deep/b"] and shown["figures"] == [["test accuracy", "0.1", "0.2"]]
    assert [row["name"] for row in shown["settings"] if row["differs"]] == ["rate"] and len(shown["settings"]) > 4
    assert shown["plot"]["figures"] == ["loss", "accuracy"]
    assert [curve["figure"] for curve in shown["curves"]] == ["training", "validation"] * 2
    np.testing.assert_allclose(frame.arrays["y0"], [1 / (1 + i) for i in range(30)], rtol=1e-6)
    np.testing.assert_array_equal(frame.arrays["x1"], [10, 20, 30])
    engine.handle(Plot("accuracy", "seconds", 5))
    frame = engine.frame()
    np.testing.assert_allclose(frame.arrays["x0"], [0.5, 1.0, 1.5])
    np.testing.assert_allclose(frame.arrays["y1"], [0, 1 / 11, 2 / 11], rtol=1e-6)
    engine.handle(Plot("loss", "epochs", 5))
    np.testing.assert_allclose(engine.frame().arrays["x0"][[9, 19]], [1, 2])
    shutil.rmtree(folder / "a")
    engine.poll()
    assert engine.frame().header["selected"] == ["deep/b"]
    engine.handle(Attached())
    assert engine.frame() is not None


def test_long_curves_are_thinned():
    long = History([float(i) for i in range(100_001)], [])
    [curve] = curves_of("run", {"": long}, "loss", "steps", 1)
    assert len(curve.x) == MOST_POINTS and curve.y.mean() == pytest.approx(50_000, rel=1e-3) and curve.x.dtype == np.float32
    assert curves_of("run", {"": History()}, "loss", "epochs", 100) == []


def test_one_run_is_shown_with_its_own_pictures_only(folder):
    engine = RunsEngine(Context(folder=folder))
    shown = engine.handle(Look("a")).header
    assert json.dumps(shown, allow_nan=False) and shown["lines"] == ["a line"] and shown["pictures"] == ["confusion.png"]
    assert shown["input"] == "file" and shown["takes"] == "IMAGE" and shown["networks"][0]["layers"][-1]["numbers"] == 7850
    assert engine.handle(Picture("a", "confusion.png")).arrays["data"].tobytes() == PIXEL
    (folder / "a" / "secret.png").write_bytes(b"not listed")
    for run, name in (("a", "secret.png"), ("a", "../../outside/confusion.png"), ("a", "/etc/passwd"), ("link", "confusion.png"),
                      ("../outside", "confusion.png"), (str(folder / "a"), "confusion.png"), ("a", RECORD)):
        with pytest.raises(sl.SlopesError, match=r"no run|no picture"):
            engine.handle(Picture(run, name))
    record = json.loads((folder / "a" / RECORD).read_text())
    record["plots"] = ["../../outside/confusion.png", 7]
    (folder / "a" / RECORD).write_text(json.dumps(record))
    with pytest.raises(sl.SlopesError, match="leads out"):
        engine.handle(Picture("a", "../../outside/confusion.png"))


def test_files_are_predicted_and_removed(folder, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    engine = RunsEngine(Context(folder=folder))
    with pytest.raises(sl.SlopesError, match="no run is chosen"):
        engine.handle(Upload("one.png", b""))
    engine.handle(Look("a"))
    pixels = np.zeros((28, 28), np.float32)
    pixels[4:24, 12:16] = 1
    save_png(tmp_path / "one.png", pixels)
    engine.handle(Predict("", top=2))
    answer = engine.handle(Upload("../my one.png", (tmp_path / "one.png").read_bytes())).header
    assert answer["kind"] == "prediction" and answer["text"].count("%") == 2
    with pytest.raises(sl.SlopesError, match=r"broken\.png: contents: it is not a readable image") as raised:
        engine.handle(Upload("broken.png", b"broken"))
    assert "temporary" not in str(raised.value)
    with pytest.raises(sl.SlopesError, match="slopes predict"):
        engine.handle(Upload("huge.png", bytes(LARGEST + 1)))
    with pytest.raises(sl.SlopesError, match="takes a file"):
        engine.handle(Predict(str(tmp_path / "one.png")))
    assert not list(temporary.iterdir())
    save_run(Run(nn.Linear(1, 1), history(1)), folder / "plain")
    engine.poll()
    assert engine.handle(Look("plain")).header["input"] == ""
    with pytest.raises(sl.SlopesError, match="cannot predict here"):
        engine.handle(Predict("text"))


def test_texts_are_predicted_and_never_read_as_paths(folder, tmp_path):
    recipe = RECIPES["approximate"]
    config = Config(recipe.resolve(hidden=8))
    nets = {name: Run(recipe.network(config, {}, name), History()) for name in recipe.parts(config)}
    save_run(nets, folder / "curve", recipe="approximate", hyperparameters=dict(config), data={})
    engine = RunsEngine(Context(folder=folder))
    assert engine.handle(Look("curve")).header["input"] == "text"
    assert float(engine.handle(Predict("0.5")).header["text"]) == pytest.approx(0, abs=100)
    for text, words in (("  ", "empty"), ("/etc/passwd", "not a number")):
        with pytest.raises(sl.SlopesError, match=words):
            engine.handle(Predict(text))


def test_messages_are_validated():
    assert parse('{"kind": "select", "runs": ["a"]}', MESSAGES) == Select(("a",))
    for text in ('{"kind": "select", "runs": [1]}', json.dumps({"kind": "select", "runs": ["a"] * 9}), '{"kind": "plot", "axis": "x"}',
                 '{"kind": "plot", "smooth": 0}', '{"kind": "look"}', '{"kind": "upload", "name": "a"}', '{"kind": ""}'):
        with pytest.raises(MessageError):
            parse(text, MESSAGES)
