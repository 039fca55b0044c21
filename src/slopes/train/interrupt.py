"""Ctrl-C and SIGTERM while a net learns: the first asks for a stop between two native calls, the second stops at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

DEFAULTS: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
INTERRUPTED = 130  # the exit code that shells expect after Ctrl-C
GRACE_SECONDS = 30.0  # as long may a training that saves itself take to end


class Interrupts:
    """While entered, SIGINT sets `requested` instead of raising KeyboardInterrupt in the middle of an update; may be entered again inside.

    `watch_termination` makes SIGTERM do the same. Only where the default handler is in place and in the main thread; a program's own
    handler is left alone. A second SIGINT raises KeyboardInterrupt, SIGTERM as the second signal ends the process.
    """

    def __init__(self) -> None:
        self.requested, self.signal_number = False, 0
        self.depth, self.limited = 0, False
        self.watched: list[int] = [signal.SIGINT]
        self.installed: list[int] = []
        self.timer: threading.Timer | None = None

    @property
    def terminated(self) -> bool:
        """Whether SIGTERM asked for the stop: the process is to end."""
        return self.requested and self.signal_number == signal.SIGTERM

    def watch_termination(self) -> None:
        """Also wait for SIGTERM; and half a minute after the first signal, end at once, as with a second one."""
        self.limited = True
        if signal.SIGTERM not in self.watched:
            self.watched.append(signal.SIGTERM)
            if self.depth:
                self.install()

    def __enter__(self) -> Interrupts:
        self.depth += 1
        self.install()
        return self

    def install(self) -> None:
        """Handle the signals that have their default handlers."""
        if threading.current_thread() is threading.main_thread():
            for signum in self.watched:
                if signal.getsignal(signum) == DEFAULTS[signum] and not self.requested:
                    signal.signal(signum, self.handle)
                    self.installed.append(signum)

    def __exit__(self, *error: object) -> None:
        self.depth -= 1
        if not self.depth:
            while self.installed:
                signum = self.installed.pop()
                signal.signal(signum, DEFAULTS[signum])

    def handle(self, signal_number: int, frame: FrameType | None) -> None:
        """Remember the first; let the second through."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested, self.signal_number = True, signal_number
        if signal.SIGTERM in self.installed:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the system itself ends the process at the second one, whatever it is doing
        if self.limited:
            self.timer = threading.Timer(GRACE_SECONDS, self.expire)
            self.timer.daemon = True
            self.timer.start()

    def expire(self) -> None:
        """End at once: everything on the disk is whole at any moment."""
        if self.terminated:
            os._exit(128 + self.signal_number)
        signal.raise_signal(signal.SIGINT)

    def settle(self) -> None:
        """The training has ended and is saved: there is no more hurry."""
        if self.timer is not None:
            self.timer.cancel()

    def raise_outside(self) -> None:
        """Raise KeyboardInterrupt for a signal that came while entered, where nobody who entered looks for it any more; SystemExit for
        SIGTERM."""
        if self.requested and not self.depth:
            terminated = self.terminated
            self.requested = False
            self.settle()
            if terminated:
                raise SystemExit(128 + signal.SIGTERM)
            raise KeyboardInterrupt
