"""sentiment: whether a sentence of a film review is positive; a convolutional network over its words, or an LSTM."""

from __future__ import annotations

import numpy as np

from ... import data, nn, optim, text
from ...data.loaders.examples import Examples
from ...train.evaluate import evaluate
from ...zoo.sentence import SentenceEncoder, TextCNN
from ..answers import likeliest, outputs, probabilities, vocabulary_facts, vocabulary_of
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting

Folds = dict[str, data.Splits[Examples]]


def parts(config: Config) -> list[str]:
    """One network for each fold of the cross-validation."""
    return [f"fold {fold}" for fold in range(config["folds"])]


def folds_of(config: Config) -> Folds:
    """For each fold: eight parts to train, one to watch, one to test with."""
    return {f"fold {fold}": data.rt_polarity(fold=fold) for fold in range(config["folds"])}


def words_of(folds: Folds) -> text.Vocabulary:
    """The words of all sentences, as published: words that training lacks keep their first vectors."""
    splits = next(iter(folds.values()))
    assert splits.validation is not None and splits.test is not None
    every = (*splits.train.inputs, *splits.validation.inputs, *splits.test.inputs)
    return text.Vocabulary.build(sentence.split(" ") for sentence in every)


def rows(examples: Examples, words: text.Vocabulary) -> text.Rows:
    """Sentences as rows of numbers, with their labels."""
    return text.Rows([words.encode(sentence.split(" ")) for sentence in examples.inputs], targets=examples.targets, limits=3)


def describe(config: Config, folds: Folds) -> Facts:
    """The words and the classes."""
    return {"words": vocabulary_facts(words_of(folds)), "classes": list(next(iter(folds.values())).classes or ())}


def network(config: Config, facts: Facts, name: str) -> nn.Module:
    """The encoder asked for."""
    size = len(vocabulary_of(facts["words"]))
    if config["kind"] == "cnn":
        return TextCNN(size, 2, config["width"], filters=config["filters"], dropout=config["dropout"])
    return SentenceEncoder(size, 2, config["width"], config["filters"], dropout=config["dropout"])


def training(config: Config, folds: Folds, name: str, net: nn.Module) -> Fit:
    """The training; the weights are those of the last epoch."""
    splits, words = folds[name], words_of(folds)
    assert splits.validation is not None
    return Fit(rows(splits.train, words), rows(splits.validation, words), optimizer=optim.Adam(lr=config["rate"]), schedule="linear",
               epochs=config["epochs"], batch_size=config["batch"], metrics="accuracy")


def report(result: Result[Folds]) -> Report:
    """The accuracy in cross-validation over the first `folds` of ten parts; the curve is that of the first."""
    words, scores = words_of(result.data), {}
    for name, splits in result.data.items():
        assert splits.test is not None
        test = evaluate(result.networks[name], rows(splits.test, words), metrics="accuracy", batch_size=result.config["batch"])
        scores[name] = test["accuracy"]
        result.config.log(f"{name}: accuracy {scores[name]:.2%}")
    values = list(scores.values())
    return Report({"accuracy": float(np.mean(values)), "worst fold": min(values), "best fold": max(values)},
                  [f"accuracy {np.mean(values):.2%} over {len(values)} folds, from {min(values):.2%} to {max(values):.2%}"],
                  {"curve.png": result.run.plot})


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The likeliest mood of a sentence, by the network of the first fold."""
    words = vocabulary_of(run.facts["words"])
    tokens = words.encode(text.words(item, lower=True))
    return Prediction(likeliest(run.facts["classes"], probabilities(outputs(run.net, tokens[None]))[0], top))


recipe = Experiment(
    name="sentiment",
    caption="whether a sentence of a film review is positive or negative: a text CNN or an LSTM, in ten-fold cross-validation",
    expected="text CNN: at least 75.5% in ten folds (76.1% is published)",
    data=folds_of, describe=describe, parts=parts, network=network, training=training, report=report, predict=predict, takes="SENTENCE",
    keeps=("fold 0",),
    datasets=("rt-polarity",),
    settings={"kind": Setting("cnn", "as good as the LSTM, in half the time", ("cnn", "lstm")),
              "folds": Setting(10, "the usual ten; 1 for a first look"),
              "epochs": Setting(4, "with more it overfits"),
              "batch": Setting(50, "as published", search=(25, 50, 100)),
              "width": Setting(300, "length of the word embeddings, as published; they start at random"),
              "filters": Setting(100, "for each of windows of 3, 4 and 5 words, as published; units of the LSTM in each direction",
                                 search=(50, 100, 200)),
              "dropout": Setting(0.5, "as published"),
              "rate": Setting(1e-3, "the usual first choice, with a linear decay to 0")},
)
