"""The compiled training step, run many times in one native call; at every n-th step by a program that measures statistics too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..compile import Compiled
from ..tensor import Tensor, asarray
from ..tree import map_tree

Results = dict[str, Any]  # a tree of arrays whose first axis is the step
Segment = tuple[int, int, bool]  # the first step, the one after the last, and whether statistics are measured


class StepProgram:
    """A compiled step(held, batch, rate); `sampled`, at steps 0, every, 2 every, ... of the training, is the same with statistics.

    Steps between those run as they would without statistics, by the same program.
    """

    def __init__(self, plain: Compiled, sampled: Compiled | None = None, every: int = 1) -> None:
        self.plain, self.sampled, self.every = plain, sampled, every

    @property
    def compilations(self) -> int:
        """How often a step was compiled."""
        return self.plain.compilations + (0 if self.sampled is None else self.sampled.compilations)

    def run(self, steps: int, held: Any, batch: Any, rates: np.ndarray | None, first: int | None) -> Results:
        """The results of `steps` steps; `batch` and `rates` hold those of each along their first axis.

        first: the index of the first step in the training; None where no statistics are wanted, as in a step that is repeated.
        """
        if self.sampled is None or first is None:
            return self.call(self.plain, 0, steps, held, batch, rates)
        parts = [self.call(self.sampled if measured else self.plain, start, stop, held, batch, rates)
                 for start, stop, measured in self.segments(first, steps)]
        return join_results(parts)

    def segments(self, first: int, steps: int) -> Iterator[Segment]:
        """Runs of steps of one kind."""
        start = 0
        while start < steps:
            measured = (first + start) % self.every == 0
            length = (1 if self.every > 1 else steps) if measured else self.every - (first + start) % self.every
            stop = min(steps, start + length)
            yield start, stop, measured
            start = stop

    def call(self, program: Compiled, start: int, stop: int, held: Any, batch: Any, rates: np.ndarray | None) -> Results:
        """The results of the steps from `start` to `stop`, in one native call."""
        def part(array: Any) -> Tensor:
            return asarray(array[start:stop])

        rate = None if rates is None else part(rates)
        results = program.many(stop - start, held, map_tree(part, batch), rate, stepped=(1, 2))
        return map_tree(lambda tensor: np.array(tensor.numpy()), results)


def join_results(parts: Sequence[Results]) -> Results:
    """The results of runs of steps that follow each other; statistics are those of the runs in which they were measured."""
    plain = [{name: value for name, value in part.items() if name != "statistics"} for part in parts]
    statistics = [part["statistics"] for part in parts if part["statistics"]]
    return {**join_steps(plain), "statistics": join_steps(statistics) if statistics else {}}


def join_steps(trees: Sequence[Results]) -> Results:
    """Trees of arrays as one, along the first axis."""
    return trees[0] if len(trees) == 1 else map_tree(lambda *arrays: np.concatenate(arrays), *trees)
