"""The XLA backend on a mesh: one program for all devices, whose values XLA's partitioner divides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import Executable
from ..capture import Captured
from ..graph.node import Node
from .backend import XlaExecutable
from .hosts import guard
from .library import load_jax, modes
from .mesh import Mesh
from .program import Program
from .sharding import Sharding
from .state import put
from .tables import Parts
from .trace import Arrays


class MeshBackend:
    """Compiles with XLA for the devices of a mesh."""

    name = "xla"

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh

    def compile(self, captured: Captured) -> Executable:
        """The program of this captured function for all devices."""
        return MeshExecutable(captured, load_jax(), self.mesh)

    def rows(self, batch: int) -> np.ndarray:
        """Which rows of a batch this process has to read."""
        return self.mesh.rows(batch)


class MeshProgram(Program):
    """The programs of a captured function; what each device holds of arguments, results and state is said in them.

    Results are whole on every device. Everything between is divided as XLA's partitioner finds best.
    """

    def __init__(self, jax: Any, captured: Captured, roots: Sequence[Node], sharding: Sharding) -> None:
        self.sharding = sharding
        super().__init__(jax, captured, roots)

    def put_constant(self, array: Any) -> Any:
        """A large constant, whole on every device."""
        return put(self.jax, array, self.sharding.mesh.sharding())

    def trace_step(self, inputs: Arrays, kept: Arrays, replaced: Arrays, constants: Arrays) -> tuple[Any, Arrays, Arrays]:
        """One step, with what each device holds."""
        sharding, parts = self.sharding, self.sharding.state
        inputs = [sharding.cut(i, self.divide(x, sharding.inputs[i])) for i, x in enumerate(inputs)]
        kept = [self.divide(x, parts[i]) for i, x in zip(self.kept, kept)]
        replaced = [self.divide(x, parts[i]) for i, x in zip(self.replaced, replaced)]
        failed, computed, after = super().trace_step(inputs, kept, replaced, constants)
        return (self.divide(failed, ()), [self.divide(x, ()) for x in computed],
                [self.divide(x, parts[i]) for i, x in zip(self.replaced, after)])

    def divide(self, x: Any, parts: Parts) -> Any:
        """A value of which each device holds its part."""
        return self.jax.lax.with_sharding_constraint(x, self.sharding.mesh.sharding(parts))

    def same_as(self, other: Program) -> bool:
        """Whether both compute the same, divided in the same way."""
        return isinstance(other, MeshProgram) and super().same_as(other) and self.sharding.same_as(other.sharding)


class MeshExecutable(XlaExecutable):
    """A program on all devices of a mesh. Several processes run it together, each with its own devices."""

    def __init__(self, captured: Captured, jax: Any, mesh: Mesh) -> None:
        self.sharding = Sharding(mesh, captured)
        super().__init__(captured, jax)

    def make_program(self, roots: Sequence[Node]) -> Program:
        """The program with its divisions."""
        return MeshProgram(self.jax, self.captured, roots, self.sharding)

    def run(self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray], steps: int) -> int:
        """Run on all devices; another process that dies or hangs meanwhile ends this one with an error that names it."""
        with guard():
            return super().run(arguments, results, steps)

    def put_input(self, i: int, array: np.ndarray, stepped: bool) -> Any:
        """An argument on the devices."""
        return self.sharding.put_input(i, array, self.jax, stepped)

    def division(self, i: int) -> Any:
        """How a tensor of the state is divided."""
        return self.sharding.mesh.sharding(self.sharding.state[i])

    def held_bytes(self) -> dict[str, tuple[int, int]]:
        """(bytes that one device holds, bytes of the whole) of each tensor of the state, by path."""
        mesh = self.sharding.mesh
        return {value.path: (math.prod(mesh.sharding(parts).shard_shape(value.node.shape)) * value.node.dtype.itemsize,
                             value.node.size * value.node.dtype.itemsize)
                for value, parts in zip(self.captured.state, self.sharding.state)}

    def compile_step(self) -> Any:
        """JAX's compiled program of one step, for its text and XLA's analysis of it; nothing runs and no argument is needed."""
        with modes(self.jax):
            inputs = [self.spec(self.sharding.step_shape(i), value.node.dtype, self.sharding.inputs[i])
                      for i, value in enumerate(self.captured.inputs)]
            state = [self.spec(value.node.shape, value.node.dtype, parts)
                     for value, parts in zip(self.captured.state, self.sharding.state)]
            constants = [self.spec(node.shape, node.dtype, ()) for node in self.program.constants]
            kept, replaced = ([state[i] for i in indices] for indices in (self.program.kept, self.program.replaced))
            return self.program.once.lower(inputs, kept, replaced, constants).compile()

    def spec(self, shape: tuple[int, ...], dtype: Any, parts: Parts) -> Any:
        """An array that is not there, divided."""
        return self.jax.ShapeDtypeStruct(shape, dtype, sharding=self.sharding.mesh.sharding(parts))
