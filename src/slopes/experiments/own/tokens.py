"""From texts to rows of token indices: words or characters, chosen by what the texts look like, and their vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ... import text
from ...text.vocabulary import PAD, UNK
from ..answers import vocabulary_facts, vocabulary_of
from ..experiment import Facts

KINDS = ("auto", "words", "characters")
SAMPLE = 1000  # texts that are looked at
SPACELESS = re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
LETTER = re.compile(r"\w")
SPACELESS_SHARE = 0.3  # of the letters
SHORT, OFTEN = 2, 0.5  # words in the median text that is a name; occurrences of words that occur again
MANY_TEXTS = 1000  # from which on tokens that occur once are unknown ones
MOST_TOKENS = 50_000  # of a vocabulary


@dataclass(frozen=True)
class Tokens:
    """How a text becomes rows of indices: one of its tokens, one of its known tokens and pairs of neighbours, or both.

    kind      "words", in small letters, or "characters"
    longest   the most tokens of a text that are read
    words     the vocabulary of tokens; <pad> is 0, <unk> 1. None: the network does not read tokens in their order
    bag       the vocabulary of tokens and pairs. None: the network has no bag of them
    """

    kind: str
    longest: int
    words: text.Vocabulary | None
    bag: text.Vocabulary | None

    def split(self, content: str) -> list[str]:
        """The tokens of a text, as many as are read."""
        return split_text(content, self.kind)[: self.longest]

    def indices(self, tokens: Sequence[str]) -> tuple[np.ndarray, ...]:
        """The rows of indices of tokens, one for each input of the network; the second is at most twice as long as there are tokens."""
        rows = [] if self.words is None else [self.words.encode(tokens)]
        if self.bag is not None:
            row = self.bag.encode(with_pairs(tokens))
            rows.append(row[row != self.bag.unk])
        return tuple(rows)

    def lengths(self, tokens: int) -> tuple[int, ...]:
        """How long the rows of so many tokens are at most."""
        return (*(() if self.words is None else (tokens,)), *(() if self.bag is None else (2 * tokens,)))

    def __contains__(self, token: str) -> bool:
        """Whether the network knows the token."""
        return any(token in vocabulary for vocabulary in (self.words, self.bag) if vocabulary is not None)

    def to_facts(self) -> Facts:
        """The same as JSON holds it; `from_facts` reads it back."""
        words, bag = (None if known is None else vocabulary_facts(known) for known in (self.words, self.bag))
        return {"kind": self.kind, "longest": self.longest, "words": words, "bag": bag}

    @classmethod
    def from_facts(cls, facts: Facts) -> Tokens:
        """What `to_facts` described; ValueError for anything else."""
        if facts["kind"] not in KINDS[1:] or type(facts["longest"]) is not int:
            raise ValueError(f"tokens of kind {facts['kind']!r:.40}, {facts['longest']!r:.40} of them")
        words, bag = (None if facts[name] is None else vocabulary_of(facts[name]) for name in ("words", "bag"))
        return cls(facts["kind"], facts["longest"], words, bag)


def split_text(content: str, kind: str) -> list[str]:
    """All tokens of a text.

    >>> split_text("Not bad!", "words"), split_text("Ab", "characters")
    (['not', 'bad', '!'], ['A', 'b'])
    """
    return text.words(content, lower=True) if kind == "words" else text.characters(content)


def with_pairs(tokens: Sequence[str]) -> list[str]:
    """The tokens, and each pair of neighbours as one token.

    >>> with_pairs(["not", "so", "bad"])
    ['not', 'so', 'bad', 'not so', 'so bad']
    """
    return [*tokens, *(f"{one} {other}" for one, other in pairwise(tokens))]


def choose_kind(texts: Sequence[str]) -> tuple[str, str]:
    """Words or characters, and why.

    Characters where most letters are of a script without spaces between words, and for names: texts of one or two words that
    mostly occur once, so that words of other texts would be unknown.

    >>> [choose_kind(texts)[0] for texts in (["a nice day today"], ["Miller", "Smith", "Jones"])]
    ['words', 'characters']
    """
    sample = texts[:: max(1, len(texts) // SAMPLE)]
    joined = " ".join(sample)
    letters = len(LETTER.findall(joined))
    if len(SPACELESS.findall(joined)) > SPACELESS_SHARE * letters:
        return "characters", "its script has no spaces between words"
    if not letters:
        return "characters", "there are no words in it"
    rows = [text.words(content, lower=True) for content in sample]
    counts = text.vocabulary.count_tokens(rows)
    again = sum(count for count in counts.values() if count > 1)
    if np.median([len(row) for row in rows]) <= SHORT and again < OFTEN * counts.total():
        return "characters", "most texts are one or two words that no other text has"
    return "words", "words are separated by spaces"


def learn_tokens(kind: str, rows: Sequence[Sequence[str]], longest: int, in_order: bool, bag: bool) -> Tokens:
    """The tokens of training texts, which are split: the most frequent ones, of many texts those that occur at least twice.

    in_order, bag: whether the network reads tokens in their order, and whether it has a bag of them.
    """
    rows = [row[:longest] for row in rows]
    return Tokens(kind, longest, learn_vocabulary(rows, len(rows)) if in_order else None,
                  learn_vocabulary(map(with_pairs, rows), len(rows)) if bag else None)


def learn_vocabulary(rows: Iterable[Sequence[str]], texts: int) -> text.Vocabulary:
    """The most frequent tokens, of many texts those that occur at least twice."""
    return text.Vocabulary.build(rows, smallest_count=2 if texts >= MANY_TEXTS else 1, largest=MOST_TOKENS, specials=(PAD, UNK))
