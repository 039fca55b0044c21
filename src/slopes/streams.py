"""Output streams whose failures (full disk, closed pipe, no terminal) do not interrupt the work."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast


class Lenient:
    """A text stream that drops all output after the first failed write; `error` is its exception.

    >>> import io
    >>> closed = io.StringIO()
    >>> closed.close()
    >>> stream = Lenient(closed)
    >>> _ = stream.write("epoch 1")
    >>> stream.error
    ValueError('I/O operation on closed file')
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream: TextIO = io.StringIO() if stream is None else stream  # sys.stderr may be None
        self.error: Exception | None = None

    def write(self, text: str) -> int:
        """Write, if still possible; characters that the encoding lacks become escapes."""
        self.attempt(self.write_encoded, text)
        return len(text)

    def write_encoded(self, text: str) -> None:
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            self.stream.write(text.encode("ascii", "backslashreplace").decode())

    def flush(self) -> None:
        """Flush, if still possible."""
        self.attempt(self.stream.flush)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        with contextlib.suppress(ValueError):
            return self.stream.isatty()
        return False

    def attempt(self, action: Callable[..., Any], *args: Any) -> None:
        """Call `action` unless an earlier one failed; record its exception."""
        if self.error is None:
            try:
                action(*args)
            except (OSError, ValueError) as error:
                self.error = error

    def abandon(self) -> None:
        """Redirect the file descriptor to the null device, so that flushing at interpreter shutdown cannot fail."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def lenient(stream: TextIO | None) -> TextIO:
    """A lenient wrapper of the stream; None is a stream without output."""
    return cast(TextIO, Lenient(stream))


def stderr() -> TextIO:
    """Standard error, for progress."""
    return lenient(sys.stderr)
