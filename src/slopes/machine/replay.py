"""A graph as a list of steps on NumPy, run again and again on new arrays without asking the graph any more."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from ..costs import REPLAY_FOLDED
from ..graph.build import Constant
from ..graph.node import Node
from ..graph.walk import topological
from .reference import check, evaluate

_quiet = contextvars.Context()
_quiet.run(np.seterr, all="ignore")


def quietly(function: Callable[..., Any], *args: Any, **params: Any) -> Any:
    """Call without NumPy's warnings: inf and NaN are results like any other.

    NumPy keeps what it warns about in a context variable; to enter a context that was prepared is ten times as fast as to
    change this one and back. The copy (one pointer) lets several threads in.
    """
    return _quiet.copy().run(function, *args, **params)


Step = tuple[Callable[..., Any], Callable[[list], Sequence[np.ndarray]], dict[str, Any], tuple[int, ...], Node]


class Replay:
    """The steps that compute `roots` from the arrays of `inputs`; with `keep`, what every step computed.

    `indices` says where in the list that a run fills the value of a node stands: the inputs, then what does not depend on them,
    then one value per step. An elementwise operation reads through the expansion of an argument, as NumPy broadcasts by itself;
    an expansion that nobody else reads is never computed. Arrays are let go after their last use.
    """

    def __init__(self, roots: Sequence[Node], inputs: Sequence[Node], keep: bool = False) -> None:
        known = set(inputs)
        self.order = [node for node in topological(roots, stop=known.__contains__) if node not in known]
        self.fixed = fixed_nodes(self.order)
        fixed = set(self.fixed)
        reads = {node: read_by(node, known) for node in self.order if node not in fixed}
        needed = needed_nodes(self.order, roots, reads)
        steps = [node for node in self.order if node in needed and node in reads]
        self.constants = [read_only(array) for array in evaluate(self.fixed)]
        self.indices = {node: i for i, node in enumerate([*inputs, *self.fixed, *steps])}
        self.results = [self.indices[root] for root in roots]
        dead = [()] * len(steps) if keep else last_uses([self.indices_of(reads[node]) for node in steps], self.results)
        first = len(self.indices) - len(steps)
        self.steps: list[Step] = [
            (node.op.compute, picker(self.indices_of(reads[node])), node.params, tuple(i for i in indices if i >= first), node)
            for node, indices in zip(steps, dead)]
        self.checked = False

    def indices_of(self, nodes: Sequence[Node]) -> tuple[int, ...]:
        return tuple(self.indices[node] for node in nodes)

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The arrays of the roots."""
        values = self.values(arrays)
        return [values[i] for i in self.results]

    def values(self, arrays: Sequence[np.ndarray]) -> list[Any]:
        """The values of all nodes, as far as they were kept."""
        values = [*arrays, *self.constants]
        quietly(take_steps, self.steps, values)
        if not self.checked:
            self.check(values[len(values) - len(self.steps):])
        return values

    def check(self, values: Sequence[np.ndarray | None]) -> None:
        """After the first run: rule and meaning of every operation agree."""
        for step, value in zip(self.steps, values):
            if value is not None:
                check(step[-1], value)
        self.checked = True


def take_steps(steps: Sequence[Step], values: list[Any]) -> None:
    for compute, pick, params, dead, _ in steps:
        result = compute(*pick(values), **params)
        values.append(result if type(result) is np.ndarray else np.asarray(result))
        for i in dead:
            values[i] = None


def fixed_nodes(order: Sequence[Node]) -> list[Node]:
    """The nodes that depend on no input and are small, or no more than views of one number."""
    fixed: dict[Node, None] = {}
    for node in order:
        alone = node.op is Constant or (node.args and all(arg in fixed for arg in node.args))
        if alone and (node.size <= REPLAY_FOLDED or node.op is Constant or node.op.broadcasts):
            fixed[node] = None
    return list(fixed)


def read_by(node: Node, known: Collection[Node]) -> tuple[Node, ...]:
    """The nodes whose values an operation is computed from: its arguments, or what they expand where that is not known."""
    if node.op.kind != "elementwise":
        return node.args
    narrow = tuple(arg.args[0] if arg.op.broadcasts and arg not in known else arg for arg in node.args)
    return narrow if np.broadcast_shapes(*(arg.shape for arg in narrow)) == node.shape else node.args


def needed_nodes(order: Sequence[Node], roots: Sequence[Node], reads: dict[Node, tuple[Node, ...]]) -> Collection[Node]:
    """The nodes that are read, and the roots."""
    needed = set(roots)
    for node in reversed(order):
        if node in needed:
            needed.update(reads.get(node, ()))
    return needed


def last_uses(uses: Sequence[tuple[int, ...]], kept: Sequence[int]) -> list[tuple[int, ...]]:
    """For each step, the indices that nobody reads after it."""
    seen, dead = set(kept), []
    for indices in reversed(uses):
        dead.append(tuple(set(indices) - seen))
        seen.update(indices)
    return dead[::-1]


def picker(indices: tuple[int, ...]) -> Callable[[list], Sequence[np.ndarray]]:
    """A function that takes the values at these indices out of a list."""
    if len(indices) > 1:
        return itemgetter(*indices)
    return itemgetter(slice(indices[0], indices[0] + 1) if indices else slice(0))


def read_only(array: np.ndarray) -> np.ndarray:
    """A view that nobody can write through: the array is used again in every run."""
    view = array.view()
    view.flags.writeable = False
    return view
