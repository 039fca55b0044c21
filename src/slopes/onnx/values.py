"""Values of an ONNX graph while it runs: NumPy arrays where they are known while a function is traced, tensors elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..graph.shape import normalize_axes
from ..modes import mode
from ..tensor import Tensor, asarray

Value = Any  # an array (known), a tensor, a list of values (a sequence), None (an input that was left out)


def is_known(value: Value) -> bool:
    """Whether a value is known at trace time, or is left out."""
    return value is None or isinstance(value, np.ndarray)


def to_tensor(value: Value) -> Value:
    """An array as a tensor; anything else, strings among it, as it is."""
    return asarray(value) if isinstance(value, np.ndarray) and value.dtype.kind in "biufc" else value


def to_known(value: Value) -> Value:
    """A tensor computed at once as an array that nobody else writes."""
    return value.numpy() if isinstance(value, Tensor) else value


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """Compute at once in the block, without gradients, even while a function is traced."""
    trace, recording = mode.trace, mode.recording
    mode.trace, mode.recording = None, False
    try:
        yield
    finally:
        mode.trace, mode.recording = trace, recording


def integers(value: Any) -> tuple[int, ...]:
    """A known array of whole numbers as a tuple.

    >>> integers(np.array([[1, 2]]))
    (1, 2)
    """
    return tuple(np.asarray(value).reshape(-1).tolist())


def axes_of(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes counted from the front, in their order. Raises ShapeError for one that does not exist or is named twice.

    >>> axes_of((-1, 0), 3)
    (2, 0)
    """
    axes = tuple(axes)
    normalize_axes(axes, rank, "ONNX")
    return tuple(axis % rank for axis in axes)
