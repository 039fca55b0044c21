"""The two sides of the window: code that speaks PyTorch's interface, and the core that it calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from .. import tree
from ..tensor import Tensor as CoreTensor


class Side(threading.local):
    """Whether the code that runs in this thread is the core's, whose methods of tensors are those of the core."""

    core = False


side = Side()
CLASSES: dict[type, type] = {}  # the class of the window for each class of tensors of the core


@contextmanager
def on_side(core: bool) -> Iterator[None]:
    """A block of the core's code, or of the user's."""
    before, side.core = side.core, core
    try:
        yield
    finally:
        side.core = before


def as_window(value: Any) -> Any:
    """The same object; a tensor of the core gets PyTorch's methods."""
    kind = CLASSES.get(type(value))
    if kind is not None:
        value.__class__ = kind
    return value


def to_window(value: Any) -> Any:
    """A value whose tensors, also those in tuples, lists and dictionaries, have PyTorch's methods."""
    if isinstance(value, CoreTensor) or not isinstance(value, (tuple, list, dict)):
        return as_window(value)
    return tree.map_tree(as_window, value)


def lifted(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the core for code of the window: its results have PyTorch's methods, unless the core itself called it."""
    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        if side.core:
            return function(*args, **options)
        side.core = True
        try:
            result = function(*args, **options)
        finally:
            side.core = False
        return to_window(result)

    return call
