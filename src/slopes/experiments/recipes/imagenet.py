"""imagenet-like: AlexNet at 224 x 224 on the pictures of a folder, which are read from the disk while it learns."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ... import data, nn, optim
from ...data.transforms import augment
from ...files.atomic import saving
from ...files.images import load_image
from ...files.lock import locked
from ...inside.confusion import Confusion
from ...plot import mistakes
from ...settings import cache_folder, expand_home
from ...tensor import Tensor
from ...train.evaluate import evaluate
from ...zoo.alexnet import alexnet
from ..answers import likeliest, outputs, probabilities
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting

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


@dataclass
class Pictures:
    """The images of a folder, divided; mean and deviation of each channel, and how many images per second are read from the disk."""

    splits: data.Splits
    classes: tuple[str, ...]
    scale: data.Standardize
    per_second: float


def made_folder(count: int, pixels: int, log: Callable[[str], None]) -> Path:
    """A folder of PNG files, `count` of each class of Fashion-MNIST enlarged to pixels x pixels: made once, then used again."""
    home = cache_folder() / "made"
    folder = home / f"fashion-mnist-{count}-{pixels}"
    with saving(home):
        home.mkdir(parents=True, exist_ok=True)
    with locked(home / f".{folder.name}.lock"):
        if not folder.exists():
            clothes = data.fashion_mnist().train
            chosen = [np.flatnonzero(clothes.targets == label)[:count] for label in range(len(clothes.classes or ()))]
            log(f"writing {sum(map(len, chosen)):,} pictures to {folder}")
            data.save_image_folder(clothes.subset(np.concatenate(chosen)), folder, (pixels, pixels))
    return folder


def open_folder(config: Config) -> data.ImageFolder:
    """The images of the folder asked for; damaged files are logged by name, if they are to be skipped."""
    named = config["folder"]
    folder = expand_home(named, "--folder") if named else made_folder(config["pictures"], config["pixels"], config.log)
    images = data.image_folder(folder, config["size"] + config["margin"], skip_damaged=config["damaged"] == "skip")
    for path, why in images.skipped:
        config.log(f"skipped: {why}" if path in why else f"skipped: {path}: {why}")
    config.log(repr(images))
    return images


def pictures_of(config: Config) -> Pictures:
    """Seven tenths of the images to train, a tenth to validate, two tenths to test with; a sample of the first is read now."""
    images = open_folder(config)
    splits = data.split(images)
    indices, started = np.arange(len(splits.train))[:: -(-len(splits.train) // SAMPLE)], time.perf_counter()
    sample = splits.train.inputs[indices]
    per_second = len(sample) / (time.perf_counter() - started)
    config.log(f"reads {per_second:,.0f} pictures per second")
    return Pictures(splits, tuple(images.classes), data.Standardize(sample, per="channel"), per_second)


def describe(config: Config, pictures: Pictures) -> Facts:
    """The classes, and the scale of each channel."""
    return {"classes": list(pictures.classes), "mean": pictures.scale.mean.ravel().tolist(), "std": pictures.scale.std.ravel().tolist()}


def network(config: Config, facts: Facts, name: str) -> nn.Module:
    """AlexNet behind the view. Weights before rectified units start He normal: with smaller ones the loss is flat for epochs."""
    size = config["size"]
    net = alexnet((3, size, size), len(facts["classes"]), hidden=config["hidden"], dropout=config["dropout"])
    *before, _ = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    for weight in before:
        nn.init.kaiming_normal(weight)
    mean, std = (np.array(facts[key], np.float32).reshape(3, 1, 1) for key in ("mean", "std"))
    return nn.Sequential(View(size, mean, std), net)


def training(config: Config, pictures: Pictures, name: str, net: nn.Module) -> Fit:
    """The training."""
    return Fit(pictures.splits.train, pictures.splits.validation, optimizer=optim.Adam(lr=config["rate"]), schedule="cosine",
               epochs=config["epochs"], batch_size=config["batch"])


def report(result: Result[Pictures]) -> Report:
    """The accuracy on test images; how many images per second were read and learned from."""
    run, test_set, read = result.run, result.data.splits.test, result.data.per_second
    assert test_set is not None
    test = evaluate(run.net, test_set, batch_size=result.config["batch"])
    learned = run.epochs[-1].examples / run.epochs[-1].seconds if run.epochs else 0.0  # compiling belongs to the first epoch
    table = Confusion.counted(test.targets, test.predicted, result.data.classes)
    most = float(np.bincount(test_set.targets).max() / len(test_set))
    return Report({"test accuracy": test["accuracy"], "pictures read per second": read, "pictures learned per second": learned},
                  [f"{test['accuracy']:.2%} of {len(test_set):,} held-out pictures are recognised; always the same class: {most:.2%}",
                   f"pictures per second: {read:,.0f} read and decoded, {learned:,.1f} learned from (reading at the same time)"],
                  {**result.curves, "confusion.png": table.draw, "mistakes.png": lambda: mistakes(test, test_set)})


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The likeliest classes of an image file, which is scaled as those of the folder were."""
    pixels = run.config["size"] + run.config["margin"]
    logits = outputs(run.net, load_image(item, channels=3, size=(pixels, pixels))[None])
    return Prediction(likeliest(run.facts["classes"], probabilities(logits)[0], top))


recipe = Experiment(
    name="imagenet-like",
    caption="AlexNet at 224 x 224 on a folder of pictures, one subfolder for each class, read from the disk during the training",
    expected="the folder made from Fashion-MNIST: more than 60% of held-out pictures (chance: 10%) in a few minutes",
    data=pictures_of, describe=describe, network=network, training=training, report=report, predict=predict,
    datasets=("fashion-mnist", "a folder"),
    settings={"epochs": Setting(4, "a few minutes; accuracy still rises with more"),
              "folder": Setting("", "FOLDER/CLASS/*.png, .jpg, ...: your own pictures; without it a folder is made from Fashion-MNIST, "
                                    "once"),
              "pictures": Setting(150, "of each class, in the folder that is made"),
              "pixels": Setting(160, "height and width of the files that are made: larger than the 28 of Fashion-MNIST, so that decoding "
                                     "costs as much as for photographs"),
              "damaged": Setting("stop", "stop: a damaged file ends the training with an error that names it; skip: all files are read "
                                         "first, and damaged ones are named and left out", ("stop", "skip")),
              "size": Setting(224, "height and width of the network's input, as published; at least 63"),
              "margin": Setting(32, "pixels by which files are scaled larger than that, as published: training takes random crops, "
                                    "mirrored half of the time, evaluation the centre crop"),
              "batch": Setting(32, "pictures of one step; published are 128, which take four times the memory"),
              "hidden": Setting(4096, "units of each of the two dense layers, as published: 55 of 58 million parameters"),
              "dropout": Setting(0.5, "of the inputs of the dense layers, as published"),
              "rate": Setting(2e-4, "of Adam, with a cosine down to 0; without batch norm training with a higher one may fail")},
)
