"""Own tables on the command line: what is printed, what is written, exit codes, errors without tracebacks."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)

from slopes import table_commands
from slopes.tables.network import Architecture
from slopes.tables.training import Settings
from slopes.train.runs import load_run
from slopes.train.training import Training


def write(path: Path, count: int, seed: int = 0) -> Path:
    generator = np.random.default_rng(seed)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["size", "colour", "grade"])
        for _ in range(count):
            size, colour = generator.normal(), ("red", "blue")[generator.integers(2)]
            writer.writerow([f"{size:.3f}", colour, "good" if size + (colour == "red") > 0.5 else "bad"])
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A table, its run folder, and what the training printed."""
    folder = tmp_path_factory.mktemp("tables")
    small = Settings(folds=2, variants=(Architecture(bins=8, width=16, layers=1), Architecture(width=16, layers=1)), least_steps=100,
                     most_steps=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_commands, "DEFAULTS", small)
        result = slopes("train", "table", write(folder / "table.csv", 200), "--target", "grade", "--out", folder / "run", "--threads", 1)
    return folder, result


def test_training_says_what_was_understood_and_how_good_it_is(run):
    folder, result = run
    assert result.exit_code == 0, result.output
    for part in ("column  kind      gaps", "size    number", "colour  category",
                 "target grade: classification: bad, good; its values are words",
                 "200 rows: 160 to learn from", "networks of slopes", "most frequent class", "linear model", "calibration error",
                 f"saved in {folder / 'run'}: ", f"next: slopes predict {folder / 'run'} NEW.csv --out predictions.csv"):
        assert part in result.stdout, f"{part!r} is not said:\n{result.stdout}"
    assert "network 4 of 4" in result.stderr


def test_the_run_holds_everything(run):
    saved = load_run(run[0] / "run")
    assert saved.recipe == "table" and list(saved.networks) == ["1", "2", "3", "4"]
    assert saved.data["schema"]["target"]["classes"] == ["bad", "good"]
    assert saved.data["account"]["scores"]["networks of slopes"]["accuracy"][0] == saved.figures["networks of slopes: accuracy"]
    assert all(network.history.epochs for network in saved.networks.values())
    assert any("networks of slopes" in line for line in saved.lines)


def test_files_are_predicted_and_evaluated(run, tmp_path):
    folder, new = run[0], write(tmp_path / "new.csv", 50, seed=1)
    result = slopes("predict", folder / "run", new, "--out", tmp_path / "p.csv")
    assert result.exit_code == 0 and result.stdout == f"{new}: 50 rows, predictions in {tmp_path / 'p.csv'}\n"
    with open(tmp_path / "p.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 50
    result = slopes("evaluate", folder / "run", new)
    assert result.exit_code == 0 and "50 rows: accuracy 0." in result.stdout and "calibration error" in result.stdout


def test_one_network_predicts_alone(run, tmp_path):
    folder, new = run[0] / "run", write(tmp_path / "new.csv", 50, seed=1)
    whole, alone = (slopes("evaluate", folder, new, *options) for options in ((), ("--fast",)))
    assert alone.exit_code == 0 and "50 rows: accuracy 0." in alone.stdout and alone.stdout != whole.stdout
    predicted = slopes("predict", folder, new, "--fast", "--out", tmp_path / "fast.csv")
    assert predicted.exit_code == 0 and (tmp_path / "fast.csv").exists()


def test_predictions_have_names_of_their_own(run, tmp_path):
    files = [write(tmp_path / name, 5) for name in ("a.csv", "b.csv")]
    for suffix in ("", "-2"):
        assert slopes("predict", run[0] / "run", *files).exit_code == 0
        assert (tmp_path / f"a-predictions{suffix}.csv").exists() and (tmp_path / f"b-predictions{suffix}.csv").exists()


def test_what_is_noticed_in_a_file_is_said(run, tmp_path):
    (tmp_path / "new.csv").write_text("colour;more;size\nviolet;1;0.5\nred;2;huge\n")
    result = slopes("predict", run[0] / "run", tmp_path / "new.csv", "--out", tmp_path / "p.csv")
    assert result.exit_code == 0
    for part in ("not used: more", "'size': 1 values cannot be read, the first in line 3", "'colour': 1 rows have a category"):
        assert part in result.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (["predict", "RUN", "TABLE", "--out", "TABLE"], "is the file that is predicted"),
    (["predict", "RUN", "TABLE", "TABLE", "--out", "p.csv"], "each has a file of predictions of its own"),
    (["predict", "RUN", "missing.csv"], "there is no such file"),
    (["predict", "RUN", "TABLE", "--out", "p.parquet"], "predictions are written as CSV"),
    (["evaluate", "RUN", "missing.csv"], "there is no such file"),
    (["train", "table", "TABLE", "--target", "price"], "has no column 'price'"),
    (["train", "table", "missing.csv", "--target", "price"], "there is no such file"),
    (["train", "table", "TABLE", "--target", "grade", "--kind", "size=tensor"], "cannot be of kind 'tensor'"),
    (["train", "table", "TABLE", "--target", "grade", "--group", "colour"], "it has 2 different values"),
    (["train", "table", "TABLE", "--target", "grade", "--out", "RUN"], "already holds a run"),
    (["train", "table", "TABLE", "--target", "grade", "--thousands", "x"], "the decimal mark is '.' or ','")])
