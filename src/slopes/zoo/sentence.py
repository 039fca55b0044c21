"""From a sentence to a class: the last states of an LSTM, or the strongest answers of filters over neighbouring words."""

from __future__ import annotations

from .. import nn
from ..functions import arange
from ..nn.transformer import make_dropout
from ..ops.composite import concat, permute_dims, relu, where
from ..tensor import Tensor
from .tokens import last_of_both, lengths_of, recurrent


class SentenceEncoder(nn.Module):
    """The logits of a sentence's classes: embedding, recurrent layers in both directions, a dense layer on their last states.

    tokens: integers (N, T), rows filled up with `padding` at their end (which nothing depends on); y: (N, classes).
    Source: Graves and Schmidhuber, "Framewise phoneme classification with bidirectional LSTM networks", 2005 (both directions).

    >>> import slopes as sl
    >>> SentenceEncoder(vocabulary=50, classes=2, width=8, hidden=6)(sl.tensor([[3, 4, 5], [6, 0, 0]])).shape
    (2, 2)
    """

    def __init__(self, vocabulary: int, classes: int, width: int = 100, hidden: int = 100, depth: int = 1, kind: str = "lstm",
                 dropout: float = 0.5, padding: int = 0) -> None:
        self.words = nn.Embedding(vocabulary, width, padding)
        self.memory = recurrent("SentenceEncoder", kind, width, hidden, depth, dropout, bidirectional=True)
        self.dropout = make_dropout(dropout)
        self.head = nn.Linear(2 * hidden, classes)
        self.padding = padding

    def forward(self, tokens: Tensor) -> Tensor:
        _, state = self.memory(self.dropout(self.words(tokens)), lengths=lengths_of(tokens, self.padding))
        return self.head(self.dropout(last_of_both(state, self.memory.parts)))


class TextCNN(nn.Module):
    """The logits of a sentence's classes: `filters` filters over each of several windows of words, the largest answer of each
    over all places, dropout, a dense layer.

    tokens: integers (N, T), rows filled up with `padding` at their end (which nothing depends on); y: (N, classes). Windows reach
    over both ends, so that a sentence may be shorter than they are. Words start uniform in (-0.25, 0.25), as published. Without
    the table of words, 360,902 parameters for two classes.
    Source: Kim, "Convolutional neural networks for sentence classification", 2014 (CNN-rand).

    >>> import slopes as sl
    >>> TextCNN(vocabulary=50, classes=2, width=8, filters=4)(sl.tensor([[3, 4, 5], [6, 0, 0]])).shape
    (2, 2)
    """

    def __init__(self, vocabulary: int, classes: int, width: int = 300, windows: tuple[int, ...] = (3, 4, 5), filters: int = 100,
                 dropout: float = 0.5, padding: int = 0) -> None:
        self.words = nn.Embedding(vocabulary, width, padding)
        nn.init.uniform(self.words.weight, -0.25, 0.25)
        nn.init.set_rows(self.words.weight, padding, padding + 1, 0.0)
        self.looks = [nn.Conv1d(width, filters, window, padding=window - 1) for window in windows]
        self.dropout = make_dropout(dropout)
        self.head = nn.Linear(filters * len(windows), classes)
        self.padding = padding

    def forward(self, tokens: Tensor) -> Tensor:
        x = permute_dims(self.words(tokens), (0, 2, 1))  # (N, width, T)
        lengths = lengths_of(tokens, self.padding).reshape((-1, 1, 1))
        strongest = []
        for look in self.looks:
            answers = relu(look(x))  # (N, filters, T + window - 1)
            behind = answers.shape[2] - tokens.shape[1]
            inside = arange(answers.shape[2]).reshape((1, 1, -1)) < lengths + behind
            strongest.append(where(inside, answers, 0).max(axis=2))
        return self.head(self.dropout(concat(strongest, axis=1)))
