"""AlexNet: five convolutions and three dense layers; the network that won ImageNet in 2012."""

from __future__ import annotations

import math

from .. import nn
from ..checkpoints import WeightMap
from ..checkpoints.folder import pretrained_folder, read_pretrained
from ..checkpoints.network import load_network
from ..files.reading import Path
from .shapes import features


def alexnet(shape: tuple[int, ...], classes: int, groups: int = 1, final_pool: bool = True, hidden: int = 4096,
            dropout: float = 0.5, filters: tuple[int, ...] = (96, 256, 384, 384, 256)) -> nn.Module:
    """AlexNet for images of `shape` (at least 63x63), published for (3, 224, 224), 1000 classes and twice 4096 hidden units.

    groups=1 is the one-tower form, 62,378,344 parameters; groups=2 splits convolutions 2, 4 and 5 as the two GPUs did, 60,965,224.
    final_pool=False leaves out the last pooling, as some tables do: 43,264 instead of 9,216 features, 201,838,952 parameters.
    `filters` are those of the five convolutions; torchvision has (64, 192, 384, 256, 256), of Krizhevsky's "One weird trick for
    parallelizing convolutional neural networks", 2014: 61,100,840 parameters.
    Local response normalization, which has no parameters and which nobody uses any more, is left out.
    Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", 2012.
    """
    one, two, three, four, five = filters
    seen = nn.Sequential(
        nn.Conv2d(shape[0], one, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(one, two, 5, padding=2, groups=groups), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(two, three, 3, padding=1), nn.ReLU(),
        nn.Conv2d(three, four, 3, padding=1, groups=groups), nn.ReLU(),
        nn.Conv2d(four, five, 3, padding=1, groups=groups), nn.ReLU(),
        *([nn.MaxPool2d(3, 2)] if final_pool else []))
    return nn.Sequential(
        *seen, nn.Flatten(), nn.Dropout(dropout), nn.Linear(features(seen, shape), hidden), nn.ReLU(),
        nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes))


CONVOLUTIONS, DENSE = (0, 3, 6, 8, 10), {15: 1, 18: 4, 20: 6}  # indices of layers here; of the dense ones, those in the file
WEIGHTS = WeightMap({**{f"{i}.{{p}}": f"features.{i}.{{p}}" for i in CONVOLUTIONS},
                     **{f"{here}.{{p}}": f"classifier.{there}.{{p}}" for here, there in DENSE.items()}})


def from_pretrained(path: Path) -> nn.Module:
    """The AlexNet in a file or folder with weights in torchvision's names, in eval mode, for images of 224x224 (its adaptive pooling
    leaves these as they are). `path` may be a repository's name. Raises StateError for other weights.
    """
    checkpoint = read_pretrained(pretrained_folder(path))
    filters = tuple(checkpoint.shape(f"features.{i}.weight")[0] for i in CONVOLUTIONS)
    hidden, inputs = checkpoint.shape("classifier.1.weight")
    side = image_side(math.isqrt(inputs // filters[-1]))
    shape, classes = (checkpoint.shape("features.0.weight")[1], side, side), checkpoint.shape("classifier.6.weight")[0]
    return load_network(lambda: alexnet(shape, classes, hidden=hidden, filters=filters), WEIGHTS, checkpoint)


def image_side(last: int) -> int:
    """The height of images whose features are of this height: 224 for 6, as published, else the least.

    >>> image_side(6), image_side(1)
    (224, 63)
    """
    return 224 if last == 6 else 4 * (8 * last + 6) + 7
