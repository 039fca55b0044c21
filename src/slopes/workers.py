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
            return super().submit(run_for_caller, user_location(), function, *args, **kwargs)
        except RuntimeError:  # the pool itself refused: whatever the function raises is in the future
            return completed_future(function, *args, **kwargs)


def run_for_caller(location: Location, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call the function on behalf of the user's line."""
    errand.location = location
    try:
        return function(*args, **kwargs)
    finally:
        errand.location = None


def completed_future(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Future:
    """A future whose result is known."""
    future: Future = Future()
    try:
        future.set_result(function(*args, **kwargs))
    except BaseException as error:
        future.set_exception(error)
    return future
