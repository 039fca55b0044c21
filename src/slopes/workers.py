"""Worker threads whose errors name the caller's line, and which run tasks directly if no thread can be started."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .errors import Location, errand, user_location


class Workers(ThreadPoolExecutor):
    """A thread pool that also works without threads: at interpreter shutdown, or when the system refuses new ones.

    >>> with Workers(2) as pool:
    ...     list(pool.map(len, ["a", "bc"]))
    [1, 2]
    """

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Run function(*args, **kwargs) in one of the threads, or directly."""
        try:
            return super().submit(run_for_caller, user_location(), function, *args, **kwargs)
        except RuntimeError:  # from the pool itself: exceptions of the function are in the future
            return completed_future(function, *args, **kwargs)


def run_for_caller(location: Location, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call the function with the caller's line as the location of errors."""
    errand.location = location
    try:
        return function(*args, **kwargs)
    finally:
        errand.location = None


def completed_future(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Future:
    """A completed future with the result of the call."""
    future: Future = Future()
    try:
        future.set_result(function(*args, **kwargs))
    except BaseException as error:
        future.set_exception(error)
    return future
