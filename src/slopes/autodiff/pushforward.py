"""Forward mode: tangents pushed forward by transposing the transpose (the pullback is linear in its seed; pull it back again)."""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.build import variable
from ..graph.dtype import is_inexact
from ..graph.node import Node
from ..graph.walk import substitute, topological
from ..ops.fill import zeros_like
from .pullback import check_seed, pull_back


def push_forward(outputs: Sequence[Node], wrt: Sequence[Node], tangents: Sequence[Node | None]) -> list[Node]:
    """For each output, its derivative when each node of `wrt` moves along its tangent (None: it stands still).

    With dummy seeds u, g(u) = J' u is linear in u; pulling the tangents back through g gives J tangent. Nothing of g itself is
    computed. Outputs that do not move, and outputs of integer or boolean type, get zeros of their own shape and type.
    """
    moving = [(node, tangent) for node, tangent in zip(wrt, tangents) if tangent is not None]
    for node, tangent in moving:
        check_seed(node, tangent)
    seeds = [variable(node.shape, node.dtype, "seed") if is_inexact(node.dtype) else None for node in outputs]
    pairs = [(node, seed) for node, seed in zip(outputs, seeds) if seed is not None]
    gradients = pull_back([node for node, _ in pairs], [seed for _, seed in pairs], [node for node, _ in moving])
    flowing = [(gradient, tangent) for gradient, (_, tangent) in zip(gradients, moving) if gradient is not None]
    pushed = iter(pull_back([g for g, _ in flowing], [t for _, t in flowing], [seed for _, seed in pairs]))
    results = [zeros_like(node) if seed is None else next(pushed) for node, seed in zip(outputs, seeds)]
    filled = [zeros_like(node) if result is None else result for node, result in zip(outputs, results)]
    return without_seeds(filled, [seed for _, seed in pairs])


def without_seeds(results: list[Node], seeds: list[Node]) -> list[Node]:
    """The results, with zeros for the dummy seeds where these are still mentioned (no value can depend on them)."""
    mentioned = set(topological(results)) & set(seeds)
    return substitute(results, {seed: zeros_like(seed) for seed in mentioned}) if mentioned else results
