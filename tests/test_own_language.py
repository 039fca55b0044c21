"""slopes train language, and slopes write: reading a text, tokens, n-gram models, training, writing, scoring, and errors."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)
from test_resume import Interrupt, assert_same

import slopes as sl
from slopes.errors import ArgumentError, DataError
from slopes.experiments import catalog
from slopes.experiments.experiment import Config
from slopes.experiments.own.codec import Letters, Pieces, codec_of
from slopes.experiments.own.language import context_of, experiment, heads_of, read, unknown_in, write
from slopes.experiments.own.ngrams import ngram_losses
from slopes.experiments.own.plain_text import divide_text, read_text
from slopes.experiments.own.scoring import LineScorer
from slopes.experiments.run import resume
from slopes.experiments.run import run as run_experiment
from slopes.tables.calibrate import softmax
from slopes.train.runs import load_run
from slopes.zoo.gpt import GPT
from slopes.zoo.language import LanguageModel

LINE = "the cat sat on the mat, and the dog ran.\n"
TINY = "--hidden", "8", "--context", "16", "--epochs", "2"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A text, its run folder, and what the training printed."""
    folder = tmp_path_factory.mktemp("language")
    path = folder / "cats.txt"
    path.write_text(LINE * 40 + "Z" + LINE * 5, encoding="utf-8", newline="\r\n")
    result = slopes("train", "language", path, *TINY, "--rate", "0.05", "--out", folder / "run")
    assert result.exit_code == 0, result.output
    return folder, result


def test_training_says_what_was_understood_and_how_good_it_is(run):
    folder, result = run
    for part in ("1,846 characters: the first 1,661 to learn from, the next 92 choose the epoch, the last 93 test",
                 "16 different characters are known, 1,661 characters are learned from",
                 "note: 1 of the characters that are learned from are unknown, as they occur less than twice", "from: 'Z'",
                 "network: GRU of 8 units (fewer than 100,000 characters)", "in nats per character: network ", "1-gram ", "3-gram ",
                 "the network is worse than the 5-gram: more text, or more epochs, may help",
                 "a sample (temperature 0.8)", f"next: slopes predict {folder / 'run'} TEXT..."):
        assert part in result.output, f"{part!r} is not said:\n{result.output}"
    record = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))
    figures = record["figures"]
    assert record["lines"][0].startswith("1,846 characters: the first 1,661 to learn from") and record["lines"][0] in result.stderr
    assert next(iter(figures)) == "test loss" and figures["test perplexity"] == pytest.approx(np.exp(figures["test loss"]))
    assert figures["test loss"] < figures["1-gram: test loss"]


def test_a_run_writes(run):
    folder = run[0] / "run"
    first, again, other = (slopes("write", folder, "--prompt", "the ", "--length", "30", "--seed", seed).stdout for seed in (1, 1, 2))
    assert first == again != other and first.startswith("the ") and len(first) == 4 + 30 + 1
    greedy = [slopes("write", folder, "--length", "9", "--temperature", "0", "--seed", seed).stdout for seed in (1, 2)]
    assert greedy[0] == greedy[1] and len(greedy[0]) == 10
    unknown = slopes("write", folder, "--prompt", "Ü", "--length", "3")
    assert unknown.stdout.startswith("Ü") and "the prompt has characters that the model does not know: 'Ü'" in unknown.stderr
    predicted = slopes("predict", folder, "the cat").stdout
    assert predicted.startswith("the cat: the cat") and len(predicted) > 400 and "\N{REPLACEMENT CHARACTER}" not in predicted + first


def fit_run(folder):
    x = np.ones((4, 1), np.float32)
    sl.fit(sl.nn.Linear(1, 1), x, x, loss=sl.nn.mse_loss, epochs=1, progress=False, run=folder)
    return folder


def test_other_runs_do_not_write(run, monkeypatch):
    monkeypatch.setitem(catalog.OWN_DATA, "language", replace(experiment, write=None))
    result = slopes("write", run[0] / "run")
    assert result.exit_code == 1
    assert "a run of language writes no text" in result.stderr and "slopes train language FILE.txt" in result.stderr
    with pytest.raises(ArgumentError, match="a run of your own net writes no text"):
        sl.load(fit_run(run[0] / "fit")).write("a")


