"""From a picture to a sentence about it: convolutions look, an LSTM writes."""

from __future__ import annotations

from typing import Any

from .. import nn
from ..tensor import Tensor
from .shapes import features
from .tokens import dropout_of, rows_first


class Captioner(nn.Module):
    """The logits of each next word of a caption: three convolutions with pooling, whose features are the LSTM's first state.

    shape: (C, H, W), each side at least 8; images: (N, C, H, W), tokens: integers (N, T) that begin with the word for the
    beginning; y[:, t] (N, T, vocabulary) tells what comes after tokens[:, t]. `begin` and `step` write word by word.
    Sources: Vinyals et al., "Show and tell: a neural image caption generator", 2015; Xu et al., "Show, attend and tell", 2015 (the
    first state from the picture).

    >>> import slopes as sl
    >>> net = Captioner((1, 16, 24), vocabulary=12, filters=4, width=8, hidden=6)
    >>> images = sl.zeros((2, 1, 16, 24))
    >>> net(images, sl.tensor([[2, 5, 6], [2, 7, 0]])).shape
    (2, 3, 12)
    >>> logits, state = net.step(sl.tensor([2, 2]), net.begin(images))
    >>> logits.shape
    (2, 12)
    """

    def __init__(self, shape: tuple[int, ...], vocabulary: int, filters: int = 16, width: int = 64, hidden: int = 128,
                 dropout: float = 0.2) -> None:
        self.look = nn.Sequential(*halved(shape[0], filters), *halved(filters, 2 * filters), *halved(2 * filters, 4 * filters),
                                  nn.Flatten())
        count = features(self.look, shape)
        self.handover = nn.Linear(count, 2 * hidden)
        self.words = nn.Embedding(vocabulary, width, 0)
        self.memory = nn.LSTM(width, hidden)
        self.dropout = dropout_of(dropout)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        return self.write(tokens, self.begin(images))[0]

    def begin(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The state (h, c) before the first word: (N, 1, hidden) each."""
        both = self.handover(self.dropout(self.look(images))).tanh()
        rows, hidden = both.shape[0], both.shape[1] // 2
        return both[:, :hidden].reshape((rows, 1, hidden)), both[:, hidden:].reshape((rows, 1, hidden))

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """(logits (N, vocabulary), state) after one more word (N,)."""
        logits, state = self.write(tokens.reshape((-1, 1)), state)
        return logits[:, 0], state

    def write(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        outputs, last = self.memory(self.dropout(self.words(tokens)), rows_first(state))
        return self.head(self.dropout(outputs)), rows_first(last)


def halved(before: int, after: int) -> list[nn.Module]:
    """A 3x3 convolution and a pooling that halves the size."""
    return [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
