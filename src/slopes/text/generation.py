"""Autoregressive text generation with a model that reads one token at a time and carries a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..modes import no_grad
from ..tensor import Tensor, asarray, from_array
from .sampling import greedy
from .vocabulary import check_whole

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]


class Written(NamedTuple):
    """The generated tokens (B, length) int64, and the state after the last token read."""

    tokens: Tensor
    state: Any


def generate(step: Step, state: Any, prompt: Any, length: int, choose: Callable[[Tensor], Tensor] = greedy, stop: int | None = None,
             fill: int = 0) -> Written:
    """Generate `length` tokens after each row of a prompt.

    step: (tokens (B,) int64, state) -> (logits (B, V), state), the model, where the state is a tree of tensors (or None); compile
    it with `sl.compile`: shapes are constant. prompt: (B, P) int64, at least one token (such as <bos>) each. choose:
    logits -> tokens, such as `greedy` or `sl.compile(lambda logits: text.sample(logits, top_k=10))`. Rows that have generated the
    token `stop` are padded with `fill`; when all have, generation ends. No gradients are recorded.
    Raises ShapeError for prompts that are not (B, P), and for logits that are not (B, V).

    >>> from slopes import text
    >>> table = sl.one_hot([1, 2, 0], 3)  # 1 comes after 0, 2 after 1, 0 after 2
    >>> text.generate(lambda tokens, state: (table[tokens], state), None, [[0], [1]], length=4).tokens
    tensor([[1, 2, 0, 1],
            [2, 0, 1, 2]])
    """
    check_whole(length=length)
    prompt = checked_prompt(prompt)
    written = np.full((len(prompt), length), fill, np.int64)
    alive = np.ones(len(prompt), bool)
    with no_grad():
        for position in range(prompt.shape[1]):
            logits, state = step(from_array(prompt[:, position].copy()), state)
        for position in range(length):
            tokens = choose_tokens(choose, logits, len(prompt))
            written[:, position] = np.where(alive, tokens, fill)
            alive &= stop is None or tokens != stop
            if position + 1 == length or not alive.any():
                break
            logits, state = step(from_array(tokens), state)
    return Written(from_array(written), state)


def checked_prompt(prompt: Any) -> np.ndarray:
    tokens = np.asarray(asarray(prompt))
    if tokens.ndim != 2 or not tokens.size or tokens.dtype.kind not in "iu":
        raise ShapeError(f"generate: the prompt is {tokens.dtype} of shape {tokens.shape}", why="it is (B, P): at least one row of "
                         "at least one token's number", repair="begin with <bos>: np.full((B, 1), vocabulary.bos)")
    return tokens.astype(np.int64, copy=False)


def choose_tokens(choose: Callable[[Tensor], Tensor], logits: Tensor, rows: int) -> np.ndarray:
    if logits.ndim != 2 or logits.shape[0] != rows:
        raise ShapeError(f"generate: the step gave logits of shape {logits.shape} for {rows} tokens", why="they are (B, V)")
    tokens = np.asarray(choose(logits))
    if tokens.shape != (rows,) or tokens.dtype.kind not in "iu":
        raise ArgumentError(f"generate: choose gave {tokens.dtype} of shape {tokens.shape} for {rows} rows",
                            why="it chooses one token each")
    return tokens.astype(np.int64, copy=False)
