"""sentiment: whether a sentence of a film review is positive; a convolutional network over its words, or an LSTM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import data, nn, optim, random, text
from ...data.loaders.examples import Examples
from ...train.evaluate import evaluate
from ...train.fit import fit
from ...train.progress import Told
from ...zoo.sentence import SentenceEncoder, TextCNN
from ..experiment import Setting
from ..study import Findings, Study


def network(values: dict[str, Any], words: int) -> nn.Module:
    """The encoder asked for."""
    if values["kind"] == "cnn":
        return TextCNN(words, 2, values["width"], filters=values["filters"], dropout=values["dropout"])
    return SentenceEncoder(words, 2, values["width"], values["filters"], dropout=values["dropout"])


def one_fold(values: dict[str, Any], fold: int, seed: int, tell: Callable[[str], None]) -> tuple[nn.Module, Any, float]:
    """(net, run, accuracy on the fold): trained on eight other folds, with one more to watch; its weights are the last epoch's."""
    found = data.rt_polarity(fold=fold)
    assert found.validation is not None and found.test is not None
    every = (*found.train.inputs, *found.validation.inputs, *found.test.inputs)  # as published: unheard words keep their first vectors
    words = text.Vocabulary.build(sentence.split(" ") for sentence in every)

    def rows(examples: Examples) -> text.Rows:
        return text.Rows([words.encode(sentence.split(" ")) for sentence in examples.inputs], targets=examples.targets, limits=3)

    random.seed(seed)
    net = network(values, len(words))
    run = fit(net, rows(found.train), optimizer=optim.Adam(lr=values["rate"]), schedule="linear", epochs=values["epochs"],
              batch_size=values["batch"], validation=rows(found.validation), metrics="accuracy", seed=seed,
              progress=Told(tell, f"fold {fold}: "))
    return net, run, evaluate(net, rows(found.test), metrics="accuracy", batch_size=values["batch"])["accuracy"]


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Cross-validation over the first `folds` of ten parts; the weights and the curve are those of the first."""
    found = []
    for fold in range(values["folds"]):
        found.append(one_fold(values, fold, seed, tell))
        tell(f"fold {fold}: accuracy {found[-1][2]:.2%}")
        found[1:] = [(None, None, each[2]) for each in found[1:]]  # type: ignore[misc]
    (net, run, _), scores = found[0], [each[2] for each in found]
    return Findings({"accuracy": float(np.mean(scores)), "worst fold": min(scores), "best fold": max(scores)},
                    [f"accuracy {np.mean(scores):.2%} over {len(scores)} folds, from {min(scores):.2%} to {max(scores):.2%}"],
                    {"curve.png": run.plot}, net.state_dict())


recipe = Study(
    name="sentiment",
    caption="whether a sentence of a film review is positive or negative: a text CNN or an LSTM, in ten-fold cross-validation",
    expected="text CNN: at least 75.5% in ten folds (76.1% is published)",
    investigate=investigate,
    datasets=("rt-polarity",),
    sizes={"kind": Setting("cnn", "as good as the LSTM, in half the time", ("cnn", "lstm")),
           "folds": Setting(10, "the usual ten; 1 for a first look"),
           "epochs": Setting(4, "more learn the sentences by heart"),
           "batch": Setting(50, "as published"), "width": Setting(300, "numbers per word, as published; they start at random"),
           "filters": Setting(100, "for each of windows of 3, 4 and 5 words, as published; units of the LSTM in each direction"),
           "dropout": Setting(0.5, "as published"),
           "rate": Setting(1e-3, "the usual first choice, falling evenly to 0")},
)
