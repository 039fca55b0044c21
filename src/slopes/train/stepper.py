"""Many steps per native call: a compiled step is run over rows of example numbers, in calls of about a tenth of a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..compile import compile
from ..data.stream import Streamed, prefetched
from ..tensor import Tensor, asarray

CALL_SECONDS = 0.1  # long enough that Python costs nothing, short enough that Ctrl-C and the progress line feel alive
STREAMED_BYTES = 1 << 26  # inputs that are read as they are used: so many for one call, and as many ahead
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

    def __init__(self, step: Callable[..., tuple[Tensor, ...]], inputs: Tensor | Streamed, targets: Tensor) -> None:
        self.program, self.inputs, self.targets = compile(step), inputs, targets
        self.steps_per_call, self.compile_seconds = 1, 0.0
        self.room = 0  # examples that are in memory for one call; always as many, or every call would compile anew

    def walk(self, order: np.ndarray, batch_size: int, numbers: np.ndarray | None = None) -> Iterator[Stretch]:
        """Run all batches of `order`, the last one perhaps shorter; yields after every native call.

        numbers (steps,), if given, holds one number per step that the step takes as its fourth argument.
        """
        full = len(order) // batch_size
        rows = order[: full * batch_size].reshape(full, batch_size)
        if isinstance(self.inputs, Streamed):
            yield from self.walk_streamed(self.inputs, rows, order[None, full * batch_size :], numbers)
            return
        done = 0
        while done < full:
            stop = min(full, done + self.steps_per_call)
            yield self.run(rows[done:stop], None if numbers is None else numbers[done:stop])
            done = stop
        if full * batch_size < len(order):
            yield self.run(order[None, full * batch_size :], None if numbers is None else numbers[full:])

    def walk_streamed(self, source: Streamed, rows: np.ndarray, rest: np.ndarray, numbers: np.ndarray | None) -> Iterator[Stretch]:
        """`walk` where inputs are read from the disk: the next call's while this one computes."""
        batch = rows.shape[1]
        steps = max(1, min(len(rows), STREAMED_BYTES // (batch * bytes_of(source))))
        self.room = max(self.room, steps * batch, rest.size)
        parts = [rows[first : first + steps] for first in range(0, len(rows), steps)] + ([rest] if rest.size else [])
        done = 0
        for part, inputs in zip(parts, prefetched(source, [part.reshape(-1) for part in parts])):
            yield self.run(part, None if numbers is None else numbers[done : done + len(part)], inputs)
            done += len(part)

    def run(self, rows: np.ndarray, numbers: np.ndarray | None = None, read: np.ndarray | None = None) -> Stretch:
        """One native call over these rows (steps, batch); `read` are their inputs, where they are read as they are used."""
        started, compiled = time.perf_counter(), self.program.compilations
        extra = () if numbers is None else (asarray(numbers),)
        data = self.held(self.inputs, rows, read) if isinstance(self.inputs, Streamed) else (self.inputs, self.targets, asarray(rows))
        values = self.program.many(len(rows), *data, *extra, stepped=(2, 3)[: 1 + len(extra)])
        stretch = Stretch(rows, tuple(np.array(each.numpy()) for each in values))
        self.measure(len(rows), time.perf_counter() - started, self.program.compilations > compiled)
        return stretch

    def held(self, source: Streamed, rows: np.ndarray, read: np.ndarray | None) -> tuple[Tensor, Tensor, Tensor]:
        """(inputs, targets, rows) of what is in memory for one call, filled up to the usual room."""
        wanted = rows.reshape(-1)
        read = source.gather(wanted) if read is None else read
        places = np.arange(max(self.room, wanted.size)) % wanted.size
        inputs = read if len(places) == wanted.size else read[places]
        return asarray(inputs), asarray(self.targets.numpy()[wanted[places]]), asarray(np.arange(wanted.size).reshape(rows.shape))

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


def as_source(inputs: Any) -> Tensor | Streamed:
    """Inputs as a tensor, but for those that are read as they are used."""
    return inputs if is_streamed(inputs) else as_tensor(inputs)


def is_streamed(inputs: Any) -> bool:
    """Whether inputs are read as they are used."""
    return not isinstance(inputs, (Tensor, np.ndarray)) and isinstance(inputs, Streamed)


def bytes_of(source: Streamed) -> int:
    """The bytes of one example."""
    return max(1, math.prod(source.shape[1:]) * source.dtype.itemsize)
