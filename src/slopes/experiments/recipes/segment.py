"""segment: which pixels of a picture are ink; a small U-Net on composed digits before a wavy, noisy ground."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import data, optim, random
from ...compile import compile
from ...data.loaders.dataset import Dataset
from ...plot import Picture, View, new_figure
from ...tensor import asarray, no_grad
from ...train.fit import fit
from ...train.mode import Mode
from ...train.progress import Told
from ...zoo.unet import UNet
from ..experiment import Setting
from ..study import Findings, Study

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
            for each, image in zip(axes, images):
                each.imshow(image, cmap="Reds" if name == "differ" else "gray", vmin=0, vmax=1, interpolation="nearest")
                each.set(xticks=[], yticks=[])
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
    answer = compile(lambda x: net(x).argmax(axis=1))
    with Mode(net, training=False), no_grad():
        return np.concatenate([answer(asarray(images[first:first + PART])).numpy() for first in range(0, len(images), PART)])


def by_threshold(validation: Dataset, images: np.ndarray) -> np.ndarray:
    """What one threshold for all pixels makes of pictures: the one that suits the validation data best."""
    bright = validation.inputs[:, 0]
    best = max(THRESHOLDS, key=lambda each: overlap(validation.targets, (bright > each).astype(np.int64), 2).mean())
    return (images[:, 0] > best).astype(np.int64)


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Train on pictures of training digits; the overlap with the true masks of pictures of test digits."""
    made = data.digit_masks(sizes=(values["pictures"], values["tested"], values["tested"]), seed=seed)
    train, validation, test = made.train, made.validation, made.test
    assert validation is not None and test is not None
    random.seed(seed)
    net = UNet(train.inputs.shape[1:], 2, values["width"], values["levels"])
    run = fit(net, train, optimizer=optim.Adam(lr=values["rate"]), schedule="cosine", epochs=values["epochs"], batch_size=values["batch"],
              validation=validation, seed=seed, progress=Told(tell))
    answers = masked(net, test.inputs)
    found, plain = (overlap(test.targets, each, 2) for each in (answers, by_threshold(validation, test.inputs)))
    view = Masks(test.inputs[:SHOWN, 0], test.targets[:SHOWN], answers[:SHOWN])
    return Findings({"mean IoU": float(found.mean()), "IoU of ink": float(found[1]), "mean IoU of one threshold": float(plain.mean()),
                     "accuracy": float(np.mean(answers == test.targets))},
                    [f"intersection over union: mean {found.mean():.3f}, of ink {found[1]:.3f}",
                     f"one threshold for all pixels: mean {plain.mean():.3f}, of ink {plain[1]:.3f}"],
                    {"masks.png": view.draw, "curve.png": run.plot}, net.state_dict())


recipe = Study(
    name="segment",
    caption="which pixels are ink: a small U-Net on composed digits before a wavy, noisy ground",
    expected="mean IoU at least 0.95 on pictures of test digits, where one threshold for all pixels leaves less",
    investigate=investigate,
    datasets=("mnist",),
    sizes={"pictures": Setting(4000, "to learn from; a quarter of them is enough for 0.96"),
           "tested": Setting(500, "pictures to validate with, and to test with"),
           "epochs": Setting(3, "the second one is nearly as good"),
           "batch": Setting(16, "each picture has 3,136 pixels to learn from"),
           "width": Setting(8, "filters of the first level, twice as many on each further one"),
           "levels": Setting(3, "sizes 56, 28 and 14"),
           "rate": Setting(3e-3, "batch norm bears three times the usual, with a cosine down to 0")},
)
