"""The tokens of a language model: characters, or pieces of words; from text to indices and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import text
from ...files.reading import Path
from ...text.vocabulary import SPECIALS, UNK
from ..answers import vocabulary_facts, vocabulary_of
from ..experiment import Facts

LEAST_COUNT = 2  # rarer characters of the training text are unknown ones, so that the model learns how often one comes


class Codec(ABC):
    """From text to tokens and back.

    name     what a token is called
    never    the indices that are never written
    """

    name: str
    never: Sequence[int]

    @abstractmethod
    def __len__(self) -> int:
        """How many tokens there are."""

    @abstractmethod
    def encode(self, content: str) -> np.ndarray:
        """The indices (T,) of a text."""

    @abstractmethod
    def decode(self, indices: Any) -> str:
        """The text of indices (T,)."""

    @abstractmethod
    def unknown(self, content: str) -> list[str]:
        """The different characters of a text that are unknown, in the order of Unicode."""

    @abstractmethod
    def to_facts(self) -> Facts:
        """The same as JSON holds it; `codec_of` reads it back."""


class Letters(Codec):
    """A token is a character; characters that training lacks are one unknown token.

    >>> letters = Letters.learn("abcab")
    >>> letters.decode(letters.encode("bac")), letters.unknown("abc")
    ('ba\N{REPLACEMENT CHARACTER}', ['c'])
    """

    name = "character"

    def __init__(self, vocabulary: text.Vocabulary) -> None:
        self.vocabulary, self.never = vocabulary, [vocabulary.unk]

    @classmethod
    def learn(cls, content: str) -> Letters:
        """The characters of a training text that occur at least twice."""
        return cls(text.Vocabulary.build(content, smallest_count=LEAST_COUNT, specials=(UNK,)))

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, content: str) -> np.ndarray:
        return self.vocabulary.encode(content)

    def decode(self, indices: Any) -> str:
        return "".join(self.vocabulary.decode(indices)).replace(UNK, "\N{REPLACEMENT CHARACTER}")

    def unknown(self, content: str) -> list[str]:
        return sorted(set(content) - set(self.vocabulary.tokens))

    def to_facts(self) -> Facts:
        return {"letters": vocabulary_facts(self.vocabulary)}


class Pieces(Codec):
    """A token is a piece of a word, of a byte-pair encoding: no character is unknown."""

    name = "piece"
    never = range(len(SPECIALS))

    def __init__(self, subwords: text.Subwords) -> None:
        self.subwords = subwords

    @classmethod
    def learn(cls, content: str, size: int) -> Pieces:
        """At most `size` pieces of a training text. MissingExtraError without the library `tokenizers`."""
        return cls(text.Subwords.train(content.splitlines(keepends=True), size))

    def __len__(self) -> int:
        return len(self.subwords)

    def encode(self, content: str) -> np.ndarray:
        lines = [self.subwords.encode(line) for line in content.splitlines(keepends=True)]
        return np.concatenate(lines) if lines else np.zeros(0, np.int64)

    def decode(self, indices: Any) -> str:
        return self.subwords.decode(indices)

    def unknown(self, content: str) -> list[str]:
        return []

    def to_facts(self) -> Facts:
        return {"pieces": self.subwords.pieces}


def codec_of(facts: Facts, path: Path = "run.json") -> Codec:
    """The codec that `to_facts` described."""
    return Pieces(text.Subwords.from_pieces(facts["pieces"], path)) if "pieces" in facts else Letters(vocabulary_of(facts["letters"]))
