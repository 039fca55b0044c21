"""Exceptions, whose messages say what happened, where, why, and how to repair it."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import threading
import warnings
from collections.abc import Callable
from types import FrameType

import numpy as np

PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
INTERNAL_FILES = ("<frozen", "<__array_function__")
NUMPY = os.path.dirname(os.path.abspath(np.__file__)) + os.sep  # it calls back when it gets a tensor
PYTHON = os.path.dirname(os.__file__) + os.sep  # the standard library: its frames (contextlib, json) are nobody's own line


contexts: list[Callable[[], str]] = []  # functions that say where else an error happened: `in net[0]`, "" where they know nothing

Location = tuple[str, int]


class Errand(threading.local):
    """The user's line for which a worker thread runs; None in other threads."""

    def __init__(self) -> None:
        self.location: Location | None = None


errand = Errand()


def user_location() -> Location:
    """(file, line) of the innermost frame that is not slopes' own: the line the user wrote.

    In a thread that works for another one it is the line there; where no such line is known, the thread stands for the file.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if file not in internal_files and not is_internal(file) and (file != "<string>" or not is_generated(frame)):
            return file, frame.f_lineno
        frame = frame.f_back
    return errand.location or (f"thread {threading.current_thread().name}", 0)


internal_files: set[str] = set()  # those that `is_internal` has answered yes for


def is_internal(file: str) -> bool:
    """Whether the file is slopes' own, NumPy's or of Python's library (installed packages may lie in a folder of that)."""
    python = file.startswith(PYTHON) and "-packages" not in file
    internal = python or file.startswith((PACKAGE, NUMPY)) or file.startswith(INTERNAL_FILES)
    if internal:
        internal_files.add(file)
    return internal


def is_generated(frame: FrameType) -> bool:
    """Whether code without a file is a method that dataclasses wrote for a class of this package."""
    return frame.f_globals.get("__name__", "").startswith(__package__ + ".")


def line_text(location: Location) -> str:
    """`train.py:41`: short enough to read, long enough to find; a thread in which no line is the user's has no number."""
    file, line = location
    return f"{os.path.basename(file)}:{line}" if line else f"the beginning of {file}"


class SlopesError(Exception):
    """The base of every error that slopes raises on purpose.

    `what` is one sentence with the values seen; `where` are lines such as `x built at train.py:41` (by default the user's line
    and the running layer); `why` and `repair` are sentences, either may be empty when `what` already says it.
    """

    def __init__(self, what: str, *, why: str = "", repair: str = "", where: str | None = None) -> None:
        self.what, self.why, self.repair = what, why, repair
        self.where = default_where() if where is None else where
        super().__init__(message_text(what, self.why, self.repair, self.where))


def message_text(what: str, *more: str) -> str:
    """`what`, and below it the other sentences, as far as there are any."""
    return "\n".join([what, *(f"  {text}" for text in more if text)])


def warn(what: str, *, why: str = "", repair: str = "") -> None:
    """Issue a UserWarning at the user's line, in the format of errors."""
    file, line = user_location()
    warnings.warn_explicit(message_text(what, why, repair), UserWarning, file, line)


said: set[str] = set()


def say_once(text: str) -> None:
    """Print a line to stderr once per process; failures to print are ignored."""
    if text not in said:
        said.add(text)
        with contextlib.suppress(Exception):  # no stderr, a closed one, a full disk behind it
            print(text, file=sys.stderr, flush=True)


def default_where() -> str:
    """The running layer, if any, and the user's own line."""
    return ", ".join(filter(None, [*(context() for context in contexts), f"at {line_text(user_location())}"]))


class ShapeError(SlopesError, ValueError):
    """Shapes that do not match."""


class DTypeError(SlopesError, TypeError):
    """A data type that an operation does not support."""


class ArgumentError(SlopesError, ValueError):
    """An argument that a function does not accept."""


class OutOfRangeError(SlopesError, IndexError):
    """An index outside the axis that it selects from."""


class DivisionError(SlopesError, ZeroDivisionError):
    """An integer division by zero."""


class GradientError(SlopesError, RuntimeError):
    """A gradient that does not exist."""


class TooLargeError(SlopesError, MemoryError):
    """An array that does not fit into memory."""


class MissingMethodError(SlopesError, NotImplementedError):
    """An abstract method that a subclass does not define."""


def missing_method(owner: object, method: str, why: str = "its base class leaves that to each subclass") -> MissingMethodError:
    """The error for an abstract method, with the signature to define."""
    kind = owner if isinstance(owner, type) else type(owner)
    member = getattr(kind, method)
    parameters = [] if isinstance(member, property) else inspect.signature(member).parameters.values()
    line = f"def {method}({', '.join(str(parameter.replace(annotation=parameter.empty)) for parameter in parameters)}):"
    return MissingMethodError(f"{kind.__name__} does not define {method}", why=why, repair=f"write {line} in class {kind.__name__}")


class TooDeepError(SlopesError, RecursionError):
    """Layers or functions nested deeper than Python's recursion limit."""


class NonFiniteError(SlopesError, ArithmeticError):
    """A value that became infinite or not a number."""


class TraceError(SlopesError, TypeError):
    """Python code that a traced function cannot follow, such as a branch on a tensor's value."""


class OwnershipError(SlopesError, RuntimeError):
    """An array that a compiled function writes into, and that somebody else holds or changes (found with SLOPES_CHECK=1)."""


class StateError(SlopesError, KeyError):
    """Names or shapes in a state that do not match the module's."""

    def __str__(self) -> str:  # KeyError would print the message quoted
        return str(self.args[0])


class DataError(SlopesError, ValueError):
    """A file that is damaged, truncated, of another kind, or larger than it may be."""


class SaveError(SlopesError, OSError):
    """A file that could not be written."""


class DownloadError(SlopesError, OSError):
    """Data that could not be fetched."""


class MissingExtraError(SlopesError, ImportError):
    """An optional library that is not installed."""


class DeviceError(SlopesError, RuntimeError):
    """A device that is not there, or that failed."""


class HostsError(SlopesError, RuntimeError):
    """Several processes that cannot train together: one cannot be reached, differs from the others, or is gone."""


class CompileError(SlopesError, RuntimeError):
    """A program that slopes could not compile."""


def error_text(error: SlopesError) -> str:
    """What, why and how to repair, without where: the user of a command has no line of code."""
    lines = [f"error: {error.what}", *(f"  {line}" for line in (error.why, error.repair) if line)]
    return "\n".join(lines)
