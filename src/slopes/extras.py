"""Import modules on demand: optional libraries, and modules of slopes that are slow to import."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
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
        raise missing_extra(top, extra, purpose) from None


def installed(module: str) -> bool:
    """Whether an optional library is there.

    >>> installed("json")
    True
    """
    return module in sys.modules or importlib.util.find_spec(module) is not None


def missing_extra(library: str, extra: str, purpose: str) -> MissingExtraError:
    """The error for an optional library that is not installed."""
    return MissingExtraError(f"{purpose} needs {library}, which is not installed", why=f"{library} belongs to the optional part [{extra}]",
                             repair=f"pip install 'slopes[{extra}]'")


def installed_file(library: str, path: str, extra: str, purpose: str) -> Path:
    """A file that an optional library brings along, without importing it; MissingExtraError when it is not installed.

    >>> installed_file("json", "decoder.py", extra="plot", purpose="this").name
    'decoder.py'
    """
    spec = importlib.util.find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        raise missing_extra(library, extra, purpose)
    return Path(spec.submodule_search_locations[0]) / path


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


def submodules(package: str, names: Sequence[str]) -> tuple[Callable[[str], ModuleType], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose submodules `names` are loaded on first use, as by tab completion.

    >>> import slopes as sl
    >>> sl.zoo.networks.__name__
    'slopes.zoo.networks'
    """
    def load(name: str) -> ModuleType:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with loading:
            return importlib.import_module(f"{package}.{name}")

    return load, lambda: sorted(names)
