"""The linear (dense, fully connected) layer."""

from __future__ import annotations

import math
from typing import Any

from ..constraint import COUNT, FACTORY, FLAG, check
from ..errors import ShapeError
from ..ops.composite import affine, rows_product
from ..parameter import Parameter
from ..tensor import Tensor
from . import init
from .module import Module
from .where import layer_and_location


class Linear(Module):
    """y = x W^T + b on the last axis.

    x: (..., in_features), y: (..., out_features). weight: (out_features, in_features), bias: (out_features,).
    Both are initially uniform in (-1/sqrt(in_features), 1/sqrt(in_features)), as in PyTorch (for the weight this is Kaiming
    uniform with a = sqrt 5; He et al., "Delving deep into rectifiers", 2015).
    Raises ShapeError unless the last axis of x has in_features.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> layer = nn.Linear(3, 2)
    >>> layer(sl.zeros((5, 3))).shape, layer.weight.shape
    ((5, 2), (2, 3))
    """

    weight: Parameter  # (out_features, in_features)
    bias: Parameter | None  # (out_features,)
    constraints = {"in_features": COUNT, "out_features": COUNT, "bias": FLAG, **FACTORY}

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        check("Linear", self.constraints, {"in_features": in_features, "out_features": out_features, "bias": bias})
        self.in_features, self.out_features = int(in_features), int(out_features)
        self.weight = init.kaiming_uniform(init.blank((self.out_features, self.in_features)), a=math.sqrt(5))
        self.bias = init.bias_for(self.weight, self.out_features) if bias else None
        self.to(device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise wrong_width(self, x)
        return rows_product(x, self.weight) if self.bias is None else affine(x, self.weight, self.bias)

    def details(self) -> str:
        return f"{self.in_features} -> {self.out_features}" + ("" if self.bias is not None else ", bias=False")


def wrong_width(layer: Linear, x: Tensor) -> ShapeError:
    what, where = layer_and_location(layer, x)
    return ShapeError(f"{what} needs the last axis to be {layer.in_features}, but x is {tuple(x.shape)}",
                      repair=width_repair(layer.in_features, tuple(x.shape)), where=where)


def width_repair(width: int, shape: tuple[int, ...]) -> str:
    """The repair for a last axis that is not `width`: flatten, move the axis to the end, or build the layer for this width."""
    for axis in range(1, len(shape) - 1):
        if math.prod(shape[axis:]) == width:
            product = " * ".join(map(str, shape[axis:]))
            leading = ", ".join(map(str, shape[:axis]))
            flatten = "nn.Flatten()" if axis == 1 else f"nn.Flatten({axis})"
            return f"{product} = {width}: put {flatten} before it, or x.reshape({leading}, {width})"
    if len(shape) > 1 and math.prod(shape) == width:
        return f"{' * '.join(map(str, shape))} = {width}: for one example, x.reshape(1, {width})"
    if width in shape:
        axis = shape.index(width)
        order = [other for other in range(len(shape)) if other != axis] + [axis]
        return f"axis {axis} is {width}: put it last with x.permute_dims(({', '.join(map(str, order))}))"
    if not shape:
        return f"a 0-d tensor has no axis: give it the shape (1, {width})"
    return f"build it for this width, nn.Linear({shape[-1]}, ...), or give it {width} values per example"
