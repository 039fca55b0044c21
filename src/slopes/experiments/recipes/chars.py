"""chars, chars-gpt: what character comes next in Shakespeare's plays; recurrent networks, and a small GPT."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ... import data, optim, random, text
from ...data.loaders.feed import Feed
from ...train.evaluate import evaluate
from ...train.fit import fit
from ...train.progress import Told
from ...zoo.gpt import GPT
from ...zoo.language import LanguageModel, char_model
from ...zoo.tokens import LAYERS
from ..experiment import Setting
from ..study import Findings, Study
from ..writing import continued

PROMPT, WRITTEN, HEAT = "ROMEO:\n", 400, 0.8


def investigate(make: Callable[..., tuple[Any, Callable[..., Feed], dict[str, Any]]], values: dict[str, Any], seed: int,
                tell: Callable[[str], None]) -> Findings:
    """Train on 90% of the text, choose nothing, measure on the 5% and 5% after it, and write a scene."""
    plays = data.tiny_shakespeare()
    assert plays.validation is not None and plays.test is not None
    letters = text.Vocabulary.build(plays.train + plays.validation + plays.test, specials=())
    ids = {"train": letters.encode(plays.train), "validation": letters.encode(plays.validation), "test": letters.encode(plays.test)}
    random.seed(seed)
    net, feed, options = make(values, len(letters))
    run = fit(net, feed(ids["train"], training=True), epochs=values["epochs"], batch_size=values["batch"],
              validation=feed(ids["validation"]), seed=seed, progress=Told(tell), **options)
    losses = {part: evaluate(net, feed(ids[part]), batch_size=values["batch"])["loss"] for part in ("validation", "test")}
    scene = written(net, letters, seed)
    return Findings({"validation loss": losses["validation"], "test loss": losses["test"], "steps": run.history.steps},
                    [f"validation loss {losses['validation']:.4f} nats per character, test loss {losses['test']:.4f}",
                     f"what it writes (temperature {HEAT}):", scene], {"curve.png": run.plot}, net.state_dict())


def recurrent(values: dict[str, Any], size: int) -> tuple[LanguageModel, Callable[..., Feed], dict[str, Any]]:
    """Network, feed and options of fit: the state is carried from batch to batch, gradients go back through one of them."""
    net = char_model(size, values["kind"], values["width"], values["hidden"], dropout=values["dropout"])

    def feed(ids: np.ndarray, training: bool = False) -> Feed:
        return text.Streams(ids, values["context"])

    return net, feed, {"optimizer": optim.Adam(lr=values["rate"]), "schedule": "cosine", "clip": values["clip"]}


def attending(values: dict[str, Any], size: int) -> tuple[GPT, Callable[..., Feed], dict[str, Any]]:
    """Network, feed and options of fit: windows from anywhere in the text; nanoGPT's settings for a CPU, but for the rate."""
    net = GPT(size, values["context"], values["width"], values["depth"], values["heads"], values["dropout"])

    def feed(ids: np.ndarray, training: bool = False) -> Feed:
        return text.Windows(ids, values["context"], values["steps"] if training else None)

    schedule = optim.schedules.WarmUp(values["warmup"], optim.schedules.Cosine())
    return net, feed, {"optimizer": optim.AdamW(lr=values["rate"], betas=(0.9, 0.99), weight_decay=0.1), "schedule": schedule,
                       "clip": values["clip"]}


def written(net: Any, letters: text.Vocabulary, seed: int, length: int = WRITTEN) -> str:
    """A text that the net writes after the prompt."""
    state = net.begin(1) if isinstance(net, GPT) else net.zero_state(1)
    return PROMPT + "".join(continued(net, state, PROMPT, letters, length, HEAT, seed))


recipe = Study(
    name="chars",
    caption="characters of Shakespeare's plays, one after the other: an LSTM, GRU or RNN with 256 units",
    expected="LSTM: validation loss at most 1.65 nats per character",
    investigate=partial(investigate, recurrent),
    datasets=("tinyshakespeare",),
    sizes={"kind": Setting("lstm", "the best of the three; a GRU is a quarter faster", tuple(LAYERS)),
           "epochs": Setting(6, "3,000 steps; twice as many bring 0.03 more"),
           "batch": Setting(32, "streams that are read side by side"),
           "context": Setting(64, "gradients go back through so many characters; the state remembers more"),
           "width": Setting(64, "as many numbers per character as there are characters"),
           "hidden": Setting(256, "350,593 parameters as an LSTM"),
           "dropout": Setting(0.0, "so few passes over a million characters do not learn them by heart"),
           "rate": Setting(3e-3, "three times the usual: one layer, clipped gradients, and a cosine down to 0"),
           "clip": Setting(5.0, "the usual limit for recurrent networks")},
)

gpt = Study(
    name="chars-gpt",
    caption="characters of Shakespeare's plays, one after the other: a GPT of 4 layers, 0.8 million parameters",
    expected="validation loss at most 1.88 nats per character",
    investigate=partial(investigate, attending),
    datasets=("tinyshakespeare",),
    sizes={"epochs": Setting(10, "of 200 steps: 2,000, the published number"),
           "steps": Setting(200, "batches of an epoch: windows come from anywhere, so an epoch is as long as one likes"),
           "batch": Setting(12, "as published"), "context": Setting(64, "as published"), "width": Setting(128, "as published"),
           "depth": Setting(4, "as published"), "heads": Setting(4, "as published"),
           "dropout": Setting(0.0, "as published: the net sees each character once or twice"),
           "rate": Setting(2e-3, "with a cosine down to 0; the published 0.001, down to a tenth of it, gives 1.91"),
           "warmup": Setting(100, "steps, as published"),
           "clip": Setting(1.0, "as published")},
)
