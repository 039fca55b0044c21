"""Read the lines of a text file, decoding one at a time; errors name the line."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .reading import Path, reading, refused, unpacked

MOST_LINE = 2**24  # bytes of one line
MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"  # the byte order mark that some editors write at the start of a file


def text_lines(path: Path, limit: int | None = None) -> Iterator[tuple[int, str]]:
    """Iterate over (line number from 1, line without its end) of a UTF-8 file, plain or gzip-compressed.

    Lines end with a line feed, or a carriage return and a line feed; a byte order mark at the beginning is dropped. A compressed
    file may unpack to `limit` bytes, by default 32 MiB, or 32 times its size if that is more. Raises DataError naming file and
    line for bytes that are not UTF-8, a zero byte, a line longer than 16 MiB, more bytes than `limit`, damaged or truncated
    compression, and an empty file.

    >>> with open("words.txt", "wb") as file:
    ...     _ = file.write("un\\ndeux\\n".encode())
    >>> list(text_lines("words.txt"))
    [(1, 'un'), (2, 'deux')]
    """
    total = line_number = 0
    with unpacked(path, limit) as source:
        while True:
            with reading(path, f"after line {line_number}"):
                raw = source.stream.readline(MOST_LINE + 1)
            if not raw:
                break
            line_number, total = line_number + 1, total + len(raw)
            if total > source.bound:
                raise refused(path, f"line {line_number}", f"the file unpacks to more than {source.bound} bytes")
            yield line_number, decode_line(raw, path, line_number)
    if not line_number:
        raise refused(path, "contents", "the file is empty")


def decode_line(raw: bytes, path: Path, line_number: int) -> str:
    if len(raw) > MOST_LINE:
        raise wrong_line(path, line_number, f"it is longer than {MOST_LINE} bytes")
    if b"\0" in raw:
        raise wrong_line(path, line_number, "it holds a zero byte", "this is not a text file")
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise wrong_line(path, line_number, f"byte {error.start} is {raw[error.start]:#04x}, which is not UTF-8",
                         repair="convert the file to UTF-8") from None
    line = line.removesuffix("\n").removesuffix("\r")
    return line.removeprefix(MARK) if line_number == 1 else line


def wrong_line(path: Path, line_number: int, problem: str, why: str = "", **repair: str) -> Exception:
    """The error that names a line and its problem."""
    return refused(os.fspath(path), f"line {line_number}", problem, why, **repair)
