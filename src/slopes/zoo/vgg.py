"""VGG: nothing but 3x3 convolutions, each block of them with twice the filters and half the size."""

from __future__ import annotations

import math

from .. import nn
from ..checkpoints import Checkpoint, WeightMap
from ..checkpoints.folder import pretrained_folder, read_pretrained
from ..checkpoints.network import load_network
from ..errors import StateError
from ..files.reading import Path
from .choice import resolve
from .shapes import features

# convolutions in each block, by the number of layers that have weights
BLOCKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def vgg(shape: tuple[int, ...], classes: int, depth: int = 16, width: int = 64, dropout: float = 0.5,
        batch_norm: bool = False) -> nn.Module:
    """VGG of 11, 13, 16 or 19 layers, without batch norm as published or with it: VGG-11 has 132,863,336 parameters for
    (3, 224, 224) and 1000 classes, VGG-16 has 138,357,544; `width` filters in the first block, at most eight times as many in later
    ones.

    Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014.
    """
    layers: list[nn.Module] = []
    before = shape[0]
    for block, count in enumerate(resolve("vgg", "depth", depth, BLOCKS)):
        filters = min(2 ** block, 8) * width
        for _ in range(count):
            layers += [nn.Conv2d(before, filters, 3, padding=1), *([nn.BatchNorm2d(filters)] if batch_norm else []), nn.ReLU()]
            before = filters
        layers.append(nn.MaxPool2d(2))
    hidden = 64 * width
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(features(nn.Sequential(*layers), shape), hidden), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes))


def from_pretrained(path: Path) -> nn.Module:
    """The VGG in a file or folder with weights in torchvision's names (also those with batch norm), in eval mode, for images of 224x224
    (its adaptive pooling leaves these as they are). `path` may be a repository's name. Raises StateError for other weights.
    """
    checkpoint = read_pretrained(pretrained_folder(path))
    convolutions = [name for name, shape in checkpoint.shapes.items() if len(shape) == 4]
    depth = next((depth for depth, blocks in BLOCKS.items() if sum(blocks) == len(convolutions)), None)
    if depth is None:
        raise StateError(f"{path} holds no VGG", why=f"it has {len(convolutions)} convolutions",
                         repair="match its weights: sl.match_weights(net, sl.read_checkpoint(path))")
    width, channels = checkpoint.shape("features.0.weight")[:2]
    side = 32 * math.isqrt(checkpoint.shape("classifier.0.weight")[1] // (8 * width))
    classes, batch_norm = checkpoint.shape("classifier.6.weight")[0], any(name.endswith("running_mean") for name in checkpoint)
    weights = weight_map(checkpoint)
    return load_network(lambda: vgg((channels, side, side), classes, depth, width, batch_norm=batch_norm), weights, checkpoint)


def weight_map(checkpoint: Checkpoint) -> WeightMap:
    """Features have the same indices here; after the last pooling come Flatten and the classifier."""
    last = max(int(name.split(".")[1]) for name in checkpoint if name.startswith("features."))
    first = last + 3  # the classifier's first layer: after the last convolution (or norm), ReLU, pooling, Flatten
    return WeightMap({**{f"{i}.{{p}}": f"features.{i}.{{p}}" for i in range(last + 1)},
                      **{f"{first + 1 + i}.{{p}}": f"classifier.{i}.{{p}}" for i in (0, 3, 6)}})