def test_the_lines_of_files_are_predicted_and_evaluated(run, tmp_path):
    folder = run[0]
    new = tmp_path / "new.txt"
    new.write_text(f"{LINE}\nzzzz qqqq\n{LINE * 3}", encoding="utf-8")
    result = slopes("predict", folder / "run", new, "--out", tmp_path / "made.csv")
    assert result.exit_code == 0, result.output
    assert "5 rows, predictions in" in result.stdout and "8 characters are unknown: 'q', 'z'" in result.stderr
    with open(tmp_path / "made.csv", newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["row", "characters", "nats per character", "perplexity"] and [row[1] for row in rows] == ["40", "9", "40", "40", "40"]
    assert float(rows[1][2]) > float(rows[0][2]) > 0 and rows[0][2:] == rows[2][2:]
    assert float(rows[0][3]) == pytest.approx(np.exp(float(rows[0][2])), rel=1e-4)
    shown = slopes("evaluate", folder / "run", new).stdout
    assert "175 characters: " in shown and "8 characters are unknown" in shown
    (tmp_path / "one.txt").write_text("a", encoding="utf-8")
    assert "it is one character" in slopes("evaluate", folder / "run", tmp_path / "one.txt").stderr


def test_a_run_is_reported_and_continued(run, tmp_path):
    folder = run[0]
    shutil.copytree(folder / "run", tmp_path / "run")
    assert slopes("report", tmp_path / "run", "--out", tmp_path / "report.html").exit_code == 0
    result = slopes("train", "language", "--resume", tmp_path / "run", "--epochs", "3")
    assert result.exit_code == 0 and "epoch 3/3" in result.stderr, result.output
    other = tmp_path / "other.txt"
    other.write_text(LINE.replace("cat", "owl") * 50, encoding="utf-8")
    refused = slopes("train", "language", other, "--resume", tmp_path / "run", "--epochs", "4")
    assert refused.exit_code == 1 and "cannot be continued" in refused.stderr


def test_an_interrupted_training_continues_to_the_same_bits(run, tmp_path):
    values = {"file": str(run[0] / "cats.txt"), "hidden": 8, "context": 16, "epochs": 3, "rate": 0.05}
    whole = run_experiment(experiment, values, tmp_path / "whole", progress=False)
    half = run_experiment(experiment, values, tmp_path / "half", progress=Interrupt(1))
    assert half.interrupted
    assert_same(resume(load_run(tmp_path / "half"), progress=False), whole)


def config(path, **changes):
    return Config(experiment.resolve(file=str(path), **changes))


def test_pieces_and_a_gpt(tmp_path):
    pytest.importorskip("tokenizers")
    path = tmp_path / "cats.txt"
    path.write_text(LINE * 60, encoding="utf-8")
    result = slopes("train", "language", path, *TINY, "--pieces", "300", "--net", "gpt", "--depth", "1", "--out", "run")
    assert result.exit_code == 0, result.output
    assert "pieces are learned from" in result.stderr and "network: GPT of 8 units" in result.stderr
    figures = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["figures"]
    assert figures["test loss"] < np.log(figures["test perplexity per piece"])  # a piece is several characters
    assert slopes("write", "run", "--prompt", "Ünder the", "--length", "5").stdout.startswith("Ünder the")


def test_sizes_follow_the_length_of_the_text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(LINE * 3000, encoding="utf-8")
    corpus = read(config(path))
    assert corpus.sizes == {"kind": "lstm", "length": "usual", "hidden": 256, "dropout": 0.0}
    path.write_text(LINE * 100, encoding="utf-8")
    assert read(config(path)).sizes == {"kind": "gru", "length": "short", "hidden": 128, "dropout": 0.3}
    assert read(config(path, net="gpt", hidden=96, dropout=0.1)).sizes == {"kind": "gpt", "length": "short", "hidden": 96, "dropout": 0.1}
    assert [heads_of(width) for width in (8, 96, 100)] == [1, 3, 2] and context_of(config(path), Letters.learn(LINE)) == 64


def test_a_text_is_read_whatever_its_encoding(tmp_path):
    path = tmp_path / "text.txt"
    for raw, encoding, content, said in (("\ufeffé\r\na\rb".encode(), "", "é\na\nb", 0), ("é".encode("utf-16"), "", "é", 0),
                                         ("é\n".encode("cp1252"), "", "é\n", 1), ("ж".encode("koi8-r"), "koi8-r", "ж", 0),
                                         (gzip.compress("é".encode()), "", "é", 0)):
        path.write_bytes(raw)
        notes: list[str] = []
        assert read_text(str(path), encoding, notes) == content and len(notes) == said


@pytest.mark.parametrize("raw, message", [
    (b"", "there is no text in it"), (b" \n", "there is no text in it"), (b"a\0b", "it holds zero bytes"),
    (b"\x81\x8d", "it is not text in utf-8 or cp1252"), (None, "there is no such file")])
def test_a_file_that_is_no_text_is_refused(tmp_path, raw, message):
    path = tmp_path / "text.txt"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(DataError, match=message) as caught:
        read_text(str(path), "", [])
    assert caught.value.repair


def test_a_text_that_is_too_short_or_one_character_is_refused():
    with pytest.raises(DataError, match="the text has 999 characters") as caught:
        divide_text("ab" * 499 + "c", "text.txt")
    assert "1,000 are the least" in caught.value.why
    with pytest.raises(DataError, match="is one character, 'a', again and again"):
        divide_text("a" * 1000, "text.txt")
    parts = divide_text("".join(map(chr, range(1000, 3000))), "text.txt")
    assert list(map(len, parts)) == [1800, 100, 100] and parts.test[-1] == chr(2999)


def test_wrong_settings_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="encoding='klingon'"):
        read_text(str(tmp_path / "text.txt"), "klingon", [])
    net, codec = LanguageModel(len(Letters.learn(LINE)), 2, 3), Letters.learn(LINE)
    for temperature in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ArgumentError, match="a temperature of"):
            write(net, codec, "a", 3, temperature, 0)
    with pytest.raises(ArgumentError, match="length is 0"):
        write(net, codec, "a", 0, 1.0, 0)


