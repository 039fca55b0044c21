"""sound: the class of a sound, learned from WAV files of the user's own: a folder for each class, or a table of their classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from ... import nn, optim
from ...data.transforms import augment
from ...tensor import Tensor
from ...zoo.spectrogram import SpokenCNN, SpokenGRU
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Report, Result, Setting
from .classifier import OwnFiles, Standardized, describe, fit_options, log_steps, report
from .labelled_files import file_settings
from .predictor import Predictor, uses_of
from .sounds import KIND, Hearing, averaged_features, read_sounds

PASSES = 20_000


def data(config: Config) -> OwnFiles:
    """The sounds, and what was understood of them, which is logged."""
    files = read_sounds(config)
    varied = "varied in training: earlier or later, higher or lower, with noise, some bands hidden"
    files.lines += [f"network: {config['net']}; sounds are {varied if config['augment'] == 'auto' else 'not varied'}"]
    for line in files.lines:
        config.log(line)
    return files


def hearing_of(facts: Facts) -> Hearing:
    """How the network hears sounds."""
    return Hearing(facts["rate"], facts["seconds"], facts["bands"], facts["frame"])


def vary(facts: Facts) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The augmentation of batches (N, 1, bands, time): a little earlier or later, higher or lower, with noise, some bands hidden."""
    (mean,), (std,), bands = facts["mean"], facts["std"], facts["bands"]

    def change(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        x = augment.shift(x, (1, max(1, x.shape[3] // 10)), fill=0.0)
        x = augment.erase(x, (max(1, bands // 7), 2 * x.shape[3]), fill=mean)  # so wide that it hides its bands at all moments
        return augment.noise(x, 0.2 * std), y

    return change


def network(config: Config, facts: Facts, name: str) -> nn.Module:
    """The network, behind a layer that standardizes the spectrograms."""
    if not hearing_of(facts).is_plausible():
        raise ValueError(f"{facts['seconds']!r:.20} s at {facts['rate']!r:.20} samples a second")
    channels, dropout, classes = config["channels"], config["dropout"], len(facts["classes"])
    net = SpokenCNN(facts["bands"], classes, channels, dropout) if config["net"] == "cnn" else \
        SpokenGRU(facts["bands"], classes, 6 * channels, dropout)
    return nn.Sequential(Standardized(facts["mean"], facts["std"]), net)


def training(config: Config, files: OwnFiles, name: str, net: nn.Module) -> Fit:
    """The training."""
    options: dict[str, Any] = fit_options(config, files, PASSES)
    fit = Fit(files.train, files.validation, optimizer=optim.AdamW(lr=config["rate"]), clip=1.0,
              augment=vary(files.facts) if config["augment"] == "auto" else None, **options)
    log_steps(config, fit)
    return fit


def report_sounds(result: Result[OwnFiles]) -> Report:
    """The account, with the spectrograms of the worst mistakes, high pitches at the top."""
    return report(result, averaged_features, lambda spectrograms: spectrograms[:, :, ::-1])


def predictor(run: LoadedRun) -> Predictor:
    """What predicts files with a run."""
    remarks = Counter[str]()
    return Predictor(run, KIND, partial(hearing_of(run.facts).read, remarks=remarks), remarks)


experiment = Experiment(
    name="sound",
    caption="the class of your own sounds, from WAV files in a folder with a subfolder for each class",
    expected="better than the simpler models that are printed beside it; a hundred sounds of each class are a good beginning",
    source="folder", files=("labels", "valid", "test"), takes="SOUND.wav",
    examples=("FOLDER", "FOLDER --skip-broken --balanced", "FOLDER --labels classes.csv --file-column name",
              "FOLDER --test LATER --seconds 2"),
    data=data, describe=describe, network=network, training=training, report=report_sounds, **uses_of(predictor),
    settings={**file_settings(KIND),
              "seconds": Setting(0.0, "of each sound that are heard, from its beginning; 0: so many that 95% are heard whole, at most 10"),
              "sampling": Setting(0, "samples a second; 0: the rate of most sounds, at most 16,000", least=0),
              "net": Setting("cnn", "convolutions over pitch and time; gru, which reads one moment after the other, needs more sounds",
                             ("cnn", "gru")),
              "channels": Setting(16, "of the first convolution; the next have 2, 4 and 8 times as many, the GRU 6 times as many units"),
              "dropout": Setting(0.3, "before the last layer; half of that on whole channels"),
              "augment": Setting("auto", "auto: earlier or later, higher or lower, with noise, some bands hidden; none", ("auto", "none")),
              "epochs": Setting(0, "passes over the sounds; 0: so many that 20,000 are heard, from 8 to 60"),
              "batch": Setting(32, "sounds of a step, at most; of few sounds there are fewer, at least 16"),
              "rate": Setting(3e-3, "of AdamW: the peak of one cycle; with batch norm, three times the usual learning rate works")},
)
