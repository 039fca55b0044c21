"""The compiler's table of contents: graph in, graph out, in this order; then loops (floor 5) and LLVM (floor 6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ..graph.node import Node
from .adjoint import convolve_gradients
from .canonical import canonical
from .checkpoint import lower_checkpoints
from .dead_outputs import change_bodies, eliminate_dead_scan_outputs
from .factor_reductions import factor_reductions
from .lower_bfloat16 import lower_bfloat16
from .observers import observers, separate_observers
from .sink_gather import sink_gather
from .stable import stable
from .winograd import winograd

Pass = Callable[..., list[Node]]

def in_bodies(roots: Sequence[Node]) -> list[Node]:
    """The same passes for what a loop repeats."""
    return change_bodies(roots, optimize)


PASSES: tuple[Pass, ...] = (
    lower_checkpoints,  # what is taken part by part
    lower_bfloat16,  # what is kept in 16 bits
    canonical,  # one form for each computation
    stable,  # forms that do not overflow or cancel
    factor_reductions,  # sums that are known from others
    canonical,  # what that made foldable
    sink_gather,  # rows that are taken often are multiplied once
    eliminate_dead_scan_outputs,  # loops without results that nobody reads
    in_bodies,  # all of this inside of loops
    convolve_gradients,  # input gradients of convolutions, laid out for the loops: late, as the canonical form has no layout
    winograd,  # convolutions in coordinates where they take fewer products
)
COUNTING = sink_gather, winograd  # they weigh costs, and are told what costs nothing


def optimize(roots: Sequence[Node], watch: Callable[[str, Sequence[Node]], None] | None = None,
             fixed: Collection[Node] = ()) -> list[Node]:
    """The roots after every pass; `watch(name, roots)` sees each result. What is made of `fixed` variables alone costs nothing.

    Where there are observers, the rest is what it would be without them.
    """
    result, observing = apply_passes(roots, watch, fixed), observers(roots)
    if not observing:
        return result
    rest = iter(apply_passes([root for root in roots if root not in observing], None, fixed))
    return separate_observers([root if before in observing else next(rest) for before, root in zip(roots, result)])


def apply_passes(roots: Sequence[Node], watch: Callable[[str, Sequence[Node]], None] | None, fixed: Collection[Node]) -> list[Node]:
    """The roots after every pass."""
    result = list(roots)
    for apply in PASSES:
        result = apply(result, fixed) if apply in COUNTING else apply(result)
        if watch is not None:
            watch(apply.__name__, result)
    return result
