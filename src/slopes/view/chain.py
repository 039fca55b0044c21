"""The chain rule worked through on one computation: each value, its local gradients, the gradient from above, and their products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autodiff.pullback import pull_back
from ..graph.build import constant, variable
from ..graph.node import Node
from ..graph.walk import substitute, topological
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


@dataclass(frozen=True)
class Group:
    """Operations that are shown as one: all that leads from the `operands` to a node; the `form` has a · for each operand: `max(·, ·)`."""

    form: str
    operands: tuple[Node, ...]


class Chain:
    """Values and gradients of one computation by node, and `steps`, the products of the chain rule in the order of back-propagation.

    `groups` are operations shown as one, by the node of their result: the nodes between are left out, and the local gradients are
    those of the whole. The gradient of a node is the sum of the products that arrive from its users.
    """

    def __init__(self, recording: Recording, groups: Mapping[Node, Group] | None = None) -> None:
        self.output = recording.outputs[0]
        self.recording, self.groups = recording, groups or {}
        self.nodes = self.shown_nodes()
        self.value_of = dict(zip(self.nodes, evaluate(self.nodes, recording.values)))
        self.naming = Naming(short_names(self.nodes, recording), {}, recording.roles)
        self.gradient_of: dict[Node, np.ndarray] = {}
        self.steps: list[Step] = []
        self.pull_back()

    def shown_nodes(self) -> list[Node]:
        """The nodes that the output needs and that are no constants of one number, arguments before users."""
        order: dict[Node, None] = {}
        stack = [(self.output, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                order[node] = None
            elif node not in order and inline(node) is None:
                stack.append((node, True))
                stack.extend((arg, False) for arg in reversed(self.args(node)))
        return list(order)

    def args(self, node: Node) -> tuple[Node, ...]:
        """What a node is computed from: the arguments of its operation, or the operands of its group, each once."""
        group = self.groups.get(node)
        return node.args if group is None or group.operands == node.args else tuple(dict.fromkeys(group.operands))

    def pull_back(self) -> None:
        """Take the steps from the output to the inputs."""
        self.gradient_of[self.output] = np.ones(self.output.shape, self.output.dtype)
        for node in reversed(self.nodes):
            for step in steps_of(node, self) if node in self.gradient_of else ():
                self.steps.append(step)
                before = self.gradient_of.get(step.arg)
                self.gradient_of[step.arg] = step.product if before is None else before + step.product

    def carries_gradient(self, node: Node) -> bool:
        """Whether the output depends on a node, and the node on what is differentiated for."""
        return node in self.recording.adjoint

    def name(self, node: Node) -> str:
        """The user's name of a node, or a letter."""
        return self.naming.call(node)


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
    args, upstream = chain.args(node), chain.gradient_of[node]
    indices = [i for i, arg in enumerate(args) if chain.carries_gradient(arg)]
    if not indices:
        return []
    env = {part: chain.value_of[part] for part in (node, *args) if part in chain.value_of}
    products = pulled(node, args, upstream, env)
    locals_ = local_gradients(node, args, env, indices)
    return [Step(node, args[i], upstream, locals_[i], products[i]) for i in indices if products[i] is not None]


def pulled(node: Node, args: tuple[Node, ...], seed: np.ndarray, env: dict[Node, np.ndarray]) -> list[Any]:
    """The pullback from a node to what it is computed from, evaluated: an array or None per argument."""
    if node.args == args:
        parts: Sequence[Node | None] = node.op.pullback(constant(seed), node, *args, **node.params)
    else:
        parts, env = group_pullback(node, args, seed, env)
    arrays = iter(evaluate([part for part in parts if part is not None], env))
    return [None if part is None else next(arrays) for part in parts]


def group_pullback(node: Node, args: tuple[Node, ...], seed: np.ndarray, env: Mapping[Node, np.ndarray]
                   ) -> tuple[list[Node | None], dict[Node, np.ndarray]]:
    """The gradients of a group by its arguments, and the values to evaluate them with.

    Variables stand for the arguments: where one is computed from another, that way is not part of the group.
    """
    stands = {arg: variable(arg.shape, arg.dtype) for arg in args if arg in env}
    [result] = substitute([node], stands)
    gradients = dict(zip(stands, pull_back([result], [constant(seed)], list(stands.values()))))
    return [gradients.get(arg) for arg in args], {stand: env[arg] for arg, stand in stands.items()}


def local_gradients(node: Node, args: tuple[Node, ...], env: dict[Node, np.ndarray], indices: Sequence[int]
                    ) -> dict[int, np.ndarray | None]:
    """d node / d arg for each argument in `indices`: ones pulled back or, where elements mix, each element in turn."""
    ones = pulled(node, args, np.ones(node.shape, node.dtype), env)
    mixed = [i for i in indices if node.size > 1 and not is_elementwise(node, args, args[i])]
    locals_: dict[int, np.ndarray | None] = {i: None if i in mixed else ones[i] for i in indices}
    if mixed and node.size * max(args[i].size for i in mixed) <= JACOBIAN:
        rows = [pulled(node, args, row.reshape(node.shape), env) for row in np.eye(node.size, dtype=node.dtype)]
        locals_ |= {i: np.stack([row[i] for row in rows]).reshape(*node.shape, *args[i].shape) for i in mixed}
    return locals_


def is_elementwise(node: Node, args: tuple[Node, ...], arg: Node) -> bool:
    """Whether each element of a node depends on the same element of this argument alone."""
    dependent = {arg}
    for part in topological([node], stop=lambda part: part in args):
        if part not in args and not dependent.isdisjoint(part.args):
            if part.op.kind != "elementwise":
                return False
            dependent.add(part)
    return True


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
        positive_zero = array + 0.0 if array.dtype.kind == "f" else array
        return np.array2string(positive_zero, precision=4, separator=", ", suppress_small=True).replace("\n", "")
    return f"{list(array.shape)}, norm {number(float(np.linalg.norm(array.astype(np.float64))), digits)}"