def test_errors_have_their_parts_and_no_traceback(run, arguments, message):
    names = {"RUN": run[0] / "run", "TABLE": run[0] / "table.csv"}
    before = (run[0] / "table.csv").read_bytes()
    result = slopes(*(names.get(each, each) for each in arguments))
    assert result.exit_code == 1 and message in result.stderr and result.stderr.startswith("error: ") and result.stderr.count("\n") >= 2
    assert (run[0] / "table.csv").read_bytes() == before and not Path("runs").exists()


@pytest.mark.parametrize("arguments", [["train", "table"], ["train", "table", "x.csv"],
                                       ["train", "table", "x.csv", "--target", "y", "--kind", "size"]])
def test_wrong_usage(arguments):
    result = slopes(*arguments)
    assert result.exit_code == 2 and "Usage: slopes train table" in result.stderr


def test_evaluate_names_what_it_takes(tmp_path):
    result = slopes("evaluate", tmp_path, "x.csv")
    assert result.exit_code == 1 and "there is no such file in this folder" in result.stderr


def test_help():
    assert "--target COLUMN" in slopes("train", "table", "--help").stdout
    assert "table" in slopes("train", "--help").stdout


def test_the_commands_of_the_page_run(tmp_path):
    page = (Path(__file__).resolve().parent.parent / "docs" / "tables.md").read_text(encoding="utf-8")
    python, commands = (re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)[1] for language in ("python", "sh"))
    exec(compile(python, "docs/tables.md", "exec"), {})
    for line in commands.splitlines():
        result = slopes(*shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}\n{result.output}"
    assert len(Path("predictions.csv").read_text().splitlines()) == 301


def test_a_training_that_is_killed_is_continued_to_the_same_networks(run, monkeypatch, tmp_path):
    folder, _ = run
    small = Settings(folds=2, variants=(Architecture(bins=8, width=16, layers=1), Architecture(width=16, layers=1)), least_steps=100,
                     most_steps=100)
    monkeypatch.setattr(table_commands, "DEFAULTS", small)
    steps, call = [0], Training.call

    def killed(training, limit):
        if steps[0] > 2.5 * small.least_steps:  # in the third of four networks
            raise SystemExit(9)
        chunk = call(training, limit)
        steps[0] += chunk.steps
        return chunk

    arguments = "train", "table", folder / "table.csv", "--target", "grade", "--threads", 1
    with monkeypatch.context() as patch:
        patch.setattr(Training, "call", killed)
        assert slopes(*arguments, "--out", tmp_path / "run").exit_code != 0
    assert (tmp_path / "run" / table_commands.NETWORKS / "1" / "2").is_dir() and not (tmp_path / "run" / "run.json").exists()
    before, counted = steps[0], []
    monkeypatch.setattr(Training, "call", lambda training, limit: counted.append(call(training, limit)) or counted[-1])
    again = slopes(*arguments, "--resume", tmp_path / "run")
    assert again.exit_code == 0, again.output
    assert sum(chunk.steps for chunk in counted) <= 2 * small.most_steps < before
    whole, resumed = load_run(folder / "run"), load_run(tmp_path / "run")
    assert whole.figures == resumed.figures and whole.networks.keys() == resumed.networks.keys()
    for name, network in whole.networks.items():
        assert network.history.losses == resumed.networks[name].history.losses
        for path, array in network.weights.items():
            assert array.tobytes() == resumed.networks[name].weights[path].tobytes()
    assert not (tmp_path / "run" / table_commands.NETWORKS).exists()


@pytest.mark.parametrize("options, what", [
    (["--resume", "none"], "there is no unfinished training in this folder"),
    (["--resume", "none", "--replace"], "--resume with --replace"), (["--resume", "none", "--out", "other"], "--resume with --out")])
def test_what_cannot_be_continued_is_said(run, options, what):
    folder, _ = run
    result = slopes("train", "table", folder / "table.csv", "--target", "grade", *options)
    assert result.exit_code == 1 and what in result.stderr
