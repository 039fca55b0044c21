"""From a photograph, scan or drawing to what a net was trained on: grey, light on dark, framed as in its data set."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from ..files.images import load_image, resize
from ..files.reading import refused

FAINT = 0.25  # of the strongest ink: less is taken for paper when the subject's edges are looked for


@dataclass(frozen=True)
class Frame:
    """How a data set's images are made: `size` pixels square, the subject fitted into a box of `box` pixels.

    centre "mass": the subject's centre of mass is put in the middle, as in MNIST; "box": the middle of its bounding box.
    """

    size: int
    box: int
    centre: str


FRAMES = {"mnist": Frame(28, 20, "mass"), "fashion": Frame(28, 28, "box"), "digits": Frame(8, 8, "box")}


def read_image(path: str | os.PathLike[str], dataset: str) -> np.ndarray:
    """The image of a file as `dataset` would have it: (1, size, size) float32 from 0 (background) to 1.

    The image is turned grey, transparent parts white. A background lighter than the subject is turned dark. An image that has the
    data set's own size is taken as it is; of others the paper's shade, and light that falls from one side, are taken away, the
    subject is cut out by its bounding box, fitted into the data set's box with its proportions kept, and put in the middle.
    Works for one subject on a plain background.

    Formats: those of data.load_image (PNG, JPEG, PGM, PPM), with its errors; DataError also for images of nearly one shade.
    """
    frame = FRAMES[dataset]
    ink = to_ink(load_image(path)[0].astype(np.float64))
    own_size = ink.shape == (frame.size, frame.size)
    if not own_size:
        ink = np.clip(ink - paper(ink), 0, None)
    if np.ptp(ink) < 0.05:
        raise refused(path, "image", f"all of its {ink.shape[1]} x {ink.shape[0]} pixels have nearly one shade",
                      why="there is nothing to recognise", repair="name an image with one subject on a plain background")
    return (ink if own_size else framed(ink, frame))[None].astype(np.float32)


def to_ink(grey: np.ndarray) -> np.ndarray:
    """Light on dark: the shades turned over when the border is nearer to the image's lightest shade than to its darkest."""
    shade = np.median(grey[edge(grey.shape)])
    return 1 - grey if shade - grey.min() > grey.max() - shade else grey


def edge(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) of the outermost pixels."""
    rim = np.ones(shape, bool)
    rim[1:-1, 1:-1] = False
    return np.nonzero(rim)  # type: ignore[return-value]


def framed(ink: np.ndarray, frame: Frame) -> np.ndarray:
    """The subject cut out, brought to the box's size and put in the middle, its strongest ink at 1."""
    ink = ink / ink.max()
    rows, columns = (np.flatnonzero((ink > FAINT).any(axis=axis)) for axis in (1, 0))
    subject = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = frame.box / max(subject.shape)
    small = resize(subject, (max(1, round(subject.shape[0] * scale)), max(1, round(subject.shape[1] * scale))))
    return placed(small / small.max(), frame)


def paper(ink: np.ndarray) -> np.ndarray:
    """The paper's shade everywhere: the plane through the border's shades, so that light from one side does no harm.

    Fitted twice: what lies far off the first plane is the subject touching the border.
    """
    rows, columns = edge(ink.shape)
    at, shades = np.stack([rows, columns, np.ones(len(rows))], axis=1), ink[rows, columns]
    near = np.abs(shades - at @ np.linalg.lstsq(at, shades)[0]) <= 0.1
    near = near if near.sum() > len(near) // 2 else np.ones_like(near)
    down, right, start = np.linalg.lstsq(at[near], shades[near])[0]
    return start + down * np.arange(ink.shape[0])[:, None] + right * np.arange(ink.shape[1])


def placed(small: np.ndarray, frame: Frame) -> np.ndarray:
    """The small image on an empty square, its centre in the middle, moved no further than it stays whole."""
    canvas = np.zeros((frame.size, frame.size))
    middle = [np.average(np.arange(length) + 0.5, weights=small.sum(axis=1 - axis)) if frame.centre == "mass" else length / 2
              for axis, length in enumerate(small.shape)]
    top, left = (min(max(0, round(frame.size / 2 - at)), frame.size - length) for at, length in zip(middle, small.shape))
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas
