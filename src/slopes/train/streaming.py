"""Inputs that are streamed from disk, next to those in memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..data.loaders.inputs import inputs_of, map_inputs
from ..data.loaders.stream import Streamed
from ..tensor import Tensor, asarray

STREAMED_BYTES = 1 << 26  # bytes of inputs read from the disk for one call, and as many ahead


def is_streamed(inputs: Any) -> bool:
    """Whether an input, or one of several, is streamed from disk."""
    return any(not isinstance(array, (Tensor, np.ndarray)) and isinstance(array, Streamed) for array in inputs_of(inputs))


def as_tensor(array: Any) -> Tensor:
    """The array as a tensor without gradients, sharing memory where it is contiguous already."""
    return asarray(np.ascontiguousarray(array))


def as_input_tensors(inputs: Any) -> Any:
    """Each input as a tensor, except streamed ones."""
    return map_inputs(lambda array: array if is_streamed(array) else as_tensor(array), inputs)


def gather_inputs(inputs: Any, indices: np.ndarray) -> Any:
    """The examples of these indices, of each input."""
    return map_inputs(lambda array: array.gather(indices) if is_streamed(array) else np.asarray(array)[indices], inputs)


def examples_per_call(inputs: Any) -> int:
    """How many examples are read for one call: at least 1."""
    return max(1, STREAMED_BYTES // max(1, sum(math.prod(array.shape[1:]) * array.dtype.itemsize for array in inputs_of(inputs))))
