"""The embedding: a table of vectors, one per word or other token."""

from __future__ import annotations

import numpy as np

from ..errors import DTypeError, OutOfRangeError
from ..graph.dtype import is_integer
from ..graph.operation import build
from ..tensor import Parameter, Tensor
from . import init
from .constraint import COUNT, OPTIONAL_WHOLE, check
from .module import Module
from .where import built_and_called, known_value


class Embedding(Module):
    """y[...] = weight[x[...]]: each whole number is replaced by its row of the table.

    x: integers of any shape, 0 <= x < num_embeddings; y: (*x.shape, embedding_dim).
    weight: (num_embeddings, embedding_dim), at first normal with mean 0 and deviation 1. The row `padding_idx`,
    if given, starts as zeros and is never trained.
    Raises DTypeError for other than integers and OutOfRangeError (an IndexError) for a number outside the table.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Embedding(100, 8)(sl.tensor([[3, 1, 4], [1, 5, 9]])).shape
    (2, 3, 8)
    """

    weight: Parameter  # (num_embeddings, embedding_dim)
    constraints = {"num_embeddings": COUNT, "embedding_dim": COUNT, "padding_idx": OPTIONAL_WHOLE}

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None) -> None:
        check("Embedding", self.constraints, {"num_embeddings": num_embeddings, "embedding_dim": embedding_dim,
                                              "padding_idx": padding_idx})
        self.num_embeddings, self.embedding_dim = int(num_embeddings), int(embedding_dim)
        self.padding_idx = None if padding_idx is None else padding_row(padding_idx, self.num_embeddings)
        self.weight = init.normal(init.blank((self.num_embeddings, self.embedding_dim)))
        if self.padding_idx is not None:
            init.zero_row(self.weight, self.padding_idx)

    def forward(self, x: Tensor) -> Tensor:
        self.check_indices(x)
        rows = build("take", self.weight, x, axis=0)
        if self.padding_idx is None:
            return rows
        padded = (x == self.padding_idx).reshape((*x.shape, 1))
        return build("where", padded, build("stop_gradient", rows), rows)

    def check_indices(self, x: Tensor) -> None:
        if not is_integer(x.dtype):
            what, where = built_and_called(self, x)
            raise DTypeError(f"{what} needs whole numbers, but x is {x.dtype}", why="each number selects a row of the table",
                             repair="x.astype(slopes.int64)", where=where)
        values = known_value(x)
        if values is not None and outside(values, self.num_embeddings).any():
            raise out_of_range(*built_and_called(self, x), values, self.num_embeddings)

    def details(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings} x {self.embedding_dim}{padding}"


def padding_row(index: int, rows: int) -> int:
    """The row counted from the front."""
    if not -rows <= index < rows:
        raise OutOfRangeError(f"Embedding: padding_idx={index} is no row of a table of {rows}",
                              repair=f"rows run from 0 to {rows - 1}")
    return int(index) % rows


def outside(values: np.ndarray, count: int) -> np.ndarray:
    return (values < 0) | (values >= count)


def out_of_range(what: str, where: str, values: np.ndarray, rows: int) -> OutOfRangeError:
    wrong = outside(values, rows)
    place = tuple(int(n) for n in np.argwhere(wrong)[0])
    repair = "negative numbers select nothing: give padding its own row (padding_idx)" if values.min() < 0 else \
        f"build it with at least {int(values.max()) + 1} rows"
    return OutOfRangeError(f"{what} has the rows 0 to {rows - 1}, but x{list(place) if place else ''} is {int(values[place])}",
                           why=f"{int(wrong.sum())} of {values.size} numbers lie outside of the table",
                           repair=repair, where=where)
