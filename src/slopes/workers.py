"""Worker threads: what goes wrong in them names the line of whoever asked for the work, and without threads it is done at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .errors import Location, errand, user_location


class Workers(ThreadPoolExecutor):
    """A pool of threads that also works where there are none: at the end of the interpreter, or when the system refuses more.

    >>> with Workers(2) as pool:
    ...     list(pool.map(len, ["a", "bc"]))
    [1, 2]
    """

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Have function(*args, **kwargs) computed by one of the threads, or now."""
        try:
            return super().submit(on_errand, user_location(), function, *args, **kwargs)
        except RuntimeError:  # the pool itself refused: whatever the function raises is in the future
            return computed(function, *args, **kwargs)


def on_errand(location: Location, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call the function on behalf of the user's line."""
    errand.location = location
    try:
        return function(*args, **kwargs)
    finally:
        errand.location = None


def computed(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Future:
    """A future whose result is known."""
    found: Future = Future()
    try:
        found.set_result(function(*args, **kwargs))
    except BaseException as error:
        found.set_exception(error)
    return found
