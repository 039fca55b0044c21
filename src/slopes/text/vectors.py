"""Pretrained word vectors from text files with lines `word v1 v2 ...`."""

from __future__ import annotations

import os
import re
from collections.abc import Container
from typing import NamedTuple

import numpy as np

from ..data.loaders.order import check_words
from ..errors import ArgumentError, OutOfRangeError
from ..files.reading import Path
from ..files.text_reader import text_lines, wrong_line
from .vocabulary import PAD, Vocabulary

MOST_NUMBERS = 100_000  # of one word; usual are 50 to 300
WHOLE, NUMBER = re.compile(r"[0-9]{1,12}"), re.compile(r"[-+]?([0-9]++(\.[0-9]*+)?|\.[0-9]++)([eE][-+]?[0-9]{1,4})?")


class WordVectors:
    """Words (N) and their vectors (N, D) float32.

    >>> from slopes import text
    >>> vectors = text.WordVectors(["up", "down", "left"], np.array([[0, 1], [0, -1], [-1, 0]], np.float32))
    >>> vectors["down"]
    array([ 0., -1.], dtype=float32)
    """

    __slots__ = ("index_of", "vectors", "words")

    def __init__(self, words: list[str], vectors: np.ndarray) -> None:
        self.words, self.vectors = tuple(words), vectors
        self.index_of = {word: index for index, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index_of

    def __getitem__(self, word: str) -> np.ndarray:
        if word not in self.index_of:
            raise OutOfRangeError(f"there is no vector for {word!r:.80}", why=f"there are {len(self)} words",
                                  repair="ask first: word in vectors")
        return self.vectors[self.index_of[word]]

    def __repr__(self) -> str:
        return f"WordVectors({len(self)} words, {self.vectors.shape[1]} numbers each)"

    def table(self, vocabulary: Vocabulary, seed: int = 0) -> Table:
        """A row (D,) for each token of a vocabulary, to begin an embedding with: `net.weight.assign(found.table)`.

        Tokens without a vector get normal numbers of the mean and deviation of all vectors here, a pure function of the seed and
        the token's number; <pad> gets zeros.

        >>> from slopes import text
        >>> vectors = text.WordVectors(["b"], np.ones((1, 2), np.float32))
        >>> text.WordVectors.table(vectors, text.Vocabulary("ab", specials=("<pad>",)))
        Table(table=array([[0., 0.],
               [1., 1.],
               [1., 1.]], dtype=float32), known=array([False, False,  True]))
        """
        check_words(seed=seed)
        size = self.vectors.shape[1]
        mean, deviation = float(self.vectors.mean(dtype=np.float64)), float(self.vectors.std(dtype=np.float64))
        drawn = np.random.Generator(np.random.Philox(key=np.array([seed, 0], np.uint64))).standard_normal((len(vocabulary), size))
        table = (mean + deviation * drawn).astype(np.float32)
        known = np.array([token in self.index_of for token in vocabulary.tokens])
        table[known] = self.vectors[[self.index_of[token] for token in vocabulary.tokens if token in self.index_of]]
        if PAD in vocabulary.specials:
            table[vocabulary.pad] = 0
        return Table(table, known)

    def nearest(self, word: str | np.ndarray, count: int = 5) -> list[tuple[str, float]]:
        """The words whose vectors have the smallest angle to that of a word (itself left out), or to any vector, with the cosines.

        >>> from slopes import text
        >>> vectors = text.WordVectors(["up", "down", "left"], np.array([[0, 1], [0, -1], [-1, 0]], np.float32))
        >>> vectors.nearest("up", 1)
        [('left', 0.0)]
        """
        vector = self[word] if isinstance(word, str) else np.asarray(word, np.float32)
        lengths = np.linalg.norm(self.vectors, axis=1) * np.linalg.norm(vector)
        cosines = self.vectors @ vector / np.where(lengths > 0, lengths, 1)
        best = np.argsort(-cosines, kind="stable")
        kept = [i for i in best[: count + 1] if self.words[i] != word] if isinstance(word, str) else best
        return [(self.words[i], round(float(cosines[i]), 6) + 0.0) for i in kept[:count]]


class Table(NamedTuple):
    """Vectors (V, D) float32 for a vocabulary, and which of them (V,) bool are known words'."""

    table: np.ndarray
    known: np.ndarray


def load_vectors(path: Path, words: Container[str] | None = None, limit: int | None = None) -> WordVectors:
    """Read word vectors: each line is a word and D numbers, separated by single blanks, as GloVe's files are.

    D is that of the first line; a first line of two whole numbers (count and D) is a head, as word2vec and fastText write it, and
    must be true. words: read those only (a `Vocabulary`, a set), which saves memory. gzip-compressed files are read too, and may
    unpack to `limit` bytes (by default 32 MiB, or 32 times their size if that is more). A word may contain blanks; what counts is
    that D numbers follow. Raises DataError naming file and line: a line without exactly D numbers, NaN or infinite ones, an empty
    word, a word that occurs twice, text that is not UTF-8, a head that does not agree; and ArgumentError when no word of `words`
    occurs. Source: Pennington, Socher, Manning, "GloVe", EMNLP 2014.

    >>> with open("vectors.txt", "w") as file:
    ...     _ = file.write("up 0 1\\ndown 0 -1\\n")
    >>> from slopes import text
    >>> text.load_vectors("vectors.txt")
    WordVectors(2 words, 2 numbers each)
    """
    size, claim = first_line(path, limit)
    vectors: dict[str, np.ndarray] = {}
    seen: set[str] = set()
    for line_number, line in text_lines(path, limit):
        if line_number == 1 and claim is not None:
            continue
        word, parts = split_line(line, size, path, line_number)
        if word in seen:
            raise wrong_line(path, line_number, f"the word {word!r:.80} occurs twice", "a word has one vector")
        seen.add(word)
        if words is None or word in words:
            vectors[word] = parse_vector(parts, path, line_number)
    if claim is not None and claim != len(seen):
        raise wrong_line(path, 1, f"the head claims {claim} words, but {len(seen)} follow")
    if not vectors:
        raise ArgumentError(f"{os.fspath(path)}: none of its {len(seen)} words is wanted",
                            repair="compare capitals: are its words in small letters?")
    return WordVectors(list(vectors), np.stack(list(vectors.values())))


def first_line(path: Path, limit: int | None) -> tuple[int, int | None]:
    """How many numbers each word has, and how many words a head claims, if there is one."""
    line = next(text_lines(path, limit))[1]
    fields = line.rstrip(" ").split(" ")
    claim = None
    if len(fields) == 2 and all(WHOLE.fullmatch(field) for field in fields):
        claim, size = int(fields[0]), int(fields[1])
    else:
        size = len(fields) - 1
    if not 1 <= size <= MOST_NUMBERS:
        raise wrong_line(path, 1, f"{size} numbers", f"each line is a word and from 1 to {MOST_NUMBERS} numbers, separated by blanks")
    return size, claim


def split_line(line: str, size: int, path: Path, line_number: int) -> tuple[str, list[str]]:
    """The word of a line and the texts of its numbers."""
    word, *parts = line.rstrip(" ").rsplit(" ", size)
    if len(parts) != size or not word.strip():
        raise wrong_line(path, line_number, f"it is not a word and {size} numbers", f"the first line has {size}, and so have all")
    return word, parts


def parse_vector(parts: list[str], path: Path, line_number: int) -> np.ndarray:
    wrong = next((part for part in parts if not NUMBER.fullmatch(part)), None)
    if wrong is not None:
        raise wrong_line(path, line_number, f"{wrong!r:.80} is no number",
                         f"each line is a word and {len(parts)} numbers, separated by single blanks")
    with np.errstate(over="ignore"):
        vector = np.array(parts, np.float64).astype(np.float32)
    if not np.isfinite(vector).all():
        raise wrong_line(path, line_number, f"{parts[int(np.argmin(np.isfinite(vector)))]:.80} is too large for float32")
    return vector
