"""Losses of distances and similarities: rankings, pairs and triplets of embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...constraint import check
from ...errors import ShapeError
from ...graph.build import build
from ...graph.scopes import named_call
from ...ops import composite
from ...tensor import Tensor, asarray
from .reduction import CONSTRAINTS, in_nn, reduce, same_shape

EPSILON = 1e-12  # of squared norms in cosines, PyTorch's


@in_nn
def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """loss = x where t = 1 and max(0, margin - x) where t = -1, of distances x = input and targets t: near pairs and far pairs.

    input and target: the same shape. Raises ShapeError when the shapes differ.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.hinge_embedding_loss(sl.tensor([0.5, 0.25]), sl.tensor([1, -1]), reduction="none").tolist()
    [0.5, 0.75]
    """
    check("hinge_embedding_loss", CONSTRAINTS["hinge_embedding_loss"], {"margin": margin, "reduction": reduction})
    x, t = same_shape("hinge_embedding_loss", input, target)
    return reduce(build("where", t == -1, 0, x) + build("where", t == 1, 0, composite.relu(margin - x)), reduction)


@in_nn
def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Tensor:
    """loss = max(0, -t (x1 - x2) + margin): x1 should be larger than x2 by the margin where t = 1, smaller where t = -1.

    input1, input2 and target: the same shape. Raises ShapeError when the shapes differ.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.margin_ranking_loss(sl.tensor([1.0, 1.0]), sl.tensor([3.0, 3.0]), sl.tensor([1, -1]), reduction="none").tolist()
    [2.0, 0.0]
    """
    check("margin_ranking_loss", CONSTRAINTS["margin_ranking_loss"], {"margin": margin, "reduction": reduction})
    one, other = same_shape("margin_ranking_loss", input1, input2)
    one, t = same_shape("margin_ranking_loss", one, target)
    return reduce(composite.relu(margin - t * (one - other)), reduction)


@in_nn
def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Tensor:
    """loss_i = 1 - cos(x1_i, x2_i) where t_i = 1 and max(0, cos(x1_i, x2_i) - margin) where t_i = -1.

    input1 and input2: (N, D) or (D,); target: (N,) or (), 1 or -1. Raises ShapeError when the shapes do not fit.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> x = sl.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> nn.cosine_embedding_loss(x, x, sl.tensor([1, -1]), margin=0.25, reduction="none").tolist()
    [0.0, 0.75]
    """
    check("cosine_embedding_loss", CONSTRAINTS["cosine_embedding_loss"], {"margin": margin, "reduction": reduction})
    one, other = same_shape("cosine_embedding_loss", input1, input2)
    t = asarray(target)
    if not one.ndim or t.shape != one.shape[:-1]:
        raise ShapeError(f"cosine_embedding_loss: inputs have shape {tuple(one.shape)}, target {tuple(t.shape)}",
                         why="the last axis is that of the vectors, and each pair has one target",
                         repair=f"pass a target of shape {tuple(one.shape)[:-1]}")
    norms = build("sqrt", ((one * one).sum(axis=-1) + EPSILON) * ((other * other).sum(axis=-1) + EPSILON))
    cosine = (one * other).sum(axis=-1) / norms
    return reduce(build("where", t == 1, 1 - cosine, 0) + build("where", t == -1, composite.relu(cosine - margin), 0), reduction)


@in_nn
def triplet_margin_loss(anchor: Any, positive: Any, negative: Any, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6,
                        swap: bool = False, reduction: str = "mean") -> Tensor:
    """loss_i = max(0, |a_i - p_i| - |a_i - n_i| + margin): the anchor is nearer to the positive than to the negative by the margin.

    anchor, positive, negative: (N, D) or (D,). Distances are p-norms of the differences + eps. swap=True takes |p_i - n_i| where it is
    less than |a_i - n_i|. Raises ShapeError when the shapes differ. Source: Balntas et al., "Learning shallow convolutional feature
    descriptors with triplet losses", 2016.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.triplet_margin_loss(sl.zeros((1, 2)), sl.ones((1, 2)), sl.zeros((1, 2)))), 3)
    2.414
    """
    check("triplet_margin_loss", CONSTRAINTS["triplet_margin_loss"],
          {"margin": margin, "p": p, "eps": eps, "swap": swap, "reduction": reduction})
    return triplet_loss("triplet_margin_loss", (anchor, positive, negative), lambda x, y: distance(x, y, p, eps), margin, swap, reduction)


@named_call
def triplet_margin_with_distance_loss(anchor: Any, positive: Any, negative: Any, *,
                                      distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
                                      swap: bool = False, reduction: str = "mean") -> Tensor:
    """triplet_margin_loss with a distance of your own: a function of two tensors (N, D) that returns (N,), by default the Euclidean one.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> def city_block(x, y):
    ...     return abs(x - y).sum(axis=-1)
    >>> a, p, n = sl.zeros((1, 2)), sl.ones((1, 2)), sl.zeros((1, 2))
    >>> float(nn.triplet_margin_with_distance_loss(a, p, n, distance_function=city_block))
    3.0
    """
    owner = "triplet_margin_with_distance_loss"
    check(owner, CONSTRAINTS[owner], {"margin": margin, "swap": swap, "reduction": reduction})
    return triplet_loss(owner, (anchor, positive, negative), distance_function or distance, margin, swap, reduction)


def triplet_loss(owner: str, triplet: tuple[Any, Any, Any], between: Callable[[Tensor, Tensor], Tensor], margin: float, swap: bool,
                 reduction: str) -> Tensor:
    """max(0, between(anchor, positive) - between(anchor, negative) + margin)."""
    anchor, positive = same_shape(owner, triplet[0], triplet[1])
    anchor, negative = same_shape(owner, anchor, triplet[2])
    far = between(anchor, negative)
    if swap:
        far = build("minimum", far, between(positive, negative))
    return reduce(composite.relu(margin + between(anchor, positive) - far), reduction)


def distance(x: Tensor, y: Tensor, p: float = 2.0, eps: float = 1e-6) -> Tensor:
    """The p-norm of x - y + eps along the last axis."""
    difference = x - y + eps
    if p == 2:
        return build("sqrt", (difference * difference).sum(axis=-1))
    return abs(difference).sum(axis=-1) if p == 1 else (abs(difference) ** p).sum(axis=-1) ** (1 / p)
