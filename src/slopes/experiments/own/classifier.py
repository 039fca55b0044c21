"""What classifiers of files have in common: their data, training, and account beside simpler models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ... import nn
from ...data.loaders.dataset import Dataset
from ...data.loaders.folder import ImageFolder
from ...errors import MissingExtraError
from ...extras import require
from ...plot import Picture, samples, title
from ...tables.baselines import answers
from ...tables.calibrate import softmax
from ...tables.forward import Forward
from ...tables.report import table_text
from ...tables.scores import surprise
from ...tables.study import imbalance
from ...tensor import Tensor
from ...train.data_digest import data_digest
from ...train.sources import source_of
from ...train.stopping import EarlyStopping
from ...train.weighting import balanced_weights
from ..answers import likeliest
from ..experiment import Config, Facts, Fit, Report, Result
from .account import FREQUENT, LINEAR, NETWORK, cautious_temperature, class_report, linear_model, most_frequent
from .division import Division
from .labelled_files import FileKind, Labelled
from .regions import region_losses

BATCH = 64  # examples of a program that predicts
MOST_ROWS = 10_000  # training examples of the simpler models
MOST_WORK = 12_000_000  # rows x features x classes of gradient boosting: more takes minutes
MOST_CLASSES = 40  # that are listed
WORST = 24  # mistakes that are shown
SMOOTHING = 0.1
FEWEST, MOST = 8, 60  # epochs
BOOSTING = "gradient boosting (scikit-learn)"
Inputs = Dataset | ImageFolder


class Standardized(nn.Module):
    """(x - mean) / std of each channel; x: (N, C, H, W), mean and std: (C,).

    >>> import slopes as sl
    >>> Standardized([0.5], [0.25])(sl.ones((1, 1, 1, 2)))
    tensor([[[[2., 2.]]]])
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean, self.std = (nn.Buffer(np.array(values, np.float32).reshape(-1, 1, 1)) for values in (mean, std))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


