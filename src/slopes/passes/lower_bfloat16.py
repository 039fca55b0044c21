"""Values rounded to bfloat16 are stored as 16 bits, and widened to float32 where they are read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..graph.build import Variable, build_node
from ..graph.node import Node
from ..graph.walk import performs, rebuild_all, topological
from ..ops.bfloat import Bfloat16Value, RoundBfloat16
from ..ops.move import Pad, Permute, Reshape, Slice

MOVED = (Pad, Reshape, Permute, Slice)  # moves that can act on the bits instead of the values


def lower_bfloat16(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """Split every rounding into bits and their value, and move bits instead of values. Arguments stay: they are in memory as float32."""
    order = topological(roots)
    if not performs(order, RoundBfloat16, Bfloat16Value):
        return list(roots)

    def make(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op is RoundBfloat16 and args[0].op is not Variable:
            return build_node("bfloat16_value", (build_node("bfloat16_bits", args, {}),), {})
        if node.op in MOVED and args[0].op is Bfloat16Value and not node.params.get("value"):
            return build_node("bfloat16_value", (node.op.make(*args[0].args, **node.params),), {})
        return node.op.make(*args, **node.params)

    return rebuild_all(order, roots, make)
