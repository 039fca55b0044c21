"""VGG: nothing but 3x3 convolutions, each block of them with twice the filters and half the size."""

from __future__ import annotations

from .. import nn
from .choice import resolve
from .shapes import features

# convolutions in each block, by the number of layers that have weights
BLOCKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def vgg(shape: tuple[int, ...], classes: int, depth: int = 16, width: int = 64, dropout: float = 0.5) -> nn.Module:
    """VGG of 11, 13, 16 or 19 layers without batch norm: VGG-11 has 132,863,336 parameters for (3, 224, 224) and 1000 classes,
    VGG-16 has 138,357,544; `width` filters in the first block, at most eight times as many in later ones.

    Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014.
    """
    layers: list[nn.Module] = []
    before = shape[0]
    for block, count in enumerate(resolve("vgg", "depth", depth, BLOCKS)):
        filters = min(2 ** block, 8) * width
        for _ in range(count):
            layers += [nn.Conv2d(before, filters, 3, padding=1), nn.ReLU()]
            before = filters
        layers.append(nn.MaxPool2d(2))
    hidden = 64 * width
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(features(nn.Sequential(*layers), shape), hidden), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes))
