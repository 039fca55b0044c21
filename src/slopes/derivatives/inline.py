"""Inline a compiled function that is called inside a derivative, so that its graph is differentiated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph.dtype import is_float
from ..graph.walk import substitute
from ..passes.stable import stable_to_differentiate
from ..tensor import Tensor, asarray
from ..trace_call import spec_of, trace_call
from ..tree import flatten, unflatten
from .follow import node_of, tensor_around


def call_inline(function: Callable[..., Any], storage: str, args: tuple, kwargs: dict[str, Any]) -> Any:
    """function(*args, **kwargs) in eager mode, recorded in the same numerically stable form as when compiled.

    A function that assigns tensors (random numbers, running means) or calls backward() is called directly.
    """
    leaves, structure = flatten((args, kwargs))
    with trace_call([spec_of(leaf) for leaf in leaves], structure, storage) as call:
        results, result_structure = flatten(function(*call.args, **call.kwargs))
        nodes = {i: result._node_in(call.trace) for i, result in enumerate(results) if isinstance(result, Tensor)}
    trace = call.trace
    if trace.writes or trace.grads:
        return function(*args, **kwargs)
    pairs = zip(call.leaves, leaves)
    actual = {traced._node_in(trace): node_of(asarray(leaf)) for traced, leaf in pairs if isinstance(traced, Tensor)}
    actual |= {node: node_of(tensor) for tensor, node in trace.reads.items()}
    for i, node in zip(nodes, substitute(stable_to_differentiate(list(nodes.values())), actual)):
        results[i] = tensor_around(node, is_float(node.dtype))
    return unflatten(result_structure, results)
