"""Python code that runs in the middle of other code, such as a signal handler: what it computes is no part of a trace."""

from __future__ import annotations

import contextlib
import gc
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from .modes import mode

_interrupted: list[Any] = []  # the traces of threads in which garbage is being collected (one at a time: collections do not nest)


class Outside:
    """A signal handler that computes at once while the main thread records a trace."""

    def __init__(self, handler: Callable[[int, FrameType | None], Any]) -> None:
        self.handler = handler

    def __call__(self, signum: int, frame: FrameType | None) -> Any:
        before = mode.trace, mode.recording
        mode.trace, mode.recording = None, True
        try:
            return self.handler(signum, frame)
        finally:
            mode.trace, mode.recording = before


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let the handlers of signals and the finalizers that the garbage collector calls run outside of what this thread traces.

    Python calls handlers in the main thread alone, between any two steps of what runs there.
    """
    if collecting not in gc.callbacks:
        gc.callbacks.append(collecting)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {signum: handler for signum in signal.valid_signals() if callable(handler := signal.getsignal(signum))}
    outside = {signum: Outside(handler) for signum, handler in handlers.items()
               if handler is not signal.default_int_handler and not isinstance(handler, Outside)}
    for signum, handler in outside.items():
        signal.signal(signum, handler)
    try:
        yield
    finally:
        for signum, handler in outside.items():
            if signal.getsignal(signum) is handler:  # else the function has set another one
                signal.signal(signum, handler.handler)


def collecting(phase: str, info: dict[str, int]) -> None:
    """Called by Python before and after it collects garbage, which may call finalizers."""
    if phase == "start":
        _interrupted.append(mode.trace)
        mode.trace = None
    elif _interrupted:
        mode.trace = _interrupted.pop()
