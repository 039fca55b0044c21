"""Examples of a fit, from which batches are gathered: dense or sparse rows, targets and weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

BLOCK_BYTES = 1 << 23  # of the inputs that one native call is given
ROW_MULTIPLE = 16  # a single batch is filled up to a multiple of it, so that data sets of similar size share a program


class Batches(NamedTuple):
    """The batches of one native call, along the first axis."""

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    @property
    def steps(self) -> int:
        """The number of batches."""
        return len(self.weights)


@dataclass(frozen=True)
class Examples:
    """Rows (N, features), dense or CSR, of examples of `shape`; targets (N,) or (N, outputs), None: the inputs; and weights (N,)."""

    rows: Any
    targets: np.ndarray | None
    weights: np.ndarray
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.rows.shape[0]

    def cast(self, dtype: np.dtype) -> Examples:
        """The same with dense rows, floating-point targets and weights of this type."""
        rows = np.asarray(self.rows, dtype) if isinstance(self.rows, np.ndarray) else self.rows
        integers = self.targets is None or self.targets.dtype.kind == "i"
        return replace(self, rows=rows, targets=self.targets if integers else np.asarray(self.targets, dtype),
                       weights=np.asarray(self.weights, dtype))

    def take(self, indices: np.ndarray) -> Examples:
        """Some of the examples."""
        return Examples(self.rows[indices], None if self.targets is None else self.targets[indices], self.weights[indices], self.shape)

    def inputs(self, indices: np.ndarray | slice, dtype: np.dtype) -> np.ndarray:
        """The inputs of some examples (M, *shape), dense."""
        rows = self.rows[indices]
        return np.asarray(rows if isinstance(rows, np.ndarray) else rows.toarray(), dtype).reshape((-1, *self.shape))


class Gatherer:
    """Gathers batches of examples, of one type, into arrays that the next batches use again: fresh memory takes longer than a copy."""

    def __init__(self, examples: Examples, dtype: np.dtype) -> None:
        self.examples, self.dtype = examples.cast(dtype), dtype
        self.memory: dict[str, np.ndarray] = {}

    def gather(self, indices: np.ndarray, count: np.ndarray) -> Batches:
        """The batches of indices (steps, rows), of which the first `count` (steps,) of each count; the others have weight 0.

        They are valid until the next call.
        """
        examples, shape, flat = self.examples, indices.shape, indices.reshape(-1)
        dense = isinstance(examples.rows, np.ndarray)
        inputs = self.take("inputs", examples.rows, flat) if dense else examples.inputs(flat, self.dtype).reshape((len(flat), -1))
        targets = inputs if examples.targets is None else self.take("targets", examples.targets, flat)
        weights = self.take("weights", examples.weights, flat).reshape(shape)
        weights *= np.arange(shape[1]) < count[:, None]
        return Batches(inputs.reshape((*shape, *examples.shape)), targets.reshape((*shape, *targets.shape[1:])), weights)

    def take(self, name: str, array: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """Rows of an array."""
        memory = self.memory.get(name)
        if memory is None or len(memory) < len(indices):
            memory = self.memory[name] = np.empty((len(indices), *array.shape[1:]), array.dtype)
        return np.take(array, indices, axis=0, out=memory[: len(indices)], mode="clip")  # in range: with "raise" it would copy


def batches_of(order: np.ndarray, batch_size: int, fill: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches of orders (epochs, N) as (indices (steps, rows), counts (steps,)): all of one size, if they may be filled up.

    Otherwise the last batch of each epoch has its own size, and comes alone.
    """
    epochs, examples = order.shape
    rest = examples % batch_size
    if fill:
        rows = batch_size if examples > batch_size else -(-examples // ROW_MULTIPLE) * ROW_MULTIPLE
        steps = -(-examples // batch_size)
        filled = np.zeros((epochs, steps, rows), order.dtype)
        counts = np.minimum(batch_size, examples - np.arange(steps) * batch_size)
        spread = np.pad(order, ((0, 0), (0, steps * batch_size - examples))).reshape((epochs, steps, batch_size))
        filled[:, :, :batch_size] = spread[:, :, :rows]
        yield filled.reshape((-1, rows)), np.tile(counts, epochs)
        return
    for row in order:
        if examples >= batch_size:
            whole = row[: examples - rest].reshape((-1, batch_size))
            yield whole, np.full(len(whole), batch_size)
        if rest:
            yield row[None, examples - rest :], np.array([rest])


def blocks(indices: np.ndarray, counts: np.ndarray, row_bytes: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same batches in parts whose inputs are of limited size."""
    size = max(1, BLOCK_BYTES // max(1, row_bytes * indices.shape[1]))
    for start in range(0, len(indices), size):
        yield indices[start : start + size], counts[start : start + size]
