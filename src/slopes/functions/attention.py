"""Scaled dot-product attention, computed in parts where the weights would be large."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ShapeError
from ..graph.build import build
from ..graph.dtype import bool_
from ..graph.scopes import named_call
from ..modes import mode
from ..ops import composite
from ..random import bernoulli
from ..tensor import Tensor, asarray
from .creation import arange
from .manipulation import concat
from .parts import in_parts

WHOLE = 8 << 20  # bytes: larger weight matrices are computed in parts
PART = 1 << 20  # bytes of weights per part
BLOCKS = 4  # of queries in causal attention: three eighths of the weights are never computed

__all__ = ["scaled_dot_product_attention"]


@named_call
def scaled_dot_product_attention(query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: Any = 0.0,
                                 is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False) -> Tensor:
    """y = softmax(scale query key^T + mask) value, scale = 1 / sqrt(E) unless given.

    query (..., L, E), key (..., S, E), value (..., S, D) -> (..., L, D); leading axes broadcast.
    attn_mask broadcasts to (..., L, S): booleans are True for visible keys, floats are added to the scores. With is_causal, query i
    sees keys 0 to i. The result of a query without visible keys is 0 (in PyTorch NaN). A key that is hidden from all queries has no
    effect: it and its value may be NaN or infinite. A key that is hidden from some queries only, as with is_causal, must be finite.
    dropout_p is the dropout probability of the weights. With enable_gqa, query (..., H, L, E) has a multiple of the heads of key and
    value (..., H / n, S, E): n neighbouring heads share a key and a value (Ainslie et al., "GQA", 2023).
    Raises ShapeError for shapes that do not match, and without keys.
    Source: Vaswani et al., "Attention is all you need", 2017.

    >>> keys = sl.tensor([[10., 0.], [0., 10.]])
    >>> sl.scaled_dot_product_attention([[10., 0.]], keys, [[1.], [2.]])
    tensor([[1.]])
    >>> sl.scaled_dot_product_attention([[10., 0.]], keys, [[1.], [2.]], attn_mask=[[False, True]])
    tensor([[2.]])
    """
    query, key, value = asarray(query), asarray(key), asarray(value)
    if enable_gqa:
        key, value = share_heads("key", query, key), share_heads("value", query, value)
    mask = None if attn_mask is None else asarray(attn_mask)
    check_attention(query, key, value, mask)
    if mask is not None:
        visible = mask if mask.dtype == bool_ else mask > -math.inf
        key, value = zero_hidden_rows(key, visible), zero_hidden_rows(value, visible)
    if isinstance(dropout_p, (int, float)) and not dropout_p:
        return attend(query, key, value, mask, is_causal, scale)
    weights = attention_weights(query, key, mask, is_causal, scale)
    keep = 1 - dropout_p
    return composite.matmul(weights * (bernoulli(keep, weights.shape).astype(weights.dtype) / keep), value)


def share_heads(name: str, query: Tensor, rows: Tensor) -> Tensor:
    """Keys or values repeated along the axis of heads, so that every head of the query has its own."""
    if min(query.ndim, rows.ndim) < 3 or not rows.shape[-3] or query.shape[-3] % rows.shape[-3]:
        raise ShapeError(f"scaled_dot_product_attention: enable_gqa with query {query.shape} and {name} {rows.shape}",
                         why="the heads, on axis -3, of the query must be a multiple of those of key and value",
                         repair="leave enable_gqa out for equal numbers of heads")
    return composite.repeat(rows, query.shape[-3] // rows.shape[-3], axis=-3)


def zero_hidden_rows(rows: Tensor, visible: Tensor) -> Tensor:
    """The keys or values (..., S, n), with those hidden from all queries replaced by 0: they may be nan or infinite."""
    keys = visible.any(axis=-2) if visible.ndim > 1 else visible.reshape(visible.shape or (1,))
    shared = tuple(axis for axis in range(keys.ndim - 1)
                   if keys.ndim - axis >= rows.ndim or rows.shape[axis - keys.ndim - 1] == 1)  # axes along which masks share rows
    keys = keys.any(axis=shared, keepdims=True)
    return composite.where(keys.reshape((*keys.shape[max(0, keys.ndim - rows.ndim + 1):], 1)), rows, 0)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, is_causal: bool = False,
             scale: float | None = None) -> Tensor:
    """The attention output (..., L, D). A compiled function computes large weight matrices in parts: some heads at a time, or some
    queries of one head; the derivative recomputes the weights."""
    heads, size = query.shape[:-2], query.shape[-2] * key.shape[-2] * query.dtype.itemsize
    small = mode.trace is None or not mode.in_parts or math.prod(heads) * size <= WHOLE
    if small or not heads == key.shape[:-2] == value.shape[:-2]:
        return composite.matmul(attention_weights(query, key, mask, is_causal, scale), value)
    one_by_one = [x.reshape((-1, *x.shape[-2:])) for x in (query, key, value)]
    apart = mask is not None and any(n != 1 for n in mask.shape[:-2])  # every head or example has its own mask
    if mask is not None:
        rows = (1, *mask.shape)[-2:]
        mask = mask.broadcast_to((*heads, *rows)).reshape((-1, *rows)) if apart else mask.reshape((1, *rows))
        one_by_one += [mask] if apart else []

    def some_heads(parts: list[Tensor]) -> Tensor:
        query, key, value = parts[:3]
        own = parts[3] if apart else mask
        return attend_in_blocks(query, key, value, own, scale) if is_causal else attend_queries(query, key, value, own, None, scale)

    return in_parts(some_heads, one_by_one, max(1, PART // size)).reshape((*heads, query.shape[-2], value.shape[-1]))


def attend_in_blocks(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    """Causal attention (heads, L, D), for long sequences in blocks of queries, each with the keys up to its last query."""
    length, keys = query.shape[-2], key.shape[-2]
    count = BLOCKS if length * keys * query.dtype.itemsize > PART else 1
    outputs = []
    for block in range(count):
        first, last = block * length // count, (block + 1) * length // count
        visible = min(last, keys)
        own = mask
        if mask is not None:  # an axis of size 1 broadcasts to all blocks
            own = mask[:, first:last] if mask.shape[1] > 1 else mask
            own = own[:, :, :visible] if mask.shape[2] > 1 else own
        outputs.append(attend_queries(query[:, first:last], key[:, :visible], value[:, :visible], own, first, scale))
    return concat(outputs, axis=1)


def attend_queries(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, first: int | None, scale: float | None) -> Tensor:
    """Attention (heads, L, D), for a few queries at a time if the weights of all of them are too large.

    first: the position of the first query among the keys, for causal attention; None without.
    """
    length, keys = query.shape[-2], key.shape[-2]
    row = query.shape[0] * keys * query.dtype.itemsize
    if length * row <= PART:
        before = None if first is None else composite.lower_mask(length, keys, first)
        return composite.matmul(masked_weights(query, key, mask, before, scale), value)
    moving = {"query": swap_rows(query)}
    if first is not None:
        moving["place"] = arange(first, first + length)
    if mask is not None and mask.shape[1] > 1:
        moving["mask"] = swap_rows(mask)

    def some(part: dict[str, Tensor]) -> Tensor:
        own = swap_rows(part["mask"]) if "mask" in part else mask
        before = None if first is None else arange(keys) <= part["place"][:, None]
        return swap_rows(composite.matmul(masked_weights(swap_rows(part["query"]), key, own, before, scale), value))

    return swap_rows(in_parts(some, moving, max(1, PART // row)))


def swap_rows(x: Tensor) -> Tensor:
    """Transpose (heads, rows, n) to (rows, heads, n), or back."""
    return x.permute_dims((1, 0, 2))


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None = None, is_causal: bool = False,
                      scale: float | None = None) -> Tensor:
    """The attention weights (..., L, S): rows sum to 1, or to 0 where all keys are hidden."""
    before = composite.lower_mask(query.shape[-2], key.shape[-2]) if is_causal else None
    return masked_weights(query, key, mask, before, scale)


def masked_weights(query: Tensor, key: Tensor, mask: Tensor | None, before: Any, scale: float | None) -> Tensor:
    """The same; `before` (L, S) is an optional mask of the keys that each query may see, at least one per query."""
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = composite.matmul(query * scale, composite.matrix_transpose(key))
    if before is not None:
        scores = composite.where(before, scores, -math.inf)
    if mask is None:
        return composite.softmax(scores)
    return softmax_or_zeros(composite.where(mask, scores, -math.inf) if mask.dtype == bool_ else scores + mask)


def softmax_or_zeros(scores: Tensor) -> Tensor:
    """The softmax along the last axis; zeros where all scores are minus infinity."""
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


def fits(mask: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether the last axes of a mask broadcast to (queries, keys)."""
    return all(n in (1, m) for n, m in zip(mask[::-1], target[::-1]))
