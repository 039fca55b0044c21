"""A LeNet whose sizes fit the pictures."""

from __future__ import annotations

from ... import nn

LARGE = 20  # pixels: smaller pictures get 3x3 filters and keep their size in convolutions


def fitted_lenet(shape: tuple[int, ...], classes: int, filters: int = 8) -> nn.Module:
    """Two convolutions with ReLU and pooling, two dense layers: 5x5 filters for (C, H, W) of 20 pixels or more, otherwise 3x3.

    The second convolution has twice as many filters as the first, the hidden layer eight times as many units.
    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.

    >>> fitted_lenet((1, 8, 8), 10).summary((1, 1, 8, 8)).rows[-1].output
    (1, 10)
    """
    depth, height, width = shape
    large = min(height, width) >= LARGE
    kernel, padding = (5, 0) if large else (3, 1)
    for _ in range(2):
        height, width = ((side - (4 if large else 0)) // 2 for side in (height, width))
    return nn.Sequential(
        nn.Conv2d(depth, filters, kernel, padding=padding), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(filters, 2 * filters, kernel, padding=padding), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2 * filters * height * width, 8 * filters), nn.ReLU(), nn.Linear(8 * filters, classes))
