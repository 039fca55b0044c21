"""Tables from the file to the predictions: training, the account of it, the run folder, prediction and evaluation of files."""

from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import slopes as sl
from slopes.errors import ArgumentError, DataError
from slopes.tables.folder import figures_of, load_model, save_study
from slopes.tables.network import Architecture
from slopes.tables.predictions import Account, evaluate_file, predict_file
from slopes.tables.report import lines_of
from slopes.tables.spelling import Spelling
from slopes.tables.study import NETWORK, Question, Study, prepare, train_table
from slopes.tables.training import Settings
from slopes.train.training import Callback

SMALL = (Architecture(bins=8, width=32, layers=2), Architecture(width=32, layers=2))
QUICK = Settings(folds=2, variants=SMALL, least_steps=150, most_steps=200)
COLOURS = ("red", "green", "blue")
NAMES = ["size", "colour", "when", "place", "happy", "note", "grade", "price"]


def rows(count: int = 300, seed: int = 0) -> list[list[str]]:
    """Rows in which the grade follows from size and colour, and the price from size and date."""
    generator = np.random.default_rng(seed)
    result = []
    for i in range(count):
        size, colour, day = generator.normal(), COLOURS[generator.integers(3)], int(generator.integers(1, 29))
        grade = "good" if size + (colour == "red") > 0.3 else "bad"
        price = f"{3 * size + day / 10 + generator.normal() / 10:.4f}"
        result.append(["" if i % 17 == 3 else f"{size:.4f}", colour, f"2024-02-{day:02}", f"p{generator.integers(40)}",
                       "yes" if generator.random() < 0.5 else "no", "some words of little use", grade, price])
    return result


def write(path: Path, names: list[str], content: list[list[str]], delimiter: str = ",") -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([names, *content])
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("tables") / "table.csv", NAMES, rows())


@pytest.fixture(scope="module")
def classes(table) -> Study:
    return train_table(Question(table, "grade", without=["price"]), QUICK)


@pytest.fixture(scope="module")
def numbers(table) -> Study:
    return train_table(Question(table, "price", without=["grade"]), QUICK)


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_classes_are_learned(classes):
    own, constant = classes.standings[NETWORK], classes.standings["most frequent class"]
    assert own["accuracy"].value > 0.7 > constant["accuracy"].value
    assert own["log loss"].value < constant["log loss"].value
    assert np.allclose(classes.predicted.sum(axis=1), 1)
    assert sum(variant.weight for variant in classes.model.variants) == pytest.approx(1)
    assert 0 <= classes.calibration_error < 0.2


def test_numbers_are_learned(numbers):
    own, constant = numbers.standings[NETWORK], numbers.standings["mean"]
    assert own["RMSE"].value < 0.6 * constant["RMSE"].value and numbers.r_squared > 0.6
    assert 0.75 <= numbers.coverage <= 1


def test_what_matters_is_found(classes, numbers):
    assert list(classes.importance)[:2] == ["size", "colour"]
    assert next(iter(numbers.importance)) == "size"
    assert abs(classes.importance["happy"]) < 0.05


def test_the_account_says_what_was_done(classes):
    text = "\n".join(lines_of(classes))
    for part in ("size", "a feature that marks them", "target grade: classification: bad, good; its values are words",
                 "most frequent class", "linear model", "calibration error", "note    constant", "20% of the rows test",
                 "exchanged among the test rows"):
        assert part in text, f"{part!r} is not said:\n{text}"


def test_the_same_seed_gives_the_same_model(table, numbers):
    again = train_table(Question(table, "price", without=["grade"]), QUICK, compare=False, explain=False)
    assert np.array_equal(again.predicted, numbers.predicted)


@pytest.fixture(scope="module")
def folder(classes, tmp_path_factory) -> Path:
    path, error = save_study(classes, tmp_path_factory.mktemp("runs") / "grades")
    assert error is None
    return Path(path)


def test_a_run_folder_predicts_the_same(folder, classes):
    model = load_model(folder)
    test = classes.prepared.rows(classes.prepared.split.test)
    assert np.array_equal(model.predict(test), classes.predicted)


