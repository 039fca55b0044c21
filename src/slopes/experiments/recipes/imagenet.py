"""imagenet-like: AlexNet at 224 x 224 on the pictures of a folder, which are read from the disk while it learns."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ... import data, nn, optim, random
from ...data.transforms import augment
from ...files.atomic import saving
from ...files.lock import locked
from ...inside.confusion import Confusion
from ...plot import mistakes
from ...settings import cache_folder, expanded
from ...tensor import Tensor
from ...train.evaluate import evaluate
from ...train.fit import fit
from ...train.progress import Told
from ...zoo.alexnet import alexnet
from ..experiment import Setting
from ..study import Findings, Study

SAMPLE = 128  # pictures that are read beforehand: for the mean shade, and to see how fast the disk and the decoder are


class View(nn.Module):
    """What the network sees of pictures: while it learns, a random part of them, mirrored half of the times; otherwise the middle.

    Shades are centred and scaled by mean and std, (C, 1, 1). x: (N, C, H, W); y: (N, C, size, size).
    """

    def __init__(self, size: int, mean: np.ndarray, std: np.ndarray) -> None:
        self.size, self.mean, self.std = size, nn.Buffer(mean), nn.Buffer(std)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            part = augment.flip(augment.crop(x, self.size))
        else:
            top, left = ((length - self.size) // 2 for length in x.shape[2:])
            part = x[:, :, top : top + self.size, left : left + self.size]
        return (part - self.mean) / self.std


def network(values: dict[str, Any], classes: int, shades: data.Standardize) -> nn.Module:
    """AlexNet behind the view. Weights before rectified units start He normal: with smaller ones it stands still for epochs."""
    net = alexnet((3, values["size"], values["size"]), classes, hidden=values["hidden"], dropout=values["dropout"])
    *before, _ = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    for weight in before:
        nn.init.kaiming_normal(weight)
    return nn.Sequential(View(values["size"], shades.mean.astype(np.float32), shades.std.astype(np.float32)), net)


def made_folder(count: int, pixels: int, tell: Callable[[str], None]) -> Path:
    """A folder of PNG files, `count` of each class of Fashion-MNIST enlarged to pixels x pixels: made once, then found again."""
    home = cache_folder() / "made"
    place = home / f"fashion-mnist-{count}-{pixels}"
    with saving(home):
        home.mkdir(parents=True, exist_ok=True)
    with locked(home / f".{place.name}.lock"):
        if not place.exists():
            clothes = data.fashion_mnist().train
            chosen = [np.flatnonzero(clothes.targets == label)[:count] for label in range(len(clothes.classes or ()))]
            tell(f"writing {sum(map(len, chosen)):,} pictures to {place}")
            data.save_image_folder(clothes.subset(np.concatenate(chosen)), place, (pixels, pixels))
    return place


def found_pictures(values: dict[str, Any], tell: Callable[[str], None]) -> data.ImageFolder:
    """The pictures of the folder asked for; damaged ones are told by name, if they are to be skipped."""
    folder = expanded(values["folder"], "--folder") if values["folder"] else made_folder(values["pictures"], values["pixels"], tell)
    found = data.image_folder(folder, values["size"] + values["margin"], skip_damaged=values["damaged"] == "skip")
    for path, why in found.skipped:
        tell(f"skipped: {why}" if path in why else f"skipped: {path}: {why}")
    tell(repr(found))
    return found


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Train on seven tenths of the pictures, watch a tenth, judge by two tenths; how many pictures per second were read and learned."""
    found = found_pictures(values, tell)
    parts = data.split(found)
    assert parts.test is not None
    numbers, started = np.arange(len(parts.train))[:: -(-len(parts.train) // SAMPLE)], time.perf_counter()
    sample = parts.train.inputs[numbers]
    read = len(sample) / (time.perf_counter() - started)
    tell(f"reads {read:,.0f} pictures per second")
    shades = data.Standardize(sample, per="channel")
    random.seed(seed)
    net = network(values, len(found.classes), shades)
    run = fit(net, parts.train, optimizer=optim.Adam(lr=values["rate"]), schedule="cosine", epochs=values["epochs"],
              batch_size=values["batch"], validation=parts.validation, seed=seed, progress=Told(tell))
    test = evaluate(net, parts.test, batch_size=values["batch"])
    learned = run.epochs[-1].examples / run.epochs[-1].seconds if run.epochs else 0.0  # compiling belongs to the first epoch
    table = Confusion.counted(test.targets, test.predicted, found.classes)
    most = float(np.bincount(parts.test.targets).max() / len(parts.test))
    return Findings({"test accuracy": test["accuracy"], "pictures read per second": read, "pictures learned per second": learned},
                    [f"{test['accuracy']:.2%} of {len(parts.test):,} held-out pictures are recognised; always the same class: {most:.2%}",
                     f"pictures per second: {read:,.0f} read and decoded, {learned:,.1f} learned from (reading beside it)"],
                    {"curve.png": run.plot, "confusion.png": table.draw,
                     "mistakes.png": lambda: mistakes(test, parts.test)}, net.state_dict())


recipe = Study(
    name="imagenet-like",
    caption="AlexNet at 224 x 224 on a folder of pictures, one subfolder for each class, read from the disk as it learns",
    expected="the folder made from Fashion-MNIST: more than 60% of held-out pictures (chance: 10%) in a few minutes",
    investigate=investigate,
    datasets=("fashion-mnist", "a folder"),
    sizes={"epochs": Setting(4, "a few minutes; more learn more"),
           "folder": Setting("", "FOLDER/CLASS/*.png, .jpg, ...: your own pictures; without it a folder is made from Fashion-MNIST, once"),
           "pictures": Setting(150, "of each class, in the folder that is made"),
           "pixels": Setting(160, "height and width of the files that are made: larger than the 28 of Fashion-MNIST, so that decoding "
                                  "is work as with photographs"),
           "damaged": Setting("stop", "stop: a damaged file ends the training with an error that names it; skip: all files are tried "
                                      "first, and what is damaged is named and left out", ("stop", "skip")),
           "size": Setting(224, "height and width that the network sees, as published; at least 63"),
           "margin": Setting(32, "files are scaled to so many pixels more, as published; the network sees any part of them while it "
                                 "learns, mirrored half of the times, and the middle when it is judged"),
           "batch": Setting(32, "pictures of one step; published are 128, which take four times the memory"),
           "hidden": Setting(4096, "units of each of the two dense layers, as published: 55 of 58 million parameters"),
           "dropout": Setting(0.5, "of what enters the dense layers, as published"),
           "rate": Setting(2e-4, "of Adam, falling to 0 along a cosine; without batch norm higher ones may not learn at all")},
)
