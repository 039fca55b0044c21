"""slopes train text: what is understood of a table of texts, how it is divided, training, predictions, and errors."""

from __future__ import annotations

import csv
import json
import re
import shutil

import numpy as np
import pytest
from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)
from test_resume import Interrupt, assert_same

import slopes as sl
from slopes import nn
from slopes.errors import ArgumentError, DataError, MissingExtraError
from slopes.experiments.experiment import Config
from slopes.experiments.own import bags
from slopes.experiments.own.bags import Tfidf, linear_shares, simpler_models
from slopes.experiments.own.labelled_texts import read_labelled
from slopes.experiments.own.text import Classifier, choose_net, experiment
from slopes.experiments.own.tokens import Tokens, choose_kind, learn_tokens, learn_vocabulary
from slopes.experiments.own.words import effect_lines, uneven_words, word_effects
from slopes.experiments.run import resume
from slopes.experiments.run import run as run_experiment
from slopes.text import Vocabulary
from slopes.train.runs import load_run

GOOD, BAD = ["good", "great", "nice", "lovely", "fine"], ["bad", "awful", "poor", "dull", "weak"]
OTHER = ["film", "plot", "actor", "very", "scene", "story"]


def review(i, generator):
    """Five words, one of them a judgement that is the class."""
    good = bool(generator.integers(2))
    words = [*generator.choice(OTHER, 4), generator.choice(GOOD if good else BAD)]
    return [" ".join(generator.permutation(words)), "pos" if good else "neg", "abcdef"[i % 6], f"2024-03-{1 + i % 28:02d}"]


def rows_of(count, seed=0):
    generator = np.random.default_rng(seed)
    return [review(i, generator) for i in range(count)]


