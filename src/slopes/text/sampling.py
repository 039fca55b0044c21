"""Choosing the next token from logits: greedy, or sampled with temperature, top-k and top-p."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from ..errors import ArgumentError, ShapeError
from ..functions import arange, argmax, argsort, concat, cumulative_sum, exp, log, log_softmax, maximum, take_along_axis, where
from ..graph.dtype import float32, is_float
from ..random import Generator
from ..tensor import Tensor, asarray

FEW = 64  # up to this count, the highest scores are selected one by one; beyond, all are sorted
LEAST = 2.0**-25  # half of the smallest positive uniform number, so that its logarithm is finite


def greedy(logits: Any) -> Tensor:
    """The token with the highest score, the first of equals: logits (..., V) -> (...) int64. Works compiled.

    >>> from slopes import text
    >>> text.greedy([[0.1, 2.0, -1.0]])
    tensor([1])
    """
    return argmax(scores(logits, "greedy"), axis=-1)


def sample(logits: Any, temperature: Any = 1.0, top_k: int | None = None, top_p: Any = None, generator: Generator | None = None) -> Tensor:
    """A random token with probability softmax(logits / temperature): logits (..., V) -> (...) int64.

    A temperature below 1 sharpens the distribution, above 1 it flattens it. `top_k` samples from the k most probable tokens only,
    `top_p` from the smallest set whose probabilities sum to at least p (after temperature and top_k). Computed as
    argmax(logits / temperature + g), g = -log(-log u), u uniform in (0, 1): the Gumbel-max trick. Works compiled, with the same
    random numbers as in eager mode; temperature and top_p may be tensors, so that changing them does not recompile.
    Raises ArgumentError for a temperature that is not positive, a k outside 1..V, a p outside (0, 1], ShapeError for logits
    without an axis. Source: Holtzman et al., "The curious case of neural text degeneration", 2020 (top-p); Fan, Lewis, Dauphin,
    "Hierarchical neural story generation", 2018 (top-k).

    >>> from slopes import text
    >>> text.sample([[0.0, 100.0], [100.0, 0.0]])
    tensor([1, 0])
    """
    if isinstance(temperature, (int, float)) and not temperature > 0:
        raise ArgumentError(f"sample: temperature is {temperature}", why="logits are divided by it",
                            repair="use a small one such as 0.1, or text.greedy(logits), its limit at 0")
    left = scores(logits, "sample") / temperature
    left = left if top_k is None else keep_top_k(left, top_k)
    left = left if top_p is None else keep_top_p(left, top_p)
    noise = -log(-log(maximum(random.uniform(left.shape, generator=generator), LEAST)))
    return argmax(left + noise.astype(left.dtype), axis=-1)


def keep_top_k(logits: Any, k: int) -> Tensor:
    """Keep the k highest scores of each row, and replace the others by -inf: (..., V) -> (..., V).

    Among equal scores the first are kept. Raises ArgumentError for a k outside 1..V.

    >>> from slopes import text
    >>> text.keep_top_k([3.0, 1.0, 2.0], 2)
    tensor([  3., -inf,   2.])
    """
    logits = scores(logits, "keep_top_k")
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= logits.shape[-1]:
        raise ArgumentError(f"keep_top_k: k is {k!r}, but there are {logits.shape[-1]} scores", repair="choose k from 1 on")
    if k > FEW:
        return where(argsort(argsort(logits, descending=True)) < int(k), logits, -np.inf)
    return where(select_top(logits, int(k))[2] == logits, -np.inf, logits)


def keep_top_p(logits: Any, p: Any) -> Tensor:
    """Keep the fewest highest scores of each row whose softmax sums to at least p, and replace the others by -inf.

    A score is kept if the probabilities of those above it sum to less than p; so the highest always is. p may be a tensor.
    Raises ArgumentError for a number p outside (0, 1].

    >>> from slopes import text
    >>> text.keep_top_p(sl.log(sl.tensor([0.5, 0.2, 0.3])), 0.6)
    tensor([-0.6931472,       -inf, -1.2039728])
    """
    if isinstance(p, (int, float)) and not 0 < p <= 1:
        raise ArgumentError(f"keep_top_p: p is {p}", why="it is a probability above 0 and at most 1", repair="0.9 keeps nine tenths")
    logits = scores(logits, "keep_top_p")
    falling = argsort(logits, descending=True)
    probabilities = exp(log_softmax(take_along_axis(logits, falling, axis=-1), axis=-1))
    inside = cumulative_sum(probabilities, axis=-1) - probabilities < p  # the probability above each score
    return where(take_along_axis(inside, argsort(falling), axis=-1), logits, -np.inf)


def select_top(x: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The `count` highest values of each row (..., count) in descending order; their indices; and x with -inf there.

    Selected one by one: for few of many this takes a fraction of the time of sorting. If only -inf is left, that is the value, with
    an arbitrary index.
    """
    tokens, values, indices = arange(x.shape[-1]), [], []
    for _ in range(count):
        indices.append(argmax(x, axis=-1)[..., None])
        values.append(take_along_axis(x, indices[-1], axis=-1))
        x = where(tokens == indices[-1], -np.inf, x)
    return concat(values, axis=-1), concat(indices, axis=-1), x


def scores(logits: Any, owner: str) -> Tensor:
    """The logits as floats with a last axis of tokens."""
    array = asarray(logits)
    if not array.ndim or not array.shape[-1]:
        raise ShapeError(f"{owner}: logits are of shape {array.shape}", why="their last axis counts the tokens, of which there is one")
    return array if is_float(array.dtype) else array.astype(float32)
