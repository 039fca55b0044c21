"""What a thread is doing: recording a trace or computing at once, and whether operations are recorded for `backward`."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator
from typing import Any, Protocol, TypeVar

from .graph.dtype import DType
from .graph.node import Node

T = TypeVar("T")  # tensors: this file knows none


class Recorder(Protocol[T]):
    """What tensors need of the trace that is being recorded; trace.py has the class."""

    storage: str
    leaves: dict[Node, T]
    grads: dict[T, T | None]
    notes: dict[str, Node]
    layers: dict[str, Any]
    outputs: dict[int, list[Node]]
    captured: Collection[int]

    @property
    def root(self) -> Recorder[T]:
        """The outermost of nested traces."""

    def embed(self, data: Any, dtype: DType | None) -> T:
        """Data that appears in the function, as a tensor."""

    def operand(self, value: Any) -> Any:
        """The node of a tensor or a large array; anything else as it is."""

    def tensor(self, node: Node, requires_grad: bool = False) -> T:
        """A traced tensor around this node."""

    def read(self, tensor: T) -> Node:
        """The node of a concrete tensor's present value."""

    def write(self, tensor: T, node: Node) -> None:
        """Let a tensor have this value from now on."""

    def mark_leaf(self, tensor: T, flag: bool) -> None:
        """Let a traced tensor be a leaf that requires a gradient, or no longer."""

    def note(self, path: str, value: Any) -> None:
        """Remember a value under its path."""

    def gradient(self, tensor: T) -> T | None:
        """The gradient of a tensor that this function has computed."""

    def backward(self, node: Node, seed: Node) -> None:
        """Pull the gradient back to every leaf that requires one."""


class Mode(threading.local):
    """What this thread is doing: tracing into `trace` (or None: computing at once), and whether gradients are recorded.

    `in_parts`: whether traced functions compute in parts what would take much memory as a whole.
    """

    trace: Recorder[Any] | None = None
    recording: bool = True
    in_parts: bool = True


mode = Mode()


class GradientMode(contextlib.ContextDecorator):
    """Whether operations are recorded for `backward` in a with-block or a decorated function."""

    def __init__(self, flag: bool) -> None:
        self.flag = flag
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(mode.recording)
        mode.recording = self.flag

    def __exit__(self, *error: object) -> None:
        mode.recording = self.before.pop()


@contextlib.contextmanager
def as_a_whole() -> Iterator[None]:
    """A with-block in which traced functions compute nothing in parts: for graphs that others run."""
    before, mode.in_parts = mode.in_parts, False
    try:
        yield
    finally:
        mode.in_parts = before


def no_grad() -> GradientMode:
    """A with-block (or decorator) in which nothing is recorded for `backward`.

    >>> import slopes as sl
    >>> x = sl.tensor(1., requires_grad=True)
    >>> with sl.no_grad():
    ...     (x + 1).requires_grad
    False
    """
    return GradientMode(False)


def enable_grad() -> GradientMode:
    """A with-block (or decorator) in which operations are recorded for `backward`, even inside of `no_grad`.

    >>> import slopes as sl
    >>> x = sl.tensor(1., requires_grad=True)
    >>> with sl.no_grad(), sl.enable_grad():
    ...     (x + 1).requires_grad
    True
    """
    return GradientMode(True)
