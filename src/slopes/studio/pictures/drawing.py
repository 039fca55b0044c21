"""A drawing as a picture: strokes with a round pen, conditioned as the pictures of a data set were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BLOCK = 256  # lines at a time
TINY = 1e-12  # square of the length of a dot
Stroke = Sequence[float]  # x, y, x, y, ... in the unit square


@dataclass(frozen=True)
class Conditioning:
    """How the pictures of a data set were made: what a drawing goes through, too.

    side      pixels of the picture
    box       pixels of the longer side of what is drawn, the pen included
    pen       width of its lines, in pixels
    by_mass   its centre of mass is put into the middle; otherwise the centre of its box
    middle    the coordinate, in pixels from the edge, to which that centre is moved
    keeps     a drawing keeps its size and position: for pictures that fill their frame as they like

    Source of MNIST's: LeCun, Cortes, Burges, "The MNIST database": normalised to 20 x 20, the centre of mass in the middle of 28 x 28.
    """

    side: int
    box: float
    pen: float
    by_mass: bool
    middle: float
    keeps: bool = False


MNIST = Conditioning(side=28, box=20, pen=2.6, by_mass=True, middle=14.5)  # pixel 14 of 0 to 27 is the mean centre of mass
SMALL_DIGITS = Conditioning(side=8, box=8, pen=1.3, by_mass=False, middle=4)


def painted(side: int) -> Conditioning:
    """For pictures of things: a broad pen, and nothing is moved."""
    return Conditioning(side=side, box=side, pen=side / 9, by_mass=False, middle=side / 2, keeps=True)


def condition(strokes: Sequence[Stroke], conditioning: Conditioning) -> np.ndarray:
    """The picture (side, side) float32, 0 for paper and 1 for ink; empty without strokes.

    The points are scaled and moved, and then drawn with the data set's pen, so that lines have the same width in drawings of any size.
    """
    segments = segments_of(strokes) * conditioning.side
    if not len(segments) or conditioning.keeps:
        return rasterize(segments, conditioning)
    segments = fit_box(segments, conditioning)
    if conditioning.by_mass:
        segments = segments + (conditioning.middle - centre_of_mass(rasterize(segments, conditioning)))
    return rasterize(segments, conditioning)


def segments_of(strokes: Sequence[Stroke]) -> np.ndarray:
    """(N, 2, 2): begin and end (x, y) of every line between two points; a stroke of one point is a dot."""
    lines = []
    for stroke in strokes:
        points = np.asarray(stroke, np.float64)[:len(stroke) // 2 * 2].reshape(-1, 2)
        lines.append(np.stack([points[:-1], points[1:]], axis=1) if len(points) > 1 else np.stack([points, points], axis=1))
    return np.concatenate(lines) if lines else np.zeros((0, 2, 2))


def fit_box(segments: np.ndarray, conditioning: Conditioning) -> np.ndarray:
    """The segments, scaled so that their longer side with the pen fills the box, around the middle."""
    low, high = segments.min(axis=(0, 1)), segments.max(axis=(0, 1))
    longer = float((high - low).max())
    scale = (conditioning.box - conditioning.pen) / longer if longer > 1e-6 * conditioning.side else 1.0
    return (segments - (low + high) / 2) * scale + conditioning.middle


def rasterize(segments: np.ndarray, conditioning: Conditioning) -> np.ndarray:
    """How much of each pixel a round pen covers, by the distance of the pixel's centre from the nearest line: (side, side) float32."""
    side = conditioning.side
    centres = np.arange(side) + 0.5
    pixels = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
    nearest = np.full(side * side, np.inf)
    for first in range(0, len(segments), BLOCK):
        np.minimum(nearest, squared_distances(pixels, segments[first:first + BLOCK]).min(axis=0), out=nearest)
    return np.clip(conditioning.pen / 2 + 0.5 - np.sqrt(nearest), 0, 1).reshape(side, side).astype(np.float32)


def squared_distances(pixels: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """(segments, pixels): from points (pixels, 2) to the nearest point of each line."""
    start, direction = segments[:, None, 0], segments[:, None, 1] - segments[:, None, 0]
    length = np.maximum((direction**2).sum(axis=-1), TINY)
    share = np.clip(((pixels - start) * direction).sum(axis=-1) / length, 0, 1)
    return ((pixels - start - share[..., None] * direction) ** 2).sum(axis=-1)


def centre_of_mass(picture: np.ndarray) -> np.ndarray:
    """(x, y) in pixels from the upper left edge."""
    total = float(picture.sum())
    centres = np.arange(len(picture)) + 0.5
    return np.array([picture.sum(axis=0) @ centres, picture.sum(axis=1) @ centres]) / total
