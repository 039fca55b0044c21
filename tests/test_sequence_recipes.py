"""The recipes of sequences, each on a handful of made-up data: they run from data to findings, the same again with the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from recipe_runs import run_recipe, same_weights

import slopes as sl
from slopes import data, text
from slopes.data import Examples, Splits
from slopes.errors import OutOfRangeError
from slopes.experiments.experiment import Config
from slopes.experiments.load import load
from slopes.experiments.recipes import chars, names, sentiment, tagger, translate, words
from slopes.experiments.recipes.tagger import Reader
from slopes.zoo.transformer import Transformer

PLAY = "ROMEO:\nWhat say you, sir?\n\nJULIET:\nNothing, sir: go on.\n\n" * 12


def thrice(examples):
    return Splits(examples, examples, examples, "toy")


NAMES = ["Satoh", "Katoh", "Itohi", "Rossi", "Bossi", "Russo"]  # of one length, as all rows here: one shape is compiled


def surnames(folder=None):
    return thrice(Examples(NAMES * 4, np.array([0, 0, 0, 1, 1, 1] * 4), ("Japanese", "Italian")))


def reviews(folder=None, fold=0):
    good, bad = ["a fine film", "fine and good"], ["a dull film", "dull and bad"]
    return thrice(Examples([*good, *bad] * 4, np.array([1, 1, 0, 0] * 4), ("negative", "positive")))


def treebank(folder=None):
    sentences = [("Time", "flies"), ("Dogs", "bark"), ("Incomprehensibilities", "exist")] * 4
    return thrice(Examples(sentences, [np.array([0, 1])] * 12, ("NOUN", "VERB")))


def pairs(folder=None):
    return thrice(Examples(["I see the dog.", "She hears the cat."] * 4, ["Je vois le chien.", "Elle entend le chat."] * 4))


@pytest.mark.parametrize("kind", ["chars", "gpt"])
def test_characters_are_learned_and_written(kind, monkeypatch, tmp_path):
    monkeypatch.setattr(data, "tiny_shakespeare", lambda: Splits(PLAY[:600], PLAY[600:660], PLAY[600:660]))
    monkeypatch.setattr(chars, "WRITTEN", 30)
    small = {"epochs": 3, "batch": 4, "context": 16, "width": 16}
    found = run_recipe(chars.recipe, folder=tmp_path, **small, hidden=16, rate=0.02) if kind == "chars" else run_recipe(
        chars.gpt, folder=tmp_path, **small, depth=1, heads=2, steps=10, warmup=5, rate=0.01)
    size = len(set(PLAY))
    assert found.figures["validation loss"] < 0.9 * np.log(size)
    assert found.lines[-1].startswith("ROMEO:\n") and set(found.lines[-1]) <= set(PLAY)
    loaded = load(tmp_path)
    assert loaded.predict("ROMEO:\n").text == found.lines[-1]
    with pytest.raises(OutOfRangeError, match="which the vocabulary does not know"):
        loaded.predict("ROMEO: 7")


def test_words_are_learned_and_written(monkeypatch, tmp_path):
    tokens = tuple(text.words(PLAY)) + ("The", "first", "<eos>", "<unk>")
    monkeypatch.setattr(data, "wikitext2", lambda: Splits(tokens * 2, tokens, tokens))
    monkeypatch.setattr(words, "CUTOFFS", (4, 8))
    found = run_recipe(words.recipe, folder=tmp_path, epochs=6, batch=2, context=8, width=16, depth=1, dropout=0.0, rate=0.02)
    assert found.figures["test perplexity"] < 0.6 * len(set(tokens))
    loaded = load(tmp_path)
    assert loaded.predict("The first").text == found.lines[-1] and loaded.predict("Seven").text.startswith("<unk> ")


def test_names_are_told_apart_and_made_up(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "names", surnames)
    given = {"epochs": 12, "batch": 8, "width": 8, "hidden": 8, "rate": 0.02, "dropout": 0.0}
    found = run_recipe(names.recipe, 1, tmp_path / "run", **given)
    figures = found.figures
    assert figures["accuracy"] == 1 and figures["balanced accuracy"] == 1
    assert {file.name for file in (tmp_path / "run").iterdir()} == {
        "confusion.png", "curve.png", "history-classifier.jsonl", "history-writer.jsonl", "run.json", "state.safetensors",
        "weights.safetensors"}
    assert [load(tmp_path / "run").predict(name).text.split()[0] for name in ("Rossi", "Satoh")] == ["Italian", "Japanese"]
    letters = set("".join(surnames().train.inputs))
    for line in found.lines[2:]:
        assert line.split()[0] in ("Japanese", "Italian") and set(line[12:]) <= letters | set(", ")
    again = run_recipe(names.recipe, 1, **given)
    assert again.figures == figures and again.lines == found.lines and same_weights(again, found)


@pytest.mark.parametrize("kind", ["cnn", "lstm"])
def test_moods_are_told_apart_fold_by_fold(kind, monkeypatch, tmp_path):
    monkeypatch.setattr(data, "rt_polarity", reviews)
    small = {"epochs": 8, "batch": 8, "width": 8, "filters": 4, "dropout": 0.0, "rate": 0.02}
    found = run_recipe(sentiment.recipe, folder=tmp_path, kind=kind, folds=2 if kind == "cnn" else 1, **small)
    assert found.figures == {"accuracy": 1, "worst fold": 1, "best fold": 1}
    loaded = load(tmp_path)
    assert list(loaded.networks) == ["fold 0"] and loaded.predict("a fine film").text.startswith("positive (")
    assert loaded.predict("Dull!", top=2).text.startswith("negative (") and "positive" in loaded.predict("Dull!", top=2).text


def test_words_are_tagged(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "ud_english_ewt", treebank)
    found = run_recipe(tagger.recipe, folder=tmp_path, epochs=12, batch=6, width=8, hidden=8, letters=6, dropout=0.0, rate=0.02)
    assert found.figures["accuracy"] == 1
    assert found.lines[-1].startswith("Time/NOUN flies/VERB")
    assert load(tmp_path).predict("Dogs bark").text == "Dogs/NOUN bark/VERB" and load(tmp_path).predict(" ").text == ""


def test_long_words_keep_their_beginning_and_their_end():
    reader = Reader.build([["incomprehensibilities"]] * 2, longest=6)
    assert reader.letters.decode(reader.word("incomprehensibilities")[1:]) == list("inc") + list("ies")
    assert reader.letters.decode(reader.word("cries")[1:]) == list("cries")
    assert reader.word("unheard")[0] == reader.words.unk


def test_sentences_are_translated(monkeypatch, tmp_path):
    pytest.importorskip("sacrebleu")
    pytest.importorskip("tokenizers")
    monkeypatch.setattr(data, "tatoeba", pairs)
    monkeypatch.setattr(translate, "ROWS", 4)
    found = run_recipe(translate.recipe, folder=tmp_path, epochs=150, batch=12, width=48, pieces=300, dropout=0.0, rate=0.01, warmup=5,
                       beams=2)
    assert found.figures["BLEU"] > 80 and "attention.png" in found.report.plots
    assert found.figures["BLEU against all known translations"] >= found.figures["BLEU"]
    assert load(tmp_path).predict("I see the dog.").text == "je vois le chien."


def test_the_translator_may_be_a_transformer():
    pytest.importorskip("tokenizers")
    languages = translate.Languages.build(pairs().train, pieces=300)
    config = Config(translate.recipe.resolve(kind="transformer", width=16, depth=1))
    net = translate.network(config, {"sizes": [len(languages.english), len(languages.french)]}, "")
    source, written = next(iter(languages.rows(pairs().test).batches(4))).inputs
    assert isinstance(net, Transformer) and net(sl.tensor(source), sl.tensor(written)).shape == (4, 6, len(languages.french))
