"""Streams for progress and reports, which a full disk, a closed pipe or a missing terminal do not turn into failures of the work."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast


class Lenient:
    """A text stream that drops what cannot be written, and everything after that; `error` is why.

    >>> import io
    >>> closed = io.StringIO()
    >>> closed.close()
    >>> stream = Lenient(closed)
    >>> _ = stream.write("epoch 1")
    >>> stream.error
    ValueError('I/O operation on closed file')
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream: TextIO = io.StringIO() if stream is None else stream  # a process may have been started without one
        self.error: Exception | None = None

    def write(self, text: str) -> int:
        """Write, if that is still possible; characters that the stream has no bytes for become escapes."""
        self.attempt(self.write_encoded, text)
        return len(text)

    def write_encoded(self, text: str) -> None:
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            self.stream.write(text.encode("ascii", "backslashreplace").decode())

    def flush(self) -> None:
        """Flush, if that is still possible."""
        self.attempt(self.stream.flush)

    def isatty(self) -> bool:
        """Whether somebody looks at it."""
        with contextlib.suppress(ValueError):
            return self.stream.isatty()
        return False

    def attempt(self, action: Callable[..., Any], *args: Any) -> None:
        """Do it, unless something failed before; remember when it fails."""
        if self.error is None:
            try:
                action(*args)
            except (OSError, ValueError) as error:
                self.error = error

    def abandon(self) -> None:
        """Let the file behind it lead nowhere, so that what its buffer still holds is no failure at the end of the interpreter."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def lenient(stream: TextIO | None) -> TextIO:
    """The stream, made lenient; None stands for one that shows nothing."""
    return cast(TextIO, Lenient(stream))


def stderr() -> TextIO:
    """Standard error, for progress."""
    return lenient(sys.stderr)
