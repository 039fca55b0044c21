"""The epochs of a fit: batches, learning rates, the curve of losses and scores, and when to end."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from .examples import Examples, Gatherer, batches_of, blocks
from .program import Arrays, Program
from .scikit import exceptions

SMALLEST_RATE, RATE_DIVISOR = 1e-6, 5.0  # of learning_rate="adaptive"


@dataclass
class Curve:
    """What is known of the epochs so far; `validation_scores` is None without validation data.

    count    epochs since the last improvement of loss or score;   rate  the learning rate of the next epoch
    """

    rate: float
    losses: list[float] = field(default_factory=list)
    validation_scores: list[float] | None = None
    best_loss: float = np.inf
    best_score: float = -np.inf
    best: Arrays | None = None
    count: int = 0
    examples: int = 0


class Follower(Protocol):
    """Follows the epochs of a fit."""

    active: bool

    def epoch_begins(self, epoch: int) -> None:
        """Before an epoch."""

    def epoch_ends(self) -> bool:
        """After an epoch; True ends the fit."""


@dataclass(kw_only=True)
class Epochs:
    """Trains a program on examples; the names of the settings are those of the estimators' parameters.

    score    the score on validation data, if there are any; `watch_score`: whether it decides when to end, and which weights are kept
    """

    program: Program
    examples: Examples
    generator: Any
    curve: Curve
    follower: Follower
    score: Callable[[], float] | None
    watch_score: bool
    batch_size: int
    max_iter: int
    shuffle: bool
    tol: float
    n_iter_no_change: float
    verbose: bool
    learning_rate: str
    learning_rate_init: float
    power_t: float
    done: int = 0

    def __post_init__(self) -> None:
        self.gatherer = Gatherer(self.examples, self.program.plan.dtype)
        self.order = np.arange(len(self.examples))
        self.row_bytes = int(np.prod(self.examples.shape)) * self.program.plan.dtype.itemsize
        self.steps = -(-len(self.examples) // self.batch_size)

    def run(self) -> None:
        """All epochs, fewer where the loss or the score no longer improves; Ctrl-C ends them with a warning."""
        try:
            while self.done < self.max_iter:
                if self.advance(self.epochs_at_once()):
                    return
            warnings.warn(f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization hasn't converged yet.",
                          exceptions.ConvergenceWarning, stacklevel=2)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
        finally:
            if self.curve.best is not None:
                self.program.load_net(self.curve.best)

    def epochs_at_once(self) -> int:
        """How many epochs can be done before something has to be decided or shown."""
        if self.follower.active or self.score is not None or self.verbose:
            return 1
        before_end = self.n_iter_no_change + 1 - self.curve.count
        return int(max(1, min(self.max_iter - self.done, before_end)))

    def advance(self, count: int) -> bool:
        """Do some epochs; returns whether the fit ends."""
        if self.follower.active:
            self.follower.epoch_begins(self.done)
        ends = False
        for loss in self.losses(count):
            ends = self.record(loss)
        return (self.follower.active and self.follower.epoch_ends()) or ends

    def losses(self, count: int) -> np.ndarray:
        """The loss of each of some epochs, which are done here."""
        orders = np.stack([self.next_order() for _ in range(count)])
        rates = self.rates(count)
        losses, sizes = [], []
        fill = self.program.plan.architecture.rows_alone and self.program.plan.compiled
        for indices, counts in batches_of(orders, self.batch_size, fill):
            for block, real in blocks(indices, counts, self.row_bytes):
                batches = self.gatherer.gather(block, real)
                losses.append(self.program.run(*batches, rates[: batches.steps]))
                rates = rates[batches.steps :]
                sizes.append(real)
        weighted = np.concatenate(losses) * np.concatenate(sizes)
        return weighted.reshape((count, -1)).sum(axis=1) / len(self.examples)

    def next_order(self) -> np.ndarray:
        """The order of the examples in the next epoch: that of sklearn.utils.shuffle, whose checks take longer than a small epoch."""
        if self.shuffle:
            indices = np.arange(len(self.order))
            self.generator.shuffle(indices)
            self.order = self.order[indices]
        return self.order

    def rates(self, count: int) -> np.ndarray:
        """The learning rate of each step of the next epochs."""
        steps = np.arange(count * self.steps)
        if self.learning_rate == "cosine":
            rates: np.ndarray
            share = (self.done * self.steps + steps) / (self.max_iter * self.steps)
            rates = self.learning_rate_init * 0.5 * (1 + np.cos(np.pi * share))
        elif self.learning_rate == "invscaling":
            examples = self.curve.examples + steps // self.steps * len(self.examples)
            rates = self.learning_rate_init / (examples + 1) ** self.power_t
        else:
            rates = np.full(len(steps), self.curve.rate, np.float64)
        return rates.astype(self.program.plan.dtype)

    def record(self, loss: float) -> bool:
        """Add an epoch to the curve; returns whether the fit ends."""
        curve = self.curve
        self.done += 1
        curve.examples += len(self.examples)
        curve.losses.append(float(loss))
        if self.verbose:
            print(f"Iteration {self.done}, loss = {loss:.8f}")
        if self.score is not None:
            self.record_score(self.score())
        if not self.watch_score:
            self.count(curve.losses[-1] > curve.best_loss - self.tol)
            curve.best_loss = min(curve.best_loss, curve.losses[-1])
        return curve.count > self.n_iter_no_change and self.end_or_slow_down()

    def record_score(self, score: float) -> None:
        """Add a score to the curve, and keep the weights if it is the best so far and decides which weights are kept."""
        curve = self.curve
        assert curve.validation_scores is not None, "there are validation data"
        curve.validation_scores.append(score)
        if self.verbose:
            print(f"Validation score: {score:f}")
        if self.watch_score:
            self.count(score < curve.best_score + self.tol)
        if score > curve.best_score:
            curve.best_score = score
            curve.best = self.program.net.state_dict() if self.watch_score else None

    def count(self, no_improvement: bool) -> None:
        """Count an epoch without an improvement, or begin again."""
        self.curve.count = self.curve.count + 1 if no_improvement else 0

    def end_or_slow_down(self) -> bool:
        """Whether the fit ends without improvement: not yet where the rate can become smaller."""
        if self.learning_rate != "adaptive" or self.curve.rate <= SMALLEST_RATE:
            return True
        self.curve.rate /= RATE_DIVISOR
        self.curve.count = 0
        if self.verbose:
            print(f"Setting learning rate to {self.curve.rate:f}")
        return False
