"""WordPiece tokenization, as BERT's checkpoints need it: cleaned words, cut greedily into pieces of a fixed vocabulary."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import ArgumentError
from ..files.jsonfile import decode_utf8
from ..files.reading import Path, read_whole, refused
from .vocabulary import check_whole

MOST_VOCABULARY = 2**26  # bytes
MOST_CACHED = 50_000  # words
LONGEST_WORD = 100  # characters; longer words are unknown
REMOVED = ("Cc", "Cf", "Co", "Cs")  # Unicode's categories
CONTINUES = "##"  # before a piece that is not the first of its word
IDEOGRAPHS = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF),
              (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


class WordPieces:
    """Text as indices of a vocabulary of word pieces: [CLS] first, the pieces, [SEP].

    Control characters are removed, ideographs and punctuation are words of their own; with `lowercase`, accents are removed too
    (`strip_accents` decides that otherwise). Each word is cut from the left into the longest pieces that the vocabulary has; a word
    that cannot be cut, or of more than 100 characters, is [UNK]. Special tokens in a text are ordinary text.
    Source: Devlin et al., "BERT: pre-training of deep bidirectional transformers", 2019; Wu et al., "Google's neural machine
    translation system", 2016.

    >>> pieces = WordPieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "play", "##ing", "!"])
    >>> pieces.encode("Playing!"), pieces.tokens("Playing chess")
    (array([2, 4, 5, 6, 3]), ['play', '##ing', '[UNK]'])
    """

    def __init__(self, vocabulary: Sequence[str], lowercase: bool = True, strip_accents: bool | None = None, chinese: bool = True) -> None:
        self.vocabulary = list(vocabulary)
        self.index = {piece: i for i, piece in enumerate(self.vocabulary)}
        self.lowercase, self.strip_accents, self.chinese = lowercase, lowercase if strip_accents is None else strip_accents, chinese
        missing = [name for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]") if name not in self.index]
        if missing or len(self.index) < len(self.vocabulary):
            problem = f"lacks {', '.join(missing)}" if missing else "has a piece twice"
            raise ArgumentError(f"WordPieces: the vocabulary of {len(self.vocabulary)} pieces {problem}",
                                repair="give the lines of a BERT model's vocab.txt, in their order")
        self.pad, self.unk, self.cls, self.sep = (self.index[name] for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]"))
        self.cached: dict[str, list[str]] = {}

    @classmethod
    def load(cls, path: Path, lowercase: bool = True, strip_accents: bool | None = None, chinese: bool = True) -> WordPieces:
        """Read a vocab.txt: one piece a line. Raises DataError naming the file."""
        lines = decode_utf8(read_whole(path, MOST_VOCABULARY), path, "contents").split("\n")
        vocabulary = [line.rstrip("\r") for line in lines[: -1 if lines[-1] == "" else None]]
        try:
            return cls(vocabulary, lowercase, strip_accents, chinese)
        except ArgumentError as error:
            raise refused(path, "contents", error.what) from None

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __repr__(self) -> str:
        return f"WordPieces({len(self)} pieces)"

    def encode(self, text: str, length: int | None = None) -> np.ndarray:
        """The indices (T,) int64, [CLS] and [SEP] included; with `length`, pieces at the end are cut off that are too many."""
        if length is not None:
            check_whole(length=length)
        pieces = [self.index[piece] for piece in self.tokens(text)]
        if length is not None:
            pieces = pieces[: max(length - 2, 0)]
        return np.array([self.cls, *pieces, self.sep], np.int64)

    def tokens(self, text: str) -> list[str]:
        """The pieces of a text."""
        return [piece for word in self.words(text) for piece in self.cut(word)]

    def words(self, text: str) -> Iterator[str]:
        """The cleaned words, punctuation apart."""
        for word in self.clean(text).split():
            yield from split_punctuation(word)

    def clean(self, text: str) -> str:
        """Without control characters and accents, in lower case, with spaces around ideographs."""
        text = "".join([" " if character.isspace() else character for character in text if not is_control(character)])
        if self.chinese:
            text = "".join([f" {character} " if is_ideograph(character) else character for character in text])
        if self.strip_accents:
            text = "".join([character for character in unicodedata.normalize("NFD", text) if unicodedata.category(character) != "Mn"])
        return "".join([character.lower() for character in text]) if self.lowercase else text  # one by one: no final sigma

    def cut(self, word: str) -> list[str]:
        """The pieces of a word; words are remembered."""
        pieces = self.cached.get(word)
        if pieces is None:
            pieces = self.longest_pieces(word)
            if len(self.cached) < MOST_CACHED:
                self.cached[word] = pieces
        return pieces

    def longest_pieces(self, word: str) -> list[str]:
        pieces: list[str] = []
        start = 0
        while start < len(word) <= LONGEST_WORD:
            ends = (end for end in range(len(word), start, -1) if (CONTINUES if start else "") + word[start:end] in self.index)
            end = next(ends, None)
            if end is None:
                break
            pieces.append((CONTINUES if start else "") + word[start:end])
            start = end
        return pieces if start == len(word) else ["[UNK]"]


def is_control(character: str) -> bool:
    """Whether a character is removed: controls, formats, those for private use and U+FFFD."""
    return character not in "\t\n\r" and (character == "\ufffd" or unicodedata.category(character) in REMOVED)


def is_ideograph(character: str) -> bool:
    return character >= "\u3400" and any(low <= ord(character) <= high for low, high in IDEOGRAPHS)


def is_punctuation(character: str) -> bool:
    """Unicode's punctuation, and all ASCII characters that are no letters, digits or controls."""
    return unicodedata.category(character)[0] == "P" or (character.isascii() and character.isprintable() and not character.isalnum())


def split_punctuation(word: str) -> Iterator[str]:
    """The parts of a word between its punctuation, and the punctuation."""
    start = 0
    for i, character in enumerate(word):
        if is_punctuation(character):
            if start < i:
                yield word[start:i]
            yield character
            start = i + 1
    if start < len(word):
        yield word[start:]
