"""Plain text in a file of the user's own: its encoding, its line ends, and its division into parts to learn from and to test."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import DataError
from ...files.csvfile import MOST_TEXT
from ...files.reading import reading, refused, unpacked
from ...tables.spelling import MARKS, check_encoding

LEAST_CHARACTERS = 1000  # of which a twentieth tests: 50
NAME_IT = "name its encoding: --encoding latin-1, utf-16 or shift_jis, for example; or save it as UTF-8"


class TextParts(NamedTuple):
    """The parts of a text: the first nine tenths, a twentieth, and the last twentieth."""

    train: str
    validation: str
    test: str


def read_text(path: str, encoding: str, notes: list[str]) -> str:
    """The text of a file, whose line ends become those of Unix; notes say what was assumed.

    Without an `encoding` it is detected: by a byte-order mark; else it is UTF-8, or Windows-1252 where it is not. Raises DataError for a
    file that is not there, empty, or no text.
    """
    if encoding:
        check_encoding(encoding)
    with unpacked(path) as source, reading(path):
        raw = source.stream.read(min(source.bound, MOST_TEXT) + 1)
    if len(raw) > MOST_TEXT:
        raise refused(path, "size", f"more than {MOST_TEXT:,} bytes", "all of a text is in memory while it is learned", "use a part of it")
    marked = next((name for mark, name in MARKS.items() if raw.startswith(mark)), "")
    if not encoding and not marked and b"\0" in raw:
        raise refused(path, "contents", "it holds zero bytes", "this is no text in UTF-8 or a Windows encoding", NAME_IT)
    content = decode(path, raw, [encoding or marked] if encoding or marked else ["utf-8", "cp1252"], notes)
    if not content.strip():
        raise refused(path, "contents", "there is no text in it", "characters are learned", "name a text file")
    return content.replace("\r\n", "\n").replace("\r", "\n")


def decode(path: str, raw: bytes, encodings: list[str], notes: list[str]) -> str:
    """The text in the first of the encodings that has all of its bytes."""
    for i, encoding in enumerate(encodings):
        try:
            content = raw.decode(encoding)
        except UnicodeError:
            continue
        if i:
            notes.append(f"the file is not UTF-8: it is read as {encoding} (Windows, Western Europe); another encoding is named by "
                         "--encoding")
        return content
    raise refused(path, "contents", f"it is not text in {' or '.join(encodings)}", "some bytes have no meaning in it", NAME_IT)


def divide_text(content: str, path: str) -> TextParts:
    """The parts of a text; DataError for one that is too short, or has only one character."""
    if len(content) < LEAST_CHARACTERS:
        raise DataError(f"{path}: the text has {len(content):,} characters", why=f"nine tenths are learned from, the rest chooses and "
                        f"tests: {LEAST_CHARACTERS:,} are the least", repair="bring more; a hundred thousand are a beginning", where="")
    first, second = len(content) * 9 // 10, len(content) * 19 // 20
    parts = TextParts(content[:first], content[first:second], content[second:])
    if len(set(parts.train)) == 1:
        raise DataError(f"{path}: the part to learn from is one character, {parts.train[0]!r}, again and again", where="",
                        why="there is nothing to predict", repair="name another file")
    return parts
