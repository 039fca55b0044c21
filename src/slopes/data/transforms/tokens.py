"""Tokenize text into characters or words, and join tokens back to text."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

from ...errors import DTypeError

NUMBER = r"\d++(?:[.,:]\d++){1,30}+(?!\w)"  # bounded, and nothing is tried twice: no text takes long
WORD = r"\w+(?:['’-]\w+)*"
TOKEN = re.compile(rf"{NUMBER}|{WORD}|\S")
ELIDED = re.compile(rf"{NUMBER}|\w+['’](?=\w)|\w+(?:-\w+)*|\S")
LONG = 1000  # characters: shorter texts are composed soon, whatever they are
CLOSING = frozenset(".,)]}…%")  # no blank before them
OPENING = frozenset("([{")  # no blank after them
DOUBLE = frozenset("!?:;»")  # with French spacing, a blank before them


def characters(text: str) -> list[str]:
    """The characters (code points) of the text, all of them, unchanged: joining them gives the text back.

    >>> from slopes import text
    >>> text.characters("Go on!")
    ['G', 'o', ' ', 'o', 'n', '!']
    """
    return list(text)


def words(text: str, lower: bool = False, elision: bool = False) -> list[str]:
    """The words, numbers and punctuation marks of the text.

    1. The text is composed (Unicode NFC: e and an accent become é) and, with `lower`, written in small letters.
    2. A word is a run of letters, digits and underscores; apostrophes and hyphens inside of it belong to it. With `elision` an
       apostrophe ends the word that it belongs to, as French and Italian need.
    3. Points, commas and colons between digits belong to a number.
    4. Every other character that is no white space is a token of its own.

    >>> from slopes import text
    >>> text.words("Don't pay 3.50, Tom!")
    ["Don't", 'pay', '3.50', ',', 'Tom', '!']
    >>> text.words("L'homme n'est pas là.", lower=True, elision=True)
    ["l'", 'homme', "n'", 'est', 'pas', 'là', '.']
    """
    if not isinstance(text, str):
        raise DTypeError(f"{text!r:.80} is of type {type(text).__name__}, not text", why="words are found in text",
                         repair="leave out what is missing (None, nan); give sentences one by one")
    result = composed(text)
    return (ELIDED if elision else TOKEN).findall(result.lower() if lower else result)


def composed(text: str) -> str:
    """The text in Unicode's form NFC; more than 30 accents on one letter are left as they are, for sorting them takes very long.

    >>> len(composed("e\N{COMBINING ACUTE ACCENT}"))
    1
    """
    if len(text) < LONG or text.isascii():
        return unicodedata.normalize("NFC", text)
    parts = accents().split(text)
    return "".join(part if i % 2 else unicodedata.normalize("NFC", part) for i, part in enumerate(parts))


@functools.cache
def accents() -> re.Pattern[str]:
    """Matches runs of more than 30 combining marks, as one group."""
    marks = "".join(chr(code) for code in range(0x300, 0x20000) if unicodedata.combining(chr(code)))
    return re.compile(f"([{marks}]{{31,}}+)")


def join_words(tokens: Iterable[str], french: bool = False) -> str:
    """A sentence of words and marks: a blank between tokens, but none before . , ) ] } … %, after ( [ {, or after a token that
    ends with an apostrophe; before ! ? : ; only if `french`. So `words` is undone, but for spacing that it does not know.

    >>> from slopes import text
    >>> text.join_words(["l'", "homme", "(", "là", ")", "!"])
    "l'homme (là)!"
    """
    tight = CLOSING if french else CLOSING | DOUBLE
    pieces: list[str] = []
    before = "("
    for token in tokens:
        glued = token in tight or before in OPENING or (len(before) > 1 and before[-1] in "'’")
        pieces.append(token if glued else f" {token}")
        before = token
    return "".join(pieces)
