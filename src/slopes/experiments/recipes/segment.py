"""segment: which pixels of a picture are ink; a small U-Net on composed digits before a wavy, noisy ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import data, optim
from ...data.loaders.dataset import Dataset
from ...files.images import load_image
from ...plot import Picture, View, new_figure
from ...zoo.unet import UNet
from ..answers import outputs_in_batches
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting

SHOWN, PART = 6, 100  # pictures in the picture, and side by side when masks are made
THRESHOLDS = np.arange(0.3, 0.9, 0.02)  # of the baseline, tried on validation data


@dataclass
class Masks(View):
    """Pictures (N, H, W) with their true masks and the answers, 1 where there is ink."""

    images: np.ndarray
    truth: np.ndarray
    answers: np.ndarray

    def draw(self) -> Picture:
        """A column for each picture: itself, the truth, the answer, and where they differ."""
        figure = new_figure(1.2 * len(self.images) + 0.6, 5)
        grid = figure.subplots(4, len(self.images), squeeze=False)
        rows = {"picture": self.images, "truth": self.truth, "answer": self.answers, "differ": self.truth != self.answers}
        for axes, (name, images) in zip(grid, rows.items()):
            axes[0].set_ylabel(name)
            for cell, image in zip(axes, images):
                cell.imshow(image, cmap="Reds" if name == "differ" else "gray", vmin=0, vmax=1, interpolation="nearest")
                cell.set(xticks=[], yticks=[])
        return Picture(figure)


def overlap(truth: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Intersection over union of each class: of the pixels that are it or are taken for it, the share that is both.

    Both (N, H, W) integers -> (classes,); nan for a class that neither has.

    >>> overlap(np.array([[[0, 0, 1, 1]]]), np.array([[[0, 1, 1, 1]]]), 2).round(2).tolist()
    [0.5, 0.67]
    """
    counts = np.bincount((truth * classes + answers).reshape(-1), minlength=classes * classes).reshape(classes, classes)
    both = counts.diagonal()
    union = counts.sum(axis=0) + counts.sum(axis=1) - both
    return np.divide(both, union, out=np.full(classes, np.nan), where=union > 0)


def masked(net: UNet, images: np.ndarray) -> np.ndarray:
    """The likeliest class of each pixel, (N, H, W)."""
    return outputs_in_batches(net, lambda x: net(x).argmax(axis=1), images, PART)


def by_threshold(validation: Dataset, images: np.ndarray) -> np.ndarray:
    """What one threshold for all pixels makes of pictures: the one that suits the validation data best."""
    bright = validation.inputs[:, 0]
    best = max(THRESHOLDS, key=lambda threshold: overlap(validation.targets, (bright > threshold).astype(np.int64), 2).mean())
    return (images[:, 0] > best).astype(np.int64)


def masks_of(config: Config) -> data.Splits:
    """Images composed of training, validation and test digits, with the masks of their ink."""
    return data.digit_masks(sizes=(config["pictures"], config["tested"], config["tested"]), seed=config.seed)


def describe(config: Config, made: data.Splits) -> Facts:
    """The shape of the images."""
    return {"shape": list(made.train.inputs.shape[1:])}


def network(config: Config, facts: Facts, name: str) -> UNet:
    """The U-Net."""
    return UNet(tuple(facts["shape"]), 2, config["width"], config["levels"])


def training(config: Config, made: data.Splits, name: str, net: UNet) -> Fit:
    """The training."""
    return Fit(made.train, made.validation, optimizer=optim.Adam(lr=config["rate"]), schedule="cosine", epochs=config["epochs"],
               batch_size=config["batch"])


def report(result: Result[data.Splits]) -> Report:
    """The overlap with the true masks of images of test digits."""
    validation, test = result.data.validation, result.data.test
    assert validation is not None and test is not None
    answers = masked(result.run.net, test.inputs)
    ious, plain = (overlap(test.targets, masks, 2) for masks in (answers, by_threshold(validation, test.inputs)))
    view = Masks(test.inputs[:SHOWN, 0], test.targets[:SHOWN], answers[:SHOWN])
    return Report({"mean IoU": float(ious.mean()), "IoU of ink": float(ious[1]), "mean IoU of one threshold": float(plain.mean()),
                   "accuracy": float(np.mean(answers == test.targets))},
                  [f"intersection over union: mean {ious.mean():.3f}, of ink {ious[1]:.3f}",
                   f"one threshold for all pixels: mean {plain.mean():.3f}, of ink {plain[1]:.3f}"],
                  {"masks.png": view.draw, **result.curves})


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The mask of an image file, light ink on a dark ground, of any size."""
    mask = masked(run.net, load_image(item)[None])[0]
    return Prediction(f"{mask.mean():.1%} of {mask.shape[1]} x {mask.shape[0]} pixels are ink", mask.astype(np.float32))


recipe = Experiment(
    name="segment",
    caption="which pixels are ink: a small U-Net on composed digits before a wavy, noisy ground",
    expected="mean IoU at least 0.95 on images of test digits, where one threshold for all pixels gives less",
    data=masks_of, describe=describe, network=network, training=training, report=report, predict=predict,
    datasets=("mnist",),
    settings={"pictures": Setting(4000, "to learn from; a quarter of them is enough for 0.96"),
              "tested": Setting(500, "images to validate with, and to test with"),
              "epochs": Setting(3, "the second one is nearly as good"),
              "batch": Setting(16, "each image has 3,136 pixels to learn from"),
              "width": Setting(8, "filters of the first level, twice as many on each further one"),
              "levels": Setting(3, "sizes 56, 28 and 14"),
              "rate": Setting(3e-3, "with batch norm, three times the usual learning rate works, with a cosine down to 0")},
)
