"""Recurrent language models: what comes next, over characters or words, with a memory of everything before."""

from __future__ import annotations

from typing import Any

from .. import nn
from ..data.loaders.loader import IGNORED
from ..errors import ArgumentError
from ..functions import clip, take, where, zeros
from ..nn.transformer import make_dropout
from ..tensor import Tensor
from .tokens import recurrent, rows_first


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
        self.dropout = make_dropout(dropout)
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

    def zero_state(self, rows: int) -> Any:
        """The state before the first token, for `rows` texts; the first axis counts texts."""
        return zero_state(self.memory, rows)

    def step(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """(logits (N, vocabulary), state) after one more token (N,)."""
        logits, state = self.read(tokens.reshape((-1, 1)), state)
        return logits[:, 0], state


class AdaptiveLanguageModel(nn.Module):
    """A language model for a large vocabulary, numbered from frequent to rare words: embedding and softmax are one adaptive table.

    The softmax has groups of words with ever fewer features (nn.AdaptiveLogSoftmaxWithLoss): a word w of group i has the output
    vector P_i^T W_i[w]. The same vector is its embedding (tied), so that the model has no other parameters than the softmax and
    `depth` recurrent layers of `width` units. tokens: integers (N, T) -> features (N, T, width), from which `loss` makes the mean
    of -log p over targets that are not -100, and `step` the log p of all words; `read` also takes and gives the state, as
    LanguageModel's. Sources: Grave et al., "Efficient softmax approximation for GPUs", 2017; Baevski and Auli, "Adaptive input
    representations for neural language modeling", 2019; Press and Wolf, 2017 (tied).

    >>> import slopes as sl
    >>> net = AdaptiveLanguageModel(vocabulary=100, width=16, depth=1, cutoffs=(10, 40))
    >>> words = sl.tensor([[1, 20, 99], [4, 5, 6]])
    >>> net(words).shape, net.loss(net(words), words).shape
    ((2, 3, 16), ())
    >>> logits, state = net.step(sl.tensor([7, 50]), net.zero_state(2))
    >>> logits.shape
    (2, 100)
    """

    def __init__(self, vocabulary: int, width: int, depth: int = 2, kind: str = "lstm", dropout: float = 0.0,
                 cutoffs: tuple[int, ...] = (2000, 10_000)) -> None:
        self.head = nn.AdaptiveLogSoftmaxWithLoss(width, vocabulary, cutoffs)
        self.memory = recurrent("AdaptiveLanguageModel", kind, width, width, depth, dropout)
        self.dropout = make_dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.read(tokens)[0]

    def read(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """(features (N, T, width), state), from the state (N, depth, hidden) that reading the text before has left."""
        outputs, last = self.memory(self.dropout(self.embedded(tokens)), None if state is None else rows_first(state))
        return self.dropout(outputs), rows_first(last)

    def embedded(self, tokens: Tensor) -> Tensor:
        """The vectors (N, T, width) with which the softmax knows these words."""
        ends = self.head.cutoffs
        vectors = take(self.head.head.weight, clip(tokens, 0, ends[0] - 1), axis=0)
        for group, start, stop in zip(self.head.tail, ends, ends[1:]):
            narrow, wide = group[0].weight, group[1].weight
            rare = take(wide, clip(tokens - start, 0, stop - start - 1), axis=0) @ narrow
            vectors = where((tokens >= start).reshape((*tokens.shape, 1)), rare, vectors)
        return vectors

    def loss(self, features: Tensor, targets: Tensor) -> Tensor:
        """The mean of -log p(target) over the targets that are not -100: what `sl.fit` makes small."""
        counted = targets != IGNORED
        log_p = self.head(features, where(counted, targets, 0)).output
        return -nn.weighted_mean(log_p, counted)

    def zero_state(self, rows: int) -> Any:
        """The state before the first token, for `rows` texts; the first axis counts texts."""
        return zero_state(self.memory, rows)

    def step(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """(log p (N, vocabulary), state) after one more token (N,)."""
        features, state = self.read(tokens.reshape((-1, 1)), state)
        return self.head(features)[:, 0], state


def zero_state(memory: Any, rows: int) -> Any:
    """The state of a recurrent layer before the first token, for `rows` texts, rows first."""
    start = zeros((rows, memory.num_layers, memory.hidden_size))
    return start if memory.parts == 1 else (start,) * memory.parts


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
