"""AlexNet: five convolutions and three dense layers; the network that won ImageNet in 2012."""

from __future__ import annotations

from .. import nn
from .shapes import features


def alexnet(shape: tuple[int, ...], classes: int, groups: int = 1, final_pool: bool = True, hidden: int = 4096,
            dropout: float = 0.5) -> nn.Module:
    """AlexNet for images of `shape` (at least 63x63), published for (3, 224, 224), 1000 classes and twice 4096 hidden units.

    groups=1 is the one-tower form, 62,378,344 parameters; groups=2 splits convolutions 2, 4 and 5 as the two GPUs did, 60,965,224.
    final_pool=False leaves out the last pooling, as some tables do: 43,264 instead of 9,216 features, 201,838,952 parameters.
    Local response normalization, which has no parameters and which nobody uses any more, is left out.
    Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", 2012.
    """
    seen = nn.Sequential(
        nn.Conv2d(shape[0], 96, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=groups), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=groups), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=groups), nn.ReLU(),
        *([nn.MaxPool2d(3, 2)] if final_pool else []))
    return nn.Sequential(
        *seen, nn.Flatten(), nn.Dropout(dropout), nn.Linear(features(seen, shape), hidden), nn.ReLU(),
        nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes))
