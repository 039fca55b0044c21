"""One form for each computation: constants folded, identities removed, moves merged, broadcasting as late as possible.

Equal subexpressions are one node already (nodes are interned), so every rule that makes two expressions alike also shares them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..graph.node import Node
from ..graph.rewrite import Phase, rewrite
from .arithmetic import arithmetic
from .layout_rules import layout
from .match import weight

CANONICAL = Phase("canonical", weight, [*arithmetic.rules, *layout.rules])
DIFFERENTIABLE = Phase("differentiable", weight, [rule for rule in CANONICAL.rules if rule.name != "identity"])


def canonical(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """The same values, with every canonical rule applied until none fits."""
    return rewrite(roots, CANONICAL)
