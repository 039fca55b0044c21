"""Beam search: approximately the most probable sequences."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..compile import Compiled, compile
from ..errors import ArgumentError, ShapeError
from ..functions import arange, concat, full, log_softmax, take, take_along_axis, top_k, where
from ..modes import no_grad
from ..tensor import Tensor, asarray, from_array
from .generation import Step
from .sampling import FEW, scores, select_top
from .vocabulary import check_whole


class Beams(NamedTuple):
    """The K best sequences for each of B rows, the best first.

    tokens (B, K, length) int64, <eos> included and filled up behind it; lengths (B, K) int64; scores (B, K), log probability over
    length penalty; finished (B, K) bool: whether <eos> was reached.
    """

    tokens: Tensor
    lengths: Tensor
    scores: Tensor
    finished: Tensor


class Search(NamedTuple):
    """What is known after t tokens, all shapes fixed: beginnings that go on, and sequences that have ended."""

    alive: Tensor  # (B, K) log probabilities; -inf where there is none yet
    tokens: Tensor  # (B, K, L)
    done: Tensor  # (B, K) scores; -inf where none has ended yet
    ended: Tensor  # (B, K, L)
    lengths: Tensor  # (B, K) of those that have ended


def beam_search(step: Step, state: Any, first: Any, eos: int, length: int = 50, beams: int = 4, length_penalty: float = 0.6,
                fill: int = 0) -> Beams:
    """The `beams` best sequences of at most `length` tokens after `first`, for every row of a batch at once.

    step: (tokens (B K,) int64, state) -> (logits (B K, V), state), as for `generate`; state is a tree of tensors whose first axis
    counts the rows, of which there are B at the beginning; inside they are B K, put in order by `take` as beams come and go. All
    shapes are the same in every step: compiled steps (`sl.compile`) are compiled once, and then choosing among the beams is
    compiled too. first: (B,) the tokens to begin with (such as <bos>).

    A finished sequence of n tokens, <eos> among them, scores log P / ((5 + n) / 6)^length_penalty; 0 prefers short ones. In every
    step the 2 K best continuations are looked at: those with <eos> are finished, the best K others go on. The search ends when
    no beginning can become better than the K finished ones. Where fewer than K finish in `length` tokens, unfinished ones follow.
    Raises ArgumentError for a negative penalty and an impossible <eos>, ShapeError for wrong shapes of tokens, state and logits.
    Source: Wu et al., "Google's neural machine translation system", 2016 (penalty).

    >>> from slopes import text
    >>> table = sl.log(sl.tensor([[0.1, 0.6, 0.3], [0.5, 0.3, 0.2], [0.05, 0.9, 0.05]]))  # from the token of the row; <eos> is 1
    >>> def step(tokens, state):
    ...     return table[tokens], state
    >>> found = text.beam_search(step, None, [0], eos=1, beams=2, length_penalty=0)
    >>> found.tokens[0, :, :3]
    tensor([[1, 0, 0],
            [2, 1, 0]])
    >>> sl.round(sl.exp(found.scores) * 100)
    tensor([[60., 27.]])
    """
    check_whole(length=length, beams=beams)
    if not length_penalty >= 0:
        raise ArgumentError(f"beam_search: length_penalty is {length_penalty}", why="it is an exponent of at least 0",
                            repair="0.6 is usual")
    tokens = np.asarray(asarray(first))
    if tokens.ndim != 1 or not tokens.size or tokens.dtype.kind not in "iu":
        raise ShapeError(f"beam_search: first is {tokens.dtype} of shape {tokens.shape}", why="it is (B,): a token for each row",
                         repair="np.full(B, vocabulary.bos)")
    rows = len(tokens)
    check_state(state, rows)
    native = isinstance(step, Compiled)
    choose, reorder = (CHOOSE, REORDER) if native else (advance, reorder_state)
    divisors = penalties(length, length_penalty)
    with no_grad():
        state = reorder(state, from_array(np.repeat(np.arange(rows), beams)))
        search, current = initial_search(rows, beams, length, fill), from_array(np.repeat(tokens.astype(np.int64), beams))
        for position in range(length):
            logits, state = step(current, state)
            check_logits(logits, rows * beams, eos)
            now, divisor = from_array(np.array(position)), from_array(divisors[position : position + 1])
            search, current, origin = choose(search, logits, now, divisor, eos, fill)
            if position + 1 == length or is_settled(search, divisors[-1]):
                break
            state = reorder(state, origin)
    return rank(search, position + 1, float(divisors[position]))


def penalties(length: int, exponent: float) -> np.ndarray:
    """The length normalization of sequences of 1, 2, ..., length tokens, float32."""
    return (((5 + np.arange(1, length + 1)) / 6) ** exponent).astype(np.float32)


def initial_search(rows: int, beams: int, length: int, fill: int) -> Search:
    """The initial search: one empty hypothesis of probability 1 per row; the other beams have probability 0."""
    none, nothing = full((rows, beams), -np.inf), full((rows, beams, length), fill, dtype=np.int64)
    return Search(where(arange(beams) == 0, 0.0, none), nothing, none, nothing, full((rows, beams), 0, dtype=np.int64))


def advance(search: Search, logits: Tensor, position: Tensor, divisor: Tensor, eos: int, fill: int) -> tuple[Search, Tensor, Tensor]:
    """The search after one more token, the next tokens (B K,), and the indices (B K,) of the rows that they extend."""
    (rows, beams), size = search.alive.shape, logits.shape[-1]
    every = search.alive[..., None] + log_softmax(logits, axis=-1).reshape((rows, beams, size))  # (B, K, V)
    best_scores, indices = highest(every.reshape((rows, beams * size)), 2 * beams)  # (B, 2K)
    parents, tokens = indices // size, indices % size
    longer = along(search.tokens, parents)
    longer = where(arange(longer.shape[-1]) == position, tokens[..., None], longer)
    ends = tokens == eos

    alive, going = highest(where(ends, -np.inf, best_scores), beams)
    done, best = highest(concat([search.done, where(ends, best_scores / divisor, -np.inf)], axis=1), beams)
    ended = along(concat([search.ended, longer], axis=1), best)
    lengths = take_along_axis(concat([search.lengths, parents * 0 + position + 1], axis=1), best, axis=1)
    origin = take_along_axis(parents, going, axis=1) + arange(rows)[:, None] * beams
    chosen = take_along_axis(tokens, going, axis=1)
    return Search(alive, along(longer, going), done, ended, lengths), chosen.reshape((-1,)), origin.reshape((-1,))


def highest(x: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest values of each row (B, N) in descending order, and their indices; stable for equal values."""
    return top_k(x, count, axis=1) if count > FEW else select_top(x, count)[:2]


