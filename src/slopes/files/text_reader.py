"""The lines of a text file that may be damaged: decoded one by one, each refusal names the line."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .reading import Path, reading, refused, unpacked

MOST_LINE = 2**24  # bytes of one line
MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"  # some editors put it in front of a file


def text_lines(path: Path, limit: int | None = None) -> Iterator[tuple[int, str]]:
    """(number from 1, line without its end) of a UTF-8 file, plain or gzip-compressed, read as it is asked for.

    Lines end with a line feed only; a carriage return before it belongs to the end, a byte order mark at the beginning does not
    count. A compressed file may unpack to `limit` bytes; by default 32 MiB, or 32 times its size if that is more. Raises DataError
    naming file and line: bytes that are not UTF-8, a zero byte, a line longer than 16 MiB, more bytes unpacked, damaged or
    truncated compression, an empty file.

    >>> with open("words.txt", "wb") as file:
    ...     _ = file.write("un\\ndeux\\n".encode())
    >>> list(text_lines("words.txt"))
    [(1, 'un'), (2, 'deux')]
    """
    total = number = 0
    with unpacked(path, limit) as source:
        while True:
            with reading(path, f"after line {number}"):
                raw = source.stream.readline(MOST_LINE + 1)
            if not raw:
                break
            number, total = number + 1, total + len(raw)
            if total > source.bound:
                raise refused(path, f"line {number}", f"the file unpacks to more than {source.bound} bytes")
            yield number, decoded_line(raw, path, number)
    if not number:
        raise refused(path, "contents", "the file is empty")


def decoded_line(raw: bytes, path: Path, number: int) -> str:
    if len(raw) > MOST_LINE:
        raise wrong_line(path, number, f"it is longer than {MOST_LINE} bytes")
    if b"\0" in raw:
        raise wrong_line(path, number, "it holds a zero byte", "this is no text file")
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise wrong_line(path, number, f"byte {error.start} is {raw[error.start]:#04x}, which is not UTF-8",
                         repair="convert the file to UTF-8") from None
    line = line.removesuffix("\n").removesuffix("\r")
    return line.removeprefix(MARK) if number == 1 else line


def wrong_line(path: Path, number: int, seen: str, why: str = "", **repair: str) -> Exception:
    """The error that says what is wrong with which line."""
    return refused(os.fspath(path), f"line {number}", seen, why, **repair)
