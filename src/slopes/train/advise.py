"""What the curves of a run say about its settings: the rate, the regularization, the length; each with the figures it rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .history import Chance, Epoch, Run

PARTS = 20  # of a run, whose mean losses are compared
FEWEST = 3 * PARTS  # steps, below which nothing is said
SURE = 4.0  # standard errors, below which a difference is taken for chance
RISE = 0.1  # of what was gained: so much lost again is a rise
WANDERED = 0.25  # of all movement after the first fifth: so much upwards is a jagged line
STRAIGHT = 0.6  # of the speed in the first half: still falling so fast at the end is a straight line
LITTLE = 0.2  # of the first loss: having fallen less than that, and no longer falling, is learning nothing
OVERFIT = 0.05  # of the least validation loss: that much above it in the last epochs is overfitting
NEAR = 0.01  # of the loss of chance: less than that below it is chance
GAP = 0.05  # of an accuracy: so much less on validation data


@dataclass(frozen=True)
class Advice:
    """What was seen (`sign`), the figures (`evidence`), and what usually helps (`repair`)."""

    sign: str
    evidence: str
    repair: str

    def __str__(self) -> str:
        return f"{self.sign}: {self.evidence}. {self.repair[0].upper()}{self.repair[1:]}"


def advice(run: Run) -> list[Advice]:
    """What the curves of a run say about its settings: a remark on the rate or chance, one on validation, or none; with its figures.

    Mean losses of twenty parts of the run are compared, and differences within four standard errors are taken for chance.
    The rate: a loss that rises again (by a tenth of what was gained), or of whose movement a quarter goes up, wants a lower one; one
    that falls in a straight line (from the third to the last quarter 0.6 times as far as from the first to the second) a higher one,
    or more epochs; one that hardly falls at all one of another order.
    Validation: its loss in the last quarter of the epochs 5% above its least while the other fell by a tenth, or an accuracy 5 points
    behind, wants regularization.
    Classes: a last epoch whose loss is not 1% below the entropy of the classes and whose accuracy is not (by four standard errors)
    above the share of the commonest class is chance: inputs of another scale, a rate that broke the net, or targets of others.

    Runs of fewer than 60 steps say nothing about the rate. Source: Karpathy, notes of Stanford's course CS231n, "Neural networks,
    part 3: learning and evaluation", 2015; the thresholds are slopes' own.

    >>> import numpy as np, slopes as sl
    >>> from slopes import nn, optim
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> run = sl.fit(nn.Linear(1, 1), sl.data.Dataset(x, 3 * x), loss=nn.mse_loss, optimizer=optim.SGD(lr=1e-4), epochs=100,
    ...              progress=False)
    >>> print(sl.train.advice(run)[0].sign)
    the loss falls in a straight line
    """
    losses = np.asarray(run.losses)
    return [each for each in (on_rate(losses) or on_chance(losses, run.epochs, run.chance), on_gap(run)) if each is not None]


def on_rate(losses: np.ndarray) -> Advice | None:
    """Rising or jagged: too high; a straight line: too low, or too short a run."""
    if len(losses) < FEWEST or not np.isfinite(losses).all():
        return None
    means, errors = means_of_parts(losses)
    return rising(losses, means, errors) or jagged(means, errors) or straight(means, errors) or idle(losses, means, errors)


def means_of_parts(losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean loss of each part of the run, and its standard error: from differences of neighbours, as the loss falls meanwhile."""
    parts = np.array_split(losses, PARTS)
    return (np.array([part.mean() for part in parts]),
            np.array([math.sqrt(np.square(np.diff(part)).mean() / 2 / len(part)) for part in parts]))


def on_chance(losses: np.ndarray, epochs: list[Epoch], chance: Chance | None) -> Advice | None:
    """One class only, or no better than saying the same of every example, in loss and accuracy."""
    if chance is None or not epochs or "accuracy" not in epochs[-1].metrics:
        return None
    if chance.accuracy == 1:
        return Advice("there is one class only", f"all {chance.examples:,} targets are the same",
                      "look how the examples were selected: there is nothing to tell apart")
    last, error = epochs[-1], math.sqrt(chance.accuracy * (1 - chance.accuracy) / chance.examples)
    if len(losses) < FEWEST or last.loss < (1 - NEAR) * chance.loss or last.metrics["accuracy"] > chance.accuracy + SURE * error:
        return None
    return Advice("it answers as by chance", f"loss {last.loss:.4g} and accuracy {last.metrics['accuracy']:.2%} in the last epoch; saying "
                  f"the same of every example reaches {chance.loss:.4g} and {chance.accuracy:.2%}",
                  "scale the inputs to mean 0 and deviation 1, take a lower rate (train.range_test), and look whether inputs and targets "
                  "belong together")