def along(histories: Tensor, beams: Tensor) -> Tensor:
    """Gather the rows `beams` (B, M) of the histories (B, N, L): (B, M, L)."""
    return take_along_axis(histories, beams[..., None].broadcast_to((*beams.shape, histories.shape[-1])), axis=1)


def reorder_state(state: Any, origin: Tensor) -> Any:
    """Reorder the rows of the state to those that the beams extend."""
    return tree.map_tree(lambda leaf: take(leaf, origin, axis=0), state)


CHOOSE, REORDER = compile(advance), compile(reorder_state)  # one program per shape, for all searches


def is_settled(search: Search, largest: float) -> bool:
    """Whether no unfinished hypothesis can beat the worst of the K finished ones in any row, as probabilities only decrease."""
    best, worst = np.asarray(search.alive).max(axis=1), np.asarray(search.done).min(axis=1)
    return bool((best / largest <= worst).all())


def rank(search: Search, length: int, divisor: float) -> Beams:
    """Finished sequences, best first, followed by unfinished ones."""
    rows, beams = search.alive.shape
    finished = np.concatenate((np.asarray(search.done) > -np.inf, np.zeros((rows, beams), bool)), axis=1)
    values = np.concatenate((np.asarray(search.done), np.asarray(search.alive) / divisor), axis=1)
    chosen = np.lexsort((-values, ~finished))[:, :beams]
    tokens = np.concatenate((np.asarray(search.ended), np.asarray(search.tokens)), axis=1)
    lengths = np.concatenate((np.asarray(search.lengths), np.full((rows, beams), length)), axis=1)
    pick = [np.take_along_axis(column, chosen, axis=1) for column in (lengths, values, finished)]
    picked = np.take_along_axis(tokens, chosen[..., None], axis=1)
    return Beams(*(from_array(np.ascontiguousarray(column)) for column in (picked, *pick)))


def check_state(state: Any, rows: int) -> None:
    for path, leaf in tree.named_leaves(state, "state"):
        shape = getattr(leaf, "shape", None)
        if not shape or shape[0] != rows:
            raise ShapeError(f"beam_search: {path} is of shape {shape}" if shape is not None else f"beam_search: {path} is {leaf!r:.80}",
                             why=f"the first axis of every tensor of the state counts the rows, of which there are {rows}",
                             repair="put the batch first, and keep what all rows share outside of the state")


def check_logits(logits: Tensor, rows: int, eos: int) -> None:
    scores(logits, "beam_search")
    if logits.ndim != 2 or logits.shape[0] != rows or logits.shape[1] < 2:
        raise ShapeError(f"beam_search: the step gave logits of shape {logits.shape}",
                         why=f"they are (B K, V), here ({rows}, V), V at least 2")
    if not 0 <= eos < logits.shape[1]:
        raise ArgumentError(f"beam_search: eos is {eos!r}, but the tokens are 0 to {logits.shape[1] - 1}")