def test_a_loaded_run_predicts_files_and_frames(folder, classes, table):
    run = sl.load(folder)
    columns = run.predict(table)
    assert list(columns)[:2] == ["grade", "probability"] and run.recipe == "table" and len(run.networks) == 4
    shares = np.stack([columns[f"P({name})"] for name in classes.model.classes], axis=1)
    assert [classes.model.classes[i] for i in shares.argmax(axis=1)] == columns["grade"]
    assert run.figures == figures_of([classes]) and run.settings["epochs"] == QUICK.epochs and len(run.histories) == 4
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    account = Account()
    frame = run.predict(pandas.read_csv(table).drop(columns="size"), account)
    assert isinstance(frame, pandas.DataFrame) and list(frame.columns) == list(columns) and account.lacking == ["size"]


def test_numbers_are_the_same_from_a_run_folder(numbers, tmp_path):
    path, _ = save_study(numbers, tmp_path / "prices")
    test = numbers.prepared.rows(numbers.prepared.split.test)
    assert np.array_equal(load_model(path).predict(test), numbers.predicted)


@pytest.mark.parametrize(("damage", "message"), [
    (lambda data: data.pop("schema"), "does not describe a model"),
    (lambda data: data["schema"]["columns"].pop(0), "not those of the schema"),
    (lambda data: data["variants"][0]["architecture"].update(width=10**9), "not those of the weights"),
    (lambda data: data["variants"][0]["architecture"].update(width=16), "needs the shape"),
    (lambda data: data["nets"].pop(), "3 are described, but there are 4"),
    (lambda data: data["nets"].__setitem__(0, 7), "does not describe a model"),
    (lambda data: data["encoding"][0].update(kind="tensor"), "an encoder of the run is damaged")])
