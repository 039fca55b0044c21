"""What a person at a terminal sees while something is compiled that takes long: one line, which goes away when it is done."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TextIO

from ..streams import stderr

PATIENCE = 2.0  # seconds: what is quicker needs no word
TEXT = "slopes: compiling a large program: this happens once for these shapes ..."
CLEARED = "\r\x1b[K"


class Notice:
    """One compilation, and the line about it."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.stream: TextIO | None = None

    def look(self) -> None:
        """Show the line, if it is time to, on a terminal on which nothing else shows progress."""
        if self.stream is None and not covered and time.monotonic() - self.began >= PATIENCE and (stream := stderr()).isatty():
            self.stream = stream
            self.show(TEXT)

    def show(self, text: str) -> None:
        if self.stream is not None:
            self.stream.write(text)
            self.stream.flush()


running: list[Notice] = []
covered: list[object] = []  # who shows on the terminal that something is compiled


@contextlib.contextmanager
def noticed() -> Iterator[None]:
    """What happens in the block is a compilation; `look` is called wherever it waits or has come further."""
    notice = Notice()
    running.append(notice)
    try:
        yield
    finally:
        running.remove(notice)
        notice.show(CLEARED)


def look() -> None:
    """Time has passed."""
    for notice in running:
        notice.look()
