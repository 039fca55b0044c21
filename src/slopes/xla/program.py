"""The programs of a captured function: one step, and many steps as a loop on the device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from ..capture import Captured
from ..graph.body import Body
from ..graph.build import Variable
from ..graph.node import Node
from ..graph.walk import topological
from .trace import Arrays, Tracer

LARGE = 64  # constants of more elements are arguments: in the text of a program they are slow to compile


class Program:
    """The optimised roots of a captured function, as functions that JAX compiles.

    sites     the nodes that a step may report
    updated   which of the captured state a step assigns
    fresh     those to which it assigns what it computed, and no argument, whose memory may be the caller's
    """

    def __init__(self, jax: Any, captured: Captured, roots: Sequence[Node]) -> None:
        self.jax, self.captured, self.roots = jax, captured, roots
        self.sites: list[Node] = []
        state = {value.tensor: i for i, value in enumerate(captured.state)}
        self.updated = [state[value.tensor] for value in captured.updates]
        self.fresh = [i for i, root in zip(self.updated, roots[len(captured.computed):]) if root.op is not Variable]
        known = {value.node for value in (*captured.inputs, *captured.state)}
        order = topological(roots, stop=lambda node: node in known or node.value is not None)
        self.constants = [node for node in order if node.value is not None and node.size > LARGE]
        self.constant_arrays: Arrays | None = None
        self._once, self._repeat = jax.jit(self.trace_step), jax.jit(self.trace_steps, static_argnames="room")

    @cached_property
    def body(self) -> Body:
        """The graph without the names of its variables: equal for equal programs."""
        return Body([value.node for value in (*self.captured.inputs, *self.captured.state)], self.roots)

    def same_as(self, other: Program) -> bool:
        """Whether another one computes the same results and updates from the same inputs, of which the same ones are stepped."""
        return (self.updated == other.updated and self.captured.stepped == other.captured.stepped
                and len(self.captured.inputs) == len(other.captured.inputs) and self.body == other.body)

    def on_device(self) -> Arrays:
        """The large constants, put there before the first call."""
        if self.constant_arrays is None:
            self.constant_arrays = [self.put_constant(node.value) for node in self.constants]
        return self.constant_arrays

    def put_constant(self, array: Any) -> Any:
        """A large constant on the device."""
        return self.jax.device_put(array)

    def once(self, inputs: Arrays, state: Arrays) -> tuple[Any, Arrays, Arrays]:
        """(0 or the site that failed, results, state afterwards) of one step."""
        failed, computed, updates = self._once(inputs, state, self.on_device())
        return failed, computed, self.after(state, updates)

    def repeat(self, count: int, room: int, inputs: Arrays, state: Arrays) -> tuple[Any, Any, Arrays, Arrays]:
        """(steps begun, 0 or the site that failed, results of `room` steps, state) of up to `count` steps; a step that fails is the last.

        The arrays of stepped inputs have `room` elements.
        """
        done, failed, rows, updates = self._repeat(np.int32(count), inputs, state, self.on_device(), room=room)
        return done, failed, rows, self.after(state, updates)

    def after(self, state: Arrays, updates: Arrays) -> Arrays:
        """The state with its new values."""
        new = dict(zip(self.updated, updates))
        return [new.get(i, value) for i, value in enumerate(state)]

    # ------------------------------------------------------------------ what JAX traces
    def trace_step(self, inputs: Arrays, state: Arrays, constants: Arrays) -> tuple[Any, Arrays, Arrays]:
        """(0 or the site that failed, results, new values of assigned state) of one step."""
        captured, tracer = self.captured, Tracer(self.jax)
        known = {value.node: array for value, array in zip((*captured.inputs, *captured.state), [*inputs, *state])}
        values = tracer.evaluate(self.roots, {**known, **dict(zip(self.constants, constants))})
        self.sites[:] = tracer.sites
        count = len(captured.computed)
        return tracer.failed, values[:count], values[count:]

    def trace_steps(self, count: Any, inputs: Arrays, state: Arrays, constants: Arrays, room: int) -> tuple[Any, Any, Arrays, Arrays]:
        """(steps begun, 0 or the site that failed, stacked results, assigned state) of `count` steps."""
        xp = self.jax.numpy
        rows = [xp.zeros((room, *value.node.shape), value.node.dtype) for value in self.captured.computed]
        start = xp.int32(0), xp.int32(0), rows, [state[i] for i in self.updated]
        body = partial(self.trace_next, inputs=inputs, state=state, constants=constants)
        return self.jax.lax.while_loop(lambda carry: (carry[0] < count) & (carry[1] == 0), body, start)

    def trace_next(self, carry: tuple[Any, Any, Arrays, Arrays], inputs: Arrays, state: Arrays, constants: Arrays
                   ) -> tuple[Any, Any, Arrays, Arrays]:
        """One more step of the loop."""
        i, _, rows, before = carry
        stepped = self.captured.stepped
        own = [array[i] if value.leaf in stepped else array for value, array in zip(self.captured.inputs, inputs)]
        failed, computed, after = self.trace_step(own, self.after(state, before), constants)
        if self.sites:  # the step that fails changes no state
            after = [self.jax.numpy.where(failed == 0, new, old) for new, old in zip(after, before)]
        return i + 1, failed, [row.at[i].set(value) for row, value in zip(rows, computed)], after
