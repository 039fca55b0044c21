"""Where batches come from: arrays, whose examples are gathered inside the program, or a loader, which makes batches."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import functions as F
from ..backend import Backend
from ..data.loaders.inputs import call_with, map_inputs
from ..data.loaders.loader import IGNORED, Loader, usual_loss
from ..data.loaders.order import order
from ..errors import ArgumentError
from ..modes import no_grad
from ..nn import losses
from ..nn.module import Module
from ..tensor import Tensor, asarray
from .carried import CarriedState
from .checks import check_arguments, check_dataset, check_last_batch, check_trial, try_loss
from .metric import Ratio
from .metric_sums import sum_of_counted, sum_of_ratio, sum_over_examples, weighted_sums
from .metrics import is_labelled
from .mistakes import warn_of_classes, warn_of_outputs
from .mode import Mode
from .runner import ArrayRunner, GatheredRunner, IndexEpoch, LoaderEpoch, LoaderRunner, Rows, StreamedEpoch
from .spec import Augment
from .step_program import StepProgram
from .streaming import as_input_tensors, as_tensor, examples_per_call, is_streamed
from .totals import Loss, Objective, Part
from .weighting import WeightedData

VALIDATION_BATCH = 512  # large, for speed: the means do not depend on it


class ArraySource:
    """Arrays, checked once: a step is given all inputs and targets, and the indices of the examples of its batch."""

    carries = False

    def __init__(self, dataset: Any, role: str = "dataset") -> None:
        self.inputs, self.targets = check_dataset(dataset, role)
        self.role, self.classes = role, getattr(dataset, "classes", None)
        self.labelled, self.streamed = is_labelled(self.targets), is_streamed(self.inputs)
        self.sample_weight = dataset.sample_weight if isinstance(dataset, WeightedData) else None

    def usual_loss(self) -> Loss:
        """The cross-entropy for class labels, the squared error for floats."""
        return getattr(losses, usual_loss(self.targets))

    # Checks before anything is compiled

    def check_loss(self, net: Module, loss: Loss | None, augment: Augment | None = None, weighted: bool = False) -> Objective:
        """Try net and loss (None: the default for these targets) on one example; the objective says what kind of loss it is."""
        usual, loss = loss is None, self.usual_loss() if loss is None else loss
        weighted = weighted or self.sample_weight is not None
        return check_trial(net, loss, self.inputs, self.targets, self.role, augment, usual, weighted)

    def check_training(self, net: Module, loss: Loss, batch_size: int, held_out: Sequence[Source]) -> None:
        """Refuse a last batch that the net cannot learn from; warn of outputs that the loss is not for, and of missing classes."""
        check_last_batch(net, self.inputs, len(self.targets), batch_size)
        warn_of_outputs(net, loss, self.inputs)
        warn_of_classes(loss, self, [source for source in held_out if isinstance(source, ArraySource) and source.labelled])

    # The batches of an epoch

    def batch_size(self, batch_size: int) -> int:
        """The size of a batch: at most all examples."""
        return min(batch_size, len(self.targets))

    def validation_batch_size(self, batch_size: int) -> int:
        """The size of a batch for validation, whatever that of training is."""
        return VALIDATION_BATCH

    def evaluation_batch_size(self, batch_size: int) -> int:
        """The size of a batch for a measurement: at most what is read at once of inputs that lie on the disk."""
        return min(batch_size, examples_per_call(self.inputs)) if self.streamed else batch_size

    def examples(self, batch_size: int) -> int:
        """The number of examples of an epoch."""
        return len(self.targets)

    def steps(self, batch_size: int) -> int:
        """The number of batches of an epoch."""
        return -(-len(self.targets) // self.batch_size(batch_size))

    def epoch(self, batch_size: int, seed: int | None, epoch: int, start: int = 0) -> IndexEpoch | StreamedEpoch:
        """The batches of an epoch from step `start` on, in the order of the seed or as stored."""
        indices = np.arange(len(self.targets)) if seed is None else order(seed, epoch, len(self.targets))
        batches = IndexEpoch(indices, self.batch_size(batch_size), start)
        return StreamedEpoch(batches, self.inputs, self.steps_read(batch_size)) if self.streamed else batches

    def steps_read(self, batch_size: int) -> int:
        """How many batches are read at once, where inputs are read from the disk."""
        batch = self.batch_size(batch_size)
        return max(1, min(len(self.targets) // batch, examples_per_call(self.inputs) // batch))

    def runner(self, program: StepProgram, batch_size: int, carried: CarriedState | None) -> ArrayRunner:
        """What runs the compiled step."""
        room = self.steps_read(batch_size) * self.batch_size(batch_size) if self.streamed else 0
        labels = [as_tensor(array) for array in (self.targets, self.sample_weight) if array is not None]
        return ArrayRunner(program, as_input_tensors(self.inputs), labels, room)

    def carried_state(self, net: Module, batch_size: int) -> None:
        """Examples of arrays have nothing to do with those before them."""

    # Inside of the compiled step

    def parts(self, held: tuple[Any, ...], indices: Tensor, count: int = 1) -> Iterator[Part]:
        """The batch in `count` parts, each gathered when it is its turn."""
        inputs, targets, *weights = held
        for start, stop in cuts(indices.shape[0], count):
            part = indices[start:stop]
            chosen = F.take(targets, part, axis=0)
            weight = F.take(weights[0], part, axis=0) if weights else None
            yield Part(take_examples(inputs, part), chosen, weight, part.shape[0] / indices.shape[0])

    def ignored_labels(self, ignored: frozenset[int]) -> list[int]:
        """Which of the labels that the loss leaves out there are."""
        return [label for label in sorted(ignored) if self.labelled and (self.targets == label).any()]

    def metric_sum(self, values: Tensor | Ratio, part: Part, ignored: list[int]) -> tuple[Tensor, Tensor]:
        """A metric's sum over the examples of a batch, or over the targets that count, where some do not; and their number."""
        if part.weights is not None:
            return weighted_sums(values, part.targets, ignored, part.weights)
        if isinstance(values, Ratio):
            return sum_of_ratio(values, part.targets, ignored)
        if ignored and values.shape == part.targets.shape:
            return sum_of_counted(values, part.targets, ignored)
        return sum_over_examples(values), asarray(np.float32(values.shape[0]))


