"""The chain rule worked through on one computation: each value, its local gradients, the gradient from above, and their products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph.build import constant
from ..graph.node import Node
from ..graph.walk import topological
from ..machine.reference import evaluate
from .boxes import Naming, inline
from .record import Recording

JACOBIAN = 16  # local gradients of up to this many numbers are worked out
SHORT = 6  # numbers of an array that are written out


@dataclass(frozen=True)
class Step:
    """One product of the chain rule: the gradient of `node` from above, times the node's local gradient with respect to `arg`.

    `local` is d node / d arg: partial derivatives where the operation works element by element, otherwise a small Jacobian of
    shape (*node.shape, *arg.shape), None where that would be large. `product` has the shape of `arg`.
    """

    node: Node
    arg: Node
    upstream: np.ndarray
    local: np.ndarray | None
    product: np.ndarray


class Chain:
    """Values and gradients of one computation by node, and `steps`, the products of the chain rule in the order of back-propagation."""

    def __init__(self, recording: Recording) -> None:
        self.output = recording.outputs[0]
        self.nodes = [node for node in topological([self.output]) if inline(node) is None]
        self.recording = recording
        self.value_of, self.gradient_of = work_out(recording, self.nodes)
        self.naming = Naming(short_names(self.nodes, recording), {}, recording.roles)
        self.steps = [step for node in reversed(self.nodes) if node in self.gradient_of for step in steps_of(node, self)]

    def name(self, node: Node) -> str:
        """The user's name of a node, or a letter."""
        return self.naming.call(node)


def work_out(recording: Recording, nodes: Sequence[Node]) -> tuple[dict[Node, np.ndarray], dict[Node, np.ndarray]]:
    """The value of every node, and the gradient of the output with respect to those that have one."""
    with_gradient = [node for node in nodes if node in recording.adjoint]
    arrays = evaluate([*nodes, *(recording.adjoint[node] for node in with_gradient)], recording.values)
    return dict(zip(nodes, arrays)), dict(zip(with_gradient, arrays[len(nodes):]))


def short_names(nodes: Sequence[Node], recording: Recording) -> dict[Node, str]:
    """The user's name of each node, or a, b, c, ... (a1, b1, ... after z), without meeting a name already taken."""
    taken = set(recording.names.values())
    fresh = (f"{letter}{turn or ''}" for turn in range(len(nodes) + 1) for letter in "abcdefghijklmnopqrstuvw")
    names: dict[Node, str] = {}
    for node in nodes:
        names[node] = recording.names.get(node) or next(name for name in fresh if name not in taken)
    return names


def steps_of(node: Node, chain: Chain) -> list[Step]:
    """What this node sends to each of its arguments that carries a gradient."""
    upstream = chain.gradient_of[node]
    indices = [i for i, arg in enumerate(node.args) if arg in chain.gradient_of]
    if not indices:
        return []
    env = {part: chain.value_of[part] for part in (node, *node.args) if part in chain.value_of}
    products = pulled(node, constant(upstream), env)
    locals_ = local_gradients(node, env, indices)
    return [Step(node, node.args[i], upstream, locals_[i], products[i]) for i in indices if products[i] is not None]


def pulled(node: Node, seed: Node, env: dict[Node, np.ndarray]) -> list[Any]:
    """The pullback of one operation, evaluated: an array or None per argument."""
    parts = node.op.pullback(seed, node, *node.args, **node.params)
    arrays = iter(evaluate([part for part in parts if part is not None], env))
    return [None if part is None else next(arrays) for part in parts]


def local_gradients(node: Node, env: dict[Node, np.ndarray], indices: Sequence[int]) -> dict[int, np.ndarray | None]:
    """d node / d arg for each argument in `indices`: ones pulled back or, where elements mix, each element in turn."""
    if node.op.kind == "elementwise" or node.size == 1:
        pieces = pulled(node, constant(np.ones(node.shape, node.dtype)), env)
        return {i: pieces[i] for i in indices}
    if node.size * max(node.args[i].size for i in indices) > JACOBIAN:
        return dict.fromkeys(indices)
    rows = [pulled(node, constant(row.reshape(node.shape)), env) for row in np.eye(node.size, dtype=node.dtype)]
    return {i: np.stack([row[i] for row in rows]).reshape(*node.shape, *node.args[i].shape) for i in indices}


# Numbers as text

def number(value: float, digits: int) -> str:
    return f"{value + 0.0:.{digits}g}"  # + 0.0: no negative zero


def show(array: np.ndarray | None, digits: int = 6) -> str:
    """A value in a few characters: a number, a short list, or the shape and the norm."""
    if array is None:
        return "a Jacobian"
    if array.size == 1:
        return number(array.reshape(-1)[0].item(), digits)
    if array.size <= SHORT:
        return np.array2string(np.asarray(array), precision=4, separator=", ", suppress_small=True).replace("\n", "")
    return f"{list(array.shape)}, norm {number(float(np.linalg.norm(array.astype(np.float64))), digits)}"
