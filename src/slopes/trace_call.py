"""Tracing a call: a function runs once on tensors without values; captures, pictures, summaries, checks and vmap all use this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import tree
from .graph.dtype import DType
from .graph.shape import Shape
from .tensor import Tensor
from .trace import Trace, tracing


class TensorSpec:
    """A tensor argument of which shape and type are known, but no value: a leaf of trees, as a tensor is. Its variable has this name."""

    __slots__ = ("dtype", "name", "requires_grad", "shape")

    def __init__(self, shape: Shape, dtype: DType | type, requires_grad: bool = False, name: str = "") -> None:
        self.shape, self.dtype, self.requires_grad, self.name = shape, dtype, requires_grad, name


def spec_of(leaf: Any) -> Any:
    """The spec of a tensor or an array; any other value unchanged."""
    if not isinstance(leaf, (Tensor, np.ndarray)):
        return leaf
    return TensorSpec(leaf.shape, leaf.dtype.newbyteorder("="), isinstance(leaf, Tensor) and leaf._requires_grad)


def batch_spec(array: Any, count: int = 1) -> TensorSpec:
    """The spec of a batch of `count` examples like those of an array or a tensor."""
    return TensorSpec((count, *array.shape[1:]), array.dtype)


@dataclass(frozen=True)
class TracedCall:
    """A call that is being traced: its arguments, traced tensors where specs were given, and the trace that records it.

    leaves  all leaves of the arguments; inputs  the traced tensors among them that stand for specs
    """

    trace: Trace
    leaves: list[Any]
    inputs: list[Tensor]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@contextmanager
def trace_call(leaves: Sequence[Any], structure: tree.Structure, storage: str = "float32") -> Iterator[TracedCall]:
    """Trace what happens in the block. `leaves` are those of (args, kwargs); each TensorSpec among them becomes a traced tensor."""
    trace = Trace(storage)
    with tracing(trace):
        traced = [trace.argument(leaf.shape, leaf.dtype, leaf.requires_grad, leaf.name) if isinstance(leaf, TensorSpec) else leaf
                  for leaf in leaves]
        inputs = [tensor for tensor, leaf in zip(traced, leaves) if isinstance(leaf, TensorSpec)]
        yield TracedCall(trace, traced, inputs, *tree.unflatten(structure, traced))


@contextmanager
def trace_args(*args: Any) -> Iterator[TracedCall]:
    """`trace_call` for these positional arguments: trees with specs among their leaves."""
    leaves, structure = tree.flatten((args, {}))
    with trace_call(leaves, structure) as call:
        yield call
