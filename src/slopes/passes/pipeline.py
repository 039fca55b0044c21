"""The compiler's table of contents: graph in, graph out, in this order; then loops (floor 5) and LLVM (floor 6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

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

Pass = Callable[[Sequence[Node], Collection[Node]], list[Node]]
"""(roots of a graph, its fixed variables) to equal roots. What depends on fixed variables alone is computed once for many calls."""


def in_bodies(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """Every pass on the bodies of loops, whose variables are their own: none is fixed."""
    return change_bodies(roots, optimize)


PASSES: tuple[Pass, ...] = (
    lower_checkpoints,  # checkpoints become loops
    lower_bfloat16,  # rounded values are kept in 16 bits; no other pass depends on it
    canonical,  # one form for each computation
    stable,  # forms that do not overflow or cancel
    factor_reductions,  # sums that are known from others
    canonical,  # folds what the factors left behind
    sink_gather,  # rows that are taken often are multiplied once
    eliminate_dead_scan_outputs,  # loops lose the results that nobody reads
    in_bodies,  # all of this inside of loops
    convolve_gradients,  # input gradients of convolutions become convolutions, laid out for their loops
    winograd,  # convolutions in coordinates where they take fewer products
)


FOR_PROCESSORS: frozenset[Pass] = frozenset({lower_bfloat16, sink_gather, convolve_gradients, winograd})
"""The passes whose result pays only where slopes' own loops compute it."""


class Order(NamedTuple):
    """Two passes that cannot be exchanged: where `before` ran behind the last `after`, the result would be worse."""

    before: Pass
    after: Pass
    why: str


ORDER: tuple[Order, ...] = (
    Order(lower_checkpoints, eliminate_dead_scan_outputs, "results of a checkpoint that nobody reads are dropped from its loop"),
    Order(lower_checkpoints, in_bodies, "the body of a checkpoint is the body of a loop: it needs its stable form, too"),
    Order(canonical, stable, "stable rules know canonical forms only: log(exp(x) + 0) is none"),
    Order(stable, canonical, "stable rules leave moves and stopped gradients that canonical rules merge and remove"),
    Order(canonical, factor_reductions, "equal factors are equal nodes in canonical form only"),
    Order(factor_reductions, canonical, "a factor that leaves its sum is sliced and reshaped: canonical rules fold that"),
    Order(canonical, sink_gather, "a permute between rows and their product hides the rows"),
    Order(canonical, eliminate_dead_scan_outputs, "what reads a result in vain has to go before the result can"),
    Order(eliminate_dead_scan_outputs, in_bodies, "no work on parts of bodies that are dropped"),
    Order(canonical, convolve_gradients, "canonical form has no layout: it would undo the order of axes that was chosen for the loops"),
    Order(canonical, winograd, "a permute between windows and their product hides the convolution"),
    Order(convolve_gradients, winograd, "an input gradient takes fewer products once it is a convolution"),
)


def optimize(roots: Sequence[Node], watch: Callable[[str, Sequence[Node]], None] | None = None,
             fixed: Collection[Node] = ()) -> list[Node]:
    """The roots after every pass; `watch(name, roots)` sees each result. What depends on `fixed` variables alone costs nothing.

    Where there are observers, the rest is what it would be without them.
    """
    result, observing = apply_passes(roots, watch, fixed), observers(roots)
    if not observing:
        return result
    rest = iter(apply_passes([root for root in roots if root not in observing], None, fixed))
    return separate_observers([root if before in observing else next(rest) for before, root in zip(roots, result)])


def optimize_portably(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """The roots after every pass that helps any machine, for backends that have a compiler of their own."""
    result = list(roots)
    for run in PASSES:
        if run is in_bodies:
            result = change_bodies(result, optimize_portably)
        elif run not in FOR_PROCESSORS:
            result = run(result, fixed)
    return result


def apply_passes(roots: Sequence[Node], watch: Callable[[str, Sequence[Node]], None] | None, fixed: Collection[Node]) -> list[Node]:
    """The roots after every pass."""
    result = list(roots)
    for run in PASSES:
        result = run(result, fixed)
        if watch is not None:
            watch(run.__name__, result)
    return result
