"""Attention: each query's weighted mean of values, weighted by how well the query fits their keys."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ShapeError
from ..graph.dtype import bool_
from ..graph.operation import build
from ..ops import composite
from ..random import bernoulli
from ..tensor import Tensor, asarray

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: Any = 0.0,
                                 is_causal: bool = False, scale: float | None = None) -> Tensor:
    """y = softmax(scale query key^T + mask) value, scale = 1 / sqrt(E) unless given.

    query (..., L, E), key (..., S, E), value (..., S, D) -> (..., L, D); leading axes broadcast.
    attn_mask broadcasts to (..., L, S): booleans say which keys take part, floats are added. is_causal lets query i see the keys
    0 to i. A query whose keys are all hidden gives zeros (elsewhere NaN). dropout_p leaves out a share of the weights.
    Raises ShapeError where shapes do not fit or there is no key.
    Source: Vaswani et al., "Attention is all you need", 2017.

    >>> keys = sl.tensor([[10., 0.], [0., 10.]])
    >>> sl.scaled_dot_product_attention([[10., 0.]], keys, [[1.], [2.]])
    tensor([[1.]])
    >>> sl.scaled_dot_product_attention([[10., 0.]], keys, [[1.], [2.]], attn_mask=[[False, True]])
    tensor([[2.]])
    """
    query, key, value = asarray(query), asarray(key), asarray(value)
    mask = None if attn_mask is None else asarray(attn_mask)
    check_attention(query, key, value, mask)
    weights = attention_weights(query, key, mask, is_causal, scale)
    if not isinstance(dropout_p, (int, float)) or dropout_p:
        keep = 1 - dropout_p
        weights = weights * (bernoulli(keep, weights.shape).astype(weights.dtype) / keep)
    return composite.matmul(weights, value)


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None = None, is_causal: bool = False,
                      scale: float | None = None) -> Tensor:
    """How much each query takes of each key: (..., L, S), rows that sum to 1, or to 0 where all keys are hidden."""
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = composite.matmul(query * scale, composite.matrix_transpose(key))
    if is_causal:
        scores = composite.where(composite.lower_mask(*scores.shape[-2:]), scores, -math.inf)
    if mask is None:
        return composite.softmax(scores)
    return softmax_or_nothing(composite.where(mask, scores, -math.inf) if mask.dtype == bool_ else scores + mask)


def softmax_or_nothing(scores: Tensor) -> Tensor:
    """The softmax along the last axis, and zeros where all scores are minus infinity."""
    top = build("stop_gradient", scores.max(axis=-1, keepdims=True))
    powers = build("exp", scores - composite.where(build("isfinite", top), top, 0))
    total = powers.sum(axis=-1, keepdims=True)
    return powers / composite.where(total == 0, 1, total)


def check_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> None:
    shapes = f"query {query.shape}, key {key.shape}, value {value.shape}"
    name = "scaled_dot_product_attention"
    if min(query.ndim, key.ndim, value.ndim) < 2 or query.shape[-1] != key.shape[-1]:
        raise ShapeError(f"{name}: {shapes} do not fit", why="query (..., L, E) and key (..., S, E) have a last axis of one size",
                         repair="a single vector needs an axis of its own: query[None]" if query.ndim == 1 else "")
    if key.shape[-2] != value.shape[-2] or not key.shape[-2]:
        raise ShapeError(f"{name}: {shapes} do not fit", why="there is one value for each key, and at least one key")
    if mask is not None and not fits(mask.shape, (query.shape[-2], key.shape[-2])):
        raise ShapeError(f"{name}: a mask of shape {mask.shape} for {query.shape[-2]} queries and {key.shape[-2]} keys",
                         why="its last two axes are queries and keys, of these sizes or 1")


def fits(mask: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether the last axes of a mask broadcast to (queries, keys)."""
    return all(n in (1, m) for n, m in zip(mask[::-1], wanted[::-1]))