@dataclass
class OwnFiles:
    """Examples to learn from, to choose the epoch with and to test with; the names of the test files; facts for predictions; and what
    was understood of the files, in lines."""

    train: Inputs
    validation: Inputs
    test: Inputs
    test_names: list[str]
    facts: Facts
    lines: list[str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        return list(self.facts["classes"])


def describe(config: Config, files: OwnFiles) -> Facts:
    """The facts, and a digest of the test files: those of the training and validation are known to the training itself."""
    return files.facts | {"test_sha256": data_digest([(source_of(files.test), BATCH)])}


# What was understood


def file_lines(labelled: Labelled, division: Division, kind: FileKind, config: Config, rows: Sequence[tuple[str, str]],
               notes: Sequence[str]) -> list[str]:
    """A table of the classes, a table of what was understood, and notes."""
    learned = labelled.targets[np.concatenate([division.train, division.validation])]
    every = (*labelled.notes, *division.notes, *imbalance(labelled.classes, learned, f"{kind.noun}s"), *notes)
    return [*class_lines(labelled, division, kind),
            *table_text([(f"{kind.noun}s", f"{len(labelled):,} in {len(labelled.classes)} classes"),
                         ("split", division.line(kind, config.seed)), *rows]),
            *(f"note: {note}" for note in every)]


def class_lines(labelled: Labelled, division: Division, kind: FileKind) -> list[str]:
    """A table of the classes: their files, and on which side these are."""
    sides = [np.arange(len(labelled)), division.train, division.validation, division.test]
    counts = [np.bincount(labelled.targets[side], minlength=len(labelled.classes)) for side in sides]
    rows = [[name, *(f"{count[i]:,}" for count in counts)] for i, name in enumerate(labelled.classes[:MOST_CLASSES])]
    left = len(labelled.classes) - len(rows)
    return [*table_text([["class", f"{kind.noun}s", "learned from", "validation", "test"], *rows]),
            *([f"... and {left:,} more classes"] if left else [])]


# Training


def epochs_for(config: Config, rows: int, passes: int) -> int:
    """The epochs that the user asks for, else so many that `passes` examples are seen, from 8 to 60."""
    return int(config["epochs"]) or min(max(round(passes / rows), FEWEST), MOST)


def batch_for(config: Config, rows: int) -> int:
    """The batch size: a power of two, such that an epoch has 16 steps or more; at least 16."""
    return int(min(config["batch"], max(16, 2 ** int(np.log2(max(1, rows / 16))))))


def fit_options(config: Config, files: OwnFiles, passes: int) -> dict[str, Any]:
    """Arguments of the training: loss, epochs, in which `passes` examples are seen if the user asks for no other number of them, batch
    size, and a callback that restores the best epoch."""
    rows, targets = len(files.train), files.train.targets
    weights = {"weight": balanced_weights(targets, len(files.classes))} if config["balanced"] else {}
    epochs = epochs_for(config, rows, passes)
    return {"loss": partial(nn.cross_entropy, label_smoothing=SMOOTHING, **weights), "schedule": "one_cycle", "epochs": epochs,
            "batch_size": batch_for(config, rows), "callbacks": [EarlyStopping(max(1, epochs))]}


def log_steps(config: Config, fit: Fit) -> None:
    """Log how many steps the training has; how long they take is said after the first of them (`train.estimate`)."""
    size, rows, epochs = fit.options["batch_size"], len(fit.train), fit.options["epochs"]
    config.log(f"{epochs} epochs of {-(-rows // size):,} steps, each of {min(size, rows)} examples")


# Account


def scorer_of(net: nn.Module) -> Forward:
    """The logits (N, classes) of inputs (N, ...), which are read in batches of 64; of few inputs without compilation."""
    return Forward(net, BATCH, 2 * BATCH)


def simpler_models(files: OwnFiles, features: Callable[[Inputs], np.ndarray], seed: int, notes: list[str]) -> dict[str, np.ndarray]:
    """The probabilities of the test examples by simpler models, by name; `notes` say what they learned from, and which are missing."""
    classes, targets = len(files.classes), files.train.targets
    result = {FREQUENT: most_frequent(targets, len(files.test), classes)}
    train = files.train
    if len(train) > MOST_ROWS:
        train = train.subset(np.linspace(0, len(train) - 1, MOST_ROWS).astype(np.int64))
        notes.append(f"the simpler models learned from {MOST_ROWS:,} of the {len(files.train):,} training examples")
    inputs, tested = features(train), features(files.test)
    result[LINEAR] = linear_model(inputs, train.targets, tested, classes)
    if inputs.size * classes > MOST_WORK:
        notes.append(f"not compared with gradient boosting: {len(inputs):,} x {inputs.shape[1]} values of {classes} classes take minutes")
        return result
    try:
        ensemble = require("sklearn.ensemble", extra="sklearn", purpose="the comparison with gradient boosting")
        threads = require("threadpoolctl", extra="sklearn", purpose="the comparison with gradient boosting")
    except MissingExtraError as error:
        notes.append(f"not compared with gradient boosting: {error.what}; {error.repair}")
        return result
    with threads.threadpool_limits(1, "openmp"):  # its many small steps wait for each other, for minutes where processors are busy
        model = ensemble.HistGradientBoostingClassifier(random_state=seed).fit(inputs, train.targets)
    return result | {BOOSTING: answers(model, tested, classes)}


def report(result: Result[OwnFiles], features: Callable[[Inputs], np.ndarray],
           view: Callable[[np.ndarray], np.ndarray] = np.asarray) -> Report:
    """Scores beside those of simpler models on the same test examples, the worst mistakes, and which regions matter.

    view: from inputs, or regions, (N, C, H, W) to pictures.
    """
    files, notes = result.data, list[str]()
    scorer = scorer_of(result.run.net)
    temperature = cautious_temperature(scorer(files.validation.inputs), files.validation.targets)
    probabilities = softmax(scorer(files.test.inputs) / temperature)
    models = {NETWORK: probabilities}
    if result.interrupted:
        notes.append("interrupted: not compared with simpler models")
    else:
        result.config.log("simpler models ...")
        models |= simpler_models(files, features, result.config.seed, notes)
    result.config.log("regions that matter ...")
    regions = region_losses(scorer, files.test.inputs, files.test.targets, temperature, result.config.seed)
    regions.losses, regions.mean = view(regions.losses[None, None])[0, 0], view(regions.mean[None])[0]
    plots: dict[str, Callable[[], Picture]] = {"mistakes.png": partial(mistakes, files, probabilities, view), "regions.png": regions.draw}
    made = class_report(models, files.test.targets, files.classes, temperature=temperature, seed=result.config.seed,
                        plots={**result.curves, **plots})
    made.lines = [*best_epoch(result), *made.lines, *(f"note: {note}" for note in notes), regions.line(),
                  *worst_lines(files, probabilities)]
    made.data_lines = files.lines
    return made


def best_epoch(result: Result[OwnFiles]) -> list[str]:
    """Which epoch the net has its weights of."""
    part = result.trained[""]
    stop = part.options["callbacks"][0] if isinstance(part, Fit) else None
    if stop is None or stop.epoch < 0:
        return []
    return [f"epoch {stop.epoch + 1} of {len(result.run.epochs)} is the best: validation loss {stop.best:.4f}"]


def worst(files: OwnFiles, probabilities: np.ndarray) -> np.ndarray:
    """The indices of the test examples: mistakes first, and among them and the others those of the lowest probability for their class."""
    ranked = np.argsort(-surprise(probabilities, files.test.targets), kind="stable")
    right = probabilities[ranked].argmax(axis=1) == files.test.targets[ranked]
    return np.concatenate([ranked[~right], ranked[right]])


def worst_lines(files: OwnFiles, probabilities: np.ndarray, most: int = 5) -> list[str]:
    """The worst mistakes with their files, whose classes may be wrong."""
    targets, predicted = files.test.targets, probabilities.argmax(axis=1)
    lines = [f"  {files.test_names[i]}: {files.classes[targets[i]]} taken for {likeliest(files.classes, probabilities[i])}"
             for i in worst(files, probabilities)[:most] if predicted[i] != targets[i]]
    return ["the worst mistakes, or files in a wrong class:", *lines] if lines else []


def mistakes(files: OwnFiles, probabilities: np.ndarray, view: Callable[[np.ndarray], np.ndarray] = np.asarray) -> Picture:
    """The pictures of the worst mistakes; where there are few, also of the least certain right answers. view: from inputs to pictures."""
    shown = worst(files, probabilities)[:WORST]
    predicted, targets = probabilities[shown].argmax(axis=1), files.test.targets[shown]
    titles = [title(files.classes[target], files.classes[other]) for target, other in zip(targets, predicted)]
    return samples(view(files.test.inputs[shown]), titles, (predicted == targets).tolist())


def folder_name(path: str) -> str:
    """The name of a folder as the name of a data set."""
    return Path(path).name or "files"
