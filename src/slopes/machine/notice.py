"""What a person at a terminal sees while something is compiled that takes long: one line, which goes away when it is done."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TextIO
from weakref import WeakSet

from ..streams import stderr

PATIENCE = 2.0  # seconds: what is quicker needs no word
TEXT = "slopes: compiling a large program: this happens once for these shapes ..."
CLEARED = "\r\x1b[K"


class Notice:
    """One compilation, and the line about it."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.stream: TextIO | None = None
        self.count = self.done = 0  # pieces of LLVM code, and those that are translated
        self.shown = ""

    @property
    def text(self) -> str:
        return f"{TEXT} {self.done} of {self.count}" if self.count else TEXT

    def look(self) -> None:
        """Show the line as it is now, if it is time to, on a terminal on which nothing else shows progress."""
        if self.stream is None and not covered and time.monotonic() - self.began >= PATIENCE and (stream := stderr()).isatty():
            self.stream = stream
        if self.stream is not None and self.text != self.shown:
            self.show(CLEARED + self.text if self.shown else self.text)
            self.shown = self.text

    def show(self, text: str) -> None:
        if self.stream is not None:
            self.stream.write(text)
            self.stream.flush()


running: list[Notice] = []
covered: WeakSet[object] = WeakSet()  # who shows on the terminal that something is compiled; a training may be dropped before its end


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


@contextlib.contextmanager
def counted(count: int) -> Iterator[Callable[[], None]]:
    """In the block, this many pieces are translated; gives what is called, by any thread, after each of them."""
    notice = running[-1] if running else Notice()
    notice.count, notice.done = count, 0

    def done() -> None:
        notice.done += 1

    try:
        yield done
    finally:
        notice.count = 0


def look() -> None:
    """Time has passed."""
    for notice in running:
        notice.look()
