"""ConvClassifier: a convolutional network for images that come as rows of pixels."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ArgumentError, ShapeError
from .architectures import Architecture, Convolutional, Shape
from .classification import NetworkClassifier
from .parameters import keep
from .settings import layer_sizes

CHANNELS = (1, 3)  # of images whose shape is inferred: gray and colour


class ConvClassifier(NetworkClassifier):
    """A convolutional classifier for images: convolutions with max pooling, then dense layers, log loss.

    X are rows of pixels (N, features), or images (N, height, width) or (N, channels, height, width).

    image_shape            (height, width) or (channels, height, width) of rows; None: square images with one channel, or with three,
                           channels first; rows that are neither are images of one row of pixels, (1, 1, features)
    channels               the channels of each convolution; each is followed by the activation and by max pooling that halves the
                           sides of 4 pixels or more
    kernel_size            the sides of the kernels; images are padded with zeros, so that convolutions keep their size
    hidden_layer_sizes     the units of the dense layers after the convolutions

    The other parameters, attributes and methods are those of MLPClassifier. Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based
    learning applied to document recognition", 1998.

    >>> import numpy as np
    >>> from slopes.sklearn import ConvClassifier
    >>> X = np.zeros((8, 4, 4))
    >>> X[:4, 1], X[4:, :, 1] = 1.0, 1.0
    >>> model = ConvClassifier(channels=(4,), hidden_layer_sizes=(), max_iter=60, learning_rate_init=0.1, tol=0.05, random_state=0)
    >>> model.fit(X, ["row"] * 4 + ["column"] * 4).predict(X[[0, 7]]).tolist()
    ['row', 'column']
    """

    takes_images = True

    def __init__(self, image_shape: Any = None, channels: Any = (16, 32), kernel_size: int = 3, hidden_layer_sizes: Any = (64,),
                 activation: str = "relu", *, solver: str = "adam", alpha: float = 1e-4, batch_size: int | str = "auto",
                 learning_rate: str = "constant", learning_rate_init: float = 1e-3, power_t: float = 0.5, max_iter: int = 200,
                 shuffle: bool = True, random_state: Any = None, tol: float = 1e-4, verbose: bool = False, warm_start: bool = False,
                 momentum: float = 0.9, nesterovs_momentum: bool = True, early_stopping: bool = False, validation_fraction: float = 0.1,
                 beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8, n_iter_no_change: float = 10, max_fun: int = 15_000,
                 dropout: float = 0.0, class_weight: Any = None, calibrated: bool = False) -> None:
        keep(self, locals())

    image_shape: Any
    channels: Any
    kernel_size: int
    hidden_layer_sizes: Any
    activation: str
    dropout: float

    def _architecture_of(self, shape: Shape, outputs: int, rows: Any) -> Architecture:
        name = type(self).__name__
        return Convolutional(shape, outputs, layer_sizes(name, "channels", self.channels), self.kernel_size,
                             layer_sizes(name, "hidden_layer_sizes", self.hidden_layer_sizes), self.activation, self.dropout)

    def _shape(self, features: int) -> Shape:
        shape = self.image_shape if self._example_shape is None else self._example_shape
        if shape is None:
            return inferred_shape(features)
        sizes = layer_sizes(type(self).__name__, "image_shape", shape)
        if len(sizes) not in (2, 3):
            raise ArgumentError(f"ConvClassifier: image_shape is {shape!r}", why="an image has two axes, or three with its channels first",
                                repair="for example image_shape=(28, 28) or (3, 32, 32)")
        sizes = sizes if len(sizes) == 3 else (1, *sizes)
        if math.prod(sizes) != features:
            raise ShapeError(f"ConvClassifier: image_shape is {shape!r}, but X has {features} features", why=f"an image of that shape has "
                             f"{math.prod(sizes)} pixels", repair="pass the shape that the rows of X had as images")
        return sizes


def inferred_shape(features: int) -> Shape:
    """The shape (channels, height, width) of images with so many pixels: square if possible, else one row."""
    for channels in CHANNELS:
        side = math.isqrt(features // channels)
        if channels * side * side == features:
            return channels, side, side
    return 1, 1, features
