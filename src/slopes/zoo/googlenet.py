"""GoogLeNet: inception blocks look at every place through windows of several sizes at once."""

from __future__ import annotations

from .. import nn

Sizes = tuple[int, int, int, int, int, int]

# filters of: 1x1 | 1x1 before the 3x3, 3x3 | 1x1 before the 5x5, 5x5 | 1x1 after the pooling; None: a pooling that halves the size
BLOCKS: tuple[Sizes | None, ...] = (
    (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), None,
    (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128), None,
    (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128))


def googlenet(shape: tuple[int, ...], classes: int, dropout: float = 0.4) -> nn.Module:
    """GoogLeNet without its two auxiliary classifiers: 6,998,552 parameters for (3, 224, 224) and 1000 classes, 1024 features.

    Local response normalization, which has no parameters, is left out. Source: Szegedy et al., "Going deeper with
    convolutions", 2015.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(shape[0], 64, 7, stride=2, padding=3), nn.ReLU(), halving(),
        nn.Conv2d(64, 64, 1), nn.ReLU(), nn.Conv2d(64, 192, 3, padding=1), nn.ReLU(), halving()]
    before = 192
    for sizes in BLOCKS:
        layers.append(halving() if sizes is None else inception(before, sizes))
        before = before if sizes is None else sizes[0] + sizes[2] + sizes[4] + sizes[5]
    return nn.Sequential(*layers, nn.GlobalAvgPool(), nn.Dropout(dropout), nn.Linear(before, classes))


def inception(before: int, sizes: Sizes) -> nn.Module:
    """Four branches over the same input, their channels one after another."""
    one, before_three, three, before_five, five, pooled = sizes
    return nn.Parallel(
        nn.Sequential(nn.Conv2d(before, one, 1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(before, before_three, 1), nn.ReLU(), nn.Conv2d(before_three, three, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(before, before_five, 1), nn.ReLU(), nn.Conv2d(before_five, five, 5, padding=2), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(before, pooled, 1), nn.ReLU()))


def halving() -> nn.Module:
    """A pooling by 3x3 windows, two places apart: half the size, rounded up."""
    return nn.MaxPool2d(3, 2, 1)
