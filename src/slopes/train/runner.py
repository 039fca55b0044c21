"""Many steps per native call: a compiled step is run over index batches or over stacked batches, a tenth of a second long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..agreement import agree
from ..data.loaders.inputs import map_inputs
from ..data.loaders.loader import IGNORED, Batch
from ..data.loaders.stream import prefetched
from ..errors import ArgumentError
from ..tensor import Tensor, asarray
from ..tree import map_tree, named_leaves
from .step_program import Results, StepProgram
from .streaming import gather_inputs, is_streamed

CALL_SECONDS = 0.1  # long enough that Python costs nothing, short enough that Ctrl-C and the progress line feel alive
GROWTH = 4  # a call is at most this many times longer than the last: the first measurements are rough


@dataclass
class IndexBatches:
    """The batches of one call by the indices of their examples (steps, batch); `inputs` are theirs, where they were read ahead."""

    indices: np.ndarray
    inputs: Any = None

    @property
    def counts(self) -> np.ndarray:
        """The number of examples in each batch."""
        return np.full(len(self.indices), float(self.indices.shape[1]))

    def without_inputs(self) -> IndexBatches:
        """The same batches, whose inputs are read again when they are needed."""
        return IndexBatches(self.indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, steps: slice) -> IndexBatches:
        batch = self.indices.shape[1]
        start, stop, _ = steps.indices(len(self))
        inputs = None if self.inputs is None else map_inputs(lambda array: array[start * batch : stop * batch], self.inputs)
        return IndexBatches(self.indices[steps], inputs)


@dataclass
class StackedBatches:
    """Batches of one shape, one after the other along a new first axis; how many targets of each count; whether an epoch begins."""

    inputs: Any
    targets: np.ndarray
    counts: np.ndarray
    begins: bool = False

    @classmethod
    def of(cls, batches: list[Batch], begins: bool = False) -> StackedBatches:
        """The batches as one stack."""
        inputs = map_tree(lambda *arrays: np.stack(arrays), *(batch.inputs for batch in batches))
        counts = np.array([batch.counted for batch in batches], np.float64)
        if not counts.all():
            raise ArgumentError("a batch of the loader has no target that counts", why=f"all its labels are {IGNORED}: the mean of their "
                                "losses is no number", repair="leave such examples out of the loader, or make larger batches")
        return cls(inputs, np.stack([batch.targets for batch in batches]), counts, begins)

    def without_inputs(self) -> StackedBatches:
        """The batches themselves: they are not read again."""
        return self

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, steps: slice) -> StackedBatches:
        begins = self.begins and not steps.start
        return StackedBatches(map_tree(lambda array: array[steps], self.inputs), self.targets[steps], self.counts[steps], begins)


CallBatches = IndexBatches | StackedBatches


class ChunkSizer:
    """Decides how many steps the next call takes, from how long the last one took."""

    def __init__(self, program: StepProgram) -> None:
        self.program = program
        self.steps_per_call, self.compile_seconds = 1, 0.0

    @property
    def limit(self) -> int:
        """How many steps the next call takes at most."""
        return self.steps_per_call

    def measure(self, steps: int, call: Callable[[], Results]) -> Results:
        """The results of the call; its time decides the length of the next one, unless it was spent on compiling."""
        started, compiled = time.perf_counter(), self.program.compilations
        results = call()
        seconds = agree(time.perf_counter() - started)
        if self.program.compilations > compiled:
            self.compile_seconds += seconds
        else:
            fitting = int(CALL_SECONDS * steps / max(seconds, 1e-9))
            self.steps_per_call = max(1, min(fitting, GROWTH * self.steps_per_call))
        return results


class ArrayRunner(ChunkSizer):
    """Runs `step((inputs, *labels), indices, rate)` over batches of indices; labels are the targets, and weights if there are any.

    Where inputs are read from the disk, those in memory for one call are always `room` examples: another shape would be compiled anew.
    """

    def __init__(self, program: StepProgram, inputs: Any, labels: Sequence[Tensor], room: int) -> None:
        super().__init__(program)
        self.inputs, self.labels, self.room = inputs, labels, room
        self.streamed = is_streamed(inputs)

    @property
    def limit(self) -> int:
        """How many steps the next call takes at most: of inputs that are read from the disk, all that were read at once."""
        return sys.maxsize if self.streamed else self.steps_per_call

    def run(self, batches: Any, rates: np.ndarray | None = None, first: int | None = None) -> Results:
        """Run these batches, with the learning rate of each step where it changes; statistics are measured where the index `first`
        of the first step is given."""
        def call() -> Results:
            held, indices = self.read(batches) if self.streamed else ((self.inputs, *self.labels), batches.indices)
            return self.program.run(len(batches), held, indices, rates, first)

        return self.measure(len(batches), call)

    def executable(self, batches: IndexBatches, rates: np.ndarray | None) -> Any:
        """The backend's program of a step, which is not run."""
        held, indices = self.read(batches) if self.streamed else ((self.inputs, *self.labels), batches.indices)
        return self.program.executable(len(batches), held, indices, rates)

    def read(self, batches: IndexBatches) -> tuple[tuple[Any, ...], np.ndarray]:
        """(inputs, *labels) in memory for this call, and the indices into them; filled up to the usual room."""
        needed = batches.indices.reshape(-1)
        inputs = gather_inputs(self.inputs, needed) if batches.inputs is None else batches.inputs
        filled = np.arange(max(self.room, needed.size)) % needed.size
        inputs = map_inputs(lambda array: asarray(array if len(filled) == needed.size else array[filled]), inputs)
        labels = [asarray(label.numpy()[needed[filled]]) for label in self.labels]
        return (inputs, *labels), np.arange(needed.size).reshape(batches.indices.shape)