def test_tokens_go_to_facts_and_back():
    letters = Letters.learn(LINE * 2)
    again = codec_of(json.loads(json.dumps(letters.to_facts())))
    assert again.encode("a cat!").tolist() == letters.encode("a cat!").tolist() and list(unknown_in(letters, "a!!")) == [
        "2 characters are unknown: '!'"]
    pytest.importorskip("tokenizers")
    pieces = Pieces.learn(LINE * 2, 300)
    content = "the cat Ü\n\n mat"
    assert pieces.decode(pieces.encode(content)) == content and pieces.unknown(content) == []
    assert codec_of(json.loads(json.dumps(pieces.to_facts()))).encode(content).tolist() == pieces.encode(content).tolist()


def slow_losses(learned, tested, size, order):
    """The definition, token by token."""
    def p(context, token):
        if context is None:
            return 1 / size
        following = [learned[i] for i in range(len(context), len(learned)) if tuple(learned[i - len(context):i]) == context]
        shorter = p(context[1:] if context else None, token)
        return (following.count(token) + len(set(following)) * shorter) / (len(following) + len(set(following))) if following else shorter

    return [-np.log(p(tuple(tested[max(0, i - order + 1):i]), tested[i])) for i in range(1, len(tested))]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_ngrams_are_as_defined(order):
    generator = np.random.default_rng(order)
    learned, tested = generator.integers(0, 4, 60), generator.integers(0, 5, 20)
    expected = slow_losses(learned.tolist(), tested.tolist(), 5, order)
    np.testing.assert_allclose(ngram_losses(learned, tested, 5, order), expected)


@pytest.mark.parametrize("make", [lambda size: LanguageModel(size, 3, 4), lambda size: GPT(size, 200, 4, 1, 1)], ids=["recurrent", "gpt"])
def test_lines_are_scored_as_one_by_one(make):
    codec = Letters.learn(LINE * 2)
    net = make(len(codec)).eval()
    scorer = LineScorer(net, codec)
    scorer.steps = 64 if isinstance(net, GPT) else 16  # a recurrent network remembers what comes before
    scorer.program = scorer.read  # without a compilation
    for line, loss in scorer.losses(["the cat", "a", "dog " * 15]):
        row = codec.encode(f"\n{line}")
        shares = softmax(net(sl.tensor(row[None, :-1])).numpy()[0])
        assert loss == pytest.approx(-np.log(shares[np.arange(len(line)), row[1:]]).sum(), rel=1e-4)
