"""Functions made of operations, in the form of an operation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from .node import Node
from .operators import Operators
from .scopes import named_call


class Composite:
    """A pure function of tensors made of operations, in the form of an operation: computed at once it is looked up as a whole.

    `make` is the function, `traced` the same as a region of the graph that it builds.
    """

    reads_numbers = False
    conditions = 0

    def __init__(self, function: Callable[..., Any], operands: int) -> None:
        self.make, self.traced, self.name, self.operands = function, named_call(function), function.__name__, operands
        self.names = list(inspect.signature(function).parameters)[operands:]

    def split(self, args: tuple, params: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """The operands, and all that decides what is built, by name and hashable."""
        if len(args) == self.operands and not params:
            return args, params
        named = {**dict(zip(self.names, args[self.operands:])), **params}
        return args[:self.operands], {name: tuple(value) if type(value).__hash__ is None else value for name, value in named.items()}


def composed(operands: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator of a function whose first arguments are nodes or tensors and whose others decide what is built of them.

    On nodes it is called as it is; tensors that compute at once remember what it built for operands of their shapes and types.
    """
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        whole = Composite(function, operands)

        @wraps(function)
        def perform(*args: Any, **params: Any) -> Any:
            for arg in args[:operands]:
                if isinstance(arg, Operators) and not isinstance(arg, Node):
                    return type(arg)._compose(whole, args, params)
            return function(*args, **params)

        return perform

    return decorate
