"""Experiments on data of the user's own: an argument for them, flags and repeatable options, tables of predictions, evaluation, resume."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from command_line import slopes

from slopes import data, nn, optim
from slopes.errors import ArgumentError
from slopes.experiments import catalog
from slopes.experiments.experiment import Experiment, Fit, PredictedRows, Prediction, Report, Setting
from slopes.experiments.own.account import class_report, evaluation, linear_model, most_frequent
from slopes.files.reading import refused


def read(config):
    """The numbers of a file, as one column."""
    try:
        values = np.loadtxt(config["file"], dtype=np.float32, ndmin=1)
    except OSError as error:
        raise refused(config["file"], "file", "there is no such file", repair="check the path") from error
    return data.Dataset(np.log(values[:, None]) if config["logarithm"] else values[:, None], values[:, None])


def rows(run, items):
    notes = []

    def lines():
        for item in items:
            for i, value in enumerate(np.loadtxt(item, ndmin=1)):
                yield item, i, float(run.net.weight.numpy()[0, 0]) * value
        notes.append("that is all")

    return PredictedRows(["file", "row", "value"], lines(), notes)


TOY = Experiment(
    name="toy", caption="numbers of a file", expected="nothing", source="file", takes="NUMBER",
    examples=("FILE --logarithm", "FILE --drop a"),
    settings={"file": Setting("", "numbers, one in a line"), "logarithm": Setting(False, "of the inputs"),
              "drop": Setting((), "a word to leave out"), "word_size": Setting(3, "of words"), "epochs": Setting(2, "few")},
    data=read, describe=lambda config, dataset: {"numbers": len(dataset)},
    network=lambda config, facts, name: nn.Linear(1, 1),
    training=lambda config, dataset, name, net: Fit(dataset, loss=nn.mse_loss, optimizer=optim.SGD(lr=0.01), epochs=config["epochs"]),
    report=lambda result: Report({"loss": result.run.history.losses[-1]}, ["learned"], {}),
    predict=lambda run, item, top: Prediction(item), predict_rows=rows,
    evaluate=lambda run, item: Report({}, [f"{len(np.loadtxt(item))} numbers"]))


@pytest.fixture
def numbers(tmp_path, monkeypatch):
    """A file of numbers in the current folder, and the toy among the experiments."""
    monkeypatch.setitem(catalog.OWN_DATA, "toy", TOY)
    monkeypatch.chdir(tmp_path)
    np.savetxt("numbers.txt", np.arange(1, 9) / 8)
    return tmp_path


def record(folder):
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def test_a_file_is_an_argument_and_what_is_said_of_it_are_options(numbers):
    result = slopes("train", "toy", "numbers.txt", "--logarithm", "--drop", "a", "--drop", "b", "--word-size", "4", "--out", "run")
    assert result.exit_code == 0, result.output
    assert record(numbers / "run")["hyperparameters"] == {"file": str(numbers / "numbers.txt"), "logarithm": True, "drop": ["a", "b"],
                                                          "word_size": 4, "epochs": 2}
    help_text = slopes("train", "toy", "--help").output
    assert "[OPTIONS] FILE" in help_text and "--logarithm " in help_text and "slopes train toy FILE --drop a" in help_text
    assert "--data" not in help_text and "toy" in slopes("train", "--list").output
    folder = numbers / "run"
    assert "that is all" in (shown := slopes("predict", folder, "numbers.txt", "numbers.txt", "--out", "made.csv")).stderr, shown.output
    lines = (numbers / "made.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "file,row,value" and len(lines) == 17 and lines[9].startswith("numbers.txt,0,")
    assert "16 rows, predictions in made.csv" in shown.stdout
    assert slopes("evaluate", folder, "numbers.txt").stdout == "numbers.txt: 8 numbers\n"


def test_predictions_do_not_overwrite_what_is_predicted(numbers):
    shutil.copy("numbers.txt", "numbers.csv")
    assert slopes("train", "toy", "numbers.csv", "--out", "run").exit_code == 0
    before = (numbers / "numbers.csv").read_bytes()
    result = slopes("predict", "run", "numbers.csv", "--out", "numbers.csv")
    assert result.exit_code == 1 and "--out numbers.csv is the file that is predicted" in result.stderr
    assert (numbers / "numbers.csv").read_bytes() == before


def test_a_run_is_continued_with_data_that_were_moved_but_not_with_others(numbers):
    assert slopes("train", "toy", "numbers.txt", "--out", "run").exit_code == 0
    shutil.move("numbers.txt", "moved.txt")
    lost = slopes("train", "toy", "--resume", "run", "--epochs", "4")
    assert lost.exit_code == 1 and "there is no such file" in lost.stderr
    np.savetxt("others.txt", np.arange(1, 9) / 7)
    other = slopes("train", "toy", "others.txt", "--resume", "run", "--epochs", "4")
    assert other.exit_code == 1 and "data" in other.stderr
    result = slopes("train", "toy", "moved.txt", "--resume", "run", "--epochs", "4")
    assert result.exit_code == 0, result.output
    assert record(numbers / "run")["hyperparameters"]["file"] == str(numbers / "moved.txt")


def test_nothing_is_left_of_a_run_that_fails_before_its_first_step(numbers):
    none = slopes("train", "toy")
    assert none.exit_code == 1 and "no file is named" in none.stderr and "slopes train toy FILE" in none.stderr
    wrong = slopes("train", "toy", "nowhere.txt", "--out", "run")
    assert wrong.exit_code == 1 and "nowhere.txt: file: there is no such file" in wrong.stderr
    assert not (numbers / "run").exists()


def test_settings_take_flags_and_lists():
    assert TOY.resolve(file="a", drop=["x"])["drop"] == ["x"]
    for args, repair in (({"drop": "x"}, "a list of texts"), ({"logarithm": 1}, "True or False"), ({"word_size": True}, "a whole number")):
        with pytest.raises(ArgumentError) as caught:
            TOY.resolve(file="a", **args)
        assert repair in caught.value.repair


def test_recipes_without_rows_or_evaluation_say_so(numbers):
    assert slopes("train", "digits", "--epochs", "1", "--out", "run").exit_code == 0
    assert "cannot be evaluated on a file" in slopes("evaluate", "run", "numbers.txt").stderr
    assert "writes no table of predictions" in slopes("predict", "run", "1.png", "--out", "made.csv").stderr


def test_a_classifier_is_reported_beside_simpler_models():
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 3, 300)
    inputs = np.eye(3)[targets] + generator.normal(size=(300, 3)) * 0.6
    linear = linear_model(inputs[:200], targets[:200], inputs[200:], 3)
    sure = np.full((100, 3), 0.01) + 0.97 * np.eye(3)[targets[200:]]
    report = class_report({"network": sure, "most frequent class": most_frequent(targets[:200], 100, 3), "linear model": linear},
                          targets[200:], ["a", "b", "c"], temperature=1.5)
    assert report.figures["test accuracy"] == 1 and report.figures["temperature"] == 1.5
    assert 0.7 < report.figures["linear model: accuracy"] < 1 and report.figures["most frequent class: accuracy"] < 0.5
    assert any("the network is better than linear model" in line for line in report.lines) and "confusion.png" in report.plots
    assert "100 examples: accuracy 1 (1 to 1)" in evaluation(sure, targets[200:], ["a", "b", "c"]).lines[0]
    with pytest.raises(ValueError, match="3000 features"):
        linear_model(np.zeros((2, 3000)), np.array([0, 1]), np.zeros((1, 3000)), 2)


