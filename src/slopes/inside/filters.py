"""The filters of a convolution as images, and the feature maps of a layer for one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..errors import ArgumentError, ShapeError
from ..plot import Picture, View
from .draw import as_picture, sheet
from .watch import Layer, find_layer, layer_output


@dataclass
class Filters(View):
    """weight (O, I, h, w): the kernels of a convolution, or the rows of a dense layer as pictures; path: the layer's."""

    weight: np.ndarray
    path: str

    def draw(self) -> Picture:
        """Three input channels as colours; otherwise one picture per filter (its mean over inputs), blue below 0 and red above."""
        colours = self.weight.shape[1] == 3
        images = [as_picture(kernel) for kernel in self.weight]
        heading = f"{self.path}: {len(images)} filter{'s' if len(images) > 1 else ''}"
        return sheet(images, signed=not colours, heading=heading, size=0.7 if len(images) > 4 else 2.0)


def filters(net: nn.Module, layer: Layer = None, shape: tuple[int, ...] | None = None) -> Filters:
    """The kernels of a 2-d convolution (default: the network's first), or with shape (C, H, W) the weights of a dense layer's units.

    In a network that has learned pictures, the first layer's are edges and spots of colour.
    Raises ArgumentError when there is no such layer, ShapeError when `shape` does not fit a dense one.

    >>> import slopes as sl
    >>> from slopes.zoo.networks import lenet, mlp
    >>> sl.inside.filters(lenet((1, 28, 28), 10)).weight.shape
    (20, 1, 5, 5)
    >>> sl.inside.filters(mlp((1, 8, 8), 10), layer=1, shape=(1, 8, 8)).weight.shape
    (128, 1, 8, 8)
    """
    if layer is None:
        convolutions = [module for _, module in net.named_modules() if isinstance(module, nn.Conv2d)]
        if not convolutions:
            raise ArgumentError("filters: this network has no 2-d convolution", repair="name a layer, for a dense one with shape=(C, H, W)")
        layer = convolutions[0]
    path, module = find_layer(net, layer)
    weight = getattr(module, "weight", None)
    if weight is None or weight.ndim not in (2, 4):
        raise ArgumentError(f"filters: {module.describe()} at {path} has no filters of pictures", repair="name a Conv2d or a Linear")
    array = np.array(weight.detach().numpy())
    if array.ndim == 2:
        if shape is None or int(np.prod(shape)) != array.shape[1]:
            raise ShapeError(f"filters: {module.describe()} and shape={shape}", why="a dense layer's weights are a picture of its input",
                             repair=f"give a shape (C, H, W) of {array.shape[1]} numbers")
        array = array.reshape(len(array), *shape)
    return Filters(array, path)


@dataclass
class FeatureMaps(View):
    """maps (C, H, W): the outputs of the layer at `path` for the image `image`."""

    maps: np.ndarray
    path: str
    image: np.ndarray

    def draw(self) -> Picture:
        """The picture, then the maps; dark is low."""
        return sheet([as_picture(self.image), *self.maps], ["input", *map(str, range(len(self.maps)))], size=0.8,
                     heading=f"{self.path}: {len(self.maps)} feature maps")


def feature_maps(net: nn.Module, image: Any, layer: Layer) -> FeatureMaps:
    """The feature maps of a layer for one image (C, H, W), in eval mode. Raises ShapeError unless its output has two spatial axes.

    >>> import slopes as sl
    >>> from slopes.zoo.networks import lenet
    >>> sl.inside.feature_maps(lenet((1, 28, 28), 10), np.zeros((1, 28, 28)), layer=2).maps.shape
    (20, 12, 12)
    """
    path, module = find_layer(net, layer)
    array = np.asarray(image, np.float32)
    output = layer_output(net, module, array[None])
    if output.ndim != 4:
        raise ShapeError(f"feature_maps: {path} gives {output.shape[1:]} for a picture", why="a map has a position for each part of it",
                         repair="name a convolution or pooling layer")
    return FeatureMaps(output[0], path, array)
