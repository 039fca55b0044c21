"""Import modules on demand: optional libraries, and modules of slopes that are slow to import."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from .errors import CompileError, MissingExtraError
from .loading import loading

_unfinished: set[str] = set()


def require(module: str, extra: str, purpose: str = "this") -> Any:
    """The module of an optional library; MissingExtraError, naming the extra that installs it, when it is not installed.

    >>> require("json", extra="plot").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if error.name != top:
            raise
        raise MissingExtraError(f"{purpose} needs {top}, which is not installed",
                                why=f"{top} belongs to the optional part [{extra}]",
                                repair=f"pip install 'slopes[{extra}]'") from None


def on_demand(module: str) -> Any:
    """A module of slopes itself whose libraries are too slow to import before they are needed.

    Raises CompileError in a signal handler that interrupts the loading of this very module.
    """
    with loading:
        if module in _unfinished:
            raise CompileError(f"{module} is being loaded at this moment", why="a signal handler interrupted that, and needs the module",
                               repair="compile some function before the handler is installed, or let the handler set a flag only")
        if module not in sys.modules:
            _unfinished.add(module)
        try:
            return importlib.import_module(module)
        finally:
            _unfinished.discard(module)
