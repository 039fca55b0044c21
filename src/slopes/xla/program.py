"""The programs of a captured function: one step, and many steps as a loop on the device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

from ..capture import Captured, Value
from ..graph.body import Body
from ..graph.build import Variable
from ..graph.node import Node
from ..graph.walk import topological
from .convolution import has_convolutions
from .library import first_device
from .trace import Arrays, Tracer

LARGE = 64  # constants of more elements are arguments: in the text of a program they are slow to compile
MOST_STEPS = 256  # of `many` that are one call of the device
ROOM = 1 << 22  # bytes of the arguments and results of these steps, which decide how many there are


class Program:
    """The optimised roots of a captured function, as functions that JAX compiles.

    sites      the nodes that a step may report
    replaced   which of the captured state a step assigns: their memory becomes that of the new values
    kept       which it only reads
    loops      whether many steps are a loop on the device: on a CPU XLA compiles convolutions inside of loops to plain code, which takes
               five times as long as those outside, so that steps with convolutions are called one by one
    room       how many steps of a loop one call of the device does at most
    once       (inputs, kept, replaced, constants) -> (0 or the site that failed, results, new values of replaced state) of one step
    repeat     (count, inputs, kept, replaced, constants) -> (steps begun, 0 or the site that failed, results of `room` steps, new state)
               of up to `count` steps, of which one that fails is the last; arrays of stepped inputs have `room` elements
    """

    def __init__(self, jax: Any, captured: Captured, roots: Sequence[Node]) -> None:
        self.jax, self.captured, self.roots = jax, captured, roots
        self.sites: list[Node] = []
        state = {value.tensor: i for i, value in enumerate(captured.state)}
        self.replaced = [state[value.tensor] for value in captured.updates]
        self.kept = [i for i in range(len(captured.state)) if i not in set(self.replaced)]
        self.room = steps_at_once([value for value in captured.inputs if value.leaf in captured.stepped], captured.computed)
        known = {value.node for value in (*captured.inputs, *captured.state)}
        order = topological(roots, stop=lambda node: node in known or node.value is not None)
        self.loops = first_device(jax).platform != "cpu" or not has_convolutions(order)
        self.constants = [node for node in order if node.value is not None and node.size > LARGE]
        self.constant_arrays: Arrays | None = None
        self.once = jax.jit(self.trace_step, donate_argnums=2)
        self.repeat = jax.jit(self.trace_steps, donate_argnums=3)

    @cached_property
    def body(self) -> Body:
        """The graph without the names of its variables: equal for equal programs."""
        return Body([value.node for value in (*self.captured.inputs, *self.captured.state)], self.roots)

    def same_as(self, other: Program) -> bool:
        """Whether another one computes the same results and updates from the same inputs, of which the same ones are stepped."""
        return (self.replaced == other.replaced and self.captured.stepped == other.captured.stepped
                and len(self.captured.inputs) == len(other.captured.inputs) and self.body == other.body)

    def on_device(self) -> Arrays:
        """The large constants, put there before the first call."""
        if self.constant_arrays is None:
            self.constant_arrays = [self.put_constant(node.value) for node in self.constants]
        return self.constant_arrays

    def put_constant(self, array: Any) -> Any:
        """A large constant on the device."""
        return self.jax.device_put(array)

    def lower(self) -> Any:
        """One step as JAX lowers it (jax.stages.Lowered): its StableHLO, what XLA compiles it to, and XLA's own analysis."""
        shape = self.jax.ShapeDtypeStruct
        state = [shape(value.node.shape, value.node.dtype) for value in self.captured.state]
        return self.once.lower([shape(value.node.shape, value.node.dtype) for value in self.captured.inputs],
                               [state[i] for i in self.kept], [state[i] for i in self.replaced], self.on_device())

    # ------------------------------------------------------------------ what JAX traces
    def trace_step(self, inputs: Arrays, kept: Arrays, replaced: Arrays, constants: Arrays) -> tuple[Any, Arrays, Arrays]:
        """(0 or the site that failed, results, new values of replaced state) of one step; one that fails changes no state."""
        captured, tracer, xp = self.captured, Tracer(self.jax), self.jax.numpy
        state = dict(zip([*self.kept, *self.replaced], [*kept, *replaced]))
        known = {value.node: array for value, array in zip(captured.inputs, inputs)}
        known |= {value.node: state[i] for i, value in enumerate(captured.state)} | dict(zip(self.constants, constants))
        values = tracer.evaluate(self.roots, known)
        self.sites[:] = tracer.sites
        count = len(captured.computed)
        after = [xp.copy(value) if root.op is Variable else value  # an argument has memory of its own
                 for root, value in zip(self.roots[count:], values[count:])]
        if tracer.sites:
            after = [xp.where(tracer.failed == 0, new, old) for new, old in zip(after, replaced)]
        return tracer.failed, values[:count], after

    def trace_steps(self, count: Any, inputs: Arrays, kept: Arrays, replaced: Arrays, constants: Arrays) -> tuple[Any, Any, Arrays, Arrays]:
        """(steps begun, 0 or the site that failed, stacked results, new values of replaced state) of `count` steps."""
        xp = self.jax.numpy
        rows = [xp.zeros((self.room, *value.node.shape), value.node.dtype) for value in self.captured.computed]
        body = partial(self.trace_next, inputs=inputs, kept=kept, constants=constants)
        return self.jax.lax.while_loop(  # type: ignore[no-any-return]
            lambda carry: (carry[0] < count) & (carry[1] == 0), body, (xp.int32(0), xp.int32(0), rows, replaced))

    def trace_next(self, carry: tuple[Any, Any, Arrays, Arrays], inputs: Arrays, kept: Arrays, constants: Arrays
                   ) -> tuple[Any, Any, Arrays, Arrays]:
        """One more step of the loop."""
        i, _, rows, replaced = carry
        lax, stepped = self.jax.lax, self.captured.stepped
        own = [lax.dynamic_index_in_dim(array, i, keepdims=False) if value.leaf in stepped else array
               for value, array in zip(self.captured.inputs, inputs)]
        failed, computed, after = self.trace_step(own, kept, replaced, constants)
        return i + 1, failed, [lax.dynamic_update_index_in_dim(row, value, i, 0) for row, value in zip(rows, computed)], after


def steps_at_once(inputs: Sequence[Value], results: Sequence[Value]) -> int:
    """How many steps one call of the device does at most, of which each takes these arguments and gives these results."""
    size = sum(value.node.size * value.node.dtype.itemsize for value in (*inputs, *results))
    return max(1, min(MOST_STEPS, ROOM // max(size, 1)))
