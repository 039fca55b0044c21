"""Advice from the learning curves of a run: on the learning rate, on regularization and on predictions no better than chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .history import Chance, Epoch, Run

PARTS = 20  # parts of a run whose mean losses are compared
FEWEST = 3 * PARTS  # steps that a run needs for advice on the learning rate
SURE = 4.0  # standard errors: smaller differences are noise
RISE = 0.1  # the loss rose if it lost this share of what it had gained
OSCILLATES = 0.25  # the loss oscillates if this share of its movement, after the first fifth of the run, is upwards
LINEAR = 0.6  # the loss falls linearly if it falls this many times as fast at the end as in the first half
LITTLE = 0.2  # the loss hardly fell if it fell by less than this share of the first loss
OVERFIT = 0.05  # overfitting: the validation loss of the last epochs is this share above its minimum
NEAR = 0.01  # chance: the loss is less than this share below that of a constant prediction
GAP = 0.05  # validation is far behind if its accuracy is this much lower
FINDER = "train.range_test suggests one"


@dataclass(frozen=True)
class Advice:
    """What was observed (`sign`), its figures (`evidence`), and what usually helps (`repair`)."""

    sign: str
    evidence: str
    repair: str

    def __str__(self) -> str:
        return f"{self.sign}: {self.evidence}. {self.repair[0].upper()}{self.repair[1:]}"


def advice(run: Run) -> list[Advice]:
    """Advice on the settings of a run from its learning curves: on the learning rate or chance, and on validation; empty for a good run.

    The mean losses of twenty parts of the run are compared; differences below four standard errors are noise.

    Learning rate, from 60 steps on. Too high: the loss rises again, by a tenth of what it had gained, or a quarter of its movement is
    upwards. Too low, or too few epochs: the loss falls linearly, from the third to the last quarter of the run at least 0.6 times as
    far as from the first to the second. Far off: the loss hardly falls.
    Chance, for class labels. In the last epoch the loss is not 1% below the entropy of the classes, and the accuracy is not four
    standard errors above the share of the most frequent class.
    Regularization. The validation loss of the last quarter of the epochs is 5% above its minimum while the training loss fell by a
    tenth, or the validation accuracy is 5 points lower than that of training.

    Source: Karpathy, notes of Stanford's course CS231n, "Neural networks,
    part 3: learning and evaluation", 2015; the thresholds are slopes' own.

    >>> import numpy as np, slopes as sl
    >>> from slopes import nn, optim
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> run = sl.fit(nn.Linear(1, 1), sl.data.Dataset(x, 3 * x), loss=nn.mse_loss, optimizer=optim.SGD(lr=1e-4), epochs=100,
    ...              progress=False)
    >>> print(sl.train.advice(run)[0].sign)
    the loss falls linearly
    """
    losses = np.asarray(run.losses)
    return [remark for remark in (on_rate(losses) or on_chance(losses, run.epochs, run.chance), on_gap(run)) if remark is not None]


def on_rate(losses: np.ndarray) -> Advice | None:
    """Rising or oscillating: too high; linear: too low, or too short a run."""
    if len(losses) < FEWEST or not np.isfinite(losses).all():
        return None
    means, errors = means_of_parts(losses)
    return (on_rise(losses, means, errors) or on_oscillation(means, errors) or on_linear_fall(means, errors)
            or on_no_fall(losses, means, errors))


def means_of_parts(losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean loss of each part of the run, and its standard error: from differences of consecutive losses, which a trend does not
    increase much."""
    parts = np.array_split(losses, PARTS)
    return (np.array([part.mean() for part in parts]),
            np.array([math.sqrt(np.square(np.diff(part)).mean() / 2 / len(part)) for part in parts]))


def on_chance(losses: np.ndarray, epochs: list[Epoch], chance: Chance | None) -> Advice | None:
    """Only one class; or loss and accuracy no better than those of a constant prediction."""
    if chance is None or not epochs or "accuracy" not in epochs[-1].metrics:
        return None
    if chance.accuracy == 1:
        return Advice("there is only one class", f"all {chance.examples:,} targets are equal",
                      "check how the examples were selected: there is nothing to distinguish")
    last, error = epochs[-1], math.sqrt(chance.accuracy * (1 - chance.accuracy) / chance.examples)
    if len(losses) < FEWEST or last.loss < (1 - NEAR) * chance.loss or last.metrics["accuracy"] > chance.accuracy + SURE * error:
        return None
    return Advice("the network predicts no better than chance",
                  f"loss {last.loss:.4g} and accuracy {last.metrics['accuracy']:.2%} in the last epoch; a constant prediction reaches "
                  f"{chance.loss:.4g} and {chance.accuracy:.2%}",
                  f"standardize the inputs, lower the learning rate ({FINDER}), and check that inputs and targets belong together")


