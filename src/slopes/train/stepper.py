"""Many steps per native call: a compiled step is run over rows of example numbers, in calls of about a tenth of a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..compile import compile
from ..tensor import Tensor, asarray

CALL_SECONDS = 0.1  # long enough that Python costs nothing, short enough that Ctrl-C and the progress line feel alive
GROWTH = 4  # a call is at most this many times longer than the last: the first measurements are rough


@dataclass
class Stretch:
    """What one native call did: `steps` steps of `batch` examples each; one array (steps,) per output; the rows it used."""

    rows: np.ndarray
    values: tuple[np.ndarray, ...]

    @property
    def steps(self) -> int:
        """How many steps the call took."""
        return self.rows.shape[0]

    @property
    def batch(self) -> int:
        """How many examples each step saw."""
        return self.rows.shape[1]


class Stepper:
    """Runs `step(inputs, targets, indices, *numbers)`, which returns a tuple of 0-d tensors, over many rows of indices."""

    def __init__(self, step: Callable[..., tuple[Tensor, ...]], inputs: Tensor, targets: Tensor) -> None:
        self.program, self.inputs, self.targets = compile(step), inputs, targets
        self.steps_per_call, self.compile_seconds = 1, 0.0

    def walk(self, order: np.ndarray, batch_size: int, numbers: np.ndarray | None = None) -> Iterator[Stretch]:
        """Run all batches of `order`, the last one perhaps shorter; yields after every native call.

        numbers (steps,), if given, holds one number per step that the step takes as its fourth argument.
        """
        full = len(order) // batch_size
        rows = order[: full * batch_size].reshape(full, batch_size)
        done = 0
        while done < full:
            stop = min(full, done + self.steps_per_call)
            yield self.run(rows[done:stop], None if numbers is None else numbers[done:stop])
            done = stop
        if full * batch_size < len(order):
            yield self.run(order[None, full * batch_size :], None if numbers is None else numbers[full:])

    def run(self, rows: np.ndarray, numbers: np.ndarray | None = None) -> Stretch:
        """One native call over these rows (steps, batch)."""
        started, compiled = time.perf_counter(), self.program.compilations
        extra = () if numbers is None else (asarray(numbers),)
        values = self.program.many(len(rows), self.inputs, self.targets, asarray(rows), *extra, stepped=(2, 3)[: 1 + len(extra)])
        stretch = Stretch(rows, tuple(np.array(each.numpy()) for each in values))
        self.measure(len(rows), time.perf_counter() - started, self.program.compilations > compiled)
        return stretch

    def measure(self, steps: int, seconds: float, compiled: bool) -> None:
        """Choose the length of the next call from what this one took; a call that compiled tells nothing about speed."""
        if compiled:
            self.compile_seconds += seconds
        else:
            fitting = int(CALL_SECONDS * steps / max(seconds, 1e-9))
            self.steps_per_call = max(1, min(fitting, GROWTH * self.steps_per_call))


def as_tensor(array: Any) -> Tensor:
    """The array as a tensor without gradients, sharing memory where it lies in rows already."""
    return asarray(np.ascontiguousarray(array))
