"""From a sentence to a tag for each of its words: an LSTM reads in both directions, and another one reads each word's letters."""

from __future__ import annotations

from .. import nn
from ..errors import ShapeError
from ..nn.transformer import make_dropout
from ..ops.composite import concat
from ..tensor import Tensor
from .tokens import last_of_both, lengths_of


class Tagger(nn.Module):
    """The logits of each word's tags.

    x: integers (N, T, 1 + C): each word's number, then those of its first C characters, filled up with 0, as whole words are at
    the end of a row (nothing depends on the filling). y: (N, T, tags). A word is its embedding and the last states of an LSTM
    that reads its characters in both directions: endings tell much of unknown words. Raises ShapeError for other axes.
    Sources: Ling et al., "Finding function in form: compositional character models for open vocabulary word representation",
    2015; Plank, Soegaard, Goldberg, "Multilingual part-of-speech tagging with bidirectional LSTM models and auxiliary loss", 2016.

    >>> import slopes as sl
    >>> net = Tagger(words=50, characters=30, tags=17, width=8, hidden=6)
    >>> net(sl.ones((2, 5, 1 + 7), dtype=sl.int64)).shape
    (2, 5, 17)
    """

    def __init__(self, words: int, characters: int, tags: int, width: int = 100, character_width: int = 25,
                 character_hidden: int = 25, hidden: int = 100, depth: int = 1, dropout: float = 0.5) -> None:
        self.words = nn.Embedding(words, width, 0)
        self.letters = nn.Embedding(characters, character_width, 0)
        self.spelling = nn.LSTM(character_width, character_hidden, batch_first=True, bidirectional=True)
        self.sentence = nn.LSTM(width + 2 * character_hidden, hidden, depth, batch_first=True, bidirectional=True,
                                dropout=dropout if depth > 1 else 0.0)
        self.dropout = make_dropout(dropout)
        self.head = nn.Linear(2 * hidden, tags)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 3 or x.shape[2] < 2:
            raise ShapeError(f"Tagger: x is {tuple(x.shape)}", why="its axes are (sentences, words, 1 + characters): each word's "
                             "number, then those of its characters")
        seen = concat([self.words(x[:, :, 0]), self.spelled(x[:, :, 1:])], axis=2)
        outputs, _ = self.sentence(self.dropout(seen), lengths=lengths_of(x[:, :, 0]))
        return self.head(self.dropout(outputs))

    def spelled(self, characters: Tensor) -> Tensor:
        """(N, T, 2 character_hidden): each word by its characters (N, T, C)."""
        rows, words, count = characters.shape
        spellings = characters.reshape((rows * words, count))
        _, state = self.spelling(self.letters(spellings), lengths=lengths_of(spellings))
        return last_of_both(state, 2).reshape((rows, words, 2 * self.spelling.hidden_size))
