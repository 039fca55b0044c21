"""Two compiled functions that take turns at the steps of one call, such as a training step and the same step with statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from .arrays import aligned_empty
from .backend import Alternation, Segment, site_error
from .bound import Bound
from .compile import Compiled
from .errors import ArgumentError
from .versions import versions


class Alternating:
    """Two compiled functions of the same arguments and state, of which the second returns what the first does, and more behind it.

    A call is one native call; between two of them Python would find its own code gone from the processor's caches, and take longer than
    a small network's step.
    """

    def __init__(self, first: Compiled, second: Compiled) -> None:
        self.functions = first, second
        self._known: WeakKeyDictionary[Bound, tuple[Bound, Alternation]] = WeakKeyDictionary()

    def many(self, steps: int, segments: Sequence[Segment], *args: Any, stepped: Sequence[int] = ()) -> Any:
        """What the second function returns, as arrays stacked along a new first axis. What it has more is undefined where the first ran.

        segments: (first step, the one after its last, 0 or 1 for the function), one after the other; see `Compiled.many`.
        """
        first, leaves = self.functions[0].stepped_version(steps, args, stepped)
        second, _ = self.functions[1].stepped_version(steps, args, stepped)
        bounds = first, second
        with first.turn(), second.turn(beside=True):
            while first.bound_state != versions.state or second.bound_state != versions.state:  # one may change what the other binds
                for bound in bounds:
                    bound.bind()
            for bound in bounds:
                bound.executable.refresh(versions.written)
            arguments = first.arguments(leaves), second.arguments(leaves)
            shared = [aligned_empty((steps, *shape), dtype) for shape, dtype in second.results]
            if first.results != second.results[:len(first.results)]:
                raise ArgumentError("the second function does not return first what the first one does", why=f"{first.results} beside "
                                    f"{second.results}")
            with first.running(), second.running():
                failed, which, step = self.alternation(first, second).run(arguments, (shared[:len(first.results)], shared), segments)
        if failed:
            raise bounds[which].replayed_error(leaves, step) or site_error(bounds[which].executable.sites[failed - 1])
        first.mark_gradients()
        second.mark_gradients()
        return second.returned(shared[:len(second.captured.outputs)])

    def alternation(self, first: Bound, second: Bound) -> Alternation:
        """The alternation of two bound programs, made once."""
        known = self._known.get(first)
        if known is None or known[0] is not second:
            known = self._known[first] = second, first.executable.alternate(second.executable)
        return known[1]
