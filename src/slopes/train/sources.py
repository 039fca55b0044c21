"""Where batches come from: rows of arrays, gathered inside of the program, or a feed; and what a net carries from batch to batch."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .. import functions as F
from ..compile import Compiled
from ..data.loaders.feed import IGNORED, Feed
from ..data.loaders.inputs import called, each_input
from ..data.loaders.order import order
from ..errors import ArgumentError
from ..nn.losses import cross_entropy, mse_loss, token_cross_entropy
from ..tensor import Tensor, asarray, from_array, no_grad
from ..tree import flatten, map_tree
from .checks import check_arguments, check_dataset, check_trial, tried
from .metrics import is_labelled, sum_of_counted, sum_over_examples
from .mode import Mode
from .stepper import Feeder, Stepper, Stretch, as_source, as_tensor
from .totals import Loss, Objective

Part = tuple[Any, Tensor, Any]  # inputs, targets, and which share of the batch they are


class Rows:
    """Arrays: a step is given all inputs, all targets, and the numbers of its examples."""

    width = 3  # of a step's arguments, those besides the rate

    def __init__(self, dataset: Any, batch_size: int, net: Any, ignored: frozenset[int]) -> None:
        self.inputs, self.targets = as_source(dataset.inputs), as_tensor(dataset.targets)
        self.ignored = [label for label in sorted(ignored) if is_labelled(self.targets) and (self.targets.numpy() == label).any()]
        self.examples = len(self.targets)
        self.batch_size = min(batch_size, self.examples)
        self.steps = -(-self.examples // self.batch_size)
        self.memory: Memory | None = None

    def stepper(self, program: Compiled) -> Stepper:
        """What runs the step."""
        return Stepper(program, self.inputs, self.targets)

    def walk(self, stepper: Stepper, seed: int | None, epoch: int, numbers: np.ndarray | None = None) -> Iterator[Stretch]:
        """All batches of an epoch, in the order of the seed or as stored."""
        numbered = np.arange(self.examples) if seed is None else order(seed, epoch, self.examples)
        return stepper.walk(numbered, self.batch_size, numbers)

    def parts(self, given: tuple[Any, ...], count: int = 1) -> Iterator[Part]:
        """The batch in `count` parts, each gathered when it is its turn."""
        inputs, targets, indices = given
        for part in parts_of(indices, count):
            wanted = F.take(targets, part, axis=0)
            yield taken(inputs, part), wanted, part.shape[0] / indices.shape[0]

    def answer(self, net: Any, inputs: Any) -> Any:
        """What the net makes of a batch."""
        return called(net, inputs)

    def total(self, values: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """A metric's sum over the examples of a batch, or over the targets that count, where some do not; and their number."""
        if self.ignored and values.shape == targets.shape:
            return sum_of_counted(values, targets, self.ignored)
        return sum_over_examples(values), asarray(np.float32(values.shape[0]))


