"""A checkpoint as a loop: sums are carried along, the other results stacked."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..graph.body import Body
from ..graph.build import variable
from ..graph.node import Node
from ..graph.walk import performs, rebuild_all, topological
from ..ops.checkpoint import Checkpoint
from ..ops.fill import full
from ..ops.scan import Scan


def lower_checkpoints(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """Every `checkpoint` as a `scan`."""
    order = topological(roots)
    if not performs(order, Checkpoint):
        return list(roots)

    def make(node: Node, args: tuple[Node, ...]) -> Node:
        return loop(args, **node.params) if node.op is Checkpoint else node.op.make(*args, **node.params)

    return rebuild_all(order, roots, make)


def loop(args: tuple[Node, ...], body: Body, moving: int, length: int, summed: int, dtype: object) -> Node:
    inputs, outputs = body.fresh()
    totals = [variable(node.shape, node.dtype) for node in outputs[:summed]]
    step = Body([*totals, *inputs], [*(total + term for total, term in zip(totals, outputs)), *outputs[summed:]])
    starts = tuple(full(total.shape, 0, total.dtype) for total in totals)
    return Scan.make(*starts, *args, body=step, carries=summed, moving=moving, length=length, reverse=False, kept=(False,) * summed,
                     dtype=dtype)
