"""Favourite inputs: the training pictures that excite a unit most, and where in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...inside.receptive import receptive_field
from .probe import Probe

Box = tuple[int, int, int, int]  # top, left, bottom, right; the last are included
Field = Callable[[int, tuple[int, int]], Box]
SEARCHED = 1000  # training pictures
SHOWN = 9


@dataclass(frozen=True)
class Strongest:
    """The pictures that excite a unit most: indices of training pictures, activations, and the part (top, left, bottom, right), the
    last included, of each that the most excited position sees."""

    layer: int
    unit: int
    indices: np.ndarray
    activations: np.ndarray
    boxes: np.ndarray


def strongest(probe: Probe, pictures: np.ndarray, layer: int, unit: int, field: Field, shown: int = SHOWN) -> Strongest:
    """The pictures (N, C, H, W) for which a unit is largest; that of a map counts where the map is largest, and sees what `field` says
    of (layer, position)."""
    values = np.nan_to_num(probe.activations(pictures, layer)[:, unit].reshape(len(pictures), -1))
    best = values.max(axis=1)
    indices = np.argsort(-best, kind="stable")[:shown]
    height, width = pictures.shape[2:]
    if probe.layers[layer].spatial:
        columns = probe.layers[layer].shape[2]
        positions = [divmod(int(values[i].argmax()), columns) for i in indices]
        boxes = [field(layer, position) for position in positions]
    else:
        boxes = [(0, 0, height - 1, width - 1)] * len(indices)
    return Strongest(layer, unit, indices, best[indices], np.array(boxes, np.int32))


def field_box(probe: Probe, shape: tuple[int, ...], layer: int, position: tuple[int, int]) -> Box:
    """The part (top, left, bottom, right) of the picture that a position of a layer's maps sees."""
    (top, bottom), (left, right) = receptive_field(probe.net, shape, probe.layers[layer].path, position).box
    return top, left, bottom, right