def test_a_damaged_run_folder_is_an_error(classes, tmp_path, damage, message):
    path, _ = save_study(classes, tmp_path / "run")
    record = json.loads((Path(path) / "run.json").read_text())
    damage(record["data"])
    (Path(path) / "run.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=message):
        load_model(path)


def test_a_run_of_another_kind_is_an_error(classes, tmp_path):
    path, _ = save_study(classes, tmp_path / "run")
    record = json.loads((Path(path) / "run.json").read_text())
    (Path(path) / "run.json").write_text(json.dumps({**record, "recipe": "digits"}))
    with pytest.raises(ArgumentError, match="holds no model of a table"):
        load_model(path)


# Files to predict


def test_a_file_is_predicted_row_by_row(folder, tmp_path):
    new = rows(50, seed=1)
    account = predict_file(load_model(folder), write(tmp_path / "new.csv", NAMES, new), tmp_path / "out.csv")
    out = read(tmp_path / "out.csv")
    assert account.rows == len(out) == 50 and list(out[0]) == ["row", "grade", "probability", "P(bad)", "P(good)"]
    right = sum(row["grade"] == given[6] for row, given in zip(out, new))
    assert right >= 35 and account.lines()[0] == "columns that the model does not know are not used: price"
    assert all(float(row["probability"]) == max(float(row["P(bad)"]), float(row["P(good)"])) for row in out)


def test_one_network_of_the_ensemble_predicts_alone(folder, table):
    model = load_model(folder)
    single = model.single()
    assert len(single.nets) == 1 and single.nets[0] in model.nets and max(variant.weight for variant in single.variants) == 1
    whole, alone = (evaluate_file(one, table).scores["accuracy"].value for one in (model, single))
    assert alone > 0.9 and alone != whole


def test_blocks_do_not_matter(folder, tmp_path, monkeypatch):
    model, file = load_model(folder), write(tmp_path / "new.csv", NAMES, rows(60, seed=1))
    predict_file(model, file, tmp_path / "whole.csv")
    monkeypatch.setattr("slopes.tables.rows.BLOCK_ROWS", 7)
    predict_file(model, file, tmp_path / "blocks.csv")
    for one, other in zip(read(tmp_path / "whole.csv"), read(tmp_path / "blocks.csv"), strict=True):
        assert one["row"] == other["row"] and float(one["P(good)"]) == pytest.approx(float(other["P(good)"]), abs=2e-6)


def test_other_columns_orders_and_words_are_handled_and_said(folder, tmp_path):
    new = [[row[1] if i else "violet", "x", row[0] if i != 2 else "huge", row[4]] for i, row in enumerate(rows(9, seed=2))]
    model = load_model(folder)
    names = ["colour", "extra", "size", "happy"]
    account = predict_file(model, write(tmp_path / "new.csv", names, new, ";"), tmp_path / "out.csv")
    text = "\n".join(account.lines())
    for part in ("'when' is not in the file", "not used: extra", "column 'size': 1 values cannot be read, the first in line 4",
                 "column 'colour': 1 rows have a category that no training row had", "separated by a semicolon"):
        assert part in text, f"{part!r} is not said:\n{text}"
    assert len(read(tmp_path / "out.csv")) == 9


def test_a_file_of_another_table_is_an_error_and_nothing_is_written(folder, tmp_path):
    file = write(tmp_path / "other.csv", ["height", "weight"], [["1", "2"]])
    with pytest.raises(DataError, match="it is a file of another table"):
        predict_file(load_model(folder), file, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_file_without_rows_is_an_error(folder, tmp_path):
    with pytest.raises(DataError, match="nothing to predict"):
        predict_file(load_model(folder), write(tmp_path / "new.csv", NAMES, []), tmp_path / "out.csv")


def test_memory_does_not_grow_with_the_file(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("slopes.tables.rows.BLOCK_TEXT", 2**17)
    model = load_model(folder)
    peaks = []
    for repeats in (20, 160):
        file = write(tmp_path / "new.csv", NAMES, rows(300, seed=1) * repeats)
        tracemalloc.start()
        predict_file(model, file, tmp_path / "out.csv")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]  # of a file of eight times the size; blocks that are read ahead depend on the moment


def test_numbers_have_intervals(numbers, tmp_path):
    predict_file(numbers.model, write(tmp_path / "new.csv", NAMES, rows(60, seed=3)), tmp_path / "out.csv")
    out = read(tmp_path / "out.csv")
    assert list(out[0]) == ["row", "price", "low 90%", "high 90%"]
    inside = [float(row["low 90%"]) <= float(given[7]) <= float(row["high 90%"]) for row, given in zip(out, rows(60, seed=3))]
    assert sum(inside) >= 45


# Files to evaluate


def test_a_labelled_file_is_evaluated(folder, tmp_path):
    new = rows(80, seed=4)
    new[5][6] = ""
    result = evaluate_file(load_model(folder), write(tmp_path / "new.csv", NAMES, new))
    assert result.rows == 79 and result.scores["accuracy"].value > 0.7 and "calibration error" in result.more
    assert "1 rows without a target are left out" in result.account.lines()


@pytest.mark.parametrize(("change", "message"), [
    (lambda names, new: names.__setitem__(6, "mark"), "there is no column 'grade'"),
    (lambda names, new: new[3].__setitem__(6, "awful"), "line 5, target 'grade': 'awful' is no class of the model"),
    (lambda names, new: [row.__setitem__(6, "") for row in new], "no row has a value")])
def test_files_that_cannot_be_evaluated_are_errors(folder, tmp_path, change, message):
    names, new = list(NAMES), rows(9, seed=4)
    change(names, new)
    with pytest.raises(DataError, match=message):
        evaluate_file(load_model(folder), write(tmp_path / "new.csv", names, new))


def test_numbers_are_evaluated(numbers, tmp_path):
    result = evaluate_file(numbers.model, write(tmp_path / "new.csv", NAMES, rows(80, seed=4)))
    assert result.more["R2"] > 0.5 and result.scores["RMSE"].low <= result.scores["RMSE"].value <= result.scores["RMSE"].high


# Questions


def test_validation_and_test_files(table, tmp_path):
    valid, test = (write(tmp_path / f"{seed}.csv", NAMES, rows(40, seed)) for seed in (5, 6))
    prepared = prepare(Question(table, "grade", valid=valid, test=test), QUICK, seed=0)
    assert prepared.split.test.tolist() == list(range(340, 380))
    assert prepared.split.train[prepared.split.fold == -2].tolist() == list(range(300, 340))
    study = train_table(Question(table, "price", valid=valid, test=test, without=["grade"]), QUICK, explain=False)
    assert study.r_squared > 0.5 and len(study.targets) == 40


def test_groups_are_left_out_of_the_inputs(table):
    prepared = prepare(Question(table, "grade", group="place"), QUICK, seed=0)
    assert "place" not in prepared.columns and "groups (place) test" in prepared.split.how


def test_rows_in_the_order_of_time(table):
    prepared = prepare(Question(table, "grade", time="when"), QUICK, seed=0)
    when = prepared.columns["when"]
    assert when[prepared.split.train].max() < when[prepared.split.test].min()


def test_rows_without_a_target_are_left_out_and_that_is_said(tmp_path):
    content = rows(60)
    for row in content[:7]:
        row[6] = "?"
    prepared = prepare(Question(write(tmp_path / "t.csv", NAMES, content), "grade"), QUICK, seed=0)
    assert len(prepared.targets) == 53 and any("7 rows without a target" in note for note in prepared.notes)


def test_a_column_that_gives_the_target_away_and_rare_classes_are_said(tmp_path):
    content = [[*row, row[6]] for row in rows(200)]
    for row in content[:4]:
        row[6] = row[8] = "awful"
    prepared = prepare(Question(write(tmp_path / "t.csv", [*NAMES, "mark"], content), "grade"), QUICK, seed=0)
    assert any("'mark' alone predicts" in note for note in prepared.notes)
    assert any("classes with few rows: awful (4)" in note for note in prepared.notes)


def test_classes_that_differ_in_capital_letters_only_are_said(tmp_path):
    content = rows(60)
    for row in content[:9]:
        row[6] = row[6].title()
    prepared = prepare(Question(write(tmp_path / "t.csv", NAMES, content), "grade"), QUICK, seed=0)
    assert any("the classes 'Bad' and 'bad' differ" in note for note in prepared.notes)


def test_a_class_of_one_row_can_be_trained_with(tmp_path):
    content = rows(80)
    content[0][6] = "awful"
    study = train_table(Question(write(tmp_path / "t.csv", NAMES, content), "grade", without=["price"]), QUICK, explain=False)
    assert study.predicted.shape[1] == 3 and np.isfinite(study.standings[NETWORK]["log loss"].value)


def test_classes_can_weigh_the_same(tmp_path):
    content = rows(400)
    few = [row for row in content if row[6] == "bad"][:25] + [row for row in content if row[6] == "good"]
    file = write(tmp_path / "t.csv", NAMES, few)
    plain, balanced = (train_table(Question(file, "grade", without=["price"]), Settings(**{**vars(QUICK), "balanced": balanced}),
                                   compare=False, explain=False) for balanced in (False, True))
    assert balanced.predicted[:, 0].mean() > plain.predicted[:, 0].mean()


@pytest.mark.parametrize(("question", "error", "message"), [
    ({"group": "place", "time": "when"}, ArgumentError, "--group and --time together"),
    ({"group": "place", "test": "x.csv"}, ArgumentError, "--group and --test together"),
    ({"group": "shop"}, ArgumentError, "no column 'shop'"),
    ({"time": "colour"}, ArgumentError, "--time colour: it is a category"),
    ({"test": "missing.csv"}, DataError, "there is no such file"),
    ({"kinds": {"size": "tensor"}}, ArgumentError, "cannot be of kind 'tensor'"),
    ({"without": ["grade"]}, ArgumentError, "the target 'grade' is left out"),
    ({"spelling": Spelling(delimiter=";")}, ArgumentError, "no column 'grade'")])
def test_questions_that_cannot_be_answered_are_errors(table, question, error, message):
    with pytest.raises(error, match=message) as caught:
        prepare(Question(table, "grade", **question), QUICK, seed=0)
    assert "\n" in str(caught.value)


@pytest.mark.parametrize(("change", "message"), [
    (lambda names, content: names.__setitem__(0, "length"), "it has no column 'size'"),
    (lambda names, content: content[0].__setitem__(6, "awful"), "'awful' is no class"),
    (lambda names, content: content[0].__setitem__(0, "huge"), "line 2, column 'size': 'huge' is no number")])
def test_test_files_of_another_schema_are_errors(table, tmp_path, change, message):
    names, content = list(NAMES), rows(20, seed=5)
    change(names, content)
    with pytest.raises(DataError, match=message):
        prepare(Question(table, "grade", test=write(tmp_path / "test.csv", names, content)), QUICK, seed=0)


class Impatient(Callback):
    """Ctrl-C in the second epoch of the third network."""

    begun = 0

    def begin(self, training) -> None:
        """Count the networks."""
        self.begun += 1

    def epoch_done(self, training) -> None:
        """Interrupt."""
        if self.begun == 3 and len(training.history.epochs) == 2:
            raise KeyboardInterrupt


def test_an_interrupted_training_keeps_what_was_learned(table, tmp_path):
    study = train_table(Question(table, "price", without=["grade"]), QUICK, progress=Impatient())
    assert study.trained.interrupted and len(study.trained.members) == 3 and list(study.standings) == [NETWORK]
    path, _ = save_study(study, tmp_path / "run")
    assert np.array_equal(load_model(path).predict(study.prepared.rows(study.prepared.split.test)), study.predicted)
