"""Fixed feature maps: squares, products, polar coordinates and bins of the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..constraint import COUNT, check
from ..errors import NonFiniteError, ShapeError
from ..functions import clip, take
from ..graph.build import build
from ..ops.composite import concat, matmul, stack, where
from ..tensor import Tensor, asarray, tensor
from .module import Buffer, Module
from .where import layer_and_location


class Squares(Module):
    """y = (x_1, ..., x_D, x_1^2, ..., x_D^2): a linear boundary in y can be an axis-aligned ellipse in x.

    x: (N, D), y: (N, 2 D). No parameters. Raises ShapeError for other than two axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Squares()(sl.tensor([[2.0, 3.0]])).tolist()
    [[2.0, 3.0, 4.0, 9.0]]
    """

    def forward(self, x: Tensor) -> Tensor:
        check_rows(self, x)
        return concat([x, x * x], axis=1)


class Crosses(Module):
    """y = (x_1, ..., x_D, x_1 x_2, x_1 x_3, ..., x_{D-1} x_D): feature crosses; XOR is linear in them.

    x: (N, D), y: (N, D + D (D - 1) / 2). No parameters. Raises ShapeError for other than two axes.

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
    """y = (r, a): polar coordinates of points in the plane, the angle in (-pi, pi]; a circle is a straight line in them.

    x: (N, 2), y: (N, 2). No parameters. At the origin the gradient is 0. Raises ShapeError for another shape.

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
    """y = (x_1, ..., x_D, piecewise linear encodings of each x_d): a piecewise linear function of x is linear in y.

    Bin j of x_d adds clip((x_d - e_j) / (e_{j+1} - e_j), 0, 1): 0 below the bin, 1 above it. There are at most `count` bins; half of
    their edges e_0 < ... < e_m are quantiles of the column in `training` (N, D), the other half are quantiles of its distinct
    values, so that columns of mostly zeros get useful bins, too. Columns of at most two values, such as one-hot codes, add nothing.
    x: (N, D), y: (N, `outputs`); the edges are buffers: saved with the weights, not trained. Raises ShapeError for other axes,
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
            raise NonFiniteError("Bins: the training inputs are not finite", why="the bin edges are computed from them")
        self.set_edges([bin_edges(column, count) for column in training_inputs.T])

    @classmethod
    def from_edges(cls, edges: Sequence[Sequence[float]]) -> Bins:
        """The layer with these edges of the bins of each column; one edge for a column without bins.

        >>> from slopes import nn
        >>> nn.Bins.from_edges([[0.0, 1.0, 4.0], [0.0]])
        Bins(2 -> 4)
        """
        bins = cls.__new__(cls)
        bins.set_edges([np.asarray(column, np.float32) for column in edges])
        return bins

    def set_edges(self, edges: list[np.ndarray]) -> None:
        """Buffers of the column of each bin, where it begins, and how wide it is."""
        self.column = Buffer(np.repeat(np.arange(len(edges)), [len(column) - 1 for column in edges]))
        self.low = Buffer(np.concatenate([column[:-1] for column in edges]))
        self.width = Buffer(np.concatenate([np.diff(column) for column in edges]))
        self.outputs = len(edges) + self.low.size

    def forward(self, x: Tensor) -> Tensor:
        check_rows(self, x, self.outputs - self.low.size)
        return concat([x, clip((take(x, self.column, axis=1) - self.low) / self.width, 0, 1)], axis=1) if self.low.size else x

    def details(self) -> str:
        return f"{self.outputs - self.low.size} -> {self.outputs}"


def bin_edges(column: np.ndarray, count: int) -> np.ndarray:
    """The bin edges of a column; a single edge, and so no bin, for at most two distinct values."""
    values = np.unique(column)
    if len(values) <= 2:
        return values[:1]
    edges = [np.quantile(sample, np.linspace(0, 1, bins + 1), method="inverted_cdf")  # edges are values of the column: no bin is too narrow
             for sample, bins in ((column, (count + 1) // 2), (values, count // 2)) if bins]
    return np.unique(np.concatenate(edges))


def check_rows(layer: Module, x: Tensor, width: int | None = None) -> None:
    if x.ndim != 2 or width not in (None, x.shape[1]):
        what, where = layer_and_location(layer, x)
        raise ShapeError(f"{what} needs x of shape (N, {'D' if width is None else width}), but x is {tuple(x.shape)}",
                         why="it takes rows of features", where=where)
