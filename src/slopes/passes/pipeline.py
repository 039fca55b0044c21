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
    """The roots after every pass; `watch(name, roots)` sees each result. What is made of `fixed` variables alone costs nothing."""
    result = list(roots)
    for each in PASSES:
        result = each(result, fixed) if each in COUNTING else each(result)
        if watch is not None:
            watch(each.__name__, result)
    return result
