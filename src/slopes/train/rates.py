"""The learning-rate range test: a short training with an ever higher rate, which leaves no trace, shows how high it may be."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import plot as pictures
from ..constraint import COUNT, POSITIVE, check
from ..errors import ArgumentError
from ..nn.module import Module
from ..optim import Adam
from ..optim.optimizer import Optimizer
from .checks import check_kinds, check_optimizer
from .replay import DivergedError, restore_after
from .spec import Augment, ParameterFunction, Penalty, TrainSpec
from .totals import Loss
from .training import Training

CALL = 10  # steps per native call
TOO_HIGH = 4.0  # it ends when the smoothed loss is this many times its best
FIRST, LAST = 10, 5  # steps left out at the beginning, and before the lowest smoothed loss, where the steepest slope is searched
KEPT = 0.9  # how much of the smoothed loss is kept at each step


@dataclass
class RangeTest(pictures.View):
    """The result of a range test: the loss at each rate, as measured and smoothed, and the rate where it fell fastest.

    suggestion  the rate at which the smoothed loss falls most steeply over the logarithm of the rate; None when it never fell. The
                first 10 steps are left out, as a mean of few losses is mostly noise, and the last 5 before the lowest smoothed loss,
                as the mean lags behind: the loss itself already rises there
    highest     the rate at which the smoothed loss was lowest: above it, steps overshoot

    Source: Gugger, "How do you find a good learning rate", 2018; the steps left out are those of fastai's learning rate finder.
    """

    rates: np.ndarray = field(repr=False)
    losses: np.ndarray = field(repr=False)
    smoothed: np.ndarray = field(repr=False)
    suggestion: float | None
    highest: float

    def draw(self) -> pictures.Picture:
        """The loss over the rate."""
        return pictures.range_curve(self.rates, self.losses, self.smoothed, self.suggestion)


def range_test(net: Module, dataset: Any, targets: Any = None, *, loss: Loss | None = None, optimizer: Optimizer | None = None,
               lowest: float = 1e-6, highest: float = 10.0, steps: int = 100, batch_size: int = 64, seed: int = 0,
               clip: float | ParameterFunction | None = None, accumulate: int = 1, augment: Augment | None = None,
               penalty: Penalty | None = None, constrain: float | ParameterFunction | None = None,
               storage: str = "float32") -> RangeTest:
    """Train for a few steps with a rate that grows evenly in its logarithm from `lowest` to `highest`; everything is put back.

    Afterwards parameters, buffers, gradients, modes, random numbers and the optimizer are, to the bit, what they were: the optimizer
    is copied, a bound one with its state. Ends early when the loss is 4 times its best or no longer finite. Arguments as in fit, the
    same as those of the training that follows: each step is one of that training. Raises ArgumentError as fit does. Source: Smith,
    "Cyclical learning rates for training neural networks", 2017.

    >>> import numpy as np, slopes as sl
    >>> from slopes import nn, optim
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> points = sl.data.Dataset(x, (x[:, 0] > 0).astype(np.int64))
    >>> test = sl.train.range_test(nn.Linear(1, 2), points, optimizer=optim.SGD(), lowest=1e-3, highest=1e3, batch_size=16)
    >>> 0.01 < test.suggestion < 100
    True
    """
    check("range_test", {"lowest": POSITIVE, "highest": POSITIVE, "steps": COUNT}, {"lowest": lowest, "highest": highest, "steps": steps})
    if highest <= lowest:
        raise ArgumentError(f"range_test: it should go up from lowest={lowest:g} to highest={highest:g}",
                            repair="give a lowest rate that is too small and a highest one that is too large")
    check_kinds(net, loss, optimizer)
    rates, own = np.geomspace(lowest, highest, steps), own_copy(Adam() if optimizer is None else optimizer, net)
    own.lr = 1.0  # the schedule's factors are the rates themselves
    spec = TrainSpec(loss=loss, optimizer=own, epochs=steps, batch_size=batch_size, seed=seed, metrics=(), clip=clip,
                     accumulate=accumulate, augment=augment, penalty=penalty, constrain=constrain, storage=storage,
                     schedule=lambda step, _: float(rates[step]))
    with restore_after(net):
        return summary(rates, losses_of(Training(net, dataset if targets is None else (dataset, targets), spec), steps))


def own_copy(optimizer: Optimizer, net: Module) -> Optimizer:
    """A copy of the optimizer with its own state, for the same parameters."""
    if optimizer.parameters:
        check_optimizer(optimizer, list(optimizer.parameters), net)
    return copy.deepcopy(optimizer, {id(parameter): parameter for parameter in optimizer.parameters})


def losses_of(training: Training, steps: int) -> np.ndarray:
    """The loss of each step, up to the first that is far too high or not finite."""
    losses: list[float] = training.history.losses
    while len(losses) < steps:
        try:
            training.advance(min(CALL, steps - len(losses)))
        except DivergedError:
            return np.array(losses)[np.isfinite(losses)]
        smoothed = smooth(np.array(losses))
        high = smoothed > TOO_HIGH * np.minimum.accumulate(np.abs(smoothed))
        if high.any():
            return np.array(losses[: int(high.argmax()) + 1])
    return np.array(losses)


def smooth(values: np.ndarray) -> np.ndarray:
    """The exponential running mean, corrected at its start: sum of 0.9^i v[t - i] over sum of 0.9^i."""
    smoothed, mean = [], 0.0
    for count, value in enumerate(values.tolist(), start=1):
        mean = KEPT * mean + (1 - KEPT) * value
        smoothed.append(mean / (1 - KEPT ** count))
    return np.array(smoothed)


def summary(rates: np.ndarray, losses: np.ndarray) -> RangeTest:
    """The losses with what follows from them."""
    if len(losses) < 2:
        raise ArgumentError(f"range_test: the loss was not finite at the lowest rate, {rates[0]:g}",
                            why="weights or inputs are too large, or the loss takes log(0)", repair="scale the inputs, or begin lower")
    rates, smoothed = rates[: len(losses)], smooth(losses)
    slopes = np.gradient(smoothed, np.log(rates))
    lowest = int(smoothed.argmin())
    first = min(FIRST, lowest // 2)
    steepest = first + int(slopes[first : max(first, lowest - LAST) + 1].argmin())
    suggestion = float(rates[steepest]) if slopes[steepest] < 0 else None
    return RangeTest(rates, losses, smoothed, suggestion, float(rates[lowest]))