def rising(losses: np.ndarray, means: np.ndarray, errors: np.ndarray) -> Advice | None:
    """The end is clearly above the lowest part."""
    low = int(means.argmin())
    lost, gained = means[-1] - means[low], max(means[0] - means[low], 0.0)
    if lost <= SURE * math.hypot(errors[-1], errors[low]) or lost <= RISE * gained:
        return None
    step = round((low + 0.5) * len(losses) / PARTS)
    return Advice("the loss rose", f"from {means[low]:.4g} around step {step:,} to {means[-1]:.4g} at the end",
                  "lower the rate, to a third for example, or let it fall with schedule='cosine'")


def jagged(means: np.ndarray, errors: np.ndarray) -> Advice | None:
    """Much of the movement goes up."""
    moves = np.diff(means[PARTS // 5 :])
    sure = SURE * np.array([math.hypot(*each) for each in pairwise(errors[PARTS // 5 :])])
    ups = moves[moves > sure].sum()
    share = ups / max(np.abs(moves).sum(), 1e-30)
    if share <= WANDERED or ups <= RISE * max(means[0] - means.min(), 0.0):
        return None
    return Advice("the loss goes up and down", f"{share:.0%} of its movement after the first fifth of the run is upwards",
                  "lower the rate, or take larger batches, or clip the gradients")


def straight(means: np.ndarray, errors: np.ndarray) -> Advice | None:
    """It falls from the third to the last quarter about as far as from the first to the second."""
    quarters, sure = in_quarters(means, errors)
    early, late = quarters[0] - quarters[1], quarters[2] - quarters[3]
    if late <= sure or late < STRAIGHT * early:
        return None
    return Advice("the loss falls in a straight line",
                  f"by {max(early, 0.0):.3g} from the first to the second quarter of the run, by {late:.3g} from the third to the last",
                  "raise the rate, three times for example, or train longer")


def idle(losses: np.ndarray, means: np.ndarray, errors: np.ndarray) -> Advice | None:
    """It is about what it was at the beginning (in the very first step, where it exploded after that), and does not fall."""
    quarters, sure = in_quarters(means, errors)
    first = min(losses[0], means[0])
    if quarters[3] <= (1 - LITTLE) * first or quarters[2] - quarters[3] > sure:
        return None
    return Advice("the loss hardly fell", f"from {first:.4g} to {quarters[3]:.4g} in the last quarter of the run",
                  "the rate is far too high or far too low, which train.range_test tells, or inputs and targets do not belong together")


def in_quarters(means: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, float]:
    """The mean loss of each quarter of the run, and by how much two must differ for it not to be chance."""
    count = PARTS // 4
    error = math.sqrt(np.square(errors[2 * count :]).mean() / count)
    return means.reshape(4, count).mean(axis=1), SURE * math.sqrt(2) * error


def on_gap(run: Run) -> Advice | None:
    """Validation got worse while training got better, or is far behind it."""
    epochs = run.epochs
    held_out = [epoch.validation["loss"] for epoch in epochs if epoch.validation]
    if len(held_out) < 2 or len(held_out) < len(epochs):
        return None
    last = epochs[-1]
    repair = "take more regularization (dropout, weight decay, augmentation), more data, or a smaller net"
    least = risen(held_out)
    if least is not None and last.loss < (1 - RISE) * epochs[least].loss:
        rose = f"from {held_out[least]:.4g} in epoch {least + 1} to {held_out[-1]:.4g}"
        fell = f"from {epochs[least].loss:.4g} to {last.loss:.4g}"
        return Advice("it overfits", f"the validation loss rose {rose}, while that of the training data fell {fell}",
                      f"stop early (train.EarlyStopping); {repair}")
    for name, value in last.metrics.items():
        metric = run.metric(name)
        if metric.is_share and not metric.lower_is_better and value - last.validation[name] > GAP:
            return Advice("validation is far behind", f"{name} {metric.text(value)} while learning, "
                          f"{metric.text(last.validation[name])} on validation data", repair)
    return None


def risen(held_out: list[float]) -> int | None:
    """The epoch of the least validation loss, if the last epochs are clearly above those around it; one epoch alone may be chance."""
    width = max(2, len(held_out) // 4)
    if len(held_out) < 2 * width:
        return None
    means = np.convolve(held_out, np.full(width, 1 / width), mode="valid")
    jitter = math.sqrt(np.square(np.diff(held_out[-2 * width :], n=2)).mean() / 6)  # second differences leave a steady rise out
    rise = means[-1] - means.min()
    if rise <= OVERFIT * abs(means.min()) or rise <= SURE * jitter * math.sqrt(2 / width):
        return None
    return int(np.argmin(held_out))
