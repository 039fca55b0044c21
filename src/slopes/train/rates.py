"""The learning-rate range test: a short training with an ever higher rate, which leaves no trace, shows how high it may be."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import plot as pictures
from .. import random
from ..constraint import COUNT, POSITIVE, check
from ..data.loaders.order import order
from ..errors import ArgumentError
from ..optim import Adam
from .checks import check_counts, check_kinds, check_last_batch, check_optimizer, paired
from .fit import Job
from .guard import untouched
from .mode import Mode
from .progress import Silent
from .sources import check_source, usual_loss
from .totals import Loss

CALL = 10  # steps per native call
TOO_HIGH = 4.0  # it ends when the smoothed loss is this many times its best
KEPT = 0.9  # how much of the smoothed loss is kept at each step


@dataclass
class RangeTest(pictures.View):
    """What a range test found: the loss at each rate, as measured and smoothed, and the rate where it fell fastest.

    suggestion  the rate at which the smoothed loss falls most steeply over the logarithm of the rate; None when it never fell
    highest     the rate at which the smoothed loss was lowest: above it, steps overshoot
    """

    rates: np.ndarray = field(repr=False)
    losses: np.ndarray = field(repr=False)
    smoothed: np.ndarray = field(repr=False)
    suggestion: float | None
    highest: float

    def draw(self) -> pictures.Picture:
        """The loss over the rate."""
        return pictures.range_curve(self.rates, self.losses, self.smoothed, self.suggestion)


def range_test(net: Any, dataset: Any, targets: Any = None, *, loss: Loss | None = None, optimizer: Any = None, lowest: float = 1e-6,
               highest: float = 10.0, steps: int = 100, batch_size: int = 64, seed: int = 0) -> RangeTest:
    """Train for a few steps with a rate that grows evenly in its logarithm from `lowest` to `highest`; everything is put back.

    Afterwards parameters, buffers, gradients, modes, random numbers and the optimizer are, to the bit, what they were: the optimizer
    is copied, a bound one with its state. Ends early when the loss is 4 times its best or no longer finite. Arguments as in fit;
    loss, optimizer and batch_size should be those of the training that follows. Raises ArgumentError as fit does. Source: Smith,
    "Cyclical learning rates for training neural networks", 2017.

    >>> import numpy as np, slopes as sl
    >>> from slopes import nn, optim
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> points = sl.data.Dataset(x, (x[:, 0] > 0).astype(np.int64))
    >>> found = sl.train.range_test(nn.Linear(1, 2), points, optimizer=optim.SGD(), lowest=1e-3, highest=1e3, batch_size=16)
    >>> 0.01 < found.suggestion < 100
    True
    """
    check("range_test", {"lowest": POSITIVE, "highest": POSITIVE, "steps": COUNT}, {"lowest": lowest, "highest": highest, "steps": steps})
    if highest <= lowest:
        raise ArgumentError(f"range_test: it should go up from lowest={lowest:g} to highest={highest:g}",
                            repair="give a lowest rate that is too small and a highest one that is too large")
    dataset = paired(dataset, targets)
    check_counts(batch_size)
    check_kinds(net, usual_loss(loss, dataset), optimizer)
    objective = check_source(net, loss, dataset)
    check_last_batch(net, dataset, batch_size)
    mine = own_copy(Adam() if optimizer is None else optimizer, net)
    job = Job(net=net, dataset=dataset, objective=objective, optimizer=mine, epochs=0, seed=seed, reporter=Silent(),
              batch_size=min(batch_size, len(dataset.targets)))
    rates = np.geomspace(lowest, highest, steps)
    return summary(rates, trial(job, net, rates))


def own_copy(optimizer: Any, net: Any) -> Any:
    """A copy of the optimizer with its own state, for the same parameters."""
    if optimizer.parameters:
        check_optimizer(optimizer, list(optimizer.parameters), net)
    return copy.deepcopy(optimizer, {id(each): each for each in optimizer.parameters})


def trial(job: Job, net: Any, rates: np.ndarray) -> np.ndarray:
    """The loss of each step, up to where it ends; then all is as it was."""
    with random.using(copy.deepcopy(random.current())), untouched(net), Mode(net, training=True):
        return watched(job, rates)


def watched(job: Job, rates: np.ndarray) -> np.ndarray:
    """The losses up to the first that is far too high or not finite."""
    losses: list[float] = []
    for rows, numbers in calls(job, rates):
        losses += job.stepper.run(rows, numbers).values[0].astype(np.float64).tolist()
        finite = np.isfinite(losses)
        if not finite.all():
            return np.array(losses[: int(finite.argmin())])
        smoothed = smooth(np.array(losses))
        high = smoothed > TOO_HIGH * np.minimum.accumulate(np.abs(smoothed))
        if high.any():
            return np.array(losses[: int(high.argmax()) + 1])
    return np.array(losses)


def calls(job: Job, rates: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows, rates) of one native call after another: whole batches, in fit's order of examples."""
    per_epoch, done = job.examples // job.batch_size, 0
    while done < len(rates):
        epoch, first = divmod(done, per_epoch)
        batches = order(job.seed, epoch, job.examples)[: per_epoch * job.batch_size].reshape(per_epoch, job.batch_size)
        rows = batches[first : first + min(CALL, len(rates) - done)]
        yield rows, rates[done : done + len(rows)]
        done += len(rows)


def smooth(values: np.ndarray) -> np.ndarray:
    """The exponential running mean, corrected at its start: sum of 0.9^i v[t - i] over sum of 0.9^i."""
    found, mean = [], 0.0
    for number, value in enumerate(values.tolist(), start=1):
        mean = KEPT * mean + (1 - KEPT) * value
        found.append(mean / (1 - KEPT ** number))
    return np.array(found)


def summary(rates: np.ndarray, losses: np.ndarray) -> RangeTest:
    """The losses with what follows from them."""
    if len(losses) < 2:
        raise ArgumentError(f"range_test: the loss was not finite at the lowest rate, {rates[0]:g}",
                            why="weights or inputs are too large, or the loss takes log(0)", repair="scale the inputs, or begin lower")
    rates, smoothed = rates[: len(losses)], smooth(losses)
    slopes = np.gradient(smoothed, np.log(rates))
    lowest = int(smoothed.argmin())
    steepest = int(slopes[: lowest + 1].argmin())
    suggestion = float(rates[steepest]) if slopes[steepest] < 0 else None
    return RangeTest(rates, losses, smoothed, suggestion, float(rates[lowest]))
