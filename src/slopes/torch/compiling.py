"""`torch.compile(step)`: `sl.compile` for functions of the window's tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..compile import compile as core_compile
from ..errors import ArgumentError
from ..nn import Module
from .sides import on_side, side, to_window


def compile(model: Any = None, *, fullgraph: bool = False, dynamic: bool | None = None, backend: str = "inductor", mode: str | None = None,
            options: dict | None = None, disable: bool = False) -> Any:
    """One native program of a function: of a whole training step, backward pass and update included.

    PyTorch's options choose between compilers that are not there, and have no effect. Raises ArgumentError for a network alone.
    """
    if model is None:
        return functools.partial(compile, disable=disable)
    if isinstance(model, Module):
        raise ArgumentError("torch.compile(net): a network is not compiled alone", why="its backward pass would not be",
                            repair="compile the step: a function that computes the loss, calls backward() and optimizer.step()")
    return model if disable else Compiled(model)


class Compiled:
    """A compiled function, called like the original."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function, updated=())

        @functools.wraps(function)
        def on_window_side(*args: Any, **options: Any) -> Any:
            with on_side(core=False):
                return function(*to_window(args), **to_window(options))

        self.program = core_compile(on_window_side)

    def __call__(self, *args: Any, **options: Any) -> Any:
        with on_side(core=True):
            result = self.program(*args, **options)
        return result if side.core else to_window(result)
