"""Byte-pair encoding with published pieces, as GPT-2's checkpoints need it: text as bytes, words merged by a list of pairs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..files.jsonfile import decode_utf8, parse_object
from ..files.reading import Path, read_whole, refused
from .vocabulary import as_indices

MOST_FILE = 2**26  # bytes
MOST_CACHED = 50_000  # words
SUFFIXES = "strevmld"  # letters of 's 't 're 've 'm 'll 'd
# Of a text in which letters are L (but for those of suffixes), numbers N, white space W (but for blanks), and all else O:
WORDS = re.compile(rf"'s|'t|'re|'ve|'m|'ll|'d| ?[L{SUFFIXES}]+| ?N+| ?[O']+|[ W]+(?![^ W])|[ W]+")
PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))  # bytes that stand for themselves in pieces
OTHERS = tuple(byte for byte in range(256) if byte not in PRINTABLE)
LETTERS = {**{byte: chr(byte) for byte in PRINTABLE}, **{byte: chr(256 + i) for i, byte in enumerate(OTHERS)}}
BYTES = {letter: byte for byte, letter in LETTERS.items()}
END = "<|endoftext|>"


class BytePairs:
    """Text as indices of pieces, without loss: words with the blank before them, as bytes, of which pairs are merged in the order of
    `merges`.

    `vocabulary` maps pieces to indices; in pieces a blank is "Ġ", and each byte that cannot be printed another letter. `end` is the
    index of <|endoftext|>, None where there is none; in a text these letters are ordinary text.
    Source: Radford et al., "Language models are unsupervised multitask learners", 2019.

    >>> letters = {letter: i for i, letter in enumerate(LETTERS.values())}
    >>> pieces = BytePairs({**letters, "lo": 256, "low": 257, "Ġlow": 258}, [("l", "o"), ("lo", "w"), ("Ġ", "low")])
    >>> pieces.tokens("low lower"), pieces.decode(pieces.encode("low löwer"))
    (['low', 'Ġlow', 'e', 'r'], 'low löwer')
    """

    def __init__(self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> None:
        self.index, self.ranks = dict(vocabulary), {pair: i for i, pair in enumerate(merges)}
        self.pieces = {index: piece for piece, index in self.index.items()}
        missing = [letter for letter in BYTES if letter not in self.index]
        unknown = [one + other for one, other in merges if one + other not in self.index]
        if missing or unknown or len(self.pieces) < len(self.index):
            problem = f"lacks {(missing or unknown)[0]!r}" if missing or unknown else "has an index twice"
            raise ArgumentError(f"BytePairs: the vocabulary of {len(self.index)} pieces {problem}",
                                why="all bytes and all merged pairs are pieces, each with an index of its own")
        self.end = self.index.get(END)
        self.cached: dict[str, list[str]] = {}

    @classmethod
    def load(cls, vocabulary: Path, merges: Path) -> BytePairs:
        """Read vocab.json, {piece: index}, and merges.txt, a pair a line. Raises DataError naming file and field."""
        index = parse_object(read_whole(vocabulary, MOST_FILE), vocabulary, "contents", foreign=True)
        if not all(type(value) is int and 0 <= value < 2**31 for value in index.values()):
            raise refused(vocabulary, "contents", "an index is not a whole number from 0")
        lines = decode_utf8(read_whole(merges, MOST_FILE), merges, "contents").split("\n")
        pairs = [tuple(line.rstrip("\r").split(" ")) for line in lines if line.strip() and not line.startswith("#version")]
        if not all(len(pair) == 2 and all(pair) for pair in pairs):
            raise refused(merges, "contents", "a line does not have two pieces")
        try:
            return cls(index, pairs)  # type: ignore[arg-type]
        except ArgumentError as error:
            raise refused(vocabulary, "contents", error.what) from None

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        return f"BytePairs({len(self)} pieces)"

    def encode(self, text: str) -> np.ndarray:
        """The indices (T,) int64."""
        return np.array([self.index[piece] for piece in self.tokens(text)], np.int64)

    def decode(self, indices: Any) -> str:
        """The text of indices (T,); bytes that are no UTF-8 become U+FFFD. Raises ArgumentError for an index without a piece."""
        raw = bytearray()
        for index in as_indices(indices).tolist():
            piece = self.pieces.get(index)
            if piece is None:
                raise ArgumentError(f"BytePairs: no piece has the index {index}", why=f"there are {len(self)} pieces")
            raw += bytes(map(BYTES.__getitem__, piece)) if all(map(BYTES.__contains__, piece)) else piece.encode()
        return raw.decode("utf-8", "replace")

    def tokens(self, text: str) -> list[str]:
        """The pieces of a text."""
        return [piece for word in split_words(text) for piece in self.merge(word)]

    def merge(self, word: str) -> list[str]:
        """The pieces of a word; words are remembered."""
        pieces = self.cached.get(word)
        if pieces is None:
            pieces = self.merge_letters([LETTERS[byte] for byte in word.encode("utf-8", "replace")])
            if len(self.cached) < MOST_CACHED:
                self.cached[word] = pieces
        return pieces

    def merge_letters(self, pieces: list[str]) -> list[str]:
        """Merge the pair that comes first in the list, wherever it is, until there is none."""
        while len(pieces) > 1:
            best = min(pairwise(pieces), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            merged: list[str] = []
            for piece in pieces:
                if merged and (merged[-1], piece) == best:
                    merged[-1] += piece
                else:
                    merged.append(piece)
            pieces = merged
        return pieces


def split_words(text: str) -> Iterator[str]:
    """Words with the blank before them, numbers, runs of other characters, white space.

    >>> list(split_words("It's 25 miles  away!"))
    ['It', "'s", ' 25', ' miles', ' ', ' away', '!']
    """
    return (text[match.start() : match.end()] for match in WORDS.finditer("".join(map(character_class, text))))


def character_class(character: str) -> str:
    """The letter that stands for a character in WORDS."""
    if character in SUFFIXES or character in "' ":
        return character
    kind = unicodedata.category(character)[0]
    if kind in "LN":
        return kind
    return "W" if character.isspace() and not "\x1c" <= character <= "\x1f" else "O"
