"""Derivatives and batches of checkpoints: the derivative recomputes each part, so that no intermediate value is kept."""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.body import Body
from ..graph.build import build_node, variable
from ..graph.dtype import DType, is_inexact
from ..graph.node import Node
from ..ops.checkpoint import checkpoint, layout
from .pullback import pull_back
from .scan import batched_body, examples_first, gradient_entries, steps_first


def checkpoint_pullback(g: Node, y: Node, *args: Node, body: Body, moving: int, length: int, summed: int,
                        dtype: DType) -> tuple[Node | None, ...]:
    """The gradients: a checkpoint whose body recomputes a part and pulls its gradients back."""
    inputs, outputs = body.fresh()
    elements, fixed = list(zip(inputs[:moving], args[:moving])), list(zip(inputs[moving:], args[moving:]))  # (input, what it is given)
    seeded = []
    for i, (node, part) in enumerate(zip(outputs, layout(body, length, summed))):
        read = gradient_entries(g, part) if part.dtype == dtype else None
        if read is None:
            continue
        seed = variable(part.shape, part.dtype)
        seeded.append((node, seed))
        if i < summed:
            fixed.append((seed, build_node("reshape", (read,), {"shape": part.shape})))
        else:
            elements.append((seed, read))
    wrt = [i for i, node in enumerate(inputs) if is_inexact(node.dtype)]
    gradients = pull_back([node for node, _ in seeded], [seed for _, seed in seeded], [inputs[i] for i in wrt])
    pulled = {i: gradient for i, gradient in zip(wrt, gradients) if gradient is not None}
    order = sorted(pulled, key=lambda i: (i < moving, i))  # what is the same for every part is summed: first
    back = Body([node for node, _ in (*elements, *fixed)], [pulled[i] for i in order])
    back_args = [arg for _, arg in (*elements, *fixed)]
    gradients_of = dict(zip(order, checkpoint(back, back_args, len(elements), length, sum(i >= moving for i in order))))
    return tuple(gradients_of.get(i) for i in range(len(args)))


def checkpoint_batch(nodes: Sequence[Node], batched: Sequence[bool], body: Body, moving: int, length: int, summed: int,
                     dtype: DType) -> Node:
    """A checkpoint whose body takes batches: sequences hold their parts in front of the examples."""
    size = next(node.shape[0] for node, flag in zip(nodes, batched) if flag)
    args = tuple(steps_first(node) if flag and i < moving else node for i, (node, flag) in enumerate(zip(nodes, batched)))
    many = batched_body(body, batched, size)
    params = {"body": many, "moving": moving, "length": length, "summed": summed, "dtype": dtype}
    row = build_node("checkpoint", args, params)
    row_parts = [part for part in layout(many, length, summed) if part.dtype == dtype]
    return build_node("concat", tuple(examples_first(row, part, size) for part in row_parts), {"axis": 1})
