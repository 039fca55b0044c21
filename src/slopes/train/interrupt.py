"""Ctrl-C while a net learns: the first asks for a stop between two native calls, the second stops at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Interrupts:
    """While entered, SIGINT sets `wanted` instead of raising KeyboardInterrupt in the middle of an update.

    Only where Python's own handler is in place and in the main thread; a program's own handler is left alone.
    """

    def __init__(self) -> None:
        self.wanted = False
        self.installed = False

    def __enter__(self) -> Interrupts:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.handle)
            self.installed = True
        return self

    def __exit__(self, *error: object) -> None:
        if self.installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Remember the first; let the second through."""
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True
