"""From a text to a class: the last states of an LSTM, filters over neighbouring words, a mean of embeddings."""

from __future__ import annotations

from .. import nn
from ..functions import arange, maximum
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


class BagOfTokens(nn.Module):
    """The logits of a text's classes: the mean of the embeddings of its tokens, dropout, a dense layer.

    tokens: integers (N, T), words and pairs of neighbouring words in any order, rows filled up with `padding` at their end (which
    nothing depends on); y: (N, classes). The cost grows slowly with the length of texts. Embeddings start small: a text has many.
    Source: Joulin, Grave, Bojanowski, Mikolov, "Bag of tricks for efficient text classification", 2017 (fastText).

    >>> import slopes as sl
    >>> BagOfTokens(vocabulary=50, classes=2, width=8)(sl.tensor([[3, 4, 5], [6, 0, 0]])).shape
    (2, 2)
    """

    def __init__(self, vocabulary: int, classes: int, width: int = 64, dropout: float = 0.5, padding: int = 0) -> None:
        self.words = nn.Embedding(vocabulary, width, padding)
        nn.init.normal(self.words.weight, std=0.1)
        nn.init.set_rows(self.words.weight, padding, padding + 1, 0.0)
        self.dropout = make_dropout(dropout)
        self.head = nn.Linear(width, classes)
        self.padding = padding

    def forward(self, tokens: Tensor) -> Tensor:
        counts = maximum(lengths_of(tokens, self.padding), 1).reshape((-1, 1))
        return self.head(self.dropout(self.words(tokens).sum(axis=1) / counts))


class WideTextCNN(nn.Module):
    """The logits of a text's classes: the sum of those of a TextCNN and of a BagOfTokens.

    tokens: integers (N, T), words in their order; bag: integers (N, U), words and pairs of words; both filled up with `padding`. What
    one word says, or a pair, is learned soon by the bag; the convolutions learn what is left.
    Source: Cheng et al., "Wide & deep learning for recommender systems", 2016 (the sum of both kinds).

    >>> import slopes as sl
    >>> net = WideTextCNN(vocabulary=50, pairs=80, classes=2, width=8, filters=4)
    >>> net(sl.tensor([[3, 4, 5], [6, 0, 0]]), sl.tensor([[3, 4, 5, 60], [6, 0, 0, 0]])).shape
    (2, 2)
    """

    def __init__(self, vocabulary: int, pairs: int, classes: int, width: int = 100, filters: int = 50, dropout: float = 0.5,
                 padding: int = 0) -> None:
        self.deep = TextCNN(vocabulary, classes, width, filters=filters, dropout=dropout, padding=padding)
        self.wide = BagOfTokens(pairs, classes, dropout=dropout, padding=padding)

    def forward(self, tokens: Tensor, bag: Tensor) -> Tensor:
        return self.deep(tokens) + self.wide(bag)