class Fed:
    """A feed: a step is given the batch itself."""

    width = 2

    def __init__(self, feed: Feed, batch_size: int, net: Any, ignored: frozenset[int]) -> None:
        self.feed, self.batch_size, self.ignored = feed, batch_size, sorted(ignored | {IGNORED})
        self.examples, self.steps = feed.size(batch_size), feed.steps(batch_size)
        self.memory = Memory(net, next(iter(feed.batches(batch_size))).inputs) if feed.carries else None

    def stepper(self, program: Compiled) -> Feeder:
        """What runs the step; what is carried begins each epoch with zeros."""
        return Feeder(program, None if self.memory is None else self.memory.clear)

    def walk(self, stepper: Feeder, seed: int | None, epoch: int, numbers: np.ndarray | None = None) -> Iterator[Stretch]:
        """All batches of an epoch."""
        return stepper.walk(self.feed.batches(self.batch_size, seed, epoch), numbers)

    def parts(self, given: tuple[Any, ...], count: int = 1) -> Iterator[Part]:
        """The batch in `count` parts of its rows; the share of each is that of the targets that count."""
        inputs, targets = given
        if count == 1:
            yield inputs, targets, 1.0
            return
        if self.memory is not None:
            raise ArgumentError(f"fit: accumulate={count} with a feed whose state is carried", why="each row goes on in the next batch",
                                repair="use a smaller batch_size")
        counted = F.astype(targets != IGNORED, np.float32)
        for start, stop in cuts(targets.shape[0], count):
            share = F.sum(counted[start:stop]) / F.sum(counted)
            part = each_input(operator.itemgetter(slice(start, stop)), inputs)
            yield part, targets[start:stop], share

    def answer(self, net: Any, inputs: Any) -> Any:
        """What the net makes of a batch."""
        if self.memory is not None:
            return self.memory.read(net, inputs)
        return called(net, inputs)

    def total(self, values: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """A metric's sum over the targets of a batch that count, and their number."""
        if values.shape == targets.shape:
            return sum_of_counted(values, targets, self.ignored)
        return F.sum(F.astype(values, np.float32)), F.sum(F.astype(targets != IGNORED, np.float32))


def taken(inputs: Any, numbers: Tensor) -> Any:
    """The examples of these numbers, of each input."""
    return each_input(lambda each: F.take(each, numbers, axis=0), inputs)


def usual_loss(loss: Loss | None, dataset: Any) -> Loss:
    """The loss asked for, or the usual one for this kind of data: of classes the cross-entropy, of floats the squared error."""
    if loss is not None:
        return loss
    if isinstance(dataset, Feed):
        return token_cross_entropy
    return mse_loss if np.asarray(getattr(dataset, "targets", 0)).dtype.kind == "f" else cross_entropy


def has_classes(dataset: Any) -> bool:
    """Whether accuracy is measured where nothing else is asked for: targets are class labels, one for each example."""
    return not isinstance(dataset, Feed) and is_labelled(dataset.targets)


def check_source(net: Any, loss: Loss | None, dataset: Any, role: str = "dataset", augment: Any = None) -> Objective:
    """Net and loss (None: the usual one) are tried on one example, before anything is compiled; tells what kind of loss it is."""
    usual, loss = loss is None, usual_loss(loss, dataset)
    if not isinstance(dataset, Feed):
        check_dataset(dataset, role)
        return check_trial(net, loss, dataset, role, augment, usual)
    batch = next((each for each in dataset.batches(1) if each.counted), None)
    if batch is None:
        raise ArgumentError(f"{role} is a feed without a target that counts", why=f"all its labels are {IGNORED}")
    with Mode(net, training=False), no_grad():
        inputs, targets = each_input(asarray, batch.inputs), asarray(batch.targets)
        check_arguments(net, inputs, role)
        return tried(net, loss, called(net, inputs), inputs, targets, augment)


def source_of(dataset: Any, batch_size: int, net: Any, ignored: frozenset[int]) -> Any:
    """The source of a data set: Fed for a feed, Rows otherwise."""
    return (Fed if isinstance(dataset, Feed) else Rows)(dataset, batch_size, net, ignored)


class Memory:
    """A net's state between two batches: assigned in the compiled step, so that it stays in native code; no gradient goes through it."""

    def __init__(self, net: Any, inputs: Any) -> None:
        if not hasattr(net, "read"):
            raise ArgumentError(f"{type(net).__name__} has no method read(inputs, state)",
                                why="the batches of this feed go on where the ones before stopped: the net keeps its state",
                                repair="write read(inputs, state=None) -> (outputs, state), as LanguageModel does; or use text.Windows")
        with Mode(net, training=False), no_grad():
            _, state = net.read(asarray(inputs[:, :1]), None)
        self.state = map_tree(lambda each: from_array(np.zeros(each.shape, each.dtype)), state)

    def read(self, net: Any, inputs: Any) -> Any:
        """The net's outputs; it goes on from the state that it left, and leaves a new one."""
        outputs, new = net.read(inputs, self.state)
        for held, value in zip(flatten(self.state)[0], flatten(new)[0], strict=True):
            held.assign(value.detach())
        return outputs

    def clear(self) -> None:
        """Begin with zeros."""
        for held in flatten(self.state)[0]:
            held.assign(np.zeros(held.shape, held.dtype))

    def named_state(self) -> Iterable[tuple[str, Tensor]]:
        """The tensors, for copies of everything that a step changes."""
        return [(f"memory[{number}]", held) for number, held in enumerate(flatten(self.state)[0])]


def parts_of(indices: Tensor, count: int) -> list[Tensor]:
    """The indices in so many parts of nearly equal length, none of them empty."""
    return [indices[start:stop] for start, stop in cuts(indices.shape[0], count)]


def cuts(size: int, count: int) -> list[tuple[int, int]]:
    """Where to cut so many rows into `count` parts of nearly equal length, none of them empty."""
    count = min(count, size)
    return list(itertools.pairwise(size * i // count for i in range(count + 1)))