Rows = Callable[[int], np.ndarray]  # which rows of a batch of this size this process reads


class GatheredRunner(ChunkSizer):
    """Runs `step((), (inputs, *labels), rate)` over batches that are gathered before each call, at most `most` of them.

    Rows that other processes read are left zero here: nobody looks at them.
    """

    def __init__(self, program: StepProgram, inputs: Any, labels: Sequence[np.ndarray], rows: Rows, most: int) -> None:
        super().__init__(program)
        self.inputs, self.labels, self.rows, self.most = inputs, labels, rows, most

    @property
    def limit(self) -> int:
        """How many steps the next call takes at most."""
        return min(self.most, self.steps_per_call)

    def run(self, batches: IndexBatches, rates: np.ndarray | None = None, first: int | None = None) -> Results:
        """Run these batches, with the learning rate of each step where it changes; statistics are measured where the index `first`
        of the first step is given."""
        return self.measure(len(batches), lambda: self.program.run(len(batches), (), self.read(batches), rates, first))

    def executable(self, batches: IndexBatches, rates: np.ndarray | None) -> Any:
        """The backend's program of a step, which is not run."""
        return self.program.executable(len(batches), (), self.read(batches), rates)

    def read(self, batches: IndexBatches) -> tuple[Any, ...]:
        """The batches themselves."""
        gather = self.gather(batches.indices)
        return map_inputs(gather, self.inputs), *map(gather, self.labels)

    def gather(self, indices: np.ndarray) -> Callable[[Any], np.ndarray]:
        """A function that gathers the examples (steps, batch, ...) of an array."""
        rows = self.rows(indices.shape[1])
        own = indices[:, rows]

        def gathered(array: Any) -> np.ndarray:
            read = gather_inputs(array, own.reshape(-1)).reshape(*own.shape, *array.shape[1:])
            if len(rows) == indices.shape[1]:
                return np.asarray(read)
            batches = np.zeros((*indices.shape, *array.shape[1:]), read.dtype)
            batches[:, rows] = read
            return batches

        return gathered


