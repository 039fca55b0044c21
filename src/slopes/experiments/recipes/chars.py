"""chars, chars-gpt: what character comes next in Shakespeare's plays; recurrent networks, and a small GPT."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import data, nn, optim, text
from ...data.loaders.loader import Loader
from ...zoo.gpt import GPT
from ...zoo.language import char_model
from ...zoo.tokens import LAYERS
from ..answers import vocabulary_facts, vocabulary_of
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting
from ..writing import continued, losses_of, text_report

PROMPT, WRITTEN = "ROMEO:\n", 400
Plays = data.Splits[str]


def letters_of(plays: Plays) -> text.Vocabulary:
    """The characters of all parts."""
    assert plays.validation is not None and plays.test is not None
    return text.Vocabulary.build(plays.train + plays.validation + plays.test, specials=())


def describe(config: Config, plays: Plays) -> Facts:
    """The characters."""
    return {"letters": vocabulary_facts(letters_of(plays))}


def recurrent_network(config: Config, facts: Facts, name: str) -> nn.Module:
    """The recurrent network."""
    return char_model(len(vocabulary_of(facts["letters"])), config["kind"], config["width"], config["hidden"], dropout=config["dropout"])


def gpt_network(config: Config, facts: Facts, name: str) -> nn.Module:
    """The GPT: nanoGPT's sizes for a CPU."""
    return GPT(len(vocabulary_of(facts["letters"])), config["context"], config["width"], config["depth"], config["heads"],
               config["dropout"])


def loader(config: Config, net: nn.Module, ids: np.ndarray, training: bool = False) -> Loader:
    """Streams whose state is carried from batch to batch for recurrent networks; windows from anywhere in the text for the GPT."""
    if isinstance(net, GPT):
        return text.Windows(ids, config["context"], config["steps"] if training else None)
    return text.Streams(ids, config["context"])


def training(config: Config, plays: Plays, name: str, net: nn.Module) -> Fit:
    """The training; nanoGPT's settings for the GPT, but for the learning rate."""
    letters = letters_of(plays)
    options: dict[str, Any] = {"optimizer": optim.Adam(lr=config["rate"]), "schedule": "cosine"}
    if isinstance(net, GPT):
        options = {"optimizer": optim.AdamW(lr=config["rate"], betas=(0.9, 0.99), weight_decay=0.1),
                   "schedule": optim.schedules.WarmUp(config["warmup"], optim.schedules.Cosine())}
    return Fit(loader(config, net, letters.encode(plays.train), training=True), loader(config, net, letters.encode(plays.validation or "")),
               epochs=config["epochs"], batch_size=config["batch"], clip=config["clip"], **options)


def report(result: Result[Plays]) -> Report:
    """The loss on the validation and test parts, and a scene that the network writes."""
    net, letters, config = result.run.net, letters_of(result.data), result.config
    parts = {"validation": result.data.validation or "", "test": result.data.test or ""}
    losses = losses_of(net, {name: loader(config, net, letters.encode(part)) for name, part in parts.items()}, config["batch"])
    return text_report(result, {**{f"{name} loss": loss for name, loss in losses.items()}, "steps": result.run.history.steps},
                       f"validation loss {losses['validation']:.4f} nats per character, test loss {losses['test']:.4f}",
                       written(net, letters, config.seed, PROMPT))


def written(net: Any, letters: text.Vocabulary, seed: int, prompt: str) -> str:
    """The prompt, and the text that the network continues it with."""
    state = net.begin(1) if isinstance(net, GPT) else net.zero_state(1)
    return prompt + "".join(continued(net, state, prompt, letters, WRITTEN, seed))


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """A text that begins with the item."""
    return Prediction(written(run.net, vocabulary_of(run.facts["letters"]), run.config.seed, item))


recipe = Experiment(
    name="chars",
    caption="characters of Shakespeare's plays, one after the other: an LSTM, GRU or RNN with 256 units",
    expected="LSTM: validation loss at most 1.65 nats per character",
    data=lambda config: data.tiny_shakespeare(), describe=describe, network=recurrent_network, training=training, report=report,
    predict=predict, takes="TEXT",
    datasets=("tinyshakespeare",),
    settings={"kind": Setting("lstm", "the best of the three; a GRU is a quarter faster", tuple(LAYERS)),
              "epochs": Setting(6, "3,000 steps; twice as many gain 0.03"),
              "batch": Setting(32, "streams that are read side by side", search=(16, 32, 64)),
              "context": Setting(64, "characters of truncated backpropagation through time; the state reaches further back"),
              "width": Setting(64, "length of the character embeddings: about as many as there are characters"),
              "hidden": Setting(256, "350,593 parameters as an LSTM", search=(128, 256, 384)),
              "dropout": Setting(0.0, "a million characters are not overfitted in so few epochs"),
              "rate": Setting(3e-3, "three times the usual learning rate: one layer, clipped gradients, and a cosine down to 0"),
              "clip": Setting(5.0, "the usual limit for recurrent networks")},
)

gpt = Experiment(
    name="chars-gpt",
    caption="characters of Shakespeare's plays, one after the other: a GPT of 4 layers, 0.8 million parameters",
    expected="validation loss at most 1.88 nats per character",
    data=lambda config: data.tiny_shakespeare(), describe=describe, network=gpt_network, training=training, report=report,
    predict=predict, takes="TEXT",
    datasets=("tinyshakespeare",),
    settings={"epochs": Setting(10, "of 200 steps: 2,000, the published number"),
              "steps": Setting(200, "batches of an epoch: windows start anywhere, so an epoch may have any length"),
              "batch": Setting(12, "as published"), "context": Setting(64, "as published"), "width": Setting(128, "as published"),
              "depth": Setting(4, "as published"), "heads": Setting(4, "as published"),
              "dropout": Setting(0.0, "as published: the network sees each character once or twice"),
              "rate": Setting(2e-3, "with a cosine down to 0; the published 0.001, down to a tenth of it, gives 1.91"),
              "warmup": Setting(100, "steps, as published"),
              "clip": Setting(1.0, "as published")},
)
