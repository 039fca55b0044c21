"""Vocabularies: the mapping between tokens and indices, special tokens first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, DTypeError, OutOfRangeError
from ..files.atomic import Path
from ..files.jsonfile import load_json, save_json
from ..files.reading import refused

PAD, UNK, BOS, EOS = SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
SCHEMA = "slopes.vocabulary"


class Vocabulary:
    """Tokens and their indices.

    The special tokens come first: <pad> pads short rows, <unk> replaces unknown tokens, <bos> and <eos> mark the beginning and
    the end of a sentence. Raises ArgumentError without tokens, for duplicates, and for other special tokens.

    >>> from slopes import text
    >>> vocabulary = text.Vocabulary.build(text.words("to be or not to be"))
    >>> vocabulary.tokens
    ('<pad>', '<unk>', '<bos>', '<eos>', 'be', 'to', 'not', 'or')
    >>> vocabulary.encode(["to", "see"], eos=True)
    array([5, 1, 3])
    """

    __slots__ = ("index_of", "specials", "tokens")
    tokens: tuple[str, ...]
    specials: tuple[str, ...]
    index_of: dict[str, int]

    def __init__(self, tokens: Iterable[str], specials: Sequence[str] = SPECIALS) -> None:
        self.specials = checked_specials(specials)
        self.tokens = (*self.specials, *tokens)
        check_text(self.tokens)
        self.index_of = {token: index for index, token in enumerate(self.tokens)}
        if len(self.index_of) != len(self.tokens):
            twice = Counter(self.tokens).most_common(1)[0][0]
            raise ArgumentError(f"token {twice!r:.80} occurs twice", why="a token has one number",
                                repair="Vocabulary.build(tokens) counts tokens of a text; this class takes different ones")
        if len(self.tokens) == len(self.specials):
            raise ArgumentError("an empty vocabulary: there is no token but the special ones", why=f"special are {self.specials}",
                                repair="give the tokens of a text, or lower smallest_count")

    @classmethod
    def build(cls, tokens: Iterable[Any] | Mapping[str, int], smallest_count: int = 1, largest: int | None = None,
              specials: Sequence[str] = SPECIALS) -> Vocabulary:
        """The vocabulary of a text: its tokens by descending count, then in alphabetical order.

        tokens: strings, or sequences of strings (sentences), or a dict of counts. Tokens that occur less than `smallest_count` times
        are excluded; `largest` limits the size, including special tokens. Special tokens in the text are not counted.

        >>> from slopes import text
        >>> text.Vocabulary.build([["a", "b"], ["b", "c"]], smallest_count=2, specials=("<unk>",)).tokens
        ('<unk>', 'b')
        """
        specials = checked_specials(specials)
        check_whole(smallest_count=smallest_count, largest=largest)
        counts = Counter(tokens) if isinstance(tokens, Mapping) else count_tokens(tokens)
        check_text(counts)
        ranked = [(-count, token) for token, count in counts.items() if count >= smallest_count and token not in specials]
        room = None if largest is None else max(0, largest - len(specials))
        return cls([token for _, token in sorted(ranked)[:room]], specials)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.index_of

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens, {len(self.specials)} of them special)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and (self.tokens, self.specials) == (other.tokens, other.specials)

    __hash__ = None  # type: ignore[assignment]

    def special(self, token: str) -> int:
        """The index of a special token; ArgumentError if this vocabulary lacks it."""
        if token not in self.specials:
            raise ArgumentError(f"this vocabulary has no {token}", why=f"its special tokens are {self.specials}",
                                repair="build it with the usual ones: leave specials= out")
        return self.index_of[token]

    @property
    def pad(self) -> int:
        """The index of <pad>."""
        return self.special(PAD)

    @property
    def unk(self) -> int:
        """The index of <unk>."""
        return self.special(UNK)

    @property
    def bos(self) -> int:
        """The index of <bos>."""
        return self.special(BOS)

    @property
    def eos(self) -> int:
        """The index of <eos>."""
        return self.special(EOS)

    def encode(self, tokens: Iterable[str], bos: bool = False, eos: bool = False) -> np.ndarray:
        """The indices (T,) int64 of the tokens, optionally with <bos> before and <eos> after them; unknown tokens become <unk>.

        Raises OutOfRangeError for an unknown token if the vocabulary has no <unk>.
        """
        unknown = self.index_of.get(UNK, -1) if UNK in self.specials else -1
        tokens = list(tokens)
        check_text(tokens)
        indices = np.array([self.index_of.get(token, unknown) for token in tokens], np.int64)
        if indices.size and indices.min() < 0:
            position = int(indices.argmin())
            raise OutOfRangeError(f"token {position} is {tokens[position]!r:.80}, which the vocabulary does not know",
                                  why="it has no <unk> to stand for it", repair="build it with specials=('<unk>',), or from all texts")
        return np.concatenate(([self.bos] if bos else [], indices, [self.eos] if eos else [])).astype(np.int64)

    def decode(self, indices: Any, specials: bool = False) -> list[str]:
        """The tokens of the indices (T,) up to the first <eos>, without <pad> and <bos>; with `specials` all of them.

        Raises OutOfRangeError for an invalid index.

        >>> from slopes import text
        >>> text.Vocabulary("ab").decode([2, 4, 5, 3, 0])
        ['a', 'b']
        """
        indices = as_indices(indices)
        if indices.size and not 0 <= indices.min() <= indices.max() < len(self):
            raise OutOfRangeError(f"the numbers run from {indices.min()} to {indices.max()}, but there are {len(self)} tokens")
        tokens = [self.tokens[index] for index in indices]
        if specials:
            return tokens
        end = tokens.index(EOS) if EOS in self.specials and EOS in tokens else None
        hidden = {PAD, BOS} & set(self.specials)
        return [token for token in tokens[:end] if token not in hidden]

    def coverage(self, tokens: Iterable[str]) -> float:
        """The share of the tokens that are in the vocabulary, from 0 to 1; ArgumentError without tokens.

        >>> from slopes import text
        >>> text.Vocabulary("ab").coverage("abba!")
        0.8
        """
        known = [token in self.index_of for token in tokens]
        if not known:
            raise ArgumentError("coverage: there is no token")
        return sum(known) / len(known)

    def save(self, path: Path) -> None:
        """Write the tokens as JSON, atomically."""
        save_json(path, {"specials": self.specials, "tokens": self.tokens[len(self.specials):]}, SCHEMA)

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote. Raises DataError naming file and field.

        >>> from slopes import text
        >>> text.Vocabulary("ab").save("vocabulary.json")
        >>> text.Vocabulary.load("vocabulary.json").tokens[-2:]
        ('a', 'b')
        """
        content = load_json(path, SCHEMA)
        for field in ("specials", "tokens"):
            if not isinstance(content.get(field), list) or not all(isinstance(token, str) for token in content[field]):
                raise refused(path, field, "it is no list of text")
        try:
            return cls(content["tokens"], content["specials"])
        except ArgumentError as error:
            raise refused(path, "tokens", error.what, error.why) from None


