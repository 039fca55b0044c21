"""The recipes of sequences, each on a handful of made-up data: they run from data to findings, the same again with the same seed."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import data, text
from slopes.data import Examples, Splits
from slopes.experiments.recipes import chars, names, sentiment, tagger, translate, words
from slopes.experiments.recipes.tagger import Reader
from slopes.experiments.study import carry_out
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


def found_by(recipe, seed=0, **given):
    told = []
    findings = recipe.investigate(recipe.chosen(**given), seed, told.append)
    assert told and findings.lines and all(np.isfinite(value) for value in findings.figures.values())
    assert "curve.png" in findings.pictures and findings.weights
    return findings


@pytest.mark.parametrize("kind", ["chars", "gpt"])
def test_characters_are_learned_and_written(kind, monkeypatch):
    monkeypatch.setattr(data, "tiny_shakespeare", lambda: Splits(PLAY[:600], PLAY[600:660], PLAY[600:660]))
    monkeypatch.setattr(chars, "WRITTEN", 30)
    small = {"epochs": 3, "batch": 4, "context": 16, "width": 16}
    found = found_by(chars.recipe, **small, hidden=16, rate=0.02) if kind == "chars" else found_by(
        chars.gpt, **small, depth=1, heads=2, steps=10, warmup=5, rate=0.01)
    size = len(set(PLAY))
    assert found.figures["validation loss"] < 0.9 * np.log(size)
    assert found.lines[-1].startswith("ROMEO:\n") and set(found.lines[-1]) <= set(PLAY)


def test_words_are_learned_and_written(monkeypatch):
    tokens = tuple(text.words(PLAY)) + ("The", "first", "<eos>", "<unk>")
    monkeypatch.setattr(data, "wikitext2", lambda: Splits(tokens * 2, tokens, tokens))
    monkeypatch.setattr(words, "CUTOFFS", (4, 8))
    found = found_by(words.recipe, epochs=6, batch=2, context=8, width=16, depth=1, dropout=0.0, rate=0.02)
    assert found.figures["test perplexity"] < 0.6 * len(set(tokens))


def test_names_are_told_apart_and_made_up(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "names", surnames)
    given = {"epochs": 12, "batch": 8, "width": 8, "hidden": 8, "rate": 0.02, "dropout": 0.0}
    studied = carry_out(names.recipe, names.recipe.chosen(**given), tmp_path / "run", seed=1)
    figures = studied.findings.figures
    assert figures["accuracy"] == 1 and figures["balanced accuracy"] == 1
    assert (tmp_path / "run" / "weights.safetensors").exists() and (tmp_path / "run" / "study.json").exists()
    letters = set("".join(surnames().train.inputs))
    for line in studied.findings.lines[2:]:
        assert line.split()[0] in ("Japanese", "Italian") and set(line[12:]) <= letters | set(", ")
    again = names.recipe.investigate(names.recipe.chosen(**given), 1, lambda text: None)
    assert again.figures == figures and again.lines == studied.findings.lines
    assert all((again.weights[path] == array).all() for path, array in studied.findings.weights.items())


@pytest.mark.parametrize("kind", ["cnn", "lstm"])
def test_moods_are_told_apart_fold_by_fold(kind, monkeypatch):
    monkeypatch.setattr(data, "rt_polarity", reviews)
    small = {"epochs": 8, "batch": 8, "width": 8, "filters": 4, "dropout": 0.0, "rate": 0.02}
    found = found_by(sentiment.recipe, kind=kind, folds=2 if kind == "cnn" else 1, **small)
    assert found.figures == {"accuracy": 1, "worst fold": 1, "best fold": 1}


def test_words_are_tagged(monkeypatch):
    monkeypatch.setattr(data, "ud_english_ewt", treebank)
    found = found_by(tagger.recipe, epochs=12, batch=6, width=8, hidden=8, letters=6, dropout=0.0, rate=0.02)
    assert found.figures["accuracy"] == 1
    assert found.lines[-1].startswith("Time/NOUN flies/VERB")


def test_long_words_keep_their_beginning_and_their_end():
    reader = Reader([["incomprehensibilities"]] * 2, letters=6)
    assert reader.letters.decode(reader.word("incomprehensibilities")[1:]) == list("inc") + list("ies")
    assert reader.letters.decode(reader.word("cries")[1:]) == list("cries")
    assert reader.word("unheard")[0] == reader.words.unk


def test_sentences_are_translated(monkeypatch):
    pytest.importorskip("sacrebleu")
    pytest.importorskip("tokenizers")
    monkeypatch.setattr(data, "tatoeba", pairs)
    monkeypatch.setattr(translate, "ROWS", 4)
    found = found_by(translate.recipe, epochs=150, batch=12, width=48, pieces=300, dropout=0.0, rate=0.01, warmup=5, beams=2)
    assert found.figures["BLEU"] > 80 and "attention.png" in found.pictures
    assert found.figures["BLEU of one of the translations known"] >= found.figures["BLEU"]


def test_the_translator_may_be_a_transformer():
    pytest.importorskip("tokenizers")
    languages = translate.Languages(pairs().train, pieces=300)
    net = translate.network(translate.recipe.chosen(kind="transformer", width=16, depth=1), languages)
    source, written = next(iter(languages.rows(pairs().test).batches(4))).inputs
    assert isinstance(net, Transformer) and net(sl.tensor(source), sl.tensor(written)).shape == (4, 6, len(languages.french))
