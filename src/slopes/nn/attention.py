"""Multi-head attention: every position of a sequence attends to all positions of another sequence, or of its own."""

from __future__ import annotations

import math
from typing import Any

from ..constraint import COUNT, FACTORY, FLAG, OPTIONAL_COUNT, SHARE, check
from ..errors import ArgumentError, DTypeError, ShapeError
from ..functions import arange, ones, zeros
from ..functions.attention import attend, attention_weights, fits
from ..graph.build import build
from ..graph.dtype import bool_, is_inexact
from ..graph.scopes import running_layer
from ..ops.composite import concat, matmul, mean, split, where
from ..parameter import Parameter
from ..tensor import Tensor, asarray
from ..trace import current_trace, note
from . import init
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .where import layer_and_location

ATTENTION = "attention"  # the name, below the layer's path, of the weights (N, h, L, S) in a recorded function
Mask = Any  # a Tensor or NumPy array of booleans (True hides) or of floats (added to the scores), or None


class MultiheadAttention(Module):
    """y = concat(head_1, ..., head_h) W_o^T + b_o, head_i = softmax(q_i k_i^T / sqrt(d)) v_i, with q, k, v = x W^T + b split into
    h = num_heads heads of width d = embed_dim / h.

    query: (L, N, embed_dim), key: (S, N, kdim), value: (S, N, vdim) -> y: (L, N, embed_dim); with batch_first=True the batch N
    is axis 0. key defaults to query (self-attention) and value to key. With need_weights=True the result is (y, weights), with
    weights (N, L, S) averaged over heads, or (N, h, L, S) with average_attn_weights=False.

    Masks are PyTorch's: in key_padding_mask (N, S) and attn_mask (L, S), (N h, L, S) or (N, h, L, S), True hides a key and floats
    are added to the scores; is_causal hides later positions. A position whose keys are all hidden has y = b_o (PyTorch: NaN).
    Values at positions hidden by key_padding_mask may be NaN or infinite: they have no effect. Unlike in PyTorch, key and value
    are optional and weights are returned only on request. Compiled functions have the weights (N, h, L, S) of each head at the tap
    `PATH.attention`.

    add_bias_kv appends a learned key and value (bias_k, bias_v: (1, 1, embed_dim), initially Xavier normal) to those of each
    sequence, add_zero_attn a key and value of zeros; no mask hides them.

    in_proj_weight: (3 embed_dim, embed_dim), the rows of q, k, v stacked (with another kdim or vdim: q_proj_weight,
    k_proj_weight, v_proj_weight), initially Xavier uniform; in_proj_bias: (3 embed_dim,), initially zeros; out_proj: a Linear
    whose bias is initially zeros. `dropout` is applied to the attention weights in training.
    Raises ArgumentError unless embed_dim is divisible by num_heads, ShapeError for inputs or masks of other shapes.
    Source: Vaswani et al., "Attention is all you need", 2017.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> layer = nn.MultiheadAttention(8, 2, batch_first=True)
    >>> layer(sl.ones((3, 5, 8))).shape
    (3, 5, 8)
    >>> y, weights = layer(sl.ones((3, 5, 8)), sl.ones((3, 7, 8)), need_weights=True)
    >>> y.shape, weights.shape
    ((3, 5, 8), (3, 5, 7))
    """

    in_proj_weight: Any  # Parameter (3 embed_dim, embed_dim); None with another kdim or vdim
    q_proj_weight: Any  # Parameter (embed_dim, embed_dim); this and the next two only with another kdim or vdim
    k_proj_weight: Any  # Parameter (embed_dim, kdim)
    v_proj_weight: Any  # Parameter (embed_dim, vdim)
    in_proj_bias: Any  # Parameter (3 embed_dim,); None without bias
    constraints = {"embed_dim": COUNT, "num_heads": COUNT, "dropout": SHARE, "bias": FLAG, "kdim": OPTIONAL_COUNT,
                   "vdim": OPTIONAL_COUNT, "batch_first": FLAG, "add_bias_kv": FLAG, "add_zero_attn": FLAG, **FACTORY}

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, add_bias_kv: bool = False,
                 add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
                 device: Any = None, dtype: Any = None) -> None:
        check("MultiheadAttention", self.constraints, {
            "embed_dim": embed_dim, "num_heads": num_heads, "dropout": dropout, "bias": bias, "add_bias_kv": add_bias_kv,
            "add_zero_attn": add_zero_attn, "kdim": kdim, "vdim": vdim, "batch_first": batch_first})
        check_heads(embed_dim, num_heads)
        self.embed_dim, self.num_heads, self.batch_first = int(embed_dim), int(num_heads), batch_first
        self.kdim, self.vdim = int(kdim or embed_dim), int(vdim or embed_dim)
        self.make_weights()
        self.in_proj_bias = init.blank((3 * self.embed_dim,)) if bias else None
        self.add_zero_attn = add_zero_attn
        self.bias_k, self.bias_v = (
            init.xavier_normal(init.blank((1, 1, self.embed_dim))) if add_bias_kv else None for _ in range(2))
        self.out_proj = Linear(self.embed_dim, self.embed_dim, bias)
        if bias:
            init.zeros(self.out_proj.bias)  # type: ignore[type-var]
        self.dropout = Dropout(dropout) if dropout else None  # without dropout, no random numbers are drawn
        self.to(device, dtype)

    def make_weights(self) -> None:
        width, packed = self.embed_dim, self.kdim == self.vdim == self.embed_dim
        sizes = (None, None, None) if packed else (width, self.kdim, self.vdim)
        self.in_proj_weight = init.xavier_uniform(init.blank((3 * width, width))) if packed else None
        self.q_proj_weight, self.k_proj_weight, self.v_proj_weight = (
            None if size is None else init.xavier_uniform(init.blank((width, size))) for size in sizes)

    def forward(self, query: Tensor, key: Tensor | None = None, value: Tensor | None = None, key_padding_mask: Mask = None,
                need_weights: bool = False, attn_mask: Mask = None, average_attn_weights: bool = True,
                is_causal: bool = False) -> Any:
        key = query if key is None else key
        value = key if value is None else value
        self.check_inputs(query, key, value)
        if key_padding_mask is not None:
            key_padding_mask = self.check_padding(key, asarray(key_padding_mask))
            query, key, value = self.clean_inputs(query, key, value, key_padding_mask)
        q, k, v = map(self.split_heads, self.project(query, key, value))  # (N, h, L or S, d)
        mask = self.merge_masks(q, k, key_padding_mask, attn_mask)
        if self.bias_k is not None or self.add_zero_attn:
            mask, is_causal = pad_mask(merge_causal(mask, q, k, is_causal), (self.bias_k is not None) + self.add_zero_attn), False
            k, v = self.append_rows(k, self.bias_k), self.append_rows(v, self.bias_v)
        if current_trace() is not None and running_layer():  # a program has them only where somebody taps them
            note(f"{running_layer()}.{ATTENTION}", attention_weights(q, k, mask, is_causal))
        if not need_weights and (self.dropout is None or not self.dropout.training):
            return self.out_proj(self.join_heads(attend(q, k, v, mask, is_causal)))
        weights = attention_weights(q, k, mask, is_causal)  # (N, h, L, S)
        y = self.out_proj(self.join_heads(matmul(weights if self.dropout is None else self.dropout(weights), v)))
        if not need_weights:
            return y
        return y, mean(weights, axis=1) if average_attn_weights else weights

    def check_padding(self, key: Tensor, mask: Tensor) -> Tensor:
        shape = key.shape[:2] if self.batch_first else key.shape[1::-1]
        return self.check_mask("key_padding_mask", mask, shape, (shape,))

    def clean_inputs(self, query: Tensor, key: Tensor, value: Tensor, padding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Replace non-finite padding of the keys by 0: in the gradients of the weights, 0 times NaN would be NaN."""
        cleaned = clean_padding(key, padding, self.batch_first)
        return cleaned if query is key else query, cleaned, cleaned if value is key else clean_padding(value, padding, self.batch_first)

    def project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """q, k and v; for self-attention, computed in one product."""
        if self.in_proj_weight is not None and query is key is value:
            packed = matmul(query, self.in_proj_weight.T)
            return split(packed if self.in_proj_bias is None else packed + self.in_proj_bias, 3, axis=-1)
        products = [matmul(x, weight.T) for x, weight in zip((query, key, value), self.weights())]
        if self.in_proj_bias is None:
            return tuple(products)
        return tuple(product + bias for product, bias in zip(products, split(self.in_proj_bias, 3)))

    def weights(self) -> tuple[Parameter, ...]:
        """The projection matrices of q, k and v."""
        if self.in_proj_weight is None:
            return self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        return split(self.in_proj_weight, 3)

    def append_rows(self, x: Tensor, bias: Parameter | None) -> Tensor:
        """The keys or values (N, h, S, d) with those of add_bias_kv and add_zero_attn."""
        rows, (batch, heads, _, width) = [x], x.shape
        if bias is not None:
            rows.append(bias.reshape((1, heads, 1, width)).broadcast_to((batch, heads, 1, width)))
        if self.add_zero_attn:
            rows.append(zeros((batch, heads, 1, width), x.dtype))
        return concat(rows, axis=2)

    def split_heads(self, x: Tensor) -> Tensor:
        """Reshape x, (N, L, E) or (L, N, E), to (N, h, L, d)."""
        cut = x.reshape((*x.shape[:2], self.num_heads, self.embed_dim // self.num_heads))
        return cut.permute_dims((0, 2, 1, 3) if self.batch_first else (1, 2, 0, 3))

    def join_heads(self, y: Tensor) -> Tensor:
        """The inverse of `split_heads`."""
        moved = y.permute_dims((0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3))
        return moved.reshape((*moved.shape[:2], self.embed_dim))

    def merge_masks(self, q: Tensor, k: Tensor, padding: Tensor | None, mask: Mask) -> Tensor | None:
        """Combine both masks for attention_weights: booleans of visible keys, or floats to add."""
        batch, heads, length, _ = q.shape
        keys = k.shape[2]
        masks = []
        if padding is not None:
            masks.append(padding.reshape((batch, 1, 1, keys)))
        if mask is not None:
            allowed = ((length, keys), (batch * heads, length, keys), (batch, heads, length, keys))
            mask = self.check_mask("attn_mask", asarray(mask), (length, keys), allowed)
            masks.append(mask.reshape((batch, heads, length, keys)) if mask.ndim == 3 else mask)
        return merge_masks(masks, q.dtype)

    def check_mask(self, name: str, mask: Tensor, expected: tuple[int, ...], allowed: tuple[tuple[int, ...], ...]) -> Tensor:
        what, where = layer_and_location(self, mask)
        if mask.dtype != bool_ and not is_inexact(mask.dtype):
            raise DTypeError(f"{what} needs {name} of booleans or floats, but it is {mask.dtype}",
                             why="booleans hide keys where they are True, floats are added to the scores",
                             repair="mask == 0 hides what is 0", where=where)
        if not any(len(mask.shape) == len(shape) and (mask.shape == shape or (len(shape) == 4 and fits(mask.shape, shape)))
                   for shape in allowed):
            raise ShapeError(f"{what} needs {name} of shape {expected}, but it is {mask.shape}",
                             why=f"here {expected[0]} is the number of {'examples' if name[0] == 'k' else 'queries'}, "
                                 f"{expected[1]} that of keys", where=where)
        return mask

    def check_inputs(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        for name, x, width in (("query", query, self.embed_dim), ("key", key, self.kdim), ("value", value, self.vdim)):
            if x.ndim != 3 or x.shape[2] != width:
                raise self.wrong_input(name, x, width)
        batch, steps = (0, 1) if self.batch_first else (1, 0)
        if key.shape[:2] != value.shape[:2] or key.shape[batch] != query.shape[batch] or not key.shape[steps]:
            what, where = layer_and_location(self, key)
            raise ShapeError(f"{what}: query {query.shape}, key {key.shape} and value {value.shape} do not match",
                             why=f"they have one batch (axis {batch}), keys and values one length of at least 1 (axis {steps})",
                             repair=f"batch_first is {self.batch_first}: build it with {not self.batch_first} if the axes are "
                                    "the other way round", where=where)

    def wrong_input(self, name: str, x: Tensor, width: int) -> ShapeError:
        what, where = layer_and_location(self, x)
        axes = "N, L" if self.batch_first else "L, N"
        repair = f"for one sequence, add the batch axis: x[{'None' if self.batch_first else ':, None'}]" if x.ndim == 2 else ""
        return ShapeError(f"{what} needs a {name} of shape ({axes}, {width}), but it is {tuple(x.shape)}", repair=repair, where=where)

    def details(self) -> str:
        return f"{self.embed_dim}, {self.num_heads} {'head' if self.num_heads == 1 else 'heads'}"


def check_heads(width: int, heads: int) -> None:
    if width % heads:
        fit = ", ".join(str(n) for n in range(1, width + 1) if width % n == 0)
        raise ArgumentError(f"MultiheadAttention: num_heads={heads} must divide embed_dim={width}",
                            why="each head takes an equal share of the features", repair=f"numbers of heads that fit: {fit}")


def merge_causal(mask: Tensor | None, q: Tensor, k: Tensor, is_causal: bool) -> Tensor | None:
    """The mask of `merge_masks`, which also hides later positions if is_causal."""
    if not is_causal:
        return mask
    before = arange(q.shape[2]).reshape((-1, 1)) >= arange(k.shape[2])
    if mask is None:
        return before
    return mask & before if mask.dtype == bool_ else where(before, mask, -math.inf)


def pad_mask(mask: Tensor | None, count: int) -> Tensor | None:
    """The mask with `count` more keys at its end, which all queries see."""
    if mask is None:
        return None
    seen = (*mask.shape[:-1], count)
    return concat([mask, ones(seen, bool_) if mask.dtype == bool_ else zeros(seen, mask.dtype)], axis=-1)


def clean_padding(x: Tensor, padding: Tensor, batch_first: bool) -> Tensor:
    """x, (N, S, E) or (S, N, E), with non-finite values at positions hidden by the mask (N, S) replaced by 0."""
    hidden = padding if padding.dtype == bool_ else padding == -math.inf
    hidden = (hidden if batch_first else hidden.permute_dims((1, 0))).reshape((*x.shape[:2], 1))
    return where(hidden & ~build("isfinite", x), 0, x)


def merge_masks(masks: list[Tensor], dtype: Any) -> Tensor | None:
    """Merge masks (True hides, floats are added) into one: True for visible keys, or floats if any mask has floats."""
    if not masks:
        return None
    if all(mask.dtype == bool_ for mask in masks):
        return ~masks[0] if len(masks) == 1 else ~(masks[0] | masks[1])
    added = [where(mask, -math.inf, asarray(0.0, dtype)) if mask.dtype == bool_ else mask.astype(dtype) for mask in masks]
    return added[0] if len(added) == 1 else added[0] + added[1]
