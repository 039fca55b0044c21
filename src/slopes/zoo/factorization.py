"""From a user and a thing to a rating: what fits in tables, and what a network makes of both."""

from __future__ import annotations

import itertools

from .. import nn
from ..errors import ShapeError
from ..ops.composite import concat
from ..tensor import Tensor


class Recommender(nn.Module):
    """y = m + b_u + b_i + p_u . q_i + f([p'_u, q'_i]): biases, factorisation, and an MLP on vectors of its own.

    x: integers (N, 2), user and item; y: (N,). m starts as `mean`, that of the training ratings. factors=0 or hidden=() leaves a
    part out: without both, the bias-only baseline is left. Regularize by weight decay; the tables start small.
    Raises ShapeError for another x. Sources: Koren, Bell, Volinsky, "Matrix factorization techniques for recommender systems",
    2009; He et al., "Neural collaborative filtering", 2017 (the sum of both).

    >>> import slopes as sl
    >>> net = Recommender(users=5, items=7, factors=3, hidden=(4,), mean=3.5)
    >>> net(sl.tensor([[0, 6], [4, 2]])).shape
    (2,)
    """

    mean: nn.Parameter  # (1,)

    def __init__(self, users: int, items: int, factors: int = 16, hidden: tuple[int, ...] = (32, 16), dropout: float = 0.0,
                 mean: float = 0.0) -> None:
        self.mean = nn.init.constant(nn.init.blank((1,)), mean)
        self.users, self.items = nn.Embedding(users, 1), nn.Embedding(items, 1)
        self.tables = [nn.Embedding(count, factors) for count in (users, items)] if factors else []
        width = hidden[0] if hidden else 0
        self.inputs = [nn.Embedding(count, width) for count in (users, items)] if hidden else []
        self.mlp = nn.Sequential(*layers((2 * width, *hidden), dropout), nn.Linear(hidden[-1], 1)) if hidden else None
        for table in (self.users, self.items):
            nn.init.zeros(table.weight)
        for table in (*self.tables, *self.inputs):
            nn.init.normal(table.weight, std=0.1)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 2 or x.shape[1] != 2:
            raise ShapeError(f"Recommender: x is {tuple(x.shape)}", why="each row is a user's number and an item's: (N, 2)")
        user, item = x[:, 0], x[:, 1]
        y = self.mean + self.users(user)[:, 0] + self.items(item)[:, 0]
        if self.tables:
            p, q = (table(index) for table, index in zip(self.tables, (user, item)))
            y = y + (p * q).sum(axis=1)
        if self.mlp is not None:
            y = y + self.mlp(concat([table(index) for table, index in zip(self.inputs, (user, item))], axis=1))[:, 0]
        return y


def layers(sizes: tuple[int, ...], dropout: float) -> list[nn.Module]:
    """Dense layers with ReLU, and dropout where there is some."""
    dense: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        dense += [nn.Linear(before, after), nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
    return dense
