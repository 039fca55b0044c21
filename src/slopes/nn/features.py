"""Given features: squares, products and polar coordinates put beside or in place of the inputs, where one already knows what helps."""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError
from ..graph.operation import build
from ..ops.composite import concat, matmul, stack, where
from ..tensor import Tensor, tensor
from .module import Module
from .where import built_and_called


class Squares(Module):
    """y = (x_1, ..., x_D, x_1^2, ..., x_D^2): with squares, a straight boundary in y is an ellipse along the axes in x.

    x: (N, D), y: (N, 2 D). Nothing is learned. Raises ShapeError for other than two axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Squares()(sl.tensor([[2.0, 3.0]])).tolist()
    [[2.0, 3.0, 4.0, 9.0]]
    """

    def forward(self, x: Tensor) -> Tensor:
        check_rows(self, x)
        return concat([x, x * x], axis=1)


class Crosses(Module):
    """y = (x_1, ..., x_D, x_1 x_2, x_1 x_3, ..., x_{D-1} x_D): feature crosses, which say "both at once"; XOR is linear in them.

    x: (N, D), y: (N, D + D (D - 1) / 2). Nothing is learned. Raises ShapeError for other than two axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Crosses()(sl.tensor([[2.0, 3.0, 5.0]])).tolist()
    [[2.0, 3.0, 5.0, 6.0, 10.0, 15.0]]
    """

    def forward(self, x: Tensor) -> Tensor:
        check_rows(self, x)
        width = x.shape[1]
        first, second = np.triu_indices(width, 1)
        left, right = (matmul(x, tensor(np.eye(width, dtype=x.dtype)[:, picks])) for picks in (first, second))
        return concat([x, left * right], axis=1)


class Polar(Module):
    """y = (r, a): the distance from the origin and the angle in (-pi, pi], of points of the plane; a circle is a straight line in them.

    x: (N, 2), y: (N, 2). Nothing is learned. At the origin the gradient is 0. Raises ShapeError for another shape.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Polar()(sl.tensor([[3.0, 4.0], [0.0, 2.0]])).numpy().round(4).tolist()
    [[5.0, 0.927299976348877], [2.0, 1.5707999467849731]]
    """

    def forward(self, x: Tensor) -> Tensor:
        check_rows(self, x, 2)
        across, up = x[:, 0], x[:, 1]
        square = across * across + up * up
        away = square > 0
        radius = where(away, where(away, square, 1).sqrt(), 0)
        return stack([radius, where(away, build("atan2", up, where(away, across, 1)), 0)], axis=1)


def check_rows(layer: Module, x: Tensor, width: int | None = None) -> None:
    if x.ndim != 2 or width not in (None, x.shape[1]):
        what, place = built_and_called(layer, x)
        raise ShapeError(f"{what} needs x of shape (N, {'D' if width is None else width}), but x is {tuple(x.shape)}",
                         why="it takes rows of features", where=place)
