"""The XLA backend: a captured function as one program of JAX, on its first device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..backend import Executable
from ..capture import Captured
from ..extras import require
from ..graph.node import Node
from ..passes.pipeline import optimize_portably
from .program import Program

CHUNK = 32  # steps of `many` that are one call of the device; a program for one step and one for a chunk are all that is compiled


class XlaBackend:
    """Compiles with XLA, for the device that JAX takes by default."""

    name = "xla"

    def compile(self, captured: Captured) -> Executable:
        """The XLA program of this captured function; it is compiled in its first run."""
        return XlaExecutable(captured, require("jax", extra="xla", purpose='backend="xla"'))


class XlaExecutable(Executable):
    """A program of JAX, the arrays of the state that it writes back to, and copies of them on the device.

    A copy stays until somebody else may have written into its array; of tensors that are neither parameters nor assigned by the
    function there is none, as NumPy may write into those.
    """

    def __init__(self, captured: Captured, jax: Any) -> None:
        super().__init__(captured)
        self.jax = jax
        self.program = self.make_program(optimize_portably(captured.roots))
        assigned = {value.tensor for value in captured.updates}
        self.keeps = {i for i, value in enumerate(captured.state)
                      if value.tensor in assigned or value.node in captured.constants_between_calls}
        self.sites = self.program.sites
        self.arrays: list[np.ndarray] = []
        self.copies: dict[int, Any] = {}  # by index of the state
        self.expected = -1  # the version at the next call, if nobody else writes before
        self.step = 0

    def make_program(self, roots: Sequence[Node]) -> Program:
        """The program of these roots."""
        return Program(self.jax, self.captured, roots)

    def put_input(self, i: int, array: np.ndarray, stepped: bool) -> Any:
        """An argument as the program takes it; `stepped` ones have the step as their first axis."""
        return array if stepped else self.jax.device_put(array)

    def put_state(self, i: int) -> Any:
        """A tensor of the state on the device; a copy of its own: JAX may use the memory that it is given."""
        return self.jax.device_put(self.arrays[i].copy())

    def fetch(self, value: Any) -> np.ndarray:
        """A value of the device as an array."""
        return np.asarray(value)

    def bind(self, arrays: Sequence[np.ndarray | None]) -> None:
        """Keep the arrays, and forget the copies of others."""
        self.arrays, self.copies = [array for array in arrays if array is not None], {}

    def holding(self) -> Sequence[np.ndarray]:
        """All of them."""
        return self.arrays

    def refresh(self, version: int) -> None:
        """Forget the copies, if somebody else has written since the last call."""
        if version != self.expected:
            self.copies = {}
        self.expected = version + bool(self.captured.updates)

    def written(self) -> None:
        """Forget the copies."""
        self.copies = {}

    def run(self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray], steps: int) -> int:
        """Run on the device, then write results and state back."""
        with self.modes():
            state = [self.on_device(i) for i in range(len(self.arrays))]
            if steps == 1 and not self.captured.stepped:
                inputs = [self.put_input(i, array, stepped=False) for i, array in enumerate(arguments)]
                failed, computed, state = self.program.once(inputs, state)
                failed, self.step = int(failed), 0
                if not failed:
                    self.write(results, computed)
            else:
                failed, state = self.run_steps(arguments, state, results, steps)
            if not failed or self.step:
                self.write_back(state)
        return failed

    def run_steps(self, arguments: Sequence[np.ndarray], state: list[Any], results: Sequence[np.ndarray], steps: int
                  ) -> tuple[int, list[Any]]:
        """(0 or the site that failed, the state after the last step that did not) of many steps, a chunk of them at a time."""
        stepped = [value.leaf in self.captured.stepped for value in self.captured.inputs]
        held = [array if moves else self.put_input(i, array, stepped=False) for i, (array, moves) in enumerate(zip(arguments, stepped))]
        for start in range(0, steps, CHUNK):
            count = min(CHUNK, steps - start)
            chunk = [self.put_input(i, padded(array[start:start + count]), stepped=True) if moves else array
                     for i, (array, moves) in enumerate(zip(held, stepped))]
            done, failed, rows, state = self.program.repeat(count, CHUNK, chunk, state)
            self.write([array[start:start + count] for array in results], [row[:count] for row in rows])
            if failed:
                self.step = start + int(done) - 1
                return int(failed), state
        self.step = 0
        return 0, state

    def on_device(self, i: int) -> Any:
        """The value of a tensor of the state on the device."""
        if i not in self.keeps:
            return self.put_state(i)
        if i not in self.copies:
            self.copies[i] = self.put_state(i)
        return self.copies[i]

    def write_back(self, state: Sequence[Any]) -> None:
        """New values into the arrays of updated state; on the device they stay for the next call."""
        unchanged = {i: copy for i, copy in self.copies.items() if i not in self.program.updated}
        self.copies = {}  # until all is written: Ctrl-C may come in between
        for i in self.program.updated:
            self.arrays[i][...] = self.fetch(state[i])
        self.copies = unchanged | {i: state[i] for i in self.program.fresh}

    def write(self, arrays: Sequence[np.ndarray], values: Sequence[Any]) -> None:
        """Values of the device into arrays."""
        for array, value in zip(arrays, values):
            array[...] = self.fetch(value)

    @contextmanager
    def modes(self) -> Iterator[None]:
        """Types of 64 bits stay, and products of float32 are those of float32 on every device."""
        with self.jax.enable_x64(True), self.jax.default_matmul_precision("highest"):
            yield

    def failed_step(self) -> int:
        """The step that failed."""
        return self.step

    def same_as(self, other: Executable) -> bool:
        """Whether both compute the same from the same inputs."""
        return isinstance(other, XlaExecutable) and self.program.same_as(other.program)

    def save(self) -> list[np.ndarray]:
        """The bound arrays."""
        return self.arrays

    def restore(self, saved: list[np.ndarray]) -> None:
        """Bind them again."""
        self.arrays, self.copies = saved, {}


def padded(array: np.ndarray) -> np.ndarray:
    """The values of some steps as those of a whole chunk, of which the rest is not read."""
    if len(array) == CHUNK:
        return array
    whole = np.zeros((CHUNK, *array.shape[1:]), array.dtype)
    whole[:len(array)] = array
    return whole


BACKEND = XlaBackend()
