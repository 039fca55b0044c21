"""names: which language a surname is from, by its characters; and a net that makes up surnames of a language."""

from __future__ import annotations

import numpy as np

from ... import data, nn, optim, random, text
from ...compile import compile
from ...data.loaders.examples import Examples
from ...inside.confusion import Confusion
from ...modes import no_grad
from ...tensor import asarray
from ...train.mode import Mode
from ...zoo.language import LanguageModel
from ...zoo.sentence import SentenceEncoder
from ...zoo.tokens import LAYERS
from ..answers import likeliest, outputs, probabilities, vocabulary_facts, vocabulary_of
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting

SHOWN, LONGEST, HEAT = 4, 16, 0.6
CLASSIFIER, WRITER = "classifier", "writer"


def rows(examples: Examples, letters: text.Vocabulary) -> text.Rows:
    """Names as rows of numbers, with their languages as labels; <bos> and <eos> show the net where a name begins and ends."""
    return text.Rows([letters.encode(name, bos=True, eos=True) for name in examples.inputs], targets=examples.targets, limits=3)


def letters_of(names: data.Splits) -> text.Vocabulary:
    """The characters of the training names."""
    return text.Vocabulary.build([list(name) for name in names.train.inputs])


def describe(config: Config, names: data.Splits) -> Facts:
    """The characters and the languages."""
    return {"letters": vocabulary_facts(letters_of(names)), "classes": list(names.classes or ())}


def network(config: Config, facts: Facts, name: str) -> nn.Module:
    """The classifier, or the language model that makes up names; its tokens are the characters and the languages."""
    letters, languages = vocabulary_of(facts["letters"]), facts["classes"]
    if name == CLASSIFIER:
        return SentenceEncoder(len(letters), len(languages), config["width"], config["hidden"], kind=config["kind"],
                               dropout=config["dropout"])
    return LanguageModel(len(letters) + len(languages), config["width"], config["hidden"], kind=config["kind"])


def lessons(examples: Examples, letters: text.Vocabulary) -> text.Rows:
    """Names for the language model, with the language first: as a token of its own, in the place of <bos>."""
    encoded = [letters.encode(name, eos=True) for name in examples.inputs]
    inputs = [np.concatenate(([len(letters) + language], name[:-1])) for name, language in zip(encoded, examples.targets)]
    return text.Rows(inputs, targets=encoded, limits=3)


def training(config: Config, names: data.Splits, name: str, net: nn.Module) -> Fit:
    """The same settings for both networks."""
    letters = letters_of(names)
    options = {"optimizer": optim.Adam(lr=config["rate"]), "schedule": "cosine", "clip": 1.0, "epochs": config["epochs"],
               "batch_size": config["batch"]}
    if name == WRITER:
        return Fit(lessons(names.train, letters), **options)
    assert names.validation is not None
    return Fit(rows(names.train, letters), rows(names.validation, letters), metrics="accuracy", **options)


def report(result: Result[data.Splits]) -> Report:
    """The accuracy on names whose spelling does not occur in training, and some names that are made up."""
    test, classes, letters = result.data.test, result.data.classes, letters_of(result.data)
    assert test is not None and classes is not None
    table = Confusion.counted(test.targets, languages(result.networks[CLASSIFIER], test, letters), classes)
    accuracy, balanced = float(table.counts.trace() / table.counts.sum()), float(np.nanmean(table.recall))
    writer = result.networks[WRITER]
    lines = [f"{name:12}" + ", ".join(made_up(writer, letters, i, result.config.seed)) for i, name in enumerate(classes)]
    return Report({"accuracy": accuracy, "balanced accuracy": balanced},
                  [f"accuracy {accuracy:.2%}, mean over the languages {balanced:.2%}", "made up:", *lines],
                  {"curve.png": result.runs[CLASSIFIER].plot, "confusion.png": table.draw})


def languages(net: nn.Module, examples: Examples, letters: text.Vocabulary) -> np.ndarray:
    """The likeliest language of each name."""
    padded = text.pad([letters.encode(name, bos=True, eos=True) for name in examples.inputs])
    answer = compile(lambda x: net(x).argmax(axis=1))
    with Mode(net, training=False), no_grad():
        return answer(asarray(padded.values)).numpy()


def made_up(writer: LanguageModel, letters: text.Vocabulary, language: int, seed: int) -> list[str]:
    """A few new names of a language; tokens that are not characters are never drawn."""
    allowed = np.full(writer.head.weight.shape[0], -np.inf, np.float32)
    allowed[letters.eos:len(letters)] = 0
    random.seed(seed + language)
    with Mode(writer, training=False), no_grad():
        drawn = text.generate(writer.step, writer.zero_state(SHOWN), np.full((SHOWN, 1), len(letters) + language), LONGEST,
                              choose=lambda logits: text.sample(logits + allowed, HEAT), stop=letters.eos, fill=letters.eos)
    return ["".join(letters.decode(row)) for row in drawn.tokens]


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The likeliest languages of a surname."""
    tokens = vocabulary_of(run.facts["letters"]).encode(item, bos=True, eos=True)
    return Prediction(likeliest(run.facts["classes"], probabilities(outputs(run.networks[CLASSIFIER], tokens[None]))[0], top))


recipe = Experiment(
    name="names",
    caption="surnames of 18 languages: a network over their characters predicts the language, another one makes up names",
    expected="at least 80% of held-out names; the mean over the languages is lower, as some have few names",
    data=lambda config: data.names(), describe=describe, parts=lambda config: (CLASSIFIER, WRITER), network=network, training=training,
    report=report, predict=predict, takes="NAME", one_stream=True,
    datasets=("names",),
    settings={"kind": Setting("gru", "as good as an LSTM here, a quarter faster", tuple(LAYERS)),
              "epochs": Setting(15, "the validation loss is lowest about then"),
              "batch": Setting(64, "220 steps an epoch"), "width": Setting(32, "length of the character embeddings", search=(16, 32, 64)),
              "hidden": Setting(128, "units in each direction", search=(64, 128, 256)), "dropout": Setting(0.3, "14,000 names are few"),
              "rate": Setting(3e-3, "three times the usual learning rate, with a cosine down to 0")},
)
