"""Run folders: what is saved comes back bit for bit, and damaged, foreign or hostile folders are refused by name."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import DataError, SaveError, SlopesError
from slopes.train.history import Epoch, History, Run
from slopes.train.runs import holds_run, load_run, prepare_folder, save_run, save_somewhere


@pytest.fixture(scope="module")
def run():
    sl.seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    data = Dataset(np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2)
    return sl.fit(net, data, optimizer=optim.SGD(lr=0.1), epochs=2, batch_size=8, validation=data, progress=False)


@pytest.fixture
def folder(run, tmp_path):
    return save_run(run, tmp_path / "run", recipe="mine", hyperparameters={"rate": 0.1}, data={"name": "toy"},
                    result={"accuracy": 0.5}, pictures={"curve.png": run.plot()})


def test_a_saved_run_comes_back_bit_for_bit(run, folder):
    saved = load_run(folder)
    assert {name: array.tobytes() for name, array in saved.weights.items()} == \
        {name: array.tobytes() for name, array in run.net.state_dict().items()}
    assert saved.history == run.history
    assert (saved.recipe, saved.hyperparameters) == ("mine", {"rate": 0.1})
    assert (saved.data, saved.result) == ({"name": "toy"}, {"accuracy": 0.5})
    assert saved.structure[0]["layer"].startswith("Sequential") and saved.structure[1] == {
        "path": "0", "layer": "Linear(2 -> 4)",
        "state": {"0.weight": {"shape": [4, 2], "dtype": "float32"}, "0.bias": {"shape": [4], "dtype": "float32"}}}
    assert not saved.interrupted and saved.settings["epochs"] == 2
    assert sorted(each.name for each in folder.iterdir()) == ["curve.png", "history.json", "run.json", "weights.safetensors"]


def test_saving_the_same_run_twice_gives_the_same_weights_file(run, folder, tmp_path):
    again = save_run(run, tmp_path / "again", recipe="mine")
    assert (again / "weights.safetensors").read_bytes() == (folder / "weights.safetensors").read_bytes()


def test_losses_that_are_not_finite_survive(tmp_path, run):
    history = History([1.0, float("inf"), float("nan")], [Epoch(0, float("inf"), {"accuracy": 0.1}, {}, 3, 3, 0.1)], 1.0, 0.5)
    saved = load_run(save_run(Run(run.net, history), tmp_path / "broken")).history
    assert saved.losses[:2] == [1.0, float("inf")] and np.isnan(saved.losses[2]) and saved.epochs[0].loss == float("inf")


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


DAMAGE = {
    "no record": (lambda f: (f / "run.json").unlink(), "run.json: there is no such file in this folder"),
    "no weights": (lambda f: (f / "weights.safetensors").unlink(), "weights.safetensors: file: there is no such file"),
    "no history": (lambda f: (f / "history.json").unlink(), "history.json: file: there is no such file"),
    "truncated weights": (lambda f: os.truncate(f / "weights.safetensors", 300), "weights.safetensors: "),
    "a flipped bit": (lambda f: flip(f / "weights.safetensors"), "is not the file that run.json was written for"),
    "text that is no JSON": (lambda f: (f / "run.json").write_text("{"), "run.json: contents: it is not JSON"),
    "a list": (lambda f: (f / "run.json").write_text("[]"), "run.json: contents: it is a JSON list, not an object"),
    "not UTF-8": (lambda f: (f / "history.json").write_bytes(b"\xff{}"), "history.json: contents: it is not UTF-8"),
    "deep nesting": (lambda f: (f / "run.json").write_text("[" * 100_000), "run.json: contents: it is"),
    "newer record": (lambda f: edit(f / "run.json", lambda c: c.update(version=9)), "newer schema version 9"),
    "newer history": (lambda f: edit(f / "history.json", lambda c: c.update(version=2)), "newer schema version 2"),
    "another kind": (lambda f: edit(f / "run.json", lambda c: c.update(schema="x")), "schema: 'x' instead of 'slopes.run'"),
    "a missing field": (lambda f: edit(f / "run.json", lambda c: c.pop("structure")), "run.json lacks the field 'structure'"),
    "an unknown field": (lambda f: edit(f / "run.json", lambda c: c.update(extra=1)), "unknown fields: 'extra'"),
    "a wrong type": (lambda f: edit(f / "run.json", lambda c: c.update(interrupted=3)), "field 'interrupted' is 3, of type int"),
    "a wrong loss": (lambda f: edit(f / "history.json", lambda c: c["losses"].append("1")), "losses[6] is '1', not a number"),
    "a wrong epoch": (lambda f: edit(f / "history.json", lambda c: c["epochs"][1].pop("steps")), "epochs[1] lacks the field"),
    "a boolean number": (lambda f: edit(f / "history.json", lambda c: c.update(seconds=True)), "field 'seconds' is True"),
}


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_folder_is_refused_by_file_and_field(folder, name):
    damage, text = DAMAGE[name]
    damage(folder)
    with pytest.raises(DataError) as caught:
        load_run(folder)
    assert text in str(caught.value) and caught.value.repair


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("file", ["weights.safetensors", "history.json", "run.json"])
def test_a_link_that_leaves_the_folder_is_not_followed(folder, tmp_path, file):
    outside = tmp_path / f"outside-{file}"
    shutil.move(folder / file, outside)
    (folder / file).symlink_to(outside)
    with pytest.raises(DataError, match="it leads out of the folder"):
        load_run(folder)


def test_a_wrong_path_names_the_runs_nearby(folder):
    with pytest.raises(DataError) as caught:
        load_run(folder.parent / "rum")
    assert "there is no such folder" in str(caught.value) and f"runs nearby: {folder}" in str(caught.value)


def test_a_folder_is_tried_before_the_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError) as caught:
        prepare_folder(tmp_path / "file" / "run")
    assert "cannot hold a run" in str(caught.value)
    assert prepare_folder(tmp_path / "a" / "b").is_dir() and list((tmp_path / "a" / "b").iterdir()) == []


def test_when_the_folder_fails_the_run_goes_to_a_temporary_one(run, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "file").write_text("")
    where, error = save_somewhere(run, tmp_path / "file" / "run")
    assert isinstance(error, SaveError) and where.parent == tmp_path and holds_run(where)
    assert load_run(where).history == run.history


def test_a_full_disk_leaves_the_old_run_readable(run, folder, monkeypatch):
    before = load_run(folder)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SaveError, match="No space left on device"):
        save_run(run, folder)
    monkeypatch.undo()
    assert load_run(folder).history == before.history


def test_errors_of_run_folders_are_ours(tmp_path):
    (tmp_path / "run.json").mkdir()
    with pytest.raises(SlopesError):
        load_run(tmp_path)
