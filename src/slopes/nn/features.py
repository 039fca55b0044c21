"""Given features: squares, products, polar coordinates and bins put beside or in place of the inputs, where one knows what helps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..constraint import COUNT, check
from ..errors import NonFiniteError, ShapeError
from ..functions import clip, take
from ..graph.operation import build
from ..ops.composite import concat, matmul, stack, where
from ..tensor import Tensor, asarray, tensor
from .module import Buffer, Module
from .where import layer_and_location


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


class Bins(Module):
    """y = (x_1, ..., x_D, and how far each number is through each of its bins): a curve of many bends is linear in y.

    Bin j of x_d adds clip((x_d - e_j) / (e_{j+1} - e_j), 0, 1): 0 below the bin, 1 above it. There are at most `count` bins; half of
    their edges e_0 < ... < e_m are quantiles of the column in `training` (N, D), half are quantiles of its different values, however
    often they occur: where most rows hold 0, the others matter. Columns of at most two values, such as coded words, add nothing.
    x: (N, D), y: (N, `outputs`); the edges are buffers: kept with the weights, never trained. Raises ShapeError for other axes,
    NonFiniteError for training values that are not finite.
    Source: Gorishniy, Rubachev, Babenko, "On embeddings for numerical features in tabular deep learning", 2022.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> bins = nn.Bins([[0.0], [1.0], [2.0], [4.0], [8.0]], count=4)
    >>> bins.outputs, bins(sl.tensor([[1.0], [5.0], [9.0]])).tolist()
    (3, [[1.0, 0.5, 0.0], [5.0, 1.0, 0.5], [9.0, 1.0, 1.0]])
    """

    constraints = {"count": COUNT}

    def __init__(self, training: Any, count: int = 24) -> None:
        check("Bins", self.constraints, {"count": count})
        training_inputs = asarray(training, np.float32).detach().numpy()
        if training_inputs.ndim != 2 or not training_inputs.size:
            raise ShapeError(f"Bins: the training inputs have shape {training_inputs.shape}", why="they must be (N, D), N at least 1")
        if not np.isfinite(training_inputs).all():
            raise NonFiniteError("Bins: the training inputs are not finite", why="they decide where the bins are")
        edges = [bin_edges(column, count) for column in training_inputs.T]
        self.column = Buffer(np.repeat(np.arange(len(edges)), [len(each) - 1 for each in edges]))
        self.low = Buffer(np.concatenate([each[:-1] for each in edges]))
        self.width = Buffer(np.concatenate([np.diff(each) for each in edges]))
        self.outputs = training_inputs.shape[1] + self.low.size

    def forward(self, x: Tensor) -> Tensor:
        check_rows(self, x, self.outputs - self.low.size)
        return concat([x, clip((take(x, self.column, axis=1) - self.low) / self.width, 0, 1)], axis=1) if self.low.size else x

    def details(self) -> str:
        return f"{self.outputs - self.low.size} -> {self.outputs}"


def bin_edges(column: np.ndarray, count: int) -> np.ndarray:
    """The borders between the bins of a column; one number, and so no bin, for at most two different values."""
    values = np.unique(column)
    if len(values) <= 2:
        return values[:1]
    edges = [np.quantile(sample, np.linspace(0, 1, bins + 1), method="inverted_cdf")  # values that occur: no bin is a hair wide
             for sample, bins in ((column, (count + 1) // 2), (values, count // 2)) if bins]
    return np.unique(np.concatenate(edges))


def check_rows(layer: Module, x: Tensor, width: int | None = None) -> None:
    if x.ndim != 2 or width not in (None, x.shape[1]):
        what, where = layer_and_location(layer, x)
        raise ShapeError(f"{what} needs x of shape (N, {'D' if width is None else width}), but x is {tuple(x.shape)}",
                         why="it takes rows of features", where=where)
