"""The CoNLL-U format of treebanks: one word a line, ten columns, a blank line after each sentence."""

from __future__ import annotations

import re
from typing import NamedTuple

from .reading import Path, refused
from .text_reader import text_lines, wrong_line

TAGS = ("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X")
KNOWN = frozenset(TAGS)
COLUMNS = 10
SKIPPED = re.compile(r"([1-9]\d{0,5})-([1-9]\d{0,5})|(0|[1-9]\d{0,5})\.[1-9]\d{0,5}")  # fused tokens (8-9), empty nodes (8.1)


class Sentence(NamedTuple):
    """The words of a sentence, and the part of speech of each: one of the 17 universal tags."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def load_conllu(path: Path) -> tuple[Sentence, ...]:
    """The sentences of a CoNLL-U file (plain or gzip-compressed): columns 2 (form) and 4 (universal part of speech).

    Lines of fused tokens (id 8-9) and of empty nodes (8.1) are skipped, as the words proper are what is tagged. Raises DataError
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
    found: list[Sentence] = []
    open_rows: list[tuple[str, str]] = []
    begun = number = 0
    for number, line in text_lines(path):
        if line:
            begun = begun or number
            add_row(line, open_rows, path, number)
        else:
            found.append(finished(open_rows, path, number))
            open_rows, begun = [], 0
    if begun:
        raise wrong_line(path, number, f"the file ends inside the sentence that begins at line {begun}",
                         "a blank line follows every sentence, the last one too")
    if not found:
        raise refused(path, "contents", "there is no sentence")
    return tuple(found)


def finished(rows: list[tuple[str, str]], path: Path, number: int) -> Sentence:
    if not rows:
        raise wrong_line(path, number, "a blank line, but no word before it", "it ends a sentence, and a sentence has words")
    words, tags = zip(*rows)
    return Sentence(words, tags)


def add_row(line: str, rows: list[tuple[str, str]], path: Path, number: int) -> None:
    """Read one line of a sentence: a word is added to its rows."""
    if line.startswith("#"):
        if rows:
            raise wrong_line(path, number, "a comment inside a sentence", "comments stand before the words",
                             repair="is the blank line after the sentence missing?")
        return
    fields = line.split("\t")
    if len(fields) != COLUMNS:
        raise wrong_line(path, number, f"{len(fields)} columns instead of {COLUMNS}", "columns are separated by one tab each")
    if SKIPPED.fullmatch(fields[0]):
        return
    if fields[0] != str(len(rows) + 1):
        raise wrong_line(path, number, f"column 1 (id) is {fields[0]!r:.80}, not {len(rows) + 1}", "the words of a sentence are counted")
    if not fields[1].strip():
        raise wrong_line(path, number, "column 2 (form) is empty")
    if fields[3] not in KNOWN:
        raise wrong_line(path, number, f"column 4 (universal part of speech) is {fields[3]!r:.80}", "known are " + ", ".join(TAGS))
    rows.append((fields[1], fields[3]))
