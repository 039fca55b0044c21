"""Recurrent language models: what comes next, over characters or words, with a memory of everything before."""

from __future__ import annotations

from typing import Any

from .. import nn
from ..errors import ArgumentError
from ..tensor import Tensor
from .tokens import dropout_of, recurrent, rows_first


class LanguageModel(nn.Module):
    """The logits of the next token, for each place of a sequence: embedding, `depth` recurrent layers, one dense layer.

    tokens: integers (N, T), 0 <= token < vocabulary; y: (N, T, vocabulary), where y[:, t] has seen the tokens 0 to t. `read` also
    takes and gives the state, for long texts in pieces; `step` reads one token, for writing. kind: "rnn", "lstm" or "gru".
    Dropout lies on the embedded tokens, between layers and before the last one, never between steps. tied=True takes the
    embedding's weights as those of the last layer, which needs width = hidden: ArgumentError otherwise.
    Sources: Mikolov et al., "Recurrent neural network based language model", 2010; Zaremba, Sutskever, Vinyals, "Recurrent neural
    network regularization", 2014; Press and Wolf, "Using the output embedding to improve language models", 2017 (tied).

    >>> import slopes as sl
    >>> net = LanguageModel(vocabulary=65, width=16, hidden=32, kind="gru")
    >>> net(sl.tensor([[1, 2, 3], [4, 5, 6]])).shape
    (2, 3, 65)
    >>> logits, state = net.read(sl.tensor([[1, 2, 3], [4, 5, 6]]))
    >>> logits, state = net.step(sl.tensor([7, 8]), state)
    >>> logits.shape, state.shape
    ((2, 65), (2, 1, 32))
    """

    def __init__(self, vocabulary: int, width: int, hidden: int, depth: int = 1, kind: str = "lstm", dropout: float = 0.0,
                 tied: bool = False) -> None:
        self.words = nn.Embedding(vocabulary, width)
        self.memory = recurrent("LanguageModel", kind, width, hidden, depth, dropout)
        self.dropout = dropout_of(dropout)
        self.head = nn.Linear(hidden, vocabulary)
        if tied:
            if width != hidden:
                raise ArgumentError(f"LanguageModel: tied=True with width={width} and hidden={hidden}",
                                    why="a tied weight has one shape in both places", repair=f"give width={hidden}")
            nn.init.uniform(self.words.weight, -0.1, 0.1)  # the embedding's usual normal values are too large for logits
            nn.tie(self.words, self.head)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.read(tokens)[0]

    def read(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """(logits (N, T, vocabulary), state), from the state (N, depth, hidden) that reading the text before has left."""
        x = self.dropout(self.words(tokens))
        outputs, last = self.memory(x, None if state is None else rows_first(state))
        return self.head(self.dropout(outputs)), rows_first(last)

    def step(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """(logits (N, vocabulary), state) after one more token (N,)."""
        logits, state = self.read(tokens.reshape((-1, 1)), state)
        return logits[:, 0], state


def char_model(vocabulary: int = 65, kind: str = "lstm", width: int = 64, hidden: int = 256, depth: int = 1,
               dropout: float = 0.0) -> LanguageModel:
    """A language model over the 65 characters of tiny Shakespeare: 350,593 parameters as an LSTM, 268,161 as a GRU, 103,297 as an
    RNN."""
    return LanguageModel(vocabulary, width, hidden, depth, kind, dropout)


def word_model(vocabulary: int = 10_000, kind: str = "lstm", width: int = 200, depth: int = 2, dropout: float = 0.0,
               tied: bool = False) -> LanguageModel:
    """A language model over words; as it is, the "small" one of Zaremba et al. (2014) for Penn Treebank: 4,653,200 parameters (two
    bias vectors per layer, as in PyTorch; 4,651,600 with one). Their "medium" has width=650, dropout=0.5: 19.8 million."""
    return LanguageModel(vocabulary, width, width, depth, kind, dropout, tied)