def write(path, rows, head=("review", "mood", "critic", "day"), **options):
    with open(path, "w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        writer = csv.writer(file, **options)
        writer.writerows([head, *rows])
    return path


def settings(path, **changes):
    return Config(experiment.resolve(**{"file": str(path), "text": "review", "target": "mood", **changes}))


def divided(tmp_path, rows, **changes):
    return read_labelled(settings(write(tmp_path / "reviews.csv", rows), **changes))


SMALL = "--width", "4", "--dropout", "0.1", "--epochs", "5", "--rate", "0.05"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A table, its run folder, and what the training printed."""
    folder = tmp_path_factory.mktemp("text")
    table = write(folder / "reviews.csv", [*rows_of(150), ["", "pos", "a", ""], ["a film", "", "a", ""]], delimiter=";", encoding="utf-16")
    result = slopes("train", "text", table, "--text", "review", "--target", "mood", *SMALL, "--net", "wide-cnn", "--filters", "2",
                    "--out", folder / "run")
    assert result.exit_code == 0, result.output
    return folder, result


def test_training_says_what_was_understood_and_how_good_it_is(run):
    folder, result = run
    for part in ("column review: words (words are separated by spaces), 5 in the median text, 5 in the longest; 16 known, ",
                 "target mood: 2 classes: ", "note: fields are separated by a semicolon",
                 "note: 1 rows without a value in 'review' are left out", "note: 1 rows without a value in 'mood' are left out",
                 "20% of the rows test", "network: convolutions over neighbouring tokens, and the mean of the embeddings of tokens ",
                 "network    ", "most frequent class", "linear model", "naive Bayes", "logistic regression", "calibration error",
                 "words that matter", f"next: slopes predict {folder / 'run'} TEXT..."):
        assert part in result.output, f"{part!r} is not said:\n{result.output}"
    record = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))
    figures, lines = record["figures"], record["lines"]
    assert lines[0].startswith("column review: words") and lines[0] in result.stderr and "words that matter: " in result.stdout
    assert next(iter(figures)) == "test accuracy" and figures["test accuracy"] > 0.8 > figures["most frequent class: accuracy"]


def test_texts_are_predicted(run):
    folder, _ = run
    shown = slopes("predict", folder / "run", "a great film", "awful actor", "--top", "2").stdout.splitlines()
    assert re.fullmatch(r"a great film: pos \([\d.]+%\), neg \([\d.]+%\)", shown[0]) and shown[1].startswith("awful actor: neg ")
    wrong = slopes("predict", folder / "run", folder / "reviews.csv")
    assert wrong.exit_code == 1 and "is a file, not a text" in wrong.stderr and "--out predictions.csv" in wrong.stderr


def test_the_rows_of_files_are_predicted_and_evaluated(run, tmp_path):
    folder, _ = run
    new = write(tmp_path / "new.csv", [["x", "a great film"], ["y", ""], ["z", "dull \n, poor"]], head=("id", "review"))
    result = slopes("predict", folder / "run", new, new, "--out", tmp_path / "made.csv")
    assert result.exit_code == 0, result.output
    assert "6 rows, predictions in" in result.stdout and "2 rows without a text" in result.stderr
    with open(tmp_path / "made.csv", newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["row", "class", "probability", "P(neg)", "P(pos)"] and [row[0] for row in rows] == list("123456")
    assert [row[1] for row in rows if row[0] in "136"] == ["pos", "neg", "neg"] and rows[:3] == [["1", *rows[3][1:]], *rows[1:3]]
    assert all(abs(float(row[3]) + float(row[4]) - 1) < 1e-5 and float(row[2]) == max(map(float, row[3:])) for row in rows)
    scored = slopes("evaluate", folder / "run", folder / "reviews.csv").stdout
    assert "150 examples: accuracy" in scored and "2 rows without a text or a target are left out" in scored
    for path, command, message in (
            (write(tmp_path / "a.csv", [["a", "b"]], head=("text", "mood")), "evaluate", "there is no column 'review'"),
            (new, "evaluate", "there is no column 'mood'"),
            (write(tmp_path / "b.csv", [["a", ""]], head=("review", "mood")), "evaluate", "no row has a value in both"),
            (write(tmp_path / "c.csv", [["a film", "pos"], ["dull", "so-so"]], head=("review", "mood")), "evaluate",
             "line 3, target 'mood': 'so-so' is no class of the model")):
        result = slopes(command, folder / "run", path)
        assert result.exit_code == 1 and message in result.stderr, result.output
    assert "there is no column 'review'" in slopes("predict", folder / "run", tmp_path / "a.csv", "--out", "x.csv").stderr


def test_a_run_is_reported_and_continued(run, tmp_path):
    folder, _ = run
    shutil.copytree(folder / "run", tmp_path / "run")
    shutil.copy(folder / "reviews.csv", tmp_path / "moved.csv")
    assert slopes("report", tmp_path / "run", "--out", tmp_path / "report.html").exit_code == 0
    assert "words that matter" in (tmp_path / "report.html").read_text(encoding="utf-8")
    result = slopes("train", "text", tmp_path / "moved.csv", "--resume", tmp_path / "run", "--epochs", "6")
    assert result.exit_code == 0 and "epoch 6/6" in result.stderr, result.output
    write(tmp_path / "other.csv", rows_of(150, seed=1))
    other = slopes("train", "text", tmp_path / "other.csv", "--resume", tmp_path / "run", "--epochs", "7")
    assert other.exit_code == 1 and "cannot be continued" in other.stderr


def test_a_bag_of_characters_with_balanced_classes(tmp_path):
    generator = np.random.default_rng(0)
    names = [["".join(generator.choice(list("aeiou" if i % 4 else "xyzst"), 6)), "soft" if i % 4 else "hard", "", ""] for i in range(80)]
    table = write(tmp_path / "names.csv", names)
    result = slopes("train", "text", table, "--text", "review", "--target", "mood", *SMALL, "--balanced", "--out", "run")
    assert result.exit_code == 0, result.output
    assert "characters (most texts are one or two words that no other text has)" in result.stderr
    assert "network: the mean of the embeddings of tokens and of pairs of neighbours (there are 56 texts" in result.stderr
    assert "characters that matter: " in result.stdout
    assert slopes("predict", "run", "zzxyst", "quqqqq").stdout.startswith("zzxyst: hard")


def test_an_interrupted_training_continues_to_the_same_bits(tmp_path):
    values = {"file": str(write(tmp_path / "reviews.csv", rows_of(80))), "text": "review", "target": "mood", "net": "bag", "width": 4,
              "epochs": 5, "patience": 1, "rate": 0.05}
    whole = run_experiment(experiment, values, tmp_path / "whole", progress=False)
    half = run_experiment(experiment, values, tmp_path / "half", progress=Interrupt(2))
    assert half.interrupted
    assert_same(resume(load_run(tmp_path / "half"), progress=False), whole)


def test_copies_of_a_text_are_on_one_side(tmp_path):
    rows = [[f"  text number {i // 3} " if i % 3 else f"Text NUMBER {i // 3}", "pos" if i // 3 % 2 else "neg", "", ""] for i in range(90)]
    splits = divided(tmp_path, [*rows, ["text number 5", "neg", "", ""]])
    keys = [{" ".join(text.lower().split()) for text in part.texts} for part in (splits.train, splits.validation, splits.test)]
    assert not keys[0] & keys[1] and not keys[0] & keys[2] and not keys[1] & keys[2] and sum(map(len, keys)) == 30
    assert "note: 61 rows have the text of an earlier row: copies are on one side of the division" in splits.lines
    assert "note: texts that occur with different classes: 1" in splits.lines


def test_groups_times_and_files_divide_the_rows(tmp_path):
    rows = rows_of(120)
    by_group = divided(tmp_path, rows, group="critic")
    critics = {text: row[2] for row in rows for text in [row[0]]}
    assert "of 6 groups (critic) test" in by_group.lines[-1]
    sides = [{critics[text] for text in part.texts} for part in (by_group.train, by_group.test)]
    assert not sides[0] & sides[1]
    by_time = divided(tmp_path, rows, time="day")
    days = {row[0]: row[3] for row in rows}
    assert max(days[text] for text in by_time.train.texts) < min(days[text] for text in by_time.test.texts)
    assert "rows in time (day) test" in by_time.lines[-1]
    tested, chosen = rows_of(20, seed=1), rows_of(10, seed=2)
    files = {"valid": write(tmp_path / "valid.csv", chosen), "test": write(tmp_path / "test.csv", [*tested, rows[0]])}
    by_file = divided(tmp_path, rows, **{name: str(path) for name, path in files.items()})
    assert by_file.test.texts == [row[0] for row in [*tested, rows[0]]] and by_file.validation.texts == [row[0] for row in chosen]
    assert rows[0][0] not in by_file.train.texts and any("are left out, as their text is on another side" in line for line in by_file.lines)
    assert f"the rows of {files['valid']} choose the epoch; the rows of {files['test']} test" in by_file.lines[-1]


BAD_TABLES = {
    "the target is constant": ([[f"text {i}", "a", "", ""] for i in range(20)], {}, "it is always 'a'"),
    "few rows": (rows_of(5), {}, "5 rows with a value"),
    "nothing in it": ([["", "a", "", ""]] * 20, {}, "no row has a value in both"),
    "numbers to predict": ([[f"text {i}", i / 7, "", ""] for i in range(40)], {}, "the target has 40 different numbers"),
    "a class for each row": ([[f"text {i}", f"c{i}", "", ""] for i in range(40)], {}, "the target has 40 classes in 40 rows"),
    "texts are numbers": ([[i, "ab"[i % 2], "", ""] for i in range(40)], {}, "the column has numbers, such as 0, and no texts"),
    "one text": ([["same", "ab"[i % 2], "", ""] for i in range(40)], {}, "the text is always 'same'"),
    "one class is learned": ([[f"text {i}", "a" if i < 25 else "b", "", f"2024-01-{i + 1:02d}"] for i in range(31)], {"time": "day"},
                             "all texts to learn from have the class 'a'"),
    "few texts": ([[f"text {i % 3}", "ab"[i % 2], "", ""] for i in range(40)], {}, "no text is left to choose the epoch"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_what_cannot_be_learned_from_is_refused(tmp_path, case):
    rows, changes, message = BAD_TABLES[case]
    with pytest.raises(DataError) as caught:
        divided(tmp_path, rows, **changes)
    assert message in str(caught.value) and caught.value.why and caught.value.repair


@pytest.mark.parametrize("changes, message", [
    ({"text": ""}, "no --text is named"), ({"target": ""}, "no --target is named"), ({"target": "review"}, "both name 'review'"),
    ({"text": "nowhere"}, "has no column 'nowhere'"), ({"group": "who"}, "has no column 'who'"),
    ({"group": "critic", "time": "day"}, "--group and --time together"), ({"time": "critic"}, "--time critic: it is a category")])
def test_wrong_names_of_columns_are_refused(tmp_path, changes, message):
    with pytest.raises(ArgumentError) as caught:
        divided(tmp_path, rows_of(30), **changes)
    assert message in caught.value.what and caught.value.repair


def test_files_that_test_must_have_the_columns_and_classes(tmp_path):
    for head, rows, message in ((("text", "mood"), [["a", "pos"]], "it has no column 'review'"),
                                (("review", "mood"), [["a", "pos"], ["b", "new"]], "line 3, target 'mood': 'new' is no class")):
        path = write(tmp_path / "test.csv", rows, head=head)
        with pytest.raises(DataError, match=re.escape(message)):
            divided(tmp_path, rows_of(30), test=str(path))


def test_rare_and_similar_and_missing_classes_are_told(tmp_path):
    rows = [*rows_of(100), *([f"odd text {i}", "Pos", "", ""] for i in range(3))]
    lines = "\n".join(divided(tmp_path, rows).lines)
    assert "classes with few rows: Pos (3); --balanced" in lines and "the classes 'Pos' and 'pos' differ in capital letters" in lines
    late = [[f"text {i}", "ab"[i % 2] if i < 50 else "c", "", f"2024-01-{i // 3 + 1:02d}"] for i in range(60)]
    assert "note: no text to learn from has the class 'c'" in divided(tmp_path, late, time="day").lines


def test_words_or_characters():
    assert choose_kind(["今天天气很好", "我喜欢这部电影"])[1] == "its script has no spaces between words"
    assert choose_kind(["!!", "?"]) == ("characters", "there are no words in it")
    assert choose_kind(["Она читает книгу", "Мы идём домой"])[0] == "words"
    assert choose_kind(["yes", "no"] * 20)[0] == "words"  # short, but the same words


def test_the_network_is_chosen_by_the_number_and_length_of_texts():
    assert [choose_net(*case, "words")[0] for case in ((1999, 9), (2000, 149), (2000, 150))] == ["bag", "wide-cnn", "bag"]


def test_tokens_are_cut_paired_and_kept_as_facts():
    tokens = learn_tokens("words", [["not", "bad", "at"], ["not", "bad"], ["so", "so"]], longest=2, in_order=True, bag=True)
    rows = tokens.indices(["not", "bad", "new", "bad"])
    assert [[vocabulary.tokens[i] for i in row] for vocabulary, row in zip((tokens.words, tokens.bag), rows)] == [
        ["not", "bad", "<unk>", "bad"], ["not", "bad", "bad", "not bad"]]
    assert tokens.split("Not BAD at all") == ["not", "bad"] and "so" in tokens and "at" not in tokens
    again = Tokens.from_facts(json.loads(json.dumps(tokens.to_facts())))
    assert again == tokens and again.lengths(10) == (10, 20)
    assert learn_tokens("words", [["a"]], 9, in_order=False, bag=True).lengths(10) == (20,)
    assert len(learn_vocabulary([["once"], ["twice"], ["twice"]], texts=1000)) == 3
    with pytest.raises(ValueError, match="letters"):
        Tokens.from_facts({**tokens.to_facts(), "kind": "letters"})


def test_tfidf_is_what_the_book_says():
    tfidf = Tfidf([["a", "b"], ["a", "a", "a"]])
    features = tfidf([["a", "a", "b", "c"]])[0]
    raw = np.array([(1 + np.log(2)) * (np.log(3 / 3) + 1), 1 * (np.log(3 / 2) + 1)])
    np.testing.assert_allclose(features[[tfidf.words.index_of["a"], tfidf.words.index_of["b"]]], raw / np.linalg.norm(raw))
    assert not tfidf([["c"], []]).any()


def missing(module, extra, purpose):
    raise MissingExtraError(f"{purpose} needs {module}", repair=f"install [{extra}]")


def test_simpler_models_learn_words(monkeypatch):
    rows, labels = [["good", "film"], ["bad", "film"]] * 10, np.arange(20) % 2
    notes: list[str] = []
    shares = simpler_models(rows, labels, [["good"], ["bad"]], 3, notes)
    assert len(shares) == 3 and not notes
    for model in shares.values():
        assert model.argmax(axis=1).tolist() == [0, 1] and model[:, 2].max() < 0.05
        np.testing.assert_allclose(model.sum(axis=1), 1)
    monkeypatch.setattr(bags, "MOST_TEXTS", 7)
    assert linear_shares(rows, labels, [["good"]], 2).shape == (1, 2)
    monkeypatch.setattr(bags, "require", missing)
    assert list(simpler_models(rows, labels, rows, 2, notes)) == ["linear model"]
    assert notes[0] == "the linear model learns from 7 of the 20 texts" and notes[1].startswith("not compared with naive Bayes: ")


def test_words_that_matter():
    rows = [["good", "film"], ["bad", "film"]] * 5
    labels = np.array([1, 0] * 5)
    assert uneven_words(rows, labels, 2) == ["good", "bad"]

    def shares(texts):
        sure = np.array([[0.1, 0.9] if "good" in row else [0.5, 0.5] for row in texts])
        return sure

    effects = word_effects(shares, rows, labels, ["good", "bad", "film", "absent"])
    assert [(effect.word, effect.texts) for effect in effects] == [("good", 5), ("bad", 5), ("film", 10)]
    assert effects[0].speaks_for == 1 and effects[0].loss == pytest.approx(np.log(0.9 / 0.5)) and effects[1].loss == 0
    assert "  good  +0.5878  5 texts   pos" in effect_lines(effects, ["neg", "pos"], "words")
    assert word_effects(shares, rows, labels, ["absent"]) == [] and effect_lines([], [], "words") == []


def test_predictions_do_not_depend_on_the_batch():
    vocabulary = Vocabulary(["a", "b"], ("<pad>", "<unk>"))


    class Counting(nn.Module):
        def forward(self, tokens):
            return sl.stack([(tokens == 2).sum(axis=1), (tokens == 3).sum(axis=1)], axis=1).astype(sl.float32)

    classifier = Classifier(Counting(), Tokens("characters", 100, vocabulary, None))
    texts = ["", "ab", "a" * 40, "b" * 17, *["aab"] * 70]
    logits = classifier.logits([classifier.tokens.split(text) for text in texts])
    assert logits[:5].tolist() == [[0, 0], [1, 1], [40, 0], [0, 17], [2, 1]] and (logits[4:] == [2, 1]).all()