def checked_specials(specials: Sequence[str]) -> tuple[str, ...]:
    unknown = [token for token in specials if token not in SPECIALS]
    if unknown or isinstance(specials, str) or len(set(specials)) != len(specials):
        raise ArgumentError(f"specials are {specials!r:.80}", why="special tokens are some of " + ", ".join(SPECIALS) + ", each once",
                            repair="leave specials= out, or give for example ('<unk>',)")
    return tuple(specials)


def check_text(tokens: Iterable[Any]) -> None:
    """DTypeError unless all tokens are strings."""
    for token in tokens:
        if not isinstance(token, str):
            raise DTypeError(f"token {token!r:.80} is of type {type(token).__name__}", why="a token is text",
                             repair="leave out what is missing; text.words(sentence) makes tokens of text")


def check_whole(**arguments: int | None) -> None:
    for name, value in arguments.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1):
            raise ArgumentError(f"{name} is {value!r}", why="it is a whole number of at least 1")


def count_tokens(tokens: Iterable[Any]) -> Counter[str]:
    """The counts of tokens, or of the tokens in sentences."""
    counts: Counter[str] = Counter()
    for item in tokens:
        if isinstance(item, str):
            counts[item] += 1
        elif isinstance(item, Iterable):
            counts.update(item)
        else:
            raise DTypeError(f"{item!r:.80} is neither a token nor a sequence of tokens", repair="give strings or lists of strings")
    return counts


def as_indices(indices: Any) -> np.ndarray:
    """(T,) integers of an array, a tensor or a list."""
    array = np.asarray(indices)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise DTypeError(f"numbers of tokens are {array.dtype} of shape {array.shape}", why="one row of integers is decoded",
                         repair="decode the rows of a batch one by one")
    return array.astype(np.int64, copy=False)
