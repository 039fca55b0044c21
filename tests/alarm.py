"""The alarm signal, as tests use it that interrupt themselves."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def alarm(handler: Callable[[int, FrameType | None], Any]) -> Iterator[Callable[[float, float], None]]:
    """Call a handler for each alarm signal; gives the function that sets when the first comes, and the seconds between the next.

    The timer is that of pytest's limit on the time of a test, which runs on afterwards. Meanwhile a test must have a limit of its own.
    """
    before, timer = signal.signal(signal.SIGALRM, handler), signal.getitimer(signal.ITIMER_REAL)
    try:
        yield lambda first, next=0.0: signal.setitimer(signal.ITIMER_REAL, first, next)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)
