"""The one place that loads libraries on demand: optional extras, and windows of slopes that import something slow."""

from __future__ import annotations

import importlib
from typing import Any

from .errors import MissingExtraError


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
    """A module of slopes itself whose libraries are too slow to import before they are needed."""
    return importlib.import_module(module)
