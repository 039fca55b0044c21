"""Several targets of one table: networks for each, one run folder, one file of predictions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)

from slopes import table_commands
from slopes.errors import ArgumentError, DataError
from slopes.tables.folder import load_model, load_models, save_study
from slopes.tables.network import Architecture
from slopes.tables.predictions import Account, evaluate_file, predict_blocks, predict_file
from slopes.tables.study import Question, for_targets, train_table
from slopes.tables.training import Settings
from slopes.train.runs import load_run

QUICK = Settings(folds=2, variants=(Architecture(width=16, layers=1),), epochs=3, least_steps=60, most_steps=60)
NAMES = ["size", "colour", "grade", "price"]


def write(path: Path, count: int = 120, seed: int = 0) -> Path:
    generator = np.random.default_rng(seed)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        for i in range(count):
            size, colour = generator.normal(), ("red", "blue")[generator.integers(2)]
            writer.writerow(["" if i % 19 == 3 else f"{size:.3f}", colour, "good" if size > 0 else "bad",
                             f"{3 * size + (colour == 'red'):.3f}"])
    return path


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("targets") / "table.csv")


@pytest.fixture(scope="module")
def run(table) -> tuple[Path, str]:
    """A run of two targets, made by the command, and what it printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_commands, "DEFAULTS", QUICK)
        result = slopes("train", "table", table, "--target", "grade", "--target", "price", "--out", table.parent / "run", "--quiet")
    assert result.exit_code == 0, result.output
    return table.parent / "run", result.stdout


def test_no_target_is_learned_from(table):
    questions = for_targets(Question(table, "grade", without=["colour"]), ["grade", "price"])
    assert [question.target for question in questions] == ["grade", "price"]
    assert [question.without for question in questions] == [["colour", "price"], ["colour", "grade"]]


def test_a_target_that_is_named_twice_is_an_error(table):
    with pytest.raises(ArgumentError, match="named twice"):
        for_targets(Question(table, "grade"), ["grade", "grade"])


def test_the_command_says_how_good_each_is(run):
    for part in ("target grade: classification", "target price: regression", "accuracy", "RMSE", "trained 4 networks"):
        assert part in run[1], f"{part!r} is not said:\n{run[1]}"
    saved = load_run(run[0])
    assert list(saved.networks) == ["1", "2", "3", "4"]
    assert {"grade: networks of slopes: accuracy", "price: networks of slopes: RMSE"} <= set(saved.figures)


def test_predictions_of_all_targets_are_in_one_file(run, table, tmp_path):
    models = load_models(run[0])
    account = predict_file(models, table, tmp_path / "p.csv")
    both = read(tmp_path / "p.csv")
    assert list(both[0]) == ["row", "grade", "grade probability", "grade P(bad)", "grade P(good)", "price", "price low 90%",
                             "price high 90%"]
    assert account.rows == len(both) == 120 and not account.lines()
    for model in models:
        predict_file(model, table, tmp_path / "one.csv")
        assert [row[model.target] for row in read(tmp_path / "one.csv")] == [row[model.target] for row in both]


def test_what_is_noticed_is_counted_once(run, tmp_path):
    (tmp_path / "new.csv").write_text("size,colour\n1,violet\nhuge,red\n")
    account = Account()
    parts = list(predict_blocks(load_models(run[0]), tmp_path / "new.csv", account))
    assert account.unknown == {"colour": 1} and account.unreadable == {"size": (1, 3)} and len(parts[0].predicted) == 2


def test_the_commands_predict_and_evaluate_all_targets(run, table, tmp_path):
    result = slopes("predict", run[0], table, "--out", tmp_path / "p.csv")
    assert result.exit_code == 0 and len(read(tmp_path / "p.csv")) == 120
    result = slopes("evaluate", run[0], table)
    assert result.exit_code == 0 and "grade: 120 rows: accuracy" in result.stdout and "price: 120 rows: RMSE" in result.stdout


def test_one_model_is_asked_of_a_run_of_several(run):
    with pytest.raises(ArgumentError, match="holds models of 2 targets"):
        load_model(run[0])


@pytest.mark.parametrize(("damage", "message"), [
    (lambda data: data["more targets"].clear(), "2 are described, but there are 4"),
    (lambda data: data["more targets"][0].pop("schema"), "does not describe a model"),
    (lambda data: data.update({"more targets": 3}), "does not describe a model")])
def test_a_damaged_run_is_an_error(run, damage, message):
    path = run[0] / "run.json"
    before = path.read_text()
    record = json.loads(before)
    damage(record["data"])
    path.write_text(json.dumps(record))
    try:
        with pytest.raises(DataError, match=message):
            load_models(run[0])
    finally:
        path.write_text(before)


def test_models_from_a_folder_are_those_that_were_saved(table, tmp_path):
    questions = for_targets(Question(table, "price"), ["price", "size"])
    studies = [train_table(question, QUICK, compare=False, explain=False) for question in questions]
    path, error = save_study(studies, tmp_path / "run")
    assert error is None
    for study, model in zip(studies, load_models(path), strict=True):
        test = study.prepared.rows(study.prepared.split.test)
        assert np.array_equal(model.predict(test), study.predicted)
        assert evaluate_file(model, table).scores["RMSE"].value > 0
