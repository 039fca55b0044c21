"""Inline a compiled function that is called inside a derivative, so that its graph is differentiated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph.dtype import is_float
from ..graph.walk import substitute
from ..passes.stable import stable_to_differentiate
from ..tensor import Tensor, asarray
from ..trace import Trace, tracing
from ..tree import flatten, unflatten
from .follow import node_of, tensor_around


def call_inline(function: Callable[..., Any], storage: str, args: tuple, kwargs: dict[str, Any]) -> Any:
    """function(*args, **kwargs) in eager mode, recorded in the same numerically stable form as when compiled.

    A function that assigns tensors (random numbers, running means) or calls backward() is called directly.
    """
    leaves, structure = flatten((args, kwargs))
    trace = Trace(storage)
    with tracing(trace):
        arguments = [stand_in(trace, leaf) for leaf in leaves]
        positional, named = unflatten(structure, arguments)
        results, result_structure = flatten(function(*positional, **named))
        nodes = {i: each._node_in(trace) for i, each in enumerate(results) if isinstance(each, Tensor)}
    if trace.writes or trace.grads:
        return function(*args, **kwargs)
    actual = {each._node_in(trace): node_of(asarray(leaf)) for each, leaf in zip(arguments, leaves) if isinstance(each, Tensor)}
    actual |= {node: node_of(tensor) for tensor, node in trace.reads.items()}
    for i, node in zip(nodes, substitute(stable_to_differentiate(list(nodes.values())), actual)):
        results[i] = tensor_around(node, is_float(node.dtype))
    return unflatten(result_structure, results)


def stand_in(trace: Trace, leaf: Any) -> Any:
    """A traced tensor for a tensor or array; other values are returned unchanged."""
    if not isinstance(leaf, (Tensor, np.ndarray)):
        return leaf
    return trace.argument(leaf.shape, leaf.dtype, isinstance(leaf, Tensor) and leaf._requires_grad)
