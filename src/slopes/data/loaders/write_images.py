"""Pictures of a data set written to the disk: PNG files, one subfolder for each class, as `image_folder` reads them."""

from __future__ import annotations

import os
import re
from pathlib import Path as FilePath

import numpy as np

from ...errors import ArgumentError, SaveError, ShapeError
from ...extras import require
from ...files.atomic import replacing, saving
from ...files.images import resize
from ...files.reading import Path
from ...files.staging import staging_folder
from .dataset import Dataset

NO_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f]|^\.')  # what some system does not take in a name, and the dot that hides a folder


def save_image_folder(dataset: Dataset, folder: Path, size: tuple[int, int] | None = None) -> FilePath:
    """Write every picture as FOLDER/CLASS/NUMBER.png, where NUMBER is its place in the data set; returns the folder.

    dataset: inputs (N, 1 or 3, H, W) of floats from 0 to 1 (what lies beyond is cut off), targets (N,) with named classes. size:
    (H, W) to scale each to first, as `load_image` does. In names of classes, characters that no folder may have become "-".
    The folder appears when all of it is written. Needs Pillow (extra `plot`). Raises SaveError when there is something of that
    name already, ShapeError and ArgumentError for other data sets.

    >>> from slopes import data
    >>> shades = data.Dataset(np.linspace(0, 1, 8).reshape(2, 1, 2, 2), [1, 0], classes=("light", "dark"))
    >>> _ = data.save_image_folder(shades, "shades", size=(4, 4))
    >>> data.image_folder("shades", 4, channels=1)
    ImageFolder(shades: 2 pictures (1, 4, 4), 2 classes)
    """
    names = folder_names(dataset)
    image, target = require("PIL.Image", extra="plot", purpose="writing PNG files"), FilePath(folder)
    if target.exists():
        raise SaveError(f"{target} is there already", why="a folder of pictures is written as a whole",
                        repair="name another folder, or remove this one")
    digits = len(str(len(dataset) - 1))
    with saving(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with staging_folder(target.parent) as stage:
            whole = stage / "whole"
            for name in names:
                (whole / name).mkdir(parents=True)
            for i, (picture, label) in enumerate(zip(dataset.inputs, dataset.targets.tolist())):
                shades = as_bytes(picture if size is None else resize(picture, size))
                image.fromarray(shades).save(whole / names[label] / f"{i:0{digits}d}.png")
            os.replace(whole, target)
    return target


def save_png(path: Path, picture: np.ndarray) -> None:
    """Write a grey picture (H, W) of floats from 0 to 1 as a PNG file, atomically. Needs Pillow (extra `plot`). Raises SaveError.

    >>> from slopes.files.images import load_image
    >>> save_png("ramp.png", np.linspace(0, 1, 6).reshape(2, 3))
    >>> (5 * load_image("ramp.png")).tolist()
    [[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]]
    """
    image = require("PIL.Image", extra="plot", purpose="writing PNG files")
    with replacing(path) as file:
        image.fromarray(as_bytes(picture[None])).save(file, format="PNG")


def as_bytes(picture: np.ndarray) -> np.ndarray:
    """(C, H, W) from 0 to 1 as (H, W) or (H, W, 3) from 0 to 255."""
    shades = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return shades[0] if len(shades) == 1 else np.ascontiguousarray(np.moveaxis(shades, 0, -1))


def folder_names(dataset: Dataset) -> list[str]:
    """The name of each class's folder; an error unless the data set is one of pictures in classes."""
    inputs, targets = dataset.inputs, dataset.targets
    if inputs.ndim != 4 or inputs.shape[1] not in (1, 3) or inputs.dtype.kind != "f":
        raise ShapeError(f"save_image_folder: inputs are {inputs.dtype} of shape {inputs.shape}",
                         why="pictures are floats (N, 1 or 3, H, W) from 0 to 1")
    if dataset.classes is None or targets.ndim != 1:
        raise ArgumentError("save_image_folder: the data set has no classes", why="each is a subfolder",
                            repair="name them: data.Dataset(inputs, targets, classes=...)")
    names = [NO_NAME.sub("-", name) for name in dataset.classes]
    if len({name.lower() for name in names}) < len(names) or not all(names):
        raise ArgumentError(f"save_image_folder: classes {', '.join(dataset.classes)} are not all folders of their own",
                            why="some systems take upper and lower case for the same", repair="give them other names")
    return names
