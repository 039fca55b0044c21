"""Run folders: what is saved comes back bit for bit, and damaged, foreign or hostile folders are refused by name."""

from __future__ import annotations

import hashlib
import json
import os
import shutil

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError, DataError, SaveError, SlopesError
from slopes.files import save_json, save_safetensors
from slopes.train import runs
from slopes.train.history import Epoch, History, Run
from slopes.train.runs import TrainingState, holds_run, load_run, prepare_folder, save_run, save_somewhere


@pytest.fixture(scope="module")
def run():
    sl.seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    data = Dataset(np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2)
    return sl.fit(net, data, optimizer=optim.SGD(lr=0.1), epochs=2, batch_size=8, validation=data, progress=False)


@pytest.fixture
def folder(run, tmp_path):
    return save_run(run, tmp_path / "run", recipe="mine", hyperparameters={"rate": 0.1}, seed=3, data={"name": "toy"},
                    figures={"accuracy": 0.5}, lines=["half of them"], plots={"curve.png": run.plot()})


def test_a_saved_run_comes_back_bit_for_bit(run, folder):
    saved = load_run(folder)
    network = saved.network
    assert {name: array.tobytes() for name, array in network.weights.items()} == \
        {name: array.tobytes() for name, array in run.net.state_dict().items()}
    assert network.history == run.history and network.state == network.position == {}
    assert (saved.recipe, saved.hyperparameters) == ("mine", {"rate": 0.1})
    assert (saved.data, saved.figures) == ({"name": "toy"}, {"accuracy": 0.5})
    assert (saved.seed, saved.lines, saved.plots, saved.seconds) == (3, ["half of them"], ["curve.png"], round(run.history.seconds, 2))
    assert network.structure[0]["layer"].startswith("Sequential") and network.structure[1] == {
        "path": "0", "layer": "Linear(2 -> 4)",
        "state": {"0.weight": {"shape": [4, 2], "dtype": "float32"}, "0.bias": {"shape": [4], "dtype": "float32"}}}
    assert not saved.interrupted and network.settings["epochs"] == 2
    assert sorted(each.name for each in folder.iterdir()) == ["curve.png", "history.jsonl", "run.json", "weights.safetensors"]


def test_saving_the_same_run_twice_gives_the_same_weights_file(run, folder, tmp_path):
    again = save_run(run, tmp_path / "again", recipe="mine")
    assert (again / "weights.safetensors").read_bytes() == (folder / "weights.safetensors").read_bytes()


def test_a_history_grows_in_its_file_and_is_read_as_far_as_it_counts(run, tmp_path):
    history, written = History([0.5, 0.25], [], 1.0), {}
    growing = Run(run.net, history)
    folder = save_run(growing, tmp_path / "run", written=written)
    first = (folder / "history.jsonl").read_bytes()
    assert first.splitlines()[1:] == [b'{"loss": 0.5}', b'{"loss": 0.25}']
    record = (folder / "run.json").read_bytes()
    inode = (folder / "history.jsonl").stat().st_ino
    with open(folder / "history.jsonl", "ab") as file:
        file.write(b'{"loss": a line that no record counts on')
    assert load_run(folder).network.history == history
    history.losses.append(0.125)
    history.epochs.append(Epoch(0, 0.3, {}, {}, 3, 3, 0.1))
    history.losses.append(0.0625)
    save_run(growing, folder, written=written)
    grown = (folder / "history.jsonl").read_bytes()
    assert grown.startswith(first) and (folder / "history.jsonl").stat().st_ino == inode
    assert [b"epoch" in line for line in grown.splitlines()[3:]] == [False, True, False]
    assert load_run(folder).network.history == history
    assert (save_run(growing, tmp_path / "at once") / "history.jsonl").read_bytes() == grown
    (folder / "run.json").write_bytes(record)  # as if a kill had come between the history and the record
    (folder / "weights.safetensors").write_bytes((tmp_path / "at once" / "weights.safetensors").read_bytes())
    assert load_run(folder).network.history.losses == [0.5, 0.25]


