"""The points of a training: made or given, shuffled, turned into features, and divided for training and test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...data import Dataset
from ...errors import ArgumentError
from .data import DATA, SEVERAL
from .settings import FEATURES, OWN, Settings


@dataclass(frozen=True)
class Points:
    """points (N, 2) and targets (N,): the first `cut` are to train on; inputs (N, features) is what the network sees of them."""

    points: np.ndarray
    targets: np.ndarray
    inputs: np.ndarray
    cut: int

    @property
    def training(self) -> Dataset:
        """The points to train on."""
        return Dataset(self.inputs[: self.cut], self.targets[: self.cut])

    @property
    def test(self) -> Dataset:
        """The points that are held out."""
        return Dataset(self.inputs[self.cut :], self.targets[self.cut :])


def make_points(settings: Settings) -> Points:
    """The points that the settings describe; ArgumentError for own points that are too few, or of one class."""
    rng = np.random.default_rng(settings.data_seed)
    points, targets = own_points(settings) if settings.data == OWN else made_points(rng, settings)
    order = rng.permutation(len(points))
    points, targets = points[order], targets[order]
    if settings.regression:
        targets = targets.astype(np.float32)[:, None]
    return Points(points, targets, features_of(points, settings), split(len(points), settings.ratio))


def made_points(rng: np.random.Generator, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """The points of a data set of the playground."""
    more = (settings.classes,) if settings.data in SEVERAL else ()
    return DATA[settings.data](rng, settings.count, settings.noise / 100, *more)


def own_points(settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """The points that were drawn or pasted."""
    table = np.array(settings.points, np.float64).reshape(-1, 3)
    if len(table) < 4:
        raise ArgumentError(f"there are {len(table)} own points", why="at least 4 are needed, some of them to test with",
                            repair="draw more, or paste a table", where="in the data")
    if settings.regression:
        return table[:, :2], table[:, 2]
    labels = table[:, 2].astype(np.int64)
    if len(np.unique(labels)) < 2:
        raise ArgumentError("all own points have one class", why="there is nothing to distinguish", repair="draw points of another class",
                            where="in the data")
    return table[:, :2], labels


def features_of(points: np.ndarray, settings: Settings) -> np.ndarray:
    """What the network sees of points (N, 2): a column for each feature, float32."""
    return np.stack([FEATURES[name].make(points[:, 0], points[:, 1]) for name in settings.features], axis=1).astype(np.float32)


def split(count: int, ratio: float) -> int:
    """How many points are to train on; at least one is on either side."""
    return min(max(round(count * ratio / 100), 1), count - 1)
