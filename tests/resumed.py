"""Trainings of every kind, for tests that interrupt them: `python tests/resumed.py FOLDER` goes on from the states saved in FOLDER."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import slopes as sl
from slopes import data, files, nn, optim, text
from slopes.data import augment
from slopes.optim import schedules
from slopes.train import EarlyStopping, Snapshots
from slopes.zoo.language import LanguageModel

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.normal(size=(23, 1, 6, 6)).astype(np.float32), np.arange(23) % 3
POINTS = data.Dataset(IMAGES[:, 0, 0], LABELS)
HELD_OUT = data.Dataset(RNG.normal(size=(9, 6)), np.arange(9) % 3)
TOKENS = np.tile([1, 2, 0, 3, 1, 3], 12)
LINES = [TOKENS[:k] for k in (3, 5, 6, 9, 4, 9, 8)]
CLOCKS = ("seconds",)  # how names of measured times end


def dense() -> nn.Module:
    """A small network with every kind of layer that draws or counts; one of them has a generator of its own."""
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3, generator=sl.Generator(7)), nn.Linear(8, 3),
                         nn.Dropout(0.1))


def mlp() -> sl.Training:
    return sl.Training(dense(), POINTS, optimizer=optim.Adam(lr=0.02), epochs=3, batch_size=8, validation=HELD_OUT)


def lenet() -> sl.Training:
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(12, 3))
    return sl.Training(net, data.Dataset(IMAGES, LABELS), optimizer=optim.SGD(lr=0.1, momentum=0.9), schedule="cosine", epochs=2,
                       batch_size=6, augment=lambda x, y: (augment.shift(x, 1), y))


def lstm() -> sl.Training:
    return sl.Training(LanguageModel(4, 5, 6, dropout=0.2), text.Streams(TOKENS, 5), optimizer=optim.Adam(lr=0.02), epochs=2,
                       batch_size=3, metrics="token_accuracy", schedule=schedules.WarmUp(4, schedules.Linear()))


def rows() -> sl.Training:
    lines = text.Rows(LINES, targets=[row[::-1] for row in LINES], limits=3)
    return sl.Training(LanguageModel(4, 5, 6, kind="gru"), lines, epochs=2, batch_size=2, accumulate=2, metrics="token_accuracy")


def windows() -> sl.Training:
    return sl.Training(LanguageModel(4, 5, 6, kind="rnn"), text.Windows(TOKENS, 6, count=4), epochs=2, batch_size=3,
                       validation=text.Windows(TOKENS[:20], 6))


def everything() -> sl.Training:
    plateau = schedules.Plateau(patience=0, gamma=0.5, watch="accuracy", mode="max")
    return sl.Training(dense(), POINTS, optimizer=optim.NAdam(lr=0.2), epochs=6, batch_size=12, validation=HELD_OUT, schedule=plateau,
                       average=optim.Average(0.8), accumulate=3, clip=0.5, constrain=2.0, penalty=lambda net: 1e-3 * nn.l2_penalty(net),
                       callbacks=[EarlyStopping(patience=2, metric="accuracy")])


def several() -> sl.Training:
    """Two validation sets, the first of them watched, and weights of classes and examples."""
    others = {"zeros": data.Dataset(np.zeros((3, 6)), [0, 1, 2]), "dev": (HELD_OUT.inputs, HELD_OUT.targets, np.arange(9) / 4)}
    plateau = schedules.Plateau(patience=0, gamma=0.5, watch="dev/roc_auc", mode="max")
    return sl.Training(dense(), (POINTS.inputs, POINTS.targets, np.arange(23) % 4), batch_size=8, epochs=3, validation=others,
                       optimizer=optim.Adam(lr=0.02), class_weight="balanced", metrics=["f1", "roc_auc", "perplexity"], schedule=plateau,
                       callbacks=[EarlyStopping(patience=1)])


def snapshots() -> sl.Training:
    shots = Snapshots(count=2)
    return sl.Training(dense(), POINTS, epochs=4, batch_size=12, schedule=shots.schedule, callbacks=[shots], storage="bfloat16")


CASES: dict[str, Callable[[], sl.Training]] = {
    made.__name__: made for made in (mlp, lenet, lstm, rows, windows, everything, several, snapshots)}


def make(name: str) -> sl.Training:
    """The training of this name, with the same initial weights each time."""
    sl.seed(3)
    return CASES[name]()


def final_state(training: sl.Training) -> dict[str, Any]:
    """The state at the end without the measured times."""
    training.run()
    return {name: array for name, array in training.named_state().items() if not name.endswith(CLOCKS)}


def go_on(folder: Path) -> None:
    """Load each state NAME.STEP.safetensors and train to the end, which is saved as NAME.STEP.end.safetensors."""
    trainings: dict[str, sl.Training] = {}
    for path in sorted(folder.glob("*.*.safetensors")):
        name = path.name.split(".")[0]
        training = trainings.setdefault(name, make(name))
        training.load_named_state(files.load_safetensors(path))
        files.save_safetensors(path.with_suffix(".end.safetensors"), final_state(training))


if __name__ == "__main__":
    go_on(Path(sys.argv[1]))
