"""Draw the pictures of the page about data: `python docs/pictures/make_data.py` writes them beside this file.

They show public sets: name a folder of local copies in SLOPES_DATA, or they are downloaded.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

import slopes as sl
from slopes import data
from slopes.data import augment

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
SAME, FILE = {"cmap": "gray", "vmin": 0, "vmax": 1}, {"dpi": 80, "bbox_inches": "tight", "metadata": {"Software": None}}


HOP = 128 / 8000  # seconds from one spectrum to the next


def grid(rows: int, columns: int, width: float, height: float):
    """Axes without ticks."""
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained")
    for each in np.ravel(axes):
        each.set_xticks([])
        each.set_yticks([])
    return figure, axes


def draw_augmentations() -> None:
    """One digit and one piece of clothing, four times as each function changes them."""
    functions = {
        "original": lambda x: x,
        "shift by up to 4": lambda x: augment.shift(x, 4),
        "rotate up to 25°,\nzoom up to 20%": lambda x: augment.rotate(x, 25, zoom=0.2),
        "flip": augment.flip,
        "random crop,\n20 x 20": lambda x: augment.crop(x, 20),
        "erase a square\nof 10 x 10": lambda x: augment.erase(x, 10, fill=0.5),
        "Gaussian noise,\nstd 0.2": lambda x: augment.noise(x, 0.2),
        "mixup,\nalpha = 1": lambda x: augment.mixup(sl.concat([x, others]), np.zeros(8, np.float32), alpha=1.0)[0][:4],
    }
    figure, axes = grid(8, len(functions), 10, 10.5)
    for half, images in enumerate((data.mnist().train.inputs, data.fashion_mnist().train.inputs)):
        batch, others = sl.tensor(np.repeat(images[5 - 5 * half][None], 4, axis=0)), sl.tensor(images[1:5])
        sl.seed(1)
        for column, (name, function) in enumerate(functions.items()):
            for row, image in enumerate(function(batch).numpy()):
                axes[4 * half + row, column].imshow(image[0], **SAME)
            axes[0, column].set_title(name, fontsize=10)
    figure.savefig(HERE / "augment.png", **FILE)


def draw_composed() -> None:
    """Captions above, masks below."""
    captions, masks = data.digit_captions(sizes=(6, 1, 1)).train, data.digit_masks(sizes=(6, 1, 1)).train
    figure, axes = grid(3, 6, 10, 5.6)
    for column in range(6):
        axes[0, column].imshow(captions.inputs[column, 0], **SAME)
        axes[0, column].set_title(data.caption_text(captions.targets[column]).replace(" and", "\nand"), fontsize=9)
        axes[1, column].imshow(masks.inputs[column, 0], **SAME)
        axes[2, column].imshow(masks.targets[column], **SAME)
    figure.savefig(HERE / "composed.png", **FILE)


def draw_spoken() -> None:
    """Log-spectrograms of the digits 0 to 5: time to the right, frequency bands upwards, all in one scale."""
    spoken = data.spoken_digits().train
    firsts = [spoken.inputs[np.flatnonzero(spoken.targets == digit)[0], 0] for digit in range(6)]
    low, high = min(image.min() for image in firsts), max(image.max() for image in firsts)
    figure, axes = plt.subplots(1, 6, figsize=(11, 2.6), layout="constrained", sharey=True)
    for digit, (axis, image) in enumerate(zip(axes, firsts)):
        drawn = axis.imshow(image, origin="lower", aspect="auto", cmap="magma", vmin=low, vmax=high,
                            extent=(0, image.shape[1] * HOP, 0, image.shape[0]))
        axis.set_title(spoken.classes[digit], fontsize=10)
        axis.set_xlabel("time (s)", fontsize=9)
    axes[0].set_ylabel("mel band (0 to 4 kHz)", fontsize=9)
    figure.colorbar(drawn, ax=axes, label="log of the power")
    figure.savefig(HERE / "spoken.png", **FILE)


if __name__ == "__main__":
    draw_augmentations()
    draw_composed()
    draw_spoken()
