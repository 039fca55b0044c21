"""The slow truth: a graph evaluated one operation at a time on NumPy, the oracle of every compiled kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, SlopesError, line_text
from ..graph.build import Variable
from ..graph.node import Node
from ..graph.walk import topological

Values = Mapping[Node, Any]


def evaluate(roots: Sequence[Node], env: Values | None = None, remember: bool = False, xp: Any = np) -> list[np.ndarray]:
    """The arrays of `roots`, given those of the variables in `env`.

    The walk stops at nodes named in `env` or whose value is known already. An intermediate array is let go as soon as its last
    user has run; with `remember=True` every array is kept on its node instead (so that a later gradient finds it). `xp` is the
    namespace of the array API that computes.
    """
    inputs = {node: check(node, np.asarray(array)) for node, array in (env or {}).items()}
    order = topological(roots, stop=lambda node: node in inputs or node.value is not None)
    values: dict[Node, np.ndarray] = {}
    waiting = count_uses(order, roots)
    with np.errstate(all="ignore"):
        for node in order:
            values[node] = run(node, inputs, values, xp)
            if remember and node.op.kind != "leaf":
                node.value = values[node]
            if node.args and node not in inputs:
                release(node, values, waiting)
    return [values[root] for root in roots]


def count_uses(order: Sequence[Node], roots: Sequence[Node]) -> dict[Node, int]:
    """How many times each node will be read; roots are read once more, by the caller."""
    waiting = dict.fromkeys(order, 0)
    for node in order:
        for arg in node.args:
            if arg in waiting:
                waiting[arg] += 1
    for root in roots:
        waiting[root] += 1
    return waiting


def run(node: Node, inputs: Values, values: dict[Node, np.ndarray], xp: Any = np) -> np.ndarray:
    """The array of one node whose arguments have theirs."""
    if node in inputs:
        return inputs[node]
    if node.value is not None:
        return node.value
    if node.op is Variable:
        raise missing(node)
    arrays = [values[arg] for arg in node.args]
    if xp is np or node.op.beyond_standard:
        return check(node, np.asarray(node.op.compute(*arrays, **node.params)))
    return check(node, np.asarray(node.op.meaning(xp, *map(xp.asarray, arrays), **node.params)))


def release(node: Node, values: dict[Node, np.ndarray], waiting: dict[Node, int]) -> None:
    """Let go of the arguments that nobody will read any more."""
    for arg in node.args:
        if arg in waiting:
            waiting[arg] -= 1
            if not waiting[arg]:
                values.pop(arg, None)


def check(node: Node, array: np.ndarray) -> np.ndarray:
    """The array, which must be what its node promises."""
    if array.dtype == node.dtype and array.shape == node.shape:
        return array
    received, promised = f"{array.dtype.name}{list(array.shape)}", f"{node.dtype.name}{list(node.shape)}"
    if node.op is Variable:
        raise ArgumentError(f"evaluate: variable {label(node)} is {promised}, but was given {received}",
                            repair="give an array of the variable's own shape and type")
    raise SlopesError(f"{node.op.name}: its rule promises {promised}, its meaning returned {received}",
                      why="rule and meaning of an operation must agree; this is a fault of slopes, not of your program",
                      repair="please report it with the line below", where=f"{node.op.name} built at {line_text(node.location)}")


def missing(node: Node) -> ArgumentError:
    return ArgumentError(f"evaluate: variable {label(node)} has no value",
                         why="the graph needs it, and neither `env` nor the node itself holds an array for it",
                         repair=f"pass env={{node: array of type {node.dtype} and shape {node.shape}}}",
                         where=f"variable built at {line_text(node.location)}")


def label(node: Node) -> str:
    """The variable's name and serial number, as far as it has them."""
    return f"{node.params.get('name') or 'without a name'} (number {node.params.get('serial', '?')})"
