"""The reference backend: interprets the operations of a captured function one by one, with any namespace of the array API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .backend import Backend, Executable
from .capture import Captured
from .graph.node import Node
from .machine.reference import evaluate


class ReferenceBackend(Backend):
    """Evaluates every operation's `meaning` with the namespace `xp`: slow, simple, and what compiled code is compared with."""

    name = "reference"

    def __init__(self, xp: Any = np) -> None:
        self.xp = xp

    def compile(self, captured: Captured) -> Executable:
        """The interpreter of this captured function."""
        return Interpreter(captured, self.xp)


class Interpreter(Executable):
    """A captured function that is evaluated node by node."""

    def __init__(self, captured: Captured, xp: Any) -> None:
        super().__init__(captured)
        self.xp = xp
        self.arrays: list[np.ndarray] = []

    def bind(self, arrays: Sequence[np.ndarray | None]) -> None:
        """Keep the arrays."""
        self.arrays = [array for array in arrays if array is not None]

    def holding(self) -> Sequence[np.ndarray]:
        """All of them."""
        return self.arrays

    def run(self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray], steps: int) -> int:
        """Evaluate all roots for each step; state changes only after the whole step was computed."""
        captured = self.captured
        state = {value.tensor: array for value, array in zip(captured.state, self.arrays)}
        stacked = bool(results) and results[0].ndim > captured.computed[0].node.ndim
        for step in range(steps):
            values = self.step_values(arguments, step)
            computed = evaluate(captured.roots, values, xp=self.xp)
            for result, array in zip(results, computed):
                result[step if stacked else ...] = array
            for update, array in zip(captured.updates, computed[len(captured.computed):]):
                state[update.tensor][...] = array
        return 0

    def step_values(self, arguments: Sequence[np.ndarray], step: int) -> dict[Node, np.ndarray]:
        """The values of all variables at one step."""
        captured = self.captured
        values = {value.node: array[step] if value.leaf in captured.stepped else array
                  for value, array in zip(captured.inputs, arguments)}
        return values | {value.node: array.copy() for value, array in zip(captured.state, self.arrays)}


BACKEND = ReferenceBackend()