def test_a_history_that_cannot_grow_leaves_the_run_as_it_was(run, tmp_path, monkeypatch):
    growing, written = Run(run.net, History([0.5], [], 1.0)), {}
    folder = save_run(growing, tmp_path / "run", written=written)
    growing.history.losses.append(0.25)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(SaveError, match="No space left on device"):
            save_run(growing, folder, written=written)
    assert load_run(folder).network.history.losses == [0.5]
    save_run(growing, folder, written=written)
    assert load_run(folder).network.history.losses == [0.5, 0.25]


def test_losses_that_are_not_finite_survive(tmp_path, run):
    history = History([1.0, float("inf"), float("nan")], [Epoch(0, float("inf"), {"accuracy": 0.1}, {}, 3, 3, 0.1)], 1.0, 0.5)
    saved = load_run(save_run(Run(run.net, history), tmp_path / "broken")).network.history
    assert saved.losses[:2] == [1.0, float("inf")] and np.isnan(saved.losses[2]) and saved.epochs[0].loss == float("inf")


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


DAMAGE = {
    "no record": (lambda f: (f / "run.json").unlink(), "run.json: there is no such file in this folder"),
    "no weights": (lambda f: (f / "weights.safetensors").unlink(), "weights.safetensors: file: there is no such file"),
    "no history": (lambda f: (f / "history.jsonl").unlink(), "history.jsonl: file: there is no such file"),
    "truncated weights": (lambda f: os.truncate(f / "weights.safetensors", 300), "weights.safetensors: "),
    "a flipped bit": (lambda f: flip(f / "weights.safetensors"), "is not the file that run.json was written for"),
    "text that is no JSON": (lambda f: (f / "run.json").write_text("{"), "run.json: contents: it is not JSON"),
    "a list": (lambda f: (f / "run.json").write_text("[]"), "run.json: contents: it is a JSON list, not an object"),
    "not UTF-8": (lambda f: edit_history(f, lambda lines: lines.append(b"\xff{}")), "history.jsonl: contents: it is not UTF-8"),
    "deep nesting": (lambda f: (f / "run.json").write_text("[" * 100_000), "run.json: contents: it is"),
    "newer record": (lambda f: edit(f / "run.json", lambda c: c.update(version=9)), "newer schema version 9"),
    "newer history": (lambda f: edit_history(f, lambda lines: lines.__setitem__(0, lines[0].replace(b": 2", b": 3"))),
                      "newer schema version 3"),
    "another kind": (lambda f: edit(f / "run.json", lambda c: c.update(schema="x")), "schema: 'x' instead of 'slopes.run'"),
    "a missing field": (lambda f: edit(f / "run.json", lambda c: c.pop("networks")), "run.json lacks the field 'networks'"),
    "a network without structure": (lambda f: edit(f / "run.json", lambda c: c["networks"][""].pop("structure")),
                                    "run.json: networks[''] lacks the field 'structure'"),
    "a network of a wrong name": (lambda f: edit(f / "run.json", lambda c: c["networks"].update({"../x": c["networks"].pop("")})),
                                  "run.json: networks: one is called '../x'"),
    "an unknown field": (lambda f: edit(f / "run.json", lambda c: c.update(extra=1)), "unknown fields: 'extra'"),
    "a wrong type": (lambda f: edit(f / "run.json", lambda c: c.update(interrupted=3)), "field 'interrupted' is 3, of type int"),
    "a wrong loss": (lambda f: edit_history(f, lambda lines: lines.append(b'{"loss": "1"}')), "line 10: field 'loss' is '1', of type str"),
    "a wrong epoch": (lambda f: edit_history(f, lambda lines: lines.append(lines[4].replace(b'"steps"', b'"stops"'))), "lacks the field"),
    "an epoch without a time": (lambda f: edit_history(f, lambda lines: lines.append(lines[4])), "times are those of 2 epochs"),
    "a line of no kind": (lambda f: edit_history(f, lambda lines: lines.append(b"[]")), "line 10 is a list, not an object"),
    "a history without a head": (lambda f: edit_history(f, lambda lines: lines.pop(0)), "it is not the head of a slopes.history"),
    "a history without lines": (lambda f: edit_history(f, lambda lines: lines.clear()), "it is not the head of a slopes.history"),
    "a history cut short": (lambda f: os.truncate(f / "history.jsonl", 100), "history.jsonl: size: 100 bytes, but"),
    "a changed history": (lambda f: flip(f / "history.jsonl"), "history.jsonl: lines: their SHA-256 begins with"),
    "a length below 0": (lambda f: edit(f / "run.json", lambda c: c["networks"][""]["history"].update(bytes=-1)), "but -1 were written"),
    "a length that is no integer": (lambda f: edit(f / "run.json", lambda c: c["networks"][""]["history"].update(bytes="1")),
                                    "history: field 'bytes' is '1'"),
    "a boolean number": (lambda f: edit(f / "run.json", lambda c: c["networks"][""]["times"].update(seconds=True)),
                         "field 'seconds' is True"),
}