class GatheredSource(ArraySource):
    """Arrays whose batches are gathered before each call: a step is given the batch itself, of which each process reads its rows."""

    def __init__(self, dataset: Any, rows: Rows, role: str = "dataset") -> None:
        super().__init__(dataset, role)
        self.rows = rows

    def epoch(self, batch_size: int, seed: int | None, epoch: int, start: int = 0) -> IndexEpoch:
        """The batches of an epoch from step `start` on."""
        indices = np.arange(len(self.targets)) if seed is None else order(seed, epoch, len(self.targets))
        return IndexEpoch(indices, self.batch_size(batch_size), start)

    def runner(self, program: StepProgram, batch_size: int, carried: CarriedState | None) -> GatheredRunner:  # type: ignore[override]
        """What gathers the batches and runs the compiled step."""
        arrays = tuple(array for array in (self.targets, self.sample_weight) if array is not None)
        return GatheredRunner(program, self.inputs, arrays, self.rows, self.steps_read(batch_size))

    def parts(self, held: tuple[()], batch: tuple[Any, ...], count: int = 1) -> Iterator[Part]:  # type: ignore[override]
        """The batch in `count` parts."""
        inputs, targets, *weights = batch
        size = targets.shape[0]
        for start, stop in cuts(size, count):
            rows = operator.itemgetter(slice(start, stop))
            yield Part(map_inputs(rows, inputs), rows(targets), rows(weights[0]) if weights else None, (stop - start) / size)


