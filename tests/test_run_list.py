"""`slopes runs`: what is below a folder, what cannot be read, and runs beside each other."""

from __future__ import annotations

import json
import os

import pytest
from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)

from slopes import nn
from slopes.errors import ArgumentError, DataError
from slopes.files import save_json, save_safetensors
from slopes.files.claim import claimed
from slopes.run_commands import sorted_records
from slopes.train import runs
from slopes.train.history import Epoch, History, Run
from slopes.train.records import figures_of, list_runs, read_record
from slopes.train.runs import load_run, save_run

NET = nn.Linear(2, 1)


def run_of(*losses, validation=True):
    epochs = [Epoch(i, loss, {}, {"loss": loss + 0.5} if validation else {}, 4, 1, 0.5) for i, loss in enumerate(losses)]
    return Run(NET, History(list(losses), epochs, 1.5))


def write(folder, *losses, **about):
    usual = {"recipe": "mine", "hyperparameters": {"rate": 0.5}, "figures": {"error": losses[-1]}}
    return save_run(run_of(*losses), folder, **usual | about)


@pytest.fixture
def some(tmp_path):
    write(tmp_path / "runs" / "b", 3.0, 2.0, seed=7)
    write(tmp_path / "runs" / "a" / "deep", 3.0, 1.0, 4.0, hyperparameters={"rate": 0.25, "kind": "new"}, interrupted=True)
    save_run(run_of(2.0, 1.0, 3.0), tmp_path / "runs" / "fit")
    return tmp_path / "runs"


def test_a_record_is_that_of_the_whole_run_and_needs_no_weights(some):
    saved = load_run(some / "b")
    (some / "b" / "weights.safetensors").unlink()
    record = read_record(some / "b")
    for name in ("folder", "recipe", "hyperparameters", "seed", "figures", "seconds", "interrupted"):
        assert getattr(record, name) == getattr(saved, name)
    assert (record.epochs, record.state) == (2, "finished") and record.finished.endswith("+00:00")


def test_runs_below_a_folder_are_listed_by_path(some):
    listing = list_runs(some)
    assert [record.folder.name for record in listing.records] == ["deep", "b", "fit"] and listing.unreadable == {}
    assert [record.epochs for record in listing.records] == [3, 2, 3]
    assert [record.state for record in listing.records] == ["interrupted", "finished", "finished"]
    assert [record.folder for record in list_runs(some / "b").records] == [some / "b"]
    write(some / "1" / "2" / "3", 1.0)
    write(some / "1" / "2" / "3" / "4", 1.0)
    assert [record.folder.name for record in list_runs(some).records] == ["3", "deep", "b", "fit"]


def test_a_run_without_figures_has_its_losses(some, tmp_path):
    assert read_record(some / "fit").figures == {"lowest validation loss": 1.5} == figures_of(load_run(some / "fit"))
    save_run(run_of(2.0, 1.0, 3.0, validation=False), tmp_path / "plain")
    assert read_record(tmp_path / "plain").figures == {"training loss": 3.0}
    save_run({"deep": run_of(2.0), "wide": run_of(1.0)}, tmp_path / "two")
    assert read_record(tmp_path / "two").figures == {"deep: lowest validation loss": 2.5, "wide: lowest validation loss": 1.5}
    save_run(run_of(), tmp_path / "none")
    assert read_record(tmp_path / "none").figures == {} == figures_of(load_run(tmp_path / "none"))


def test_a_run_that_is_being_written_is_running(some):
    with claimed(some / "b"):
        assert read_record(some / "b").state == "running"
    assert read_record(some / "b").state == "finished"
    (some / "b" / ".slopes-claim").write_bytes(b"\0no process")
    assert read_record(some / "b").state == "finished"


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_records_of_older_versions_are_read(tmp_path):
    run, old, study = run_of(2.0, 1.0), tmp_path / "old", tmp_path / "study"
    for folder in (old, study):
        folder.mkdir()
    save_safetensors(old / "weights.safetensors", NET.state_dict())
    save_json(old / "history.json", run.history.content(), "slopes.history")
    save_json(old / "run.json", {
        "made_with": {}, "finished": "2026-01-01T00:00:00+00:00", "recipe": "mine", "hyperparameters": {"rate": 0.5, "seed": 4},
        "data": {}, "structure": [], "settings": {}, "result": {"loss": 0.25}, "interrupted": False,
        "weights_sha256": runs.sha256(old / "weights.safetensors")}, "slopes.run", 1)
    save_json(study / "study.json", {"made_with": {}, "recipe": "mine", "hyperparameters": {}, "seed": 5, "figures": {"accuracy": 0.75},
                                     "lines": [], "seconds": 1.5}, "slopes.study")
    first, second = list_runs(tmp_path).records
    assert (first.seed, first.hyperparameters, first.figures) == (4, {"rate": 0.5}, {"test loss": 0.25})
    assert (first.epochs, first.seconds) == (2, 1.5)
    assert (second.seed, second.figures, second.epochs, second.finished) == (5, {"accuracy": 0.75}, 0, "")

    def older(content):
        content["version"] = 2
        for name in ("history", "times", "data_sha256"):
            content["networks"][""].pop(name)

    folder = write(tmp_path / "second", 2.0, 1.0)
    save_json(folder / "history.json", run.history.content(), "slopes.history")
    edit(folder / "run.json", older)
    assert (read_record(folder).epochs, read_record(folder).figures) == (2, {"error": 1.0})


