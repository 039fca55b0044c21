"""backward() in eager mode: the gradient graph is derived once per graph structure, cached, and replayed on each step's values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .autodiff.pullback import pull_back
from .eager import Recorded, value_of
from .graph.build import Constant, Variable, variable
from .graph.node import Node
from .graph.walk import topological
from .machine.replay import Replay

Key = tuple[Any, ...]
STEPS_LIMIT = 100_000  # of all cached replays
NEEDS_GRADIENT = "wanted"  # stands in a key behind a node whose gradient is asked for

_replays: dict[Key, GradientReplay] = {}


def gradients(root: Node, seed: Node) -> list[tuple[Any, np.ndarray]]:
    """(tensor, gradient of seed * root) for every tensor whose node `root` depends on."""
    order, owners, key = structure_of([root, seed] if seed is not root else [root])
    replay = _replays.get(key)
    if replay is None:
        replay = GradientReplay(order, root, seed, list(owners))
        remember(key, replay)
    arrays = replay.run([value_of(order[index]) for index in replay.reads])
    return [(owners[index], array) for index, array in zip(replay.reached, arrays)]


def remember(key: Key, replay: GradientReplay) -> None:
    """Cache a new replay, and evict the oldest while there are too many steps."""
    _replays[key] = replay
    while len(_replays) > 1 and sum(len(old.steps) for old in list(_replays.values())) > STEPS_LIMIT:
        _replays.pop(next(iter(_replays)), None)


def structure_of(roots: Sequence[Node]) -> tuple[list[Node], dict[int, Any], Key]:
    """The nodes that the roots need, users before arguments; the owners by the node's index; and all that a pullback depends on.

    The key holds for each node what it says of its arguments, whether its gradient is asked for, and the indices of its arguments.
    """
    order = list(roots)
    index_of = {node: i for i, node in enumerate(order)}
    owners: dict[int, Any] = {}
    key: list[Any] = []
    for i, node in enumerate(order):  # which grows meanwhile
        key.append(node.pattern if type(node) is Recorded else description(node))
        for arg in node.args:
            index = index_of.setdefault(arg, len(order))
            if index == len(order):
                order.append(arg)
            key.append(index)
        if node.owner is not None and (owner := node.owner()) is not None:
            owners[i] = owner
            key.append(NEEDS_GRADIENT)
    return order, owners, tuple(key)


def description(node: Node) -> Any:
    """What a node says of its arguments: of a value its shape and type; a constant number is itself, for it may decide what is built."""
    if node.op is Constant and not node.shape:
        return node
    if node.op in (Variable, Constant):
        return node.shape, node.dtype
    return node.op, tuple(sorted(node.params.items())), node.shape, node.dtype


class GradientReplay(Replay):
    """The cached computation of gradients for one graph structure.

    reads    the indices of the nodes whose values they start from
    reached  the indices of the nodes whose gradients they give
    """

    def __init__(self, order: Sequence[Node], root: Node, seed: Node, targets: Sequence[int]) -> None:
        copies: dict[Node, Node] = {}
        for node in topological([root, seed]):
            copies[node] = placeholder(node, copies)
        gradients = pull_back([copies[root]], [copies[seed]], [copies[order[i]] for i in targets])
        self.reached = [i for i, gradient in zip(targets, gradients) if gradient is not None]
        roots = [gradient for gradient in gradients if gradient is not None]
        known = {copies[node]: i for i, node in enumerate(order) if node.value is not None and copies[node] is not node}
        inputs = [node for node in topological(roots, stop=known.__contains__) if node in known]
        self.reads = [known[node] for node in inputs]
        super().__init__(roots, inputs)


def placeholder(node: Node, copies: dict[Node, Node]) -> Node:
    """A copy of a node without its value, for all graphs of the same structure."""
    if node.op is Constant and not node.shape:
        return node
    if node.op in (Variable, Constant):
        return variable(node.shape, node.dtype)
    return Node(node.op, tuple(copies[arg] for arg in node.args), node.params, node.shape, node.dtype, None, node.location, node.region)
