"""Turn Python and NumPy exceptions caused by wrong arguments into errors that show how the function was called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from .errors import ArgumentError, SlopesError

FOREIGN = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)


def guarded(function: Callable[..., Any], owner: str = "sl") -> Callable[..., Any]:
    """Wrap a function so that it raises errors of slopes only; a missing argument remains Python's TypeError."""
    @wraps(function)
    def checked(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except SlopesError:
            raise
        except FOREIGN as error:
            raise explain_error(function, owner, args, options, error) from error

    return checked


def check_function(owner: str, function: Any) -> None:
    """ArgumentError unless `function` is callable."""
    if not callable(function):
        raise ArgumentError(f"{owner}: {describe(function)} is no function", why="it is called with tensors and returns tensors",
                            repair=f"sl.{owner}(f, ...) takes the function itself, not its result f(x)")


def explain_error(function: Callable[..., Any], owner: str, args: tuple, options: dict[str, Any], error: Exception) -> Exception:
    """The error for a function called with unsupported arguments."""
    try:
        arguments = inspect.signature(function).bind(*args, **options).arguments
    except TypeError as missing:
        return missing
    name = function.__name__
    said = ", ".join(f"{key}={describe(value)}" for key, value in arguments.items() if key != "self")
    return ArgumentError(f"{name}({said}) is not possible", why=f"{type(error).__name__}: {first_line(error)}",
                         repair=f"help({owner}.{name}) tells what each argument may be")


def describe(value: Any) -> str:
    """A short description of a value; of arrays, dtype and shape."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{type(value).__name__} {value.dtype}{list(value.shape)}"
    if isinstance(value, (bool, int, float, complex, str, type(None))):
        text = repr(value)
    elif isinstance(value, (list, tuple)) and len(value) <= 8:
        text = f"({', '.join(map(describe, value))})"
    else:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


def first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or "no words"
