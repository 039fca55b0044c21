"""Embedding: a table with one vector per token; EmbeddingBag: the sum, mean or maximum of the vectors of a text."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np

from ..constraint import COUNT, FACTORY, FLAG, OPTIONAL_POSITIVE, OPTIONAL_WHOLE, POSITIVE, check, one_of
from ..errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError
from ..functions import arange, ones, vector_norm, zeros
from ..graph.build import build
from ..graph.dtype import int64, is_integer
from ..modes import no_grad
from ..ops.composite import concat, matmul, where
from ..parameter import Parameter
from ..tensor import Tensor, asarray, tensor
from . import init
from .module import Module
from .where import known_value, layer_and_location

TABLE = {"num_embeddings": COUNT, "embedding_dim": COUNT, "padding_idx": OPTIONAL_WHOLE, "max_norm": OPTIONAL_POSITIVE,
         "norm_type": POSITIVE, "scale_grad_by_freq": FLAG, "sparse": FLAG, **FACTORY}


class Table(Module):
    """The base class of Embedding and EmbeddingBag: the table, and the check of indices."""

    weight: Parameter  # (num_embeddings, embedding_dim)
    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None

    max_norm: float | None
    norm_type: float
    scale_grad_by_freq: bool

    def fill(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None, max_norm: float | None, norm_type: float,
             scale_grad_by_freq: bool) -> None:
        self.num_embeddings, self.embedding_dim = int(num_embeddings), int(embedding_dim)
        self.max_norm, self.norm_type = None if max_norm is None else float(max_norm), float(norm_type)
        self.scale_grad_by_freq = scale_grad_by_freq
        self.padding_idx = None if padding_idx is None else padding_row(type(self).__name__, padding_idx, self.num_embeddings)
        self.weight = init.normal(init.blank((self.num_embeddings, self.embedding_dim)))
        if self.padding_idx is not None:
            init.set_rows(self.weight, self.padding_idx, self.padding_idx + 1, 0.0)

    def look_up(self, x: Tensor) -> Tensor:
        """The rows of the indices, after the arguments max_norm and scale_grad_by_freq have had their effect."""
        self.check_indices(x)
        if self.max_norm is not None:
            self.shorten_rows(x)
        rows = build("take", self.weight, x, axis=0)
        if not self.scale_grad_by_freq:
            return rows
        fixed = build("stop_gradient", rows)
        count = build("take", self.count(x), x, axis=0).reshape((*x.shape, 1))
        return fixed + (rows - fixed) / count  # the value is that of the rows

    def count(self, x: Tensor) -> Tensor:
        """How often each row of the table is named by the indices."""
        return build("scatter_add", x, ones(x.shape, self.weight.dtype), axis=0, size=self.num_embeddings)

    def shorten_rows(self, x: Tensor) -> None:
        """Scale the rows that are about to be used down to the norm max_norm, in the table itself."""
        with no_grad():
            norm = vector_norm(self.weight, axis=1, keepdims=True, ord=self.norm_type)
            long = (self.count(x).reshape((-1, 1)) > 0) & (norm > self.max_norm)
            self.weight.assign(where(long, self.weight * (self.max_norm / (norm + 1e-7)), self.weight).detach())

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, **options: Any) -> Self:
        """A layer with this table (num_embeddings, embedding_dim), not trained with freeze=True; options are arguments of the layer.

        Raises ShapeError unless the table has two axes.

        >>> import slopes as sl
        >>> from slopes import nn
        >>> nn.Embedding.from_pretrained(sl.ones((5, 2)))(sl.tensor([4])).tolist()
        [[1.0, 1.0]]
        """
        table = asarray(embeddings)
        if table.ndim != 2:
            raise ShapeError(f"{cls.__name__}.from_pretrained: the table is {tuple(table.shape)}",
                             why="it has one row for each index: (num_embeddings, embedding_dim)")
        with init.shapes_only():  # nothing is drawn
            layer = cls(*table.shape, **options)
        layer.weight = Parameter(table, requires_grad=not freeze)
        return layer

    def check_indices(self, x: Tensor) -> None:
        if not is_integer(x.dtype):
            what, where = layer_and_location(self, x)
            raise DTypeError(f"{what} needs integers, but x is {x.dtype}", why="each index selects a row of the table",
                             repair="x.astype(slopes.int64)", where=where)
        values = known_value(x)
        if values is not None and outside(values, self.num_embeddings).any():
            raise out_of_range(*layer_and_location(self, x), values, self.num_embeddings)

    def details(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings} x {self.embedding_dim}{padding}"


class Embedding(Table):
    """y[...] = weight[x[...]]: each index is replaced by its row of the table.

    x: integers of any shape, 0 <= x < num_embeddings; y: (*x.shape, embedding_dim).
    weight: (num_embeddings, embedding_dim), initially normal with mean 0 and standard deviation 1. The row `padding_idx`,
    if given, is initially zero and is not trained. max_norm: rows that are looked up and whose norm (of order norm_type) is larger
    are first scaled down to it, in the table itself. scale_grad_by_freq: the gradient of a row is divided by the number of times
    that x names it. sparse has no effect: gradients are dense. from_pretrained makes a layer with a given table.
    Raises DTypeError unless x is integers, and OutOfRangeError (an IndexError) for an index outside the table.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Embedding(100, 8)(sl.tensor([[3, 1, 4], [1, 5, 9]])).shape
    (2, 3, 8)
    """

    constraints = TABLE

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, max_norm: float | None = None,
                 norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False, device: Any = None,
                 dtype: Any = None) -> None:
        check("Embedding", self.constraints, {
            "num_embeddings": num_embeddings, "embedding_dim": embedding_dim, "padding_idx": padding_idx, "max_norm": max_norm,
            "norm_type": norm_type, "scale_grad_by_freq": scale_grad_by_freq, "sparse": sparse})
        self.fill(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq)
        self.to(device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.look_up(x)
        if self.padding_idx is None:
            return rows
        padded = (x == self.padding_idx).reshape((*x.shape, 1))
        return build("where", padded, build("stop_gradient", rows), rows)


class EmbeddingBag(Table):
    """y[n] = the sum, mean or maximum (element by element) of the rows weight[x[n, 0]], weight[x[n, 1]], ...

    x: integers (N, L), one bag per row; or (L,) with `offsets` (N,), the increasing start indices of the bags, the first of
    which is 0; include_last_offset=True: (N + 1,), the last of which is L. y: (N, embedding_dim). Indices equal to `padding_idx`
    are ignored; an empty bag has y = 0. per_sample_weights, of the shape of x, are factors of the rows (only for mode="sum").
    weight: (num_embeddings, embedding_dim), initially normal with mean 0 and standard deviation 1, the row `padding_idx` zero.
    max_norm, norm_type, scale_grad_by_freq, sparse and from_pretrained: as in Embedding.
    Raises DTypeError unless x is integers, OutOfRangeError for an index outside the table, ShapeError for other axes.
    Source: Joulin et al., "Bag of tricks for efficient text classification", 2017 (the mean).

    >>> import slopes as sl
    >>> from slopes import nn
    >>> words = nn.EmbeddingBag(100, 8, mode="sum")
    >>> words(sl.tensor([[3, 1, 4], [1, 5, 9]])).shape
    (2, 8)
    >>> words(sl.tensor([3, 1, 4, 1, 5, 9]), offsets=sl.tensor([0, 2])).shape
    (2, 8)
    """

    constraints = {**TABLE, "mode": one_of("sum", "mean", "max"), "include_last_offset": FLAG}

    def __init__(self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
                 scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, include_last_offset: bool = False,
                 padding_idx: int | None = None, device: Any = None, dtype: Any = None) -> None:
        check("EmbeddingBag", self.constraints, {
            "num_embeddings": num_embeddings, "embedding_dim": embedding_dim, "max_norm": max_norm, "norm_type": norm_type,
            "scale_grad_by_freq": scale_grad_by_freq, "mode": mode, "sparse": sparse, "include_last_offset": include_last_offset,
            "padding_idx": padding_idx})
        self.mode, self.include_last_offset = mode, include_last_offset
        self.fill(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq)
        self.to(device, dtype)

    def forward(self, x: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        if x.ndim != (2 if offsets is None else 1):
            self.check_indices(x)
            raise self.wrong_axes(x, offsets)
        rows = self.look_up(x)
        if per_sample_weights is not None:
            rows = rows * self.check_weights(x, asarray(per_sample_weights)).reshape((*x.shape, 1))
        if self.padding_idx is not None:  # the padding row may have any values
            rows = where(self.is_word(x).reshape((*x.shape, 1)), rows, 0)
        if offsets is None:
            return self.reduce_bags(rows, self.is_word(x))
        starts = asarray(offsets)[:-1] if self.include_last_offset else asarray(offsets)
        inside = in_bag(starts, x.shape[0]) & self.is_word(x).reshape((1, x.shape[0]))
        return self.reduce_bags(rows.reshape((1, *rows.shape)), inside)

    def check_weights(self, x: Tensor, weights: Tensor) -> Tensor:
        if self.mode != "sum":
            raise ArgumentError(f"{self.describe()}: per_sample_weights are factors in a sum", repair='build it with mode="sum"')
        if weights.shape != x.shape:
            what, where_ = layer_and_location(self, x)
            raise ShapeError(f"{what}: per_sample_weights are {tuple(weights.shape)}, x is {tuple(x.shape)}",
                             why="each index has one factor", where=where_)
        return weights

    def is_word(self, x: Tensor) -> Tensor:
        """The mask of indices that are not padding."""
        return x >= 0 if self.padding_idx is None else x != self.padding_idx

    def reduce_bags(self, rows: Tensor, inside: Tensor) -> Tensor:
        """Reduce the rows (N or 1, L, D) that the mask `inside` (N, L) assigns to each bag to one vector."""
        if self.mode == "max":
            return max_in_bag(rows, inside)
        shares = inside.astype(self.weight.dtype)
        if self.mode == "mean":
            count = shares.sum(axis=1, keepdims=True)
            shares = shares / where(count == 0, 1, count)
        total = matmul(shares.reshape((shares.shape[0], 1, shares.shape[1])), rows)  # (N, 1, D)
        return total.reshape((total.shape[0], self.embedding_dim))

    def wrong_axes(self, x: Tensor, offsets: Tensor | None) -> ShapeError:
        what, where = layer_and_location(self, x)
        needs = "x of shape (bags, words)" if offsets is None else "x of shape (words,) with offsets"
        repair = "for one bag, x.reshape(1, -1); for bags of several lengths in one row, pass offsets" if x.ndim == 1 else ""
        return ShapeError(f"{what} needs {needs}, but x is {tuple(x.shape)}", repair=repair, where=where)

    def details(self) -> str:
        return f"{super().details()}, mode={self.mode!r}"


def in_bag(offsets: Tensor, length: int) -> Tensor:
    """The mask (N, length) of the positions of each bag."""
    position = arange(length).reshape((1, length))
    count = offsets.shape[0]
    begin = offsets.astype(int64).reshape((count, 1))
    end = concat([begin[1:], tensor([[length]], int64)]) if count else begin
    return (position >= begin) & (position < end)


def max_in_bag(rows: Tensor, inside: Tensor) -> Tensor:
    """The elementwise maximum of the rows of each bag; zeros for an empty bag."""
    if not inside.shape[1]:
        return zeros((inside.shape[0], rows.shape[2]), rows.dtype)
    masked = where(inside.reshape((*inside.shape, 1)), rows, -math.inf)
    occupied = inside.any(axis=1, keepdims=True)
    return where(occupied, build("max_first", masked, axes=(1,)), 0)


def padding_row(owner: str, index: int, rows: int) -> int:
    """padding_idx as an index from 0; OutOfRangeError outside the table."""
    if not -rows <= index < rows:
        raise OutOfRangeError(f"{owner}: padding_idx={index} is outside a table of {rows} rows",
                              repair=f"rows run from 0 to {rows - 1}")
    return int(index) % rows


def outside(values: np.ndarray, count: int) -> np.ndarray:
    return (values < 0) | (values >= count)


def out_of_range(what: str, where: str, values: np.ndarray, rows: int) -> OutOfRangeError:
    wrong = outside(values, rows)
    index = tuple(int(n) for n in np.argwhere(wrong)[0])
    repair = "negative indices are not allowed: give padding its own row (padding_idx)" if values.min() < 0 else \
        f"build it with at least {int(values.max()) + 1} rows"
    return OutOfRangeError(f"{what} has the rows 0 to {rows - 1}, but x{list(index) if index else ''} is {int(values[index])}",
                           why=f"{int(wrong.sum())} of {values.size} indices are outside the table",
                           repair=repair, where=where)