def edit_history(folder, change):
    """Change the lines of the history, and what run.json says of it."""
    lines = (folder / "history.jsonl").read_bytes().splitlines()
    change(lines)
    data = b"".join(line + b"\n" for line in lines)
    (folder / "history.jsonl").write_bytes(data)
    counted = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit(folder / "run.json", lambda content: content["networks"][""].update(history=counted))


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
@pytest.mark.parametrize("file", ["weights.safetensors", "history.jsonl", "run.json"])
def test_a_link_that_leaves_the_folder_is_not_followed(folder, tmp_path, file):
    outside = tmp_path / f"outside-{file}"
    shutil.move(folder / file, outside)
    (folder / file).symlink_to(outside)
    with pytest.raises(DataError, match="it leads out of the folder"):
        load_run(folder)


# Several networks, and a state to continue from


def test_several_networks_keep_their_names_histories_and_states(run, tmp_path):
    other = Run(nn.Linear(3, 1), History([1.0], [], 2.0, 0.5), {"epochs": 1}, interrupted=True)
    state = TrainingState({"momentum.0.weight": np.arange(3.0), "mean": np.ones(2, np.float32)}, {"epoch": 1, "step": 2})
    saved = load_run(save_run({"deep": run, "wide net": other}, tmp_path / "run", states={"wide net": state}))
    assert list(saved.networks) == ["deep", "wide net"] and saved.interrupted
    deep, wide = saved.networks.values()
    assert deep.weights.keys() == run.net.state_dict().keys() and deep.history == run.history and not deep.interrupted
    assert {path: array.shape for path, array in wide.weights.items()} == {"weight": (1, 3), "bias": (1,)}
    assert wide.history == other.history and wide.interrupted and wide.settings == {"epochs": 1}
    assert wide.position == {"epoch": 1, "step": 2} and deep.position == deep.state == {}
    own = {path: array.tolist() for path, array in wide.state.items() if not path.startswith("history.")}
    assert own == {"momentum.0.weight": [0, 1, 2], "mean": [1, 1]} and wide.state["history.losses"].tolist() == [1.0]
    with pytest.raises(ArgumentError, match="holds 2 networks\n  they are deep, wide net"):
        print(saved.network)
    flip(tmp_path / "run" / "state.safetensors")
    with pytest.raises(DataError, match=r"state\.safetensors is not the file that run\.json was written for"):
        load_run(tmp_path / "run")


