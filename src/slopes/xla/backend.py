"""The XLA backend: a captured function as one program of JAX, on its first device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import Backend, Executable
from ..capture import Captured
from ..graph.node import Node
from ..passes.pipeline import optimize_portably
from ..tensor import Tensor
from ..versions import versions
from .library import load_jax, modes
from .program import Program
from .state import Arrays, call, read, settle


class XlaBackend(Backend):
    """Compiles with XLA, for the device that JAX takes by default."""

    name = "xla"

    def prepare(self) -> None:
        """Raises MissingExtraError without a fitting JAX, DeviceError without a device."""
        load_jax()

    def compile(self, captured: Captured) -> Executable:
        """The XLA program of this captured function; it is compiled in its first run."""
        return XlaExecutable(captured, load_jax())


class XlaExecutable(Executable):
    """A program of JAX. It reads the values of state on the device, and leaves new ones there, without arrays that are bound.

    Of tensors that are neither parameters nor assigned by some function nothing stays on the device, as NumPy may write into those.
    """

    def __init__(self, captured: Captured, jax: Any) -> None:
        super().__init__(captured)
        self.jax = jax
        self.program = self.make_program(optimize_portably(captured.roots))
        self.reads = []
        parameters = captured.constants_between_calls
        self.kept = [(tensor_of(captured, i), captured.state[i].node in parameters) for i in self.program.kept]
        self.replaced = [tensor_of(captured, i) for i in self.program.replaced]
        self.sites = self.program.sites
        self.step = 0

    def make_program(self, roots: Sequence[Node]) -> Program:
        """The program of these roots."""
        return Program(self.jax, self.captured, roots)

    def put_input(self, i: int, array: np.ndarray, stepped: bool) -> Any:
        """An argument as the program takes it; `stepped` ones have the step as their first axis."""
        return array

    def division(self, i: int) -> Any:
        """How a tensor of the state is divided among devices, as JAX's sharding; None: it lies on the first one."""
        return None

    def bind(self, arrays: Sequence[np.ndarray | None]) -> None:
        """Nothing is bound."""

    def holding(self) -> Sequence[np.ndarray]:
        """None."""
        return []

    def run(self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray], steps: int) -> int:
        """Run on the device, and write the results."""
        self.step = 0
        with modes(self.jax):
            if steps == 1 and not self.captured.stepped:
                return self.run_step([self.put_input(i, array, stepped=False) for i, array in enumerate(arguments)], results)
            return self.run_loop(arguments, results, steps) if self.program.loops else self.run_steps(arguments, results, steps)

    def run_step(self, inputs: list[Any], results: Sequence[np.ndarray]) -> int:
        """0, or the site that failed, of one step."""
        with versions.gate:
            failed, computed, _ = call(self.program.once, [inputs, *self.state()], self.replaced)
        if self.sites and int(failed):
            return int(failed)
        write(results, computed)
        return 0

    def run_steps(self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray], steps: int) -> int:
        """0, or the site that failed, of many steps, each a call of the device."""
        stepped = [value.leaf in self.captured.stepped for value in self.captured.inputs]
        held = [array if moves else self.jax.device_put(self.put_input(i, array, stepped=False))
                for i, (array, moves) in enumerate(zip(arguments, stepped))]
        for self.step in range(steps):
            inputs = [self.put_input(i, array[self.step], stepped=False) if moves else array
                      for i, (array, moves) in enumerate(zip(held, stepped))]
            if failed := self.run_step(inputs, [array[self.step, ...] for array in results]):
                return failed
        self.step = 0
        return 0

    def run_loop(self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray], steps: int) -> int:
        """0, or the site that failed, of many steps in a loop on the device, as many at a time as there is room for."""
        stepped, room = [value.leaf in self.captured.stepped for value in self.captured.inputs], self.program.room
        held = [array if moves else self.put_input(i, array, stepped=False) for i, (array, moves) in enumerate(zip(arguments, stepped))]
        if steps > room:
            held = [array if moves else self.jax.device_put(array) for array, moves in zip(held, stepped)]
        for start in range(0, steps, room):
            count = min(room, steps - start)
            inputs = [self.put_input(i, padded(array[start:start + count], room), stepped=True) if moves else array
                      for i, (array, moves) in enumerate(zip(held, stepped))]
            with versions.gate:
                done, failed, rows, _ = call(self.program.repeat, [np.int32(count), inputs, *self.state()], self.replaced)
            write([array[start:start + count] for array in results], rows)
            if self.sites and int(failed):
                self.step = start + int(done) - 1
                return int(failed)
        return 0

    def state(self) -> tuple[Arrays, Arrays, Arrays]:
        """On the device: state that the program reads only, state that it replaces, and constants."""
        settle()
        kept = [read(self.jax, x, self.division(i), keep) for i, (x, keep) in zip(self.program.kept, self.kept)]
        replaced = [read(self.jax, x, self.division(i)) for i, x in zip(self.program.replaced, self.replaced)]
        return kept, replaced, self.program.on_device()

    def failed_step(self) -> int:
        """The step that failed."""
        return self.step

    def same_as(self, other: Executable) -> bool:
        """Whether both compute the same from the same inputs."""
        return isinstance(other, XlaExecutable) and self.program.same_as(other.program)


def tensor_of(captured: Captured, i: int) -> Tensor:
    """The tensor that holds a value of the state."""
    tensor = captured.state[i].tensor
    assert tensor is not None, "state is what tensors hold"
    return tensor


def padded(array: np.ndarray, room: int) -> np.ndarray:
    """The values of some steps as those of `room` steps, of which the rest is not read."""
    if len(array) == room:
        return array
    whole = np.zeros((room, *array.shape[1:]), array.dtype)
    whole[:len(array)] = array
    return whole


def write(arrays: Sequence[np.ndarray], values: Sequence[Any]) -> None:
    """Values of the device into arrays, which may be shorter."""
    for array, value in zip(arrays, values):
        array[...] = np.asarray(value)[:len(array)] if array.ndim else np.asarray(value)


BACKEND = XlaBackend()
