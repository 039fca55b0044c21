"""names: which language a surname is from, by its characters; and a net that makes up surnames of a language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import data, nn, optim, random, text
from ...compile import compile
from ...data.loaders.examples import Examples
from ...inside.confusion import Confusion
from ...tensor import asarray, no_grad
from ...train.fit import fit
from ...train.mode import Mode
from ...train.progress import Told
from ...zoo.language import LanguageModel
from ...zoo.sentence import SentenceEncoder
from ...zoo.tokens import LAYERS
from ..experiment import Setting
from ..study import Findings, Study

SHOWN, LONGEST, HEAT = 4, 16, 0.6


def rows(examples: Examples, letters: text.Vocabulary) -> text.Rows:
    """Names as rows of numbers, with their languages as labels; <bos> and <eos> show the net where a name begins and ends."""
    return text.Rows([letters.encode(name, bos=True, eos=True) for name in examples.inputs], targets=examples.targets, limits=3)


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Train the classifier and the generator; accuracy on names whose spelling does not occur in training."""
    found = data.names()
    train, validation, test, classes = found.train, found.validation, found.test, found.classes
    assert validation is not None and test is not None and classes is not None
    letters = text.Vocabulary.build([list(name) for name in train.inputs])
    random.seed(seed)
    net = SentenceEncoder(len(letters), len(classes), values["width"], values["hidden"], kind=values["kind"],
                          dropout=values["dropout"])
    run = fit(net, rows(train, letters), optimizer=optim.Adam(lr=values["rate"]), schedule="cosine", clip=1.0, epochs=values["epochs"],
              batch_size=values["batch"], validation=rows(validation, letters), metrics="accuracy", seed=seed,
              progress=Told(tell, "language: "))
    table = Confusion.counted(test.targets, languages(net, test, letters), classes)
    accuracy, balanced = float(table.counts.trace() / table.counts.sum()), float(np.mean(table.recall))
    writer = learned_writer(train, letters, values, seed, tell)
    lines = [f"{each:12}" + ", ".join(made_up(writer, letters, number, seed)) for number, each in enumerate(classes)]
    return Findings({"accuracy": accuracy, "balanced accuracy": balanced},
                    [f"accuracy {accuracy:.2%}, mean over the languages {balanced:.2%}", "made up:", *lines],
                    {"curve.png": run.plot, "confusion.png": table.draw},
                    {f"{name}.{path}": array for name, each in (("classifier", net), ("writer", writer))
                     for path, array in each.state_dict().items()})


def languages(net: nn.Module, examples: Examples, letters: text.Vocabulary) -> np.ndarray:
    """The language that the net takes each name for."""
    padded = text.pad([letters.encode(name, bos=True, eos=True) for name in examples.inputs])
    answer = compile(lambda x: net(x).argmax(axis=1))
    with Mode(net, training=False), no_grad():
        return answer(asarray(padded.values)).numpy()


def learned_writer(examples: Examples, letters: text.Vocabulary, values: dict[str, Any], seed: int,
                   tell: Callable[[str], None]) -> LanguageModel:
    """A language model that is told the language first: as a token of its own, in the place of <bos>."""
    encoded = [letters.encode(name, eos=True) for name in examples.inputs]
    told = [np.concatenate(([len(letters) + language], name[:-1])) for name, language in zip(encoded, examples.targets)]
    writer = LanguageModel(len(letters) + len(examples.classes or ()), values["width"], values["hidden"], kind=values["kind"])
    fit(writer, text.Rows(told, targets=encoded, limits=3), optimizer=optim.Adam(lr=values["rate"]), schedule="cosine", clip=1.0,
        epochs=values["epochs"], batch_size=values["batch"], seed=seed, progress=Told(tell, "writer: "))
    return writer


def made_up(writer: LanguageModel, letters: text.Vocabulary, language: int, seed: int) -> list[str]:
    """A few new names of a language; what is no character is never drawn."""
    allowed = np.full(writer.head.weight.shape[0], -np.inf, np.float32)
    allowed[letters.eos:len(letters)] = 0
    random.seed(seed + language)
    with Mode(writer, training=False), no_grad():
        found = text.generate(writer.step, writer.zero_state(SHOWN), np.full((SHOWN, 1), len(letters) + language), LONGEST,
                              choose=lambda logits: text.sample(logits + allowed, HEAT), stop=letters.eos, fill=letters.eos)
    return ["".join(letters.decode(row)) for row in found.tokens]


recipe = Study(
    name="names",
    caption="surnames of 18 languages: a network over their characters tells the language, another one makes up names",
    expected="at least 80% of held-out names; the mean over the languages is lower, as some have few names",
    investigate=investigate,
    datasets=("names",),
    sizes={"kind": Setting("gru", "as good as an LSTM here, a quarter faster", tuple(LAYERS)),
           "epochs": Setting(15, "the validation loss is lowest about then"),
           "batch": Setting(64, "220 steps an epoch"), "width": Setting(32, "numbers per character"),
           "hidden": Setting(128, "units in each direction"), "dropout": Setting(0.3, "14,000 names are few"),
           "rate": Setting(3e-3, "three times the usual, with a cosine down to 0")},
)
