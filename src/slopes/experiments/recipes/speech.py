"""speech: which digit is spoken, from a spectrogram; of speakers that were heard before, and of one who was not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ... import data, nn, optim
from ...data.loaders.dataset import Dataset
from ...data.sets.spoken import RATE, SPEAKERS
from ...data.transforms import augment
from ...data.transforms.sound import log_mel
from ...errors import DataError
from ...files.wav import load_wav
from ...inside.confusion import Confusion
from ...tensor import Tensor
from ...train.evaluate import evaluate
from ...zoo.spectrogram import SpokenCNN, SpokenGRU
from ..answers import likeliest, outputs, probabilities
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting

QUIET = 8.0  # anything this many nats below the loudest sound of a recording is silence, whatever the microphone
ALL = "all speakers"
SECONDS = 1.0  # of each recording


def level(inputs: np.ndarray) -> np.ndarray:
    """Loudness above silence, 0 to QUIET: the same for a loud and a low recording; inputs (N, 1, bands, time)."""
    return np.maximum(inputs - inputs.max(axis=(1, 2, 3), keepdims=True), -QUIET) + QUIET


@dataclass
class Voices:
    """Recordings to train, validate and test with, scaled to mean 0 and deviation 1 of training; and that scale."""

    train: Dataset
    validation: Dataset
    test: Dataset
    scale: data.Standardize


def voices(splits: data.Splits) -> Voices:
    """The recordings of a data set, their loudness levelled and scaled."""
    train, validation, test = (Dataset(level(part.inputs), part.targets, part.classes, part.name)
                               for part in (splits.train, splits.validation, splits.test) if part is not None)
    scale = data.Standardize(train, per="all")
    return Voices(scale(train), scale(validation), scale(test), scale)


def parts(config: Config) -> list[str]:
    """One network for the data set's own test; then one without each of some speakers, who is the test."""
    return [ALL, *(f"without {speaker}" for speaker in SPEAKERS[:config["speakers"]])]


def voices_of(config: Config) -> dict[str, Voices]:
    """The recordings of each part."""
    return {ALL: voices(data.spoken_digits()),
            **{f"without {speaker}": voices(data.spoken_digits(speaker=speaker)) for speaker in SPEAKERS[:config["speakers"]]}}


def describe(config: Config, recordings: dict[str, Voices]) -> Facts:
    """The words, the number of bands, and the scale."""
    heard = recordings[ALL]
    return {"classes": list(heard.train.classes or ()), "bands": heard.train.inputs.shape[2],
            "mean": heard.scale.mean.item(), "std": heard.scale.std.item()}


def network(config: Config, facts: Facts, name: str) -> nn.Module:
    """The network asked for."""
    if config["kind"] == "cnn":
        return SpokenCNN(facts["bands"], len(facts["classes"]), config["channels"], config["dropout"])
    return SpokenGRU(facts["bands"], len(facts["classes"]), 6 * config["channels"], config["dropout"])


def varied(config: Config, silence: float) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The augmentation: said a little earlier or later, a little higher or lower, with noise, and with some pitches hidden."""

    def change(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        x = augment.shift(x, (config["pitch"], config["shift"]), fill=silence)
        x = augment.erase(x, (config["mask"], 2 * x.shape[3]))  # so wide that it hides its bands at all moments
        return augment.noise(x, config["noise"]), y

    return change


def training(config: Config, recordings: dict[str, Voices], name: str, net: nn.Module) -> Fit:
    """The training."""
    heard = recordings[name]
    return Fit(heard.train, heard.validation, optimizer=optim.AdamW(lr=config["rate"]), schedule="one_cycle", clip=1.0,
               epochs=config["epochs"], batch_size=config["batch"], augment=varied(config, float(heard.train.inputs.min())))


def report(result: Result[dict[str, Voices]]) -> Report:
    """The accuracy on the data set's own test, and on speakers that a network never heard."""
    tests = {name: evaluate(result.networks[name], heard.test) for name, heard in result.data.items()}
    test, strangers = tests.pop(ALL), {name.removeprefix("without "): score["accuracy"] for name, score in tests.items()}
    table = Confusion.counted(test.targets, test.predicted, result.data[ALL].test.classes)
    mean = float(np.mean(list(strangers.values())))
    return Report(
        {"accuracy": test["accuracy"], "held-out speaker accuracy": mean, "worst held-out speaker accuracy": min(strangers.values()),
         **{f"{speaker} accuracy": value for speaker, value in strangers.items()}},
        [f"{test['accuracy']:.2%} of the test set, by speakers that were heard in training",
         f"{mean:.2%} for a speaker who was not: " + ", ".join(f"{name} {value:.1%}" for name, value in strangers.items())],
        {"curve.png": result.run.plot, "confusion.png": table.draw})


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The likeliest words of a WAV file."""
    sound = load_wav(item)
    if sound.rate != RATE:
        raise DataError(f"{item}: it has {sound.rate:,} samples a second", why=f"the network has heard sounds of {RATE:,}",
                        repair=f"convert it: ffmpeg -i {item} -ar {RATE} -ac 1 OTHER.wav", where="")
    wave = np.zeros(round(SECONDS * RATE), np.float32)
    samples = sound.samples.mean(axis=0)[:wave.size]
    wave[:samples.size] = samples
    inputs = level(log_mel(wave[None], RATE, run.facts["bands"])[:, None])
    logits = outputs(run.net, ((inputs.astype(np.float64) - run.facts["mean"]) / run.facts["std"]).astype(np.float32))
    return Prediction(likeliest(run.facts["classes"], probabilities(logits)[0], top))


recipe = Experiment(
    name="speech",
    caption="spoken digits of six people, by a convolutional network over log-mel spectrograms or a GRU; also of people never heard",
    expected="at least 95% of the test set; less for a held-out speaker, as the five others are little to learn from",
    data=voices_of, describe=describe, parts=parts, network=network, training=training, report=report, predict=predict,
    takes="SOUND.wav", keeps=(ALL,),
    datasets=("spoken-digits",),
    settings={"kind": Setting("cnn", "98% validation accuracy; gru, which reads one moment after the other, 95%", ("cnn", "gru")),
              "speakers": Setting(6, "held out in turn, each for a network of its own; 1 for a first look"),
              "epochs": Setting(20, "one cycle of the learning rate; the validation loss hardly falls in its second half"),
              "batch": Setting(32, "17 steps an epoch: 540 recordings are few"),
              "channels": Setting(16, "of the first convolution; the next have 2, 4 and 8 times as many, the GRU 6 times as many units"),
              "dropout": Setting(0.3, "before the last layer; half of that on whole channels"),
              "shift": Setting(6, "moments by which a word comes earlier or later: a tenth of a second"),
              "pitch": Setting(1, "bands by which it is higher or lower, as other voices are"),
              "mask": Setting(6, "bands of 40 that are hidden, other ones each time"),
              "noise": Setting(0.2, "standard deviation of the noise added, relative to that of the inputs"),
              "rate": Setting(3e-3, "the peak of the cycle: with batch norm, three times the usual learning rate works")},
)