class LoaderRunner(ChunkSizer):
    """Runs `step((), (inputs, targets), rate)` over stacked batches; `begin` is called before the first batch of an epoch, also when it
    is repeated."""

    def __init__(self, program: StepProgram, begin: Callable[[], None] | None = None) -> None:
        super().__init__(program)
        self.begin = begin

    def run(self, batches: Any, rates: np.ndarray | None = None, first: int | None = None) -> Results:
        """Run these batches, with the learning rate of each step where it changes; statistics are measured where the index `first`
        of the first step is given."""
        if batches.begins and self.begin is not None:
            self.begin()
        batch = batches.inputs, batches.targets
        return self.measure(len(batches), lambda: self.program.run(len(batches), (), batch, rates, first))

    def executable(self, batches: StackedBatches, rates: np.ndarray | None) -> Any:
        """The backend's program of a step, which is not run."""
        return self.program.executable(len(batches), (), (batches.inputs, batches.targets), rates)


class IndexEpoch:
    """The batches of an epoch of arrays from a step on: consecutive parts of an order of the examples, the last one perhaps smaller."""

    def __init__(self, order: np.ndarray, batch_size: int, start: int = 0) -> None:
        self.order, self.batch_size, self.step = order, batch_size, start
        self.full = len(order) // batch_size

    def take(self, limit: int) -> IndexBatches | None:
        """The next batches, at most `limit`; None at the end of the epoch."""
        steps = min(limit, self.full - self.step)
        if steps > 0:
            first, self.step = self.step, self.step + steps
            return IndexBatches(self.order[first * self.batch_size : self.step * self.batch_size].reshape(steps, self.batch_size))
        rest = self.order[self.step * self.batch_size :]
        self.step += 1
        return IndexBatches(rest[None]) if len(rest) else None


class StreamedEpoch:
    """The same for inputs that are read from the disk: those of the next call are read while this one computes."""

    def __init__(self, epoch: IndexEpoch, inputs: Any, steps: int) -> None:
        self.parts, self.part = self.read_ahead(epoch, inputs, steps), IndexBatches(np.zeros((0, 1), np.int64))

    def read_ahead(self, epoch: IndexEpoch, inputs: Any, steps: int) -> Iterator[IndexBatches]:
        """All parts of the epoch, `steps` batches each, with their inputs."""
        parts = list(iter(lambda: epoch.take(steps), None))
        indices = [part.indices.reshape(-1) for part in parts]
        for part, read in zip(parts, prefetched(lambda needed: gather_inputs(inputs, needed), indices)):
            yield IndexBatches(part.indices, read)

    def take(self, limit: int) -> IndexBatches | None:
        """The next batches, at most `limit`, with their inputs; None at the end of the epoch."""
        if not len(self.part):
            part = next(self.parts, None)
            if part is None:
                return None
            self.part = part
        batches, self.part = self.part[:limit], self.part[limit:]
        return batches


class LoaderEpoch:
    """The batches of an epoch of a loader: those of one shape that follow each other are one call."""

    def __init__(self, batches: Iterator[Batch], begins: bool) -> None:
        self.batches, self.begins = iter(batches), begins
        self.waiting: Batch | None = None

    def take(self, limit: int) -> StackedBatches | None:
        """The next batches of one shape, at most `limit`; None at the end of the epoch."""
        group: list[Batch] = []
        while len(group) < limit and (batch := self.next_batch()) is not None:
            if group and shapes(batch) != shapes(group[0]):
                self.waiting = batch
                break
            group.append(batch)
        if not group:
            return None
        begins, self.begins = self.begins, False
        return StackedBatches.of(group, begins)

    def next_batch(self) -> Batch | None:
        """The batch that waits, or the loader's next one."""
        batch, self.waiting = self.waiting, None
        return next(self.batches, None) if batch is None else batch


def shapes(batch: Batch) -> list[tuple[int, ...]]:
    """The shapes of a batch's arrays."""
    return [leaf.shape for _, leaf in named_leaves(tuple(batch), "batch")]