class LoaderSource:
    """A loader: a step is given the batch itself."""

    def __init__(self, loader: Loader, role: str = "dataset") -> None:
        self.loader, self.role, self.carries, self.labelled = loader, role, loader.carries, loader.labelled
        self.targets, self.sample_weight, self.classes = np.zeros(0, np.int64), None, None

    def usual_loss(self) -> Loss:
        """The loss that the loader names."""
        return getattr(losses, self.loader.usual_loss)

    # Checks before anything is compiled

    def check_loss(self, net: Module, loss: Loss | None, augment: Augment | None = None, weighted: bool = False) -> Objective:
        """Try net and loss (None: the default for these targets) on one example; the objective says what kind of loss it is."""
        loss = self.usual_loss() if loss is None else loss
        batch = next((batch for batch in self.loader.batches(1) if batch.counted), None)
        if batch is None:
            raise ArgumentError(f"{self.role} is a loader without a target that counts", why=f"all its labels are {IGNORED}")
        with Mode(net, training=False), no_grad():
            inputs, targets = map_inputs(asarray, batch.inputs), asarray(batch.targets)
            check_arguments(net, inputs, self.role)
            return try_loss(net, loss, call_with(net, inputs), inputs, targets, augment, weighted)

    def check_training(self, net: Module, loss: Loss, batch_size: int, held_out: Sequence[Source]) -> None:
        """Nothing more is known before batches are made."""

    # The batches of an epoch

    def batch_size(self, batch_size: int) -> int:
        """The size of a batch."""
        return batch_size

    validation_batch_size = evaluation_batch_size = batch_size

    def examples(self, batch_size: int) -> int:
        """The number of targets of an epoch that count."""
        return self.loader.size(batch_size)

    def steps(self, batch_size: int) -> int:
        """The number of batches of an epoch."""
        return self.loader.steps(batch_size)

    def epoch(self, batch_size: int, seed: int | None, epoch: int, start: int = 0) -> LoaderEpoch:
        """The batches of an epoch from step `start` on."""
        return LoaderEpoch(self.loader.batches(batch_size, seed, epoch, start), begins=start == 0)

    def runner(self, program: StepProgram, batch_size: int, carried: CarriedState | None) -> LoaderRunner:
        """What runs the compiled step; a carried state begins each epoch with zeros."""
        return LoaderRunner(program, None if carried is None else carried.clear)

    def carried_state(self, net: Module, batch_size: int) -> CarriedState | None:
        """The state that the net carries from batch to batch, if batches go on where those before them stopped."""
        return CarriedState(net, next(iter(self.loader.batches(batch_size))).inputs) if self.carries else None

    # Inside of the compiled step

    def parts(self, held: tuple[()], batch: tuple[Any, Tensor], count: int = 1) -> Iterator[Part]:
        """The batch in `count` parts of its rows; the share of each is that of the targets that count."""
        inputs, targets = batch
        if count == 1:
            yield Part(inputs, targets, None, 1.0)
            return
        if self.carries:
            raise ArgumentError(f"fit: accumulate={count} with a loader whose state is carried", why="each row goes on in the next batch",
                                repair="use a smaller batch_size")
        counted = F.astype(targets != IGNORED, np.float32)
        for start, stop in cuts(targets.shape[0], count):
            share = F.sum(counted[start:stop]) / F.sum(counted)
            yield Part(map_inputs(operator.itemgetter(slice(start, stop)), inputs), targets[start:stop], None, share)

    def ignored_labels(self, ignored: frozenset[int]) -> list[int]:
        """The labels that do not count."""
        return sorted(ignored | {IGNORED})

    def metric_sum(self, values: Tensor | Ratio, part: Part, ignored: list[int]) -> tuple[Tensor, Tensor]:
        """A metric's sum over the targets of a batch that count, and their number."""
        targets = part.targets
        if isinstance(values, Ratio):
            return sum_of_ratio(values, targets, ignored)
        if values.shape == targets.shape:
            return sum_of_counted(values, targets, ignored)
        return F.sum(F.astype(values, np.float32)), F.sum(F.astype(targets != IGNORED, np.float32))


Source = ArraySource | LoaderSource


def source_of(dataset: Any, role: str = "dataset", backend: str | Backend = "native") -> Source:
    """The source of a data set: of its arrays where it has some, else of the batches that it makes as a loader.

    Arrays lie whole on one device; for several devices batches are gathered first.
    """
    in_arrays = hasattr(dataset, "inputs") or not isinstance(dataset, Loader)
    if in_arrays and (rows := getattr(backend, "rows", None)) is not None:
        return GatheredSource(dataset, rows, role)
    return ArraySource(dataset, role) if in_arrays else LoaderSource(dataset, role)


def take_examples(inputs: Any, indices: Tensor) -> Any:
    """The examples of these indices, of each input."""
    return map_inputs(lambda array: F.take(array, indices, axis=0), inputs)


def cuts(size: int, count: int) -> list[tuple[int, int]]:
    """(start, stop) of at most `count` non-empty parts of nearly equal length."""
    count = min(count, size)
    return list(itertools.pairwise(size * i // count for i in range(count + 1)))
