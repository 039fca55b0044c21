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
    """Merge the axes from start_dim to end_dim into one; by default all but the batch axis.

    x: (N, a, b, ...), y: (N, a * b * ...). Raises ShapeError if x has too few axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Flatten()(sl.zeros((32, 50, 4, 4))).shape
    (32, 800)
    """

    constraints = {"start_dim": WHOLE, "end_dim": WHOLE}

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        check("Flatten", self.constraints, {"start_dim": start_dim, "end_dim": end_dim})
        self.start_dim, self.end_dim = int(start_dim), int(end_dim)

    def forward(self, x: Tensor) -> Tensor:
        shape = tuple(x.shape)
        first = normalize_axis(self.start_dim, len(shape), self.describe())
        last = normalize_axis(self.end_dim, len(shape), self.describe())
        if first > last:
            raise ShapeError(f"{self.describe()}: its first axis {first} comes after its last axis {last} in x of shape {shape}")
        return x.reshape((*shape[:first], math.prod(shape[first:last + 1]), *shape[last + 1:]))

    def details(self) -> str:
        return "" if (self.start_dim, self.end_dim) == (1, -1) else f"{self.start_dim}, {self.end_dim}"


class Unflatten(Module):
    """Split one axis into several: the inverse of Flatten.

    x: (..., n, ...) with n = the product of unflattened_size, y: (..., *unflattened_size, ...). Raises ShapeError for another n.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Unflatten(1, (1, 28, 28))(sl.zeros((5, 784))).shape
    (5, 1, 28, 28)
    """

    constraints = {"dim": WHOLE, "unflattened_size": SIZES}

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        check("Unflatten", self.constraints, {"dim": dim, "unflattened_size": unflattened_size})
        self.dim, size = int(dim), unflattened_size
        self.unflattened_size = tuple(int(n) for n in size) if isinstance(size, (tuple, list)) else (int(size),)

    def forward(self, x: Tensor) -> Tensor:
        shape = tuple(x.shape)
        axis = normalize_axis(self.dim, len(shape), self.describe())
        if shape[axis] != math.prod(self.unflattened_size):
            what, where = layer_and_location(self, x)
            size = self.unflattened_size
            raise ShapeError(f"{what} needs axis {axis} to be {' * '.join(map(str, size))} = {math.prod(size)}, but x is {shape}",
                             where=where)
        return x.reshape((*shape[:axis], *self.unflattened_size, *shape[axis + 1:]))

    def details(self) -> str:
        return f"{self.dim}, {self.unflattened_size}"
