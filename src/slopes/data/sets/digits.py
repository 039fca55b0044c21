"""Small image data sets: scikit-learn's digits, MNIST, Fashion-MNIST."""

from __future__ import annotations

import gzip
import os
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...extras import installed_file
from ...files.idx import load_idx
from ...files.reading import reading, refused
from ..loaders.dataset import Dataset
from ..loaders.order import SPLITTING, order
from ..loaders.splits import Splits, split
from .locate import Folder, located

DIGITS = tuple("0123456789")
DIGITS_FILE = "datasets/data/digits.csv.gz"  # of scikit-learn: 64 pixels from 0 to 16 in a row, then the digit
CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
HELD_OUT = 12  # one training image in twelve is for validation: 5,000 of 60,000
SPLIT_SEED = 0


def digits() -> Splits[Dataset]:
    """scikit-learn's 1,797 handwritten digits, divided 70 : 10 : 20, every class by itself, always the same way (seed 0).

    inputs: (N, 1, 8, 8) float32, grey from 0 to 1 (the stored 0..16 divided by 16); targets: (N,) int64. Needs the extra
    `sklearn`, which brings the data along: nothing is downloaded. Source: Alpaydin, Kaynak, "Optical recognition of handwritten
    digits", UCI 1998.

    >>> from slopes import data
    >>> data.digits().train
    Dataset(digits.train: 1258 examples, inputs (1, 8, 8) float32, targets () int64, 10 classes)
    """
    path = installed_file("sklearn", DIGITS_FILE, extra="sklearn", purpose="data.digits()")  # importing it all takes a second
    with reading(path), gzip.open(path) as file:
        rows = np.loadtxt(file, np.int64, delimiter=",")
    images = (rows[:, :-1].reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    return split(Dataset(images, rows[:, -1], DIGITS, "digits"), (0.7, 0.1, 0.2), seed=SPLIT_SEED)


def mnist(folder: Folder = None) -> Splits[Dataset]:
    """The 70,000 handwritten digits of LeCun, Cortes and Burges: 55,000 to train, 5,000 to validate, 10,000 to test.

    inputs: (N, 1, 28, 28) float32, grey from 0 (paper) to 1 (ink); targets: (N,) int64. The mean of the inputs is 0.1307, their
    deviation 0.3081: `standardized(0.1307, 0.3081)` is what many recipes use. Validation is those 5,000 of the 60,000 training
    images that come last in `order(0, 0, 60000, SPLITTING)`; each set keeps the order of the file.

    The four files come from `folder` or, without one, from SLOPES_DATA: in its subfolder `mnist` or directly in it, with or
    without `.gz`; or they are downloaded (11.6 MB) and kept in the cache. The test images are not even read before `.test` is
    asked for. Raises DataError for damaged or missing files, DownloadError when no mirror answers.
    """
    return from_idx("mnist", DIGITS, folder)


def fashion_mnist(folder: Folder = None) -> Splits[Dataset]:
    """Zalando's 70,000 pictures of clothes, made like `mnist()`: same sizes, same division, subfolder `fashion-mnist`.

    Mean 0.2860, deviation 0.3530. Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST", 2017.
    """
    return from_idx("fashion-mnist", CLOTHES, folder)


class Raw(NamedTuple):
    """Images (N, H, W) uint8 and labels (N,) uint8 as they lie in the files, and where."""

    images: np.ndarray
    labels: np.ndarray
    path: Path


def from_idx(name: str, classes: tuple[str, ...], folder: Folder) -> Splits[Dataset]:
    """The splits of a data set that comes as MNIST's four files."""
    raw = read_pair(name, "train", classes, folder)
    mixed = order(SPLIT_SEED, 0, len(raw.images), SPLITTING)
    held_out = len(mixed) // HELD_OUT
    if not held_out:
        raise refused(raw.path, "sizes", f"{len(mixed)} images, too few to hold some out", f"one in {HELD_OUT} is for validation")
    train, validation = np.sort(mixed[:-held_out]), np.sort(mixed[-held_out:])
    return Splits(as_dataset(raw, classes, f"{name}.train", train), as_dataset(raw, classes, f"{name}.validation", validation),
                  partial(read_test, name, classes, folder), name)


def read_test(name: str, classes: tuple[str, ...], folder: Folder) -> Dataset:
    raw = read_pair(name, "t10k", classes, folder)
    return as_dataset(raw, classes, f"{name}.test", np.arange(len(raw.images)))


def as_dataset(raw: Raw, classes: tuple[str, ...], name: str, index: np.ndarray) -> Dataset:
    """The chosen images with a channel axis, scaled to 0..1."""
    images = np.divide(raw.images[index][:, None], 255, dtype=np.float32)  # (N, 1, H, W)
    return Dataset(images, raw.labels[index], classes, name)


def read_pair(name: str, stem: str, classes: tuple[str, ...], folder: Folder) -> Raw:
    """The images and labels of one half, checked against each other."""
    image_path = located(name, f"{stem}-images-idx3-ubyte.gz", folder)
    label_path = located(name, f"{stem}-labels-idx1-ubyte.gz", folder)
    images, labels = load_idx(image_path), load_idx(label_path)
    for path, array, axes in ((image_path, images, 3), (label_path, labels, 1)):
        if array.ndim != axes or array.dtype != np.uint8 or not array.size:
            raise refused(path, "sizes", f"{array.shape} of {array.dtype} instead of {axes} axes, none 0, of uint8")
    if len(images) != len(labels):
        raise refused(label_path, "sizes", f"{len(labels)} labels, but {os.fspath(image_path)} has {len(images)} images")
    if labels.max() >= len(classes):
        raise refused(label_path, "data", f"label {labels.max()} of example {labels.argmax()}",
                      f"there are {len(classes)} classes, from 0 on")
    return Raw(images, labels, image_path)
