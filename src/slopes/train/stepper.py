"""Many steps per native call: a compiled step is run over rows of example numbers or over stacked batches, a tenth of a second long."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..compile import Compiled
from ..data.loaders.feed import IGNORED, Batch
from ..data.loaders.inputs import each_input, inputs_of
from ..data.loaders.stream import Streamed, prefetched
from ..errors import ArgumentError
from ..tensor import Tensor, asarray
from ..tree import map_tree, named_leaves

CALL_SECONDS = 0.1  # long enough that Python costs nothing, short enough that Ctrl-C and the progress line feel alive
STREAMED_BYTES = 1 << 26  # inputs that are read as they are used: so many for one call, and as many ahead
GROWTH = 4  # a call is at most this many times longer than the last: the first measurements are rough


@dataclass
class Stack:
    """Batches of one shape, one after the other along a new first axis; how many targets of each count; whether an epoch begins."""

    inputs: Any
    targets: np.ndarray
    counts: np.ndarray
    begins: bool = False

    @classmethod
    def of(cls, batches: list[Batch], begins: bool = False) -> Stack:
        """The batches as one stack."""
        whole = map_tree(lambda *each: np.stack(each), *(batch.inputs for batch in batches))
        counts = np.array([batch.counted for batch in batches], np.float64)
        if not counts.all():
            raise ArgumentError("a batch of the feed has no target that counts", why=f"all its labels are {IGNORED}: the mean of their "
                                "losses is no number", repair="leave such examples out of the feed, or make larger batches")
        return cls(whole, np.stack([batch.targets for batch in batches]), counts, begins)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, part: slice) -> Stack:
        begins = self.begins and not part.start
        return Stack(map_tree(lambda each: each[part], self.inputs), self.targets[part], self.counts[part], begins)


@dataclass
class Stretch:
    """What one native call did: one array (steps,) per output; the rows or batches it used; and how many examples each step saw."""

    rows: np.ndarray | Stack
    values: tuple[np.ndarray, ...]
    counts: np.ndarray

    @property
    def steps(self) -> int:
        """How many steps the call took."""
        return len(self.rows)


class Pace:
    """How many steps the next call takes, from how long the last one took."""

    def __init__(self, program: Compiled) -> None:
        self.program = program
        self.steps_per_call, self.compile_seconds = 1, 0.0

    def measured(self, steps: int, call: Callable[[], tuple[Tensor, ...]]) -> tuple[np.ndarray, ...]:
        """What the call returns; its time decides the length of the next one, but a call that compiled tells nothing about speed."""
        started, compiled = time.perf_counter(), self.program.compilations
        values = tuple(np.array(each.numpy()) for each in call())
        seconds = time.perf_counter() - started
        if self.program.compilations > compiled:
            self.compile_seconds += seconds
        else:
            fitting = int(CALL_SECONDS * steps / max(seconds, 1e-9))
            self.steps_per_call = max(1, min(fitting, GROWTH * self.steps_per_call))
        return values


class Stepper(Pace):
    """Runs `step(inputs, targets, indices, *numbers)`, which returns a tuple of 0-d tensors, over many rows of indices."""

    def __init__(self, program: Compiled, inputs: Any, targets: Tensor) -> None:
        super().__init__(program)
        self.inputs, self.targets = inputs, targets
        self.room = 0  # examples that are in memory for one call; always as many, or every call would compile anew

    def walk(self, order: np.ndarray, batch_size: int, numbers: np.ndarray | None = None) -> Iterator[Stretch]:
        """Run all batches of `order`, the last one perhaps shorter; yields after every native call.

        numbers (steps,), if given, holds one number per step that the step takes as its fourth argument.
        """
        full = len(order) // batch_size
        rows = order[: full * batch_size].reshape(full, batch_size)
        if is_streamed(self.inputs):
            yield from self.walk_streamed(rows, order[None, full * batch_size :], numbers)
            return
        done = 0
        while done < full:
            stop = min(full, done + self.steps_per_call)
            yield self.run(rows[done:stop], None if numbers is None else numbers[done:stop])
            done = stop
        if full * batch_size < len(order):
            yield self.run(order[None, full * batch_size :], None if numbers is None else numbers[full:])

    def walk_streamed(self, rows: np.ndarray, rest: np.ndarray, numbers: np.ndarray | None) -> Iterator[Stretch]:
        """`walk` where inputs are read from the disk: the next call's while this one computes."""
        batch = rows.shape[1]
        steps = max(1, min(len(rows), at_once(self.inputs) // batch))
        self.room = max(self.room, steps * batch, rest.size)
        parts = [rows[first : first + steps] for first in range(0, len(rows), steps)] + ([rest] if rest.size else [])
        done = 0
        for part, inputs in zip(parts, prefetched(functools.partial(gathered, self.inputs), [part.reshape(-1) for part in parts])):
            yield self.run(part, None if numbers is None else numbers[done : done + len(part)], inputs)
            done += len(part)

    def run(self, rows: np.ndarray, numbers: np.ndarray | None = None, read: Any = None) -> Stretch:
        """One native call over these rows (steps, batch); `read` are their inputs, where they are read as they are used."""

        def call() -> tuple[Tensor, ...]:
            extra = () if numbers is None else (asarray(numbers),)
            data = self.held(rows, read) if is_streamed(self.inputs) else (self.inputs, self.targets, asarray(rows))
            return self.program.many(len(rows), *data, *extra, stepped=(2, 3)[: 1 + len(extra)])

        return Stretch(rows, self.measured(len(rows), call), np.full(len(rows), float(rows.shape[1])))

    def held(self, rows: np.ndarray, read: Any) -> tuple[Any, Tensor, Tensor]:
        """(inputs, targets, rows) of what is in memory for one call, filled up to the usual room."""
        wanted = rows.reshape(-1)
        read = gathered(self.inputs, wanted) if read is None else read
        places = np.arange(max(self.room, wanted.size)) % wanted.size
        inputs = each_input(lambda each: asarray(each if len(places) == wanted.size else each[places]), read)
        return inputs, asarray(self.targets.numpy()[wanted[places]]), asarray(np.arange(wanted.size).reshape(rows.shape))


class Feeder(Pace):
    """Runs `step(inputs, targets, *numbers)`, which returns a tuple of 0-d tensors, over the batches of a feed; `begin` is called
    before the first batch of an epoch, also when it is repeated."""

    def __init__(self, program: Compiled, begin: Callable[[], None] | None = None) -> None:
        super().__init__(program)
        self.begin = begin

    def walk(self, batches: Iterable[Batch], numbers: np.ndarray | None = None) -> Iterator[Stretch]:
        """Run all batches; those of one shape that follow each other in one call; yields after every native call.

        numbers (steps,), if given, holds one number per step that the step takes as its last argument.
        """
        done = 0
        for waiting in self.groups(batches):
            yield self.run(Stack.of(waiting, done == 0), None if numbers is None else numbers[done : done + len(waiting)])
            done += len(waiting)

    def groups(self, batches: Iterable[Batch]) -> Iterator[list[Batch]]:
        """Batches of one shape that follow each other, as many as fit into a call."""
        waiting: list[Batch] = []
        for batch in batches:
            if waiting and (len(waiting) >= self.steps_per_call or shapes(batch) != shapes(waiting[0])):
                yield waiting
                waiting = []
            waiting.append(batch)
        if waiting:
            yield waiting

    def run(self, rows: Stack, numbers: np.ndarray | None = None) -> Stretch:
        """One native call over these batches."""
        if rows.begins and self.begin is not None:
            self.begin()
        given = (map_tree(asarray, rows.inputs), asarray(rows.targets), *(() if numbers is None else (asarray(numbers),)))
        values = self.measured(len(rows), lambda: self.program.many(len(rows), *given, stepped=tuple(range(len(given)))))
        return Stretch(rows, values, rows.counts)


def shapes(batch: Batch) -> list[tuple[int, ...]]:
    """The shapes of a batch's arrays."""
    return [leaf.shape for _, leaf in named_leaves(tuple(batch), "batch")]


def as_tensor(array: Any) -> Tensor:
    """The array as a tensor without gradients, sharing memory where it lies in rows already."""
    return asarray(np.ascontiguousarray(array))


def as_source(inputs: Any) -> Any:
    """Each input as a tensor, but for those that are read as they are used."""
    return each_input(lambda each: each if is_streamed(each) else as_tensor(each), inputs)


def is_streamed(inputs: Any) -> bool:
    """Whether an input, or one of several, is read as it is used."""
    return any(not isinstance(each, (Tensor, np.ndarray)) and isinstance(each, Streamed) for each in inputs_of(inputs))


def gathered(inputs: Any, numbers: np.ndarray) -> Any:
    """The examples of these numbers, of each input."""
    return each_input(lambda each: each.gather(numbers) if is_streamed(each) else each.numpy()[numbers], inputs)


def at_once(inputs: Any) -> int:
    """How many examples are read for one call: at least 1."""
    return max(1, STREAMED_BYTES // max(1, sum(math.prod(each.shape[1:]) * each.dtype.itemsize for each in inputs_of(inputs))))
