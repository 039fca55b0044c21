"""The CoNLL-U treebank format: one word per line, ten columns, a blank line after each sentence."""

from __future__ import annotations

import re
from typing import NamedTuple

from .reading import Path, refused
from .text_reader import text_lines, wrong_line

TAGS = ("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X")
KNOWN = frozenset(TAGS)
COLUMNS = 10
SKIPPED = re.compile(r"([1-9]\d{0,5})-([1-9]\d{0,5})|(0|[1-9]\d{0,5})\.[1-9]\d{0,5}")  # multiword tokens (8-9), empty nodes (8.1)


class Sentence(NamedTuple):
    """The words of a sentence and their parts of speech (one of the 17 universal tags each)."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def load_conllu(path: Path) -> tuple[Sentence, ...]:
    """The sentences of a CoNLL-U file (plain or gzip-compressed): columns 2 (form) and 4 (universal part of speech).

    Lines of multiword tokens (id 8-9) and empty nodes (8.1) are skipped: only syntactic words carry tags. Raises DataError
    naming file and line: not ten columns, ids that do not count 1, 2, 3 ..., no form, an unknown tag, a comment inside a
    sentence, a sentence without words or without the blank line after it.
    Source: Nivre et al., "Universal Dependencies v2", 2020; universaldependencies.org/format.html.

    >>> with open("toy.conllu", "w") as file:
    ...     for row in (("1", "Go", "go", "VERB"), ("2", "!", "!", "PUNCT")):
    ...         print(*row, *"______", sep="\\t", file=file)
    ...     print(file=file)
    >>> load_conllu("toy.conllu")
    (Sentence(words=('Go', '!'), tags=('VERB', 'PUNCT')),)
    """
    sentences: list[Sentence] = []
    open_rows: list[tuple[str, str]] = []
    first = line_number = 0
    for line_number, line in text_lines(path):
        if line:
            first = first or line_number
            add_row(line, open_rows, path, line_number)
        else:
            sentences.append(as_sentence(open_rows, path, line_number))
            open_rows, first = [], 0
    if first:
        raise wrong_line(path, line_number, f"the file ends inside the sentence that begins at line {first}",
                         "a blank line follows every sentence, the last one too")
    if not sentences:
        raise refused(path, "contents", "there is no sentence")
    return tuple(sentences)


def as_sentence(rows: list[tuple[str, str]], path: Path, line_number: int) -> Sentence:
    if not rows:
        raise wrong_line(path, line_number, "a blank line, but no word before it", "it ends a sentence, and a sentence has words")
    words, tags = zip(*rows)
    return Sentence(words, tags)


def add_row(line: str, rows: list[tuple[str, str]], path: Path, line_number: int) -> None:
    """Parse one line and append its word to `rows`."""
    if line.startswith("#"):
        if rows:
            raise wrong_line(path, line_number, "a comment inside a sentence", "comments stand before the words",
                             repair="is the blank line after the sentence missing?")
        return
    fields = line.split("\t")
    if len(fields) != COLUMNS:
        raise wrong_line(path, line_number, f"{len(fields)} columns instead of {COLUMNS}", "columns are separated by single tabs")
    if SKIPPED.fullmatch(fields[0]):
        return
    if fields[0] != str(len(rows) + 1):
        raise wrong_line(path, line_number, f"column 1 (id) is {fields[0]!r:.80}, not {len(rows) + 1}", "words are numbered from 1")
    if not fields[1].strip():
        raise wrong_line(path, line_number, "column 2 (form) is empty")
    if fields[3] not in KNOWN:
        raise wrong_line(path, line_number, f"column 4 (universal part of speech) is {fields[3]!r:.80}", "known are " + ", ".join(TAGS))
    rows.append((fields[1], fields[3]))
