"""Ctrl-C while a net learns: the first asks for a stop between two native calls, the second stops at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Interrupts:
    """While entered, SIGINT sets `requested` instead of raising KeyboardInterrupt in the middle of an update; may be entered again inside.

    Only where Python's own handler is in place and in the main thread; a program's own handler is left alone.
    """

    def __init__(self) -> None:
        self.requested = False
        self.depth, self.installed = 0, False

    def __enter__(self) -> Interrupts:
        self.depth += 1
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.handle)
            self.installed = True
        return self

    def __exit__(self, *error: object) -> None:
        self.depth -= 1
        if self.installed and not self.depth:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.installed = False

    def handle(self, signal_number: int, frame: FrameType | None) -> None:
        """Remember the first; let the second through."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def raise_outside(self) -> None:
        """Raise KeyboardInterrupt for a signal that came while entered, where nobody who entered looks for it any more."""
        if self.requested and not self.depth:
            self.requested = False
            raise KeyboardInterrupt
