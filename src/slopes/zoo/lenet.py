"""LeNet for 28x28 images, plain and regularized, and a small convolutional network for 8x8 images."""

from __future__ import annotations

from .. import nn


def lenet(shape: tuple[int, ...], classes: int) -> nn.Module:
    """LeNet with 20 and 50 filters of 5x5 and 500 hidden units: 431,080 parameters for 1x28x28 inputs and 10 classes.

    Source: LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition (1998); these sizes are
    those of the courses that followed it.
    """
    depth, height, width = shape
    height, width = ((size - 4) // 2 for size in (height, width))  # after each 5x5 convolution and 2x2 pooling
    height, width = ((size - 4) // 2 for size in (height, width))
    return nn.Sequential(
        nn.Conv2d(depth, 20, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(50 * height * width, 500), nn.ReLU(), nn.Linear(500, classes))


def regularized_lenet(shape: tuple[int, ...], classes: int, dropout: float = 0.4) -> nn.Module:
    """LeNet with batch norm after each convolution, and dropout: half as much of it on whole channels as in the dense layers.

    Sources: Ioffe and Szegedy, "Batch normalization", 2015; Srivastava et al., "Dropout", 2014; Tompson et al., 2015 (channels).
    """
    depth, height, width = shape
    height, width = ((size - 4) // 2 for size in (height, width))
    height, width = ((size - 4) // 2 for size in (height, width))
    return nn.Sequential(
        nn.Conv2d(depth, 20, 5, bias=False), nn.BatchNorm2d(20), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5, bias=False), nn.BatchNorm2d(50), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(dropout / 2),
        nn.Flatten(), nn.Dropout(dropout), nn.Linear(50 * height * width, 500), nn.ReLU(), nn.Dropout(dropout), nn.Linear(500, classes))


def small_convolution(shape: tuple[int, ...], classes: int, channels: int = 16, dropout: float = 0.5) -> nn.Module:
    """Two 3x3 convolutions that keep the size, one pooling, dropout, one dense layer: enough for 8x8 digits."""
    depth, height, width = shape
    return nn.Sequential(
        nn.Conv2d(depth, channels, 3, padding=1), nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(dropout), nn.Linear(2 * channels * (height // 2) * (width // 2), classes))