def test_a_run_without_networks_is_a_record(tmp_path):
    folder = save_run({}, tmp_path / "run", recipe="compare", figures={"tree": 0.5}, seconds=1.25)
    assert [file.name for file in folder.iterdir()] == ["run.json"]
    saved = load_run(folder)
    assert saved.networks == {} and saved.figures == {"tree": 0.5} and saved.seconds == 1.25


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "..", "x" * 101])
def test_names_that_files_and_arrays_cannot_have_are_refused(run, tmp_path, name):
    with pytest.raises(ArgumentError, match="a network is called"):
        save_run({name: run, "other": run}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Folders of older versions


def run_1(folder, net, history):
    """A folder as the first version wrote it for recipes of one network."""
    folder.mkdir()
    save_safetensors(folder / "weights.safetensors", net.state_dict())
    save_json(folder / "history.json", history.content(), "slopes.history")
    save_json(folder / "run.json", {
        "made_with": {"slopes": "0.1.0"}, "finished": "2026-01-01T00:00:00+00:00", "recipe": "mine",
        "hyperparameters": {"rate": 0.5, "seed": 4}, "data": {"name": "toy"}, "structure": runs.structure(net),
        "settings": {"epochs": 2}, "result": {"loss": 0.25, "accuracy": 0.5},
        "interrupted": False, "weights_sha256": runs.sha256(folder / "weights.safetensors")}, "slopes.run", 1)
    return folder


def test_a_run_of_the_first_version_is_read(run, tmp_path):
    saved = load_run(run_1(tmp_path / "old", run.net, run.history))
    assert (saved.version, saved.recipe, saved.hyperparameters, saved.seed) == (1, "mine", {"rate": 0.5}, 4)
    assert saved.figures == {"test loss": 0.25, "test accuracy": 0.5} and saved.data == {"name": "toy"}
    assert saved.network.history == run.history and saved.network.settings == {"epochs": 2}
    assert all((saved.network.weights[path] == array).all() for path, array in run.net.state_dict().items())
    edit(tmp_path / "old" / "run.json", lambda content: content.pop("result"))
    with pytest.raises(DataError, match="lacks the field 'result'"):
        load_run(tmp_path / "old")


def test_a_run_of_the_second_version_is_read(run, folder):
    def older(content):
        content["version"] = 2
        for name in ("history", "times", "data_sha256"):
            content["networks"][""].pop(name)

    (folder / "history.jsonl").unlink()
    save_json(folder / "history.json", run.history.content(), "slopes.history")
    edit(folder / "run.json", older)
    saved = load_run(folder)
    assert saved.version == 2 and saved.network.history == run.history and saved.network.data_sha256 == ""
    save_run(run, folder)
    assert load_run(folder).version == 3 and not (folder / "history.json").exists()


def study_1(folder, recipe="mine", weights=True):
    """A folder as the first version wrote it for recipes of several trainings."""
    folder.mkdir()
    if weights:
        save_safetensors(folder / "weights.safetensors", {"classifier.weight": np.ones((2, 3), np.float32)})
    save_json(folder / "study.json", {"made_with": {"slopes": "0.1.0"}, "recipe": recipe, "hyperparameters": {"epochs": 3}, "seed": 5,
                                      "figures": {"accuracy": 0.75}, "lines": ["good"], "seconds": 1.5}, "slopes.study")
    return folder


def test_a_study_of_the_first_version_is_read(tmp_path):
    saved = load_run(study_1(tmp_path / "old"))
    assert (saved.schema, saved.version, saved.recipe, saved.seed, saved.hyperparameters) == ("slopes.study", 1, "mine", 5, {"epochs": 3})
    assert (saved.figures, saved.lines, saved.seconds) == ({"accuracy": 0.75}, ["good"], 1.5)
    assert saved.network.weights["classifier.weight"].shape == (2, 3)
    assert load_run(study_1(tmp_path / "bare", weights=False)).networks == {}
    assert holds_run(tmp_path / "bare")


def test_a_new_run_replaces_an_old_study(run, tmp_path):
    folder = save_run(run, study_1(tmp_path / "old"), recipe="new")
    assert load_run(folder).recipe == "new"


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
    assert load_run(where).network.history == run.history


def test_a_full_disk_leaves_the_old_run_readable(run, folder, monkeypatch):
    before = load_run(folder)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SaveError, match="No space left on device"):
        save_run(run, folder)
    monkeypatch.undo()
    assert load_run(folder).network.history == before.network.history


def test_errors_of_run_folders_are_ours(tmp_path):
    (tmp_path / "run.json").mkdir()
    with pytest.raises(SlopesError):
        load_run(tmp_path)
