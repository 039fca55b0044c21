"""The compiled training step, run many times in one native call; at every n-th step by a program that measures statistics too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..alternate import Alternating
from ..backend import Segment
from ..compile import Compiled
from ..tensor import Tensor, asarray
from ..tree import map_tree

Results = dict[str, Any]  # a tree of arrays whose first axis is the step


class StepProgram:
    """A compiled step(held, batch, rate); `sampled`, at steps 0, every, 2 every, ... of the training, is the same with statistics.

    Steps between those run as they would without statistics, by the same program.
    """

    def __init__(self, plain: Compiled, sampled: Compiled | None = None, every: int = 1) -> None:
        self.plain, self.sampled, self.every = plain, sampled, every
        self.both = None if sampled is None else Alternating(plain, sampled)

    @property
    def compilations(self) -> int:
        """How often a step was compiled."""
        return self.plain.compilations + (0 if self.sampled is None else self.sampled.compilations)

    @property
    def memory(self) -> int:
        """The bytes of intermediate values."""
        return max(self.plain.memory, 0 if self.sampled is None else self.sampled.memory)

    def executable(self, steps: int, held: Any, batch: Any, rates: np.ndarray | None) -> Any:
        """The backend's program of a step with these arguments, which is not run."""
        return self.plain.stepped_version(steps, (held, *stepped(batch, rates, steps)), (1, 2))[0].executable

    def run(self, steps: int, held: Any, batch: Any, rates: np.ndarray | None, first: int | None) -> Results:
        """The results of `steps` steps; `batch` and `rates` hold those of each along their first axis.

        first: the index of the first step in the training; None where no statistics are wanted, as in a step that is repeated.
        """
        if self.both is None or first is None:
            return self.call(self.plain, steps, held, batch, rates)
        measured = np.arange(-first % self.every, steps, self.every)
        if not len(measured):
            return self.call(self.plain, steps, held, batch, rates)
        if len(measured) == steps:
            return self.call(self.both.functions[1], steps, held, batch, rates)
        return self.call_both(measured, steps, held, batch, rates)

    def call(self, program: Compiled, steps: int, held: Any, batch: Any, rates: np.ndarray | None) -> Results:
        """The results of steps that are all run by one program."""
        return arrays_of(program.many(steps, held, *stepped(batch, rates, steps), stepped=(1, 2)))

    def call_both(self, measured: np.ndarray, steps: int, held: Any, batch: Any, rates: np.ndarray | None) -> Results:
        """The results of steps of which some are measured; statistics are those of the measured steps."""
        assert self.both is not None
        results = self.both.many(steps, segments(measured, steps), held, *stepped(batch, rates, steps), stepped=(1, 2))
        return {**results, "statistics": map_tree(lambda array: array[measured], results["statistics"])}


def segments(measured: np.ndarray, steps: int) -> list[Segment]:
    """Runs of steps of one kind: each measured step by itself, and those between two of them."""
    result, start = [], 0
    for step in measured.tolist():
        result += [(start, step, 0)] if start < step else []
        result.append((step, step + 1, 1))
        start = step + 1
    return [*result, (start, steps, 0)] if start < steps else result


def stepped(batch: Any, rates: np.ndarray | None, steps: int) -> tuple[Any, Tensor | None]:
    """The arguments of a step that move with it, as tensors."""
    return map_tree(lambda array: asarray(array[:steps]), batch), None if rates is None else asarray(rates[:steps])


def arrays_of(results: Any) -> Results:
    """Results as arrays of their own."""
    return map_tree(lambda tensor: np.array(tensor.numpy()), results)


def join_results(parts: Sequence[Results]) -> Results:
    """The results of runs of steps that follow each other; statistics are those of the runs in which they were measured."""
    plain = [{name: value for name, value in part.items() if name != "statistics"} for part in parts]
    statistics = [part["statistics"] for part in parts if part["statistics"]]
    return {**join_steps(plain), "statistics": join_steps(statistics) if statistics else {}}


def join_steps(trees: Sequence[Results]) -> Results:
    """Trees of arrays as one, along the first axis."""
    return trees[0] if len(trees) == 1 else map_tree(lambda *arrays: np.concatenate(arrays), *trees)