def on_rise(losses: np.ndarray, means: np.ndarray, errors: np.ndarray) -> Advice | None:
    """The last part is clearly above the lowest one."""
    low = int(means.argmin())
    lost, gained = means[-1] - means[low], max(means[0] - means[low], 0.0)
    if lost <= SURE * math.hypot(errors[-1], errors[low]) or lost <= RISE * gained:
        return None
    step = round((low + 0.5) * len(losses) / PARTS)
    return Advice("the loss rose", f"from {means[low]:.4g} around step {step:,} to {means[-1]:.4g} at the end",
                  "lower the learning rate, for example to a third, or decay it: schedule='cosine'")


def on_oscillation(means: np.ndarray, errors: np.ndarray) -> Advice | None:
    """Much of the movement is upwards."""
    moves = np.diff(means[PARTS // 5 :])
    sure = SURE * np.array([math.hypot(*pair) for pair in pairwise(errors[PARTS // 5 :])])
    ups = moves[moves > sure].sum()
    share = ups / max(np.abs(moves).sum(), 1e-30)
    if share <= OSCILLATES or ups <= RISE * max(means[0] - means.min(), 0.0):
        return None
    return Advice("the loss oscillates", f"{share:.0%} of its movement after the first fifth of the run is upwards",
                  "lower the learning rate, use larger batches, or clip the gradients")


def on_linear_fall(means: np.ndarray, errors: np.ndarray) -> Advice | None:
    """It falls from the third to the last quarter about as far as from the first to the second."""
    quarters, sure = in_quarters(means, errors)
    early, late = quarters[0] - quarters[1], quarters[2] - quarters[3]
    if late <= sure or late < LINEAR * early:
        return None
    return Advice("the loss falls linearly",
                  f"by {max(early, 0.0):.3g} from the first to the second quarter of the run, by {late:.3g} from the third to the last",
                  "raise the learning rate, for example to three times its value, or train longer")


def on_no_fall(losses: np.ndarray, means: np.ndarray, errors: np.ndarray) -> Advice | None:
    """The loss does not fall and is about what it was at the beginning; if it exploded, what it was in the first step."""
    quarters, sure = in_quarters(means, errors)
    first = min(losses[0], means[0])
    if quarters[3] <= (1 - LITTLE) * first or quarters[2] - quarters[3] > sure:
        return None
    return Advice("the loss hardly fell", f"from {first:.4g} to {quarters[3]:.4g} in the last quarter of the run",
                  f"the learning rate is far too high or far too low ({FINDER}), or inputs and targets do not belong together")


def in_quarters(means: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, float]:
    """The mean loss of each quarter of the run, and the smallest difference of two that is not noise."""
    count = PARTS // 4
    error = math.sqrt(np.square(errors[2 * count :]).mean() / count)
    return means.reshape(4, count).mean(axis=1), SURE * math.sqrt(2) * error


def on_gap(run: Run) -> Advice | None:
    """Validation became worse while training improved, or is far behind it."""
    epochs = run.epochs
    held_out = [epoch.watched["loss"] for epoch in epochs if epoch.validation]
    if len(held_out) < 2 or len(held_out) < len(epochs):
        return None
    last = epochs[-1]
    repair = "use more regularization (dropout, weight decay, augmentation), more data, or a smaller network"
    least = risen(held_out)
    if least is not None and last.loss < (1 - RISE) * epochs[least].loss:
        rose = f"from {held_out[least]:.4g} in epoch {least + 1} to {held_out[-1]:.4g}"
        fell = f"from {epochs[least].loss:.4g} to {last.loss:.4g}"
        return Advice("the network overfits", f"the validation loss rose {rose}, while the training loss fell {fell}",
                      f"stop early (train.EarlyStopping); {repair}")
    for name, value in last.metrics.items():
        metric = run.metric(name)
        if metric.is_share and not metric.lower_is_better and value - last.watched[name] > GAP:
            return Advice("validation is far behind", f"{name} {metric.text(value)} in training, "
                          f"{metric.text(last.watched[name])} on validation data", repair)
    return None


def risen(held_out: list[float]) -> int | None:
    """The epoch of the least validation loss, if the last epochs are clearly above the epochs around it: one epoch alone may be noise."""
    width = max(2, len(held_out) // 4)
    if len(held_out) < 2 * width:
        return None
    means = np.convolve(held_out, np.full(width, 1 / width), mode="valid")
    noise = math.sqrt(np.square(np.diff(held_out[-2 * width :], n=2)).mean() / 6)  # second differences remove a linear trend
    rise = means[-1] - means.min()
    if rise <= OVERFIT * abs(means.min()) or rise <= SURE * noise * math.sqrt(2 / width):
        return None
    return int(np.argmin(held_out))