@pytest.mark.parametrize("damage, reason", [
    (lambda folder: (folder / "run.json").write_text("{"), "it is not JSON"),
    (lambda folder: edit(folder / "run.json", lambda content: content.update(version=9)), "newer schema version 9"),
    (lambda folder: edit(folder / "run.json", lambda content: content.update(figures={"error": "small"})), "figures['error'] is 'small'"),
    (lambda folder: edit(folder / "run.json", lambda content: content["networks"][""].update(times={})), "lacks the field 'seconds'"),
    (lambda folder: edit(folder / "run.json", lambda content: content.update(networks={"..": {}})), "one is called '..'"),
    (lambda folder: (folder / "run.json").unlink() or (folder / "study.json").write_text("[]"), "not an object"),
])
def test_what_cannot_be_read_is_listed_with_the_reason(some, damage, reason):
    damage(some / "b")
    with pytest.raises(DataError):
        read_record(some / "b")
    listing = list_runs(some)
    assert len(listing.records) == 2 and list(listing.unreadable) == [some / "b"] and reason in listing.unreadable[some / "b"]
    result = slopes("runs", some)
    assert result.exit_code == 0 and reason in result.stdout.splitlines()[-1] and len(result.stdout.splitlines()) == 4


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="rights of POSIX, which root does not need")
def test_a_folder_that_cannot_be_opened_is_listed(some):
    os.chmod(some / "a", 0)
    try:
        assert "Permission denied" in list_runs(some).unreadable[some / "a"]
    finally:
        os.chmod(some / "a", 0o755)


def test_links_are_not_followed(some):
    os.symlink(some, some / "again")
    assert len(list_runs(some).records) == 3


# The command


def test_the_command_lists_what_is_there(some):
    lines = slopes("runs").stdout.splitlines()
    assert lines[0].split() == ["run", "made", "by", "state", "figure", "epochs", "seconds", "date", "(UTC)", "seed"]
    assert [line.split()[0] for line in lines[1:]] == ["a/deep", "b", "fit"]
    assert lines[2].split()[1:6] == ["mine", "finished", "error", "2", "2"] and lines[2].split()[-1] == "7"
    assert lines[3].split()[1:6] == ["fit", "finished", "lowest", "validation", "loss"]


def test_runs_are_sorted_by_a_figure(some):
    write(some / "c", 1.0, figures={"error": float("nan")})
    write(some / "d", 1.0, figures={"other": 0.5, "error": 9.0})
    first = [line.split()[0] for line in slopes("runs", "runs", "--sort", "error").stdout.splitlines()[1:]]
    assert first == ["b", "a/deep", "d", "c", "fit"]
    lines = slopes("runs", "runs", "--sort", "error", "--descending").stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["d", "a/deep", "b", "c", "fit"]
    assert "error 9" in lines[0] and "other" not in lines[0] and "loss" not in lines[-1]


def test_runs_are_compared(some):
    save_run(run_of(1.0), some / "fit", hyperparameters={"rate": 0.5, "kind": "k" * 100})
    lines = slopes("runs", some, "--compare").stdout.splitlines()
    assert [line.split() for line in lines[:2]] == [["figure", "a/deep", "b", "fit"], ["error", "4", "2"]]
    settings = {line.split()[0]: line.split()[1:] for line in lines[lines.index("") + 1 :]}
    assert settings["setting"] == ["a/deep", "b", "fit"] and settings["rate"] == ["0.25", "0.5", "0.5"]
    assert settings["recipe"] == ["mine", "mine"] and settings["seed"] == ["0", "7", "0"]
    assert settings["kind"][0] == "new" and len(settings["kind"][1]) == 40
    assert "the settings are the same" in slopes("runs", some / "b", "--compare").stdout


@pytest.mark.parametrize("arguments, text", [
    (["nowhere"], "there is no folder nowhere"),
    (["--sort", "size"], "no run has this figure\n  there are error, lowest validation loss\n  name one of these"),
])
def test_errors_help(some, arguments, text):
    result = slopes("runs", *arguments)
    assert result.exit_code == 1 and text in result.stderr


def test_wrong_usage_and_nothing_to_list(some, tmp_path):
    assert "--descending needs --sort" in slopes("runs", "--descending").stderr
    (tmp_path / "empty").mkdir()
    assert slopes("runs", "empty").stdout == "no runs in empty, 3 folders deep\n"
    with pytest.raises(ArgumentError, match="no run has this figure\n  there are no figures"):
        sorted_records([], "error", False)
