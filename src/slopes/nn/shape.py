"""Layers that reshape: Flatten and Unflatten."""

from __future__ import annotations

import math
from typing import Any

from ..constraint import SIZES, WHOLE, check
from ..errors import ShapeError
from ..graph.shape import normalize_axis
from ..tensor import Tensor
from .module import Module
from .where import layer_and_location


class Flatten(Module):
    """Merge the axes from start_axis to end_axis into one; by default all but the batch axis.

    x: (N, a, b, ...), y: (N, a * b * ...). Raises ShapeError if x has too few axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Flatten()(sl.zeros((32, 50, 4, 4))).shape
    (32, 800)
    """

    constraints = {"start_axis": WHOLE, "end_axis": WHOLE}

    def __init__(self, start_axis: int = 1, end_axis: int = -1) -> None:
        check("Flatten", self.constraints, {"start_axis": start_axis, "end_axis": end_axis})
        self.start_axis, self.end_axis = int(start_axis), int(end_axis)

    def forward(self, x: Tensor) -> Tensor:
        shape = tuple(x.shape)
        first = normalize_axis(self.start_axis, len(shape), self.describe())
        last = normalize_axis(self.end_axis, len(shape), self.describe())
        if first > last:
            raise ShapeError(f"{self.describe()}: its first axis {first} comes after its last axis {last} in x of shape {shape}")
        return x.reshape((*shape[:first], math.prod(shape[first:last + 1]), *shape[last + 1:]))

    def details(self) -> str:
        return "" if (self.start_axis, self.end_axis) == (1, -1) else f"{self.start_axis}, {self.end_axis}"


class Unflatten(Module):
    """Split one axis into several: the inverse of Flatten.

    x: (..., n, ...) with n = the product of sizes, y: (..., *sizes, ...). Raises ShapeError for another n.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Unflatten(1, (1, 28, 28))(sl.zeros((5, 784))).shape
    (5, 1, 28, 28)
    """

    constraints = {"axis": WHOLE, "sizes": SIZES}

    def __init__(self, axis: int, sizes: Any) -> None:
        check("Unflatten", self.constraints, {"axis": axis, "sizes": sizes})
        self.axis = int(axis)
        self.sizes = tuple(int(n) for n in sizes) if isinstance(sizes, (tuple, list)) else (int(sizes),)

    def forward(self, x: Tensor) -> Tensor:
        shape = tuple(x.shape)
        axis = normalize_axis(self.axis, len(shape), self.describe())
        if shape[axis] != math.prod(self.sizes):
            what, where = layer_and_location(self, x)
            product = " * ".join(map(str, self.sizes))
            raise ShapeError(f"{what} needs axis {axis} to be {product} = {math.prod(self.sizes)}, but x is {shape}", where=where)
        return x.reshape((*shape[:axis], *self.sizes, *shape[axis + 1:]))

    def details(self) -> str:
        return f"{self.axis}, {self.sizes}"
