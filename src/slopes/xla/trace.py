"""A graph as JAX records it: every operation in its XLA form, and which node's values are an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..graph.body import Body
from ..graph.node import Node
from ..graph.walk import topological
from ..machine.reference import check
from .convolution import convolution
from .pooling import window_reduction

Arrays = list[Any]  # what JAX traces
Step = Callable[[Arrays, Arrays], tuple[Arrays, Arrays]]


class Tracer:
    """What operations compute with while JAX traces them: see `Operation.xla`.

    np, lax   jax.numpy and jax.lax
    sites     the nodes whose values may be an error
    failed    0, or i + 1 when sites[i] is the first whose values are one: a traced number
    """

    def __init__(self, jax: Any) -> None:
        self.np, self.lax = jax.numpy, jax.lax
        self.sites: list[Node] = []
        self.failed = self.np.int32(0)

    def evaluate(self, roots: Sequence[Node], known: Mapping[Node, Any]) -> Arrays:
        """The values of the roots, from those of the variables."""
        values = dict(known)
        for node in topological(roots, stop=lambda node: node in known or node.value is not None):
            if node not in values:
                values[node] = self.np.asarray(node.value) if node.value is not None else self.value(node, values)
        return [values[root] for root in roots]

    def evaluate_body(self, body: Body, args: Sequence[Any]) -> Arrays:
        """The outputs of a body."""
        return self.evaluate(body.outputs, dict(zip(body.inputs, args)))

    def value(self, node: Node, values: Mapping[Node, Any]) -> Any:
        """The value of one node, which must be what its rule promises."""
        args = [values[arg] for arg in node.args]
        self.watch(node, node.op.invalid(self.np, *args, **node.params))
        result = convolution(self.lax, node, lambda arg: self.known(arg, values))
        if result is None:
            result = window_reduction(self.lax, node, lambda arg: self.known(arg, values))
        return check(node, self.np.asarray(node.op.xla(self, *args, **node.params)) if result is None else result)

    def known(self, node: Node, values: Mapping[Node, Any]) -> Any:
        """The value of a node that was evaluated, or is an array."""
        return values[node] if node in values else self.np.asarray(node.value)

    def watch(self, node: Node, is_invalid: Any) -> None:
        """Note the node as the first that failed, if its values are an error and none failed before."""
        if is_invalid is None:
            return
        if node not in self.sites:
            self.sites.append(node)
        site = self.np.where(is_invalid, np.int32(self.sites.index(node) + 1), np.int32(0))
        self.failed = self.np.where(self.failed == 0, site, self.failed)

    def scan(self, step: Step, state: Arrays, sequences: Arrays, length: int, reverse: bool) -> tuple[Arrays, Arrays]:
        """(last state, outputs stacked in the order of the sequences) of a loop over the first axis of `sequences`."""

        def run(carry: tuple[Any, Arrays], elements: Arrays) -> tuple[tuple[Any, Arrays], Arrays]:
            self.failed, before = carry
            after, outputs = step(before, elements)
            return (self.failed, after), outputs

        (self.failed, last), outputs = self.lax.scan(run, (self.failed, state), sequences, length=length, reverse=reverse)
        return last, outputs
