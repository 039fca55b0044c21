"""What models of sentences share: lengths behind the padding, recurrent layers by name, and states whose rows come first."""

from __future__ import annotations

from typing import Any

from .. import nn
from ..ops.composite import permute_dims
from ..tensor import Tensor
from ..tree import map_tree
from .choice import resolve

LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def recurrent(network: str, kind: str, inputs: int, hidden: int, depth: int, dropout: float = 0.0, **options: Any) -> Any:
    """The recurrent layer of this kind, over (batch, time, features); dropout lies between layers, where there are several.

    >>> recurrent("LanguageModel", "gru", 3, 4, 1, dropout=0.5)
    GRU(3 -> 4)
    """
    make: Any = resolve(network, "kind", kind, LAYERS)
    return make(inputs, hidden, depth, batch_first=True, dropout=dropout if depth > 1 else 0.0, **options)


def lengths_of(tokens: Tensor, padding: int = 0) -> Tensor:
    """How many tokens of each row (N, T) are no padding: (N,). The padding stands at the end of rows.

    >>> import slopes as sl
    >>> lengths_of(sl.tensor([[5, 6, 0], [0, 0, 0]]))
    tensor([2, 0])
    """
    return (tokens != padding).sum(axis=1)


def rows_first(state: Any) -> Any:
    """A recurrent state (layers, N, hidden) as (N, layers, hidden), or back: choosing rows of it is then `take(state, rows)`.

    >>> import slopes as sl
    >>> rows_first(sl.zeros((2, 5, 3))).shape
    (5, 2, 3)
    """
    return map_tree(lambda array: permute_dims(array, (1, 0, 2)), state)


def last_of_both(state: Any, parts: int) -> Tensor:
    """The last layer's h after the whole sequence, both directions one after the other: (N, 2 hidden)."""
    h = state[0] if parts == 2 else state  # (2 layers, N, hidden)
    count, rows, hidden = h.shape
    return permute_dims(h[count - 2:], (1, 0, 2)).reshape((rows, 2 * hidden))
