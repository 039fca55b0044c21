"""speech: which digit is spoken, from a spectrogram; of speakers that were heard before, and of one who was not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import data, nn, optim, random
from ...data.sets.spoken import SPEAKERS
from ...data.transforms import augment
from ...inside.confusion import Confusion
from ...tensor import Tensor
from ...train.evaluate import Evaluation, evaluate
from ...train.fit import fit
from ...train.history import Run
from ...train.progress import Told
from ...zoo.spectrogram import SpokenCNN, SpokenGRU
from ..experiment import Setting
from ..study import Findings, Study

QUIET = 8.0  # what is so many nats below the loudest sound of a recording is silence, whatever the microphone


def level(part: data.Dataset) -> data.Dataset:
    """Loudness above silence, 0 to QUIET: the same for a loud and a low recording."""
    loudest = part.inputs.max(axis=(1, 2, 3), keepdims=True)
    return data.Dataset(np.maximum(part.inputs - loudest, -QUIET) + QUIET, part.targets, part.classes, part.name)


def network(values: dict[str, Any], bands: int, classes: int) -> nn.Module:
    """The network asked for."""
    if values["kind"] == "cnn":
        return SpokenCNN(bands, classes, values["channels"], values["dropout"])
    return SpokenGRU(bands, classes, 6 * values["channels"], values["dropout"])


def varied(values: dict[str, Any], silence: float) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The augmentation: said a little earlier or later, a little higher or lower, with noise, and with some pitches unheard."""

    def change(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        x = augment.shift(x, (values["pitch"], values["shift"]), fill=silence)
        x = augment.erase(x, (values["mask"], 2 * x.shape[3]))  # so wide that it hides its bands at all moments
        return augment.noise(x, values["noise"]), y

    return change


def learned(splits: data.Splits, values: dict[str, Any], seed: int, reporter: Told) -> tuple[nn.Module, Run, Evaluation]:
    """The network that learned the training part, its run, and its test."""
    train, validation, test = (level(part) for part in (splits.train, splits.validation, splits.test) if part is not None)
    scale = data.Standardize(train, per="all")
    random.seed(seed)
    net = network(values, train.inputs.shape[2], len(splits.classes or ()))
    run = fit(net, scale(train), optimizer=optim.AdamW(lr=values["rate"]), schedule="one_cycle", clip=1.0, epochs=values["epochs"],
              batch_size=values["batch"], validation=scale(validation), seed=seed, progress=reporter,
              augment=varied(values, float(scale(train).inputs.min())))
    return net, run, evaluate(net, scale(test))


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """The data set's own test; then each of some speakers held out, for a network that heard only the others."""
    splits = data.spoken_digits()
    net, run, result = learned(splits, values, seed, Told(tell, "all speakers: "))
    strangers: dict[str, float] = {}
    for speaker in SPEAKERS[: values["speakers"]]:
        _, _, other = learned(data.spoken_digits(speaker=speaker), values, seed, Told(tell, f"without {speaker}: "))
        strangers[speaker] = other["accuracy"]
        tell(f"{speaker}, never heard before: accuracy {strangers[speaker]:.2%}")
    table = Confusion.counted(result.targets, result.predicted, splits.classes)
    mean = float(np.mean(list(strangers.values())))
    return Findings(
        {"accuracy": result["accuracy"], "held-out speaker accuracy": mean, "worst held-out speaker accuracy": min(strangers.values()),
         **{f"{speaker} accuracy": value for speaker, value in strangers.items()}},
        [f"{result['accuracy']:.2%} of the test part, by speakers that were heard before",
         f"{mean:.2%} of what a speaker says who was not: " + ", ".join(f"{name} {value:.1%}" for name, value in strangers.items())],
        {"curve.png": run.plot, "confusion.png": table.draw}, net.state_dict())


recipe = Study(
    name="speech",
    caption="spoken digits of six people, by a convolutional network over log-mel spectrograms or a GRU; also of people never heard",
    expected="at least 95% of the test part; less for a speaker who was held out, as five others are few to learn from",
    investigate=investigate,
    datasets=("spoken-digits",),
    sizes={"kind": Setting("cnn", "98% right in validation; gru reads one moment after the other, 95%", ("cnn", "gru")),
           "speakers": Setting(6, "held out one after the other, each for a network of its own; 1 for a first look"),
           "epochs": Setting(20, "a cycle of the rate; the validation loss hardly falls in its second half"),
           "batch": Setting(32, "17 steps an epoch: 540 recordings are few"),
           "channels": Setting(16, "of the first convolution, the next have 2, 4 and 8 times as many; a sixth of the GRU's units"),
           "dropout": Setting(0.3, "before the last layer; half of that on whole channels"),
           "shift": Setting(6, "moments by which a word comes earlier or later: a tenth of a second"),
           "pitch": Setting(1, "bands by which it is higher or lower, as other voices are"),
           "mask": Setting(6, "bands of 40 that are not heard, others each time"),
           "noise": Setting(0.2, "deviation of what is added, of the inputs' own"),
           "rate": Setting(3e-3, "rises to this and falls to 0: batch norm bears three times the usual")},
)
