"""Early stopping: training ends when the validation figure no longer improves, and the best weights are restored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import COUNT, NOT_NEGATIVE, check
from ..errors import ArgumentError
from .history import Run
from .metric import Metric
from .training import Callback, Training


class EarlyStopping(Callback):
    """`fit(..., validation=data, callbacks=[EarlyStopping(patience=5)])`: stop after `patience` epochs without a better validation
    figure, and restore the weights of the best epoch; they are also restored after the last epoch and after Ctrl-C.

    metric    what is watched: "loss" (falling is better), or a metric of the run, by its name; a Metric knows which way is better. Of
              several validation sets the first is watched, or one by its name: "other/loss"
    change    by how much a figure must be better to count
    restore   whether the net gets its best weights back

    After the run: `.best` (the figure), `.epoch` (its number, from 0), `.stopped` (whether it ended early), `.weights`. One object
    watches one run at a time and begins anew with the next. With fit(average=...), the figures are those of the averaged weights:
    use restore=False. Raises ArgumentError for a run without validation data, or an unknown metric.
    Source: Prechelt, "Early stopping, but when?", 1998; Goodfellow et al., Deep Learning (2016), section 7.8.

    >>> import numpy as np, slopes as sl
    >>> from slopes import nn, optim
    >>> x = np.random.default_rng(0).normal(size=(60, 20))
    >>> few, more = sl.data.Dataset(x[:20], x[:20, :1]), sl.data.Dataset(x[20:], x[20:, :1])
    >>> stop = sl.train.EarlyStopping(patience=3)
    >>> run = sl.fit(nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 1)), few, loss=nn.mse_loss, validation=more,
    ...              optimizer=optim.Adam(lr=0.02), epochs=200, callbacks=[stop], progress=False)
    >>> len(run.epochs) == stop.epoch + 1 + 3, sl.evaluate(run.net, more, loss=nn.mse_loss)["loss"] == stop.best
    (True, True)
    """

    def __init__(self, patience: int = 5, metric: str = "loss", change: float = 0.0, restore: bool = True) -> None:
        check("EarlyStopping", {"patience": COUNT, "change": NOT_NEGATIVE}, {"patience": patience, "change": change})
        self.patience, self.metric, self.change, self.restore = patience, metric, change, restore
        self.best, self.epoch, self.stopped = np.inf, -1, False
        self.weights: dict[str, np.ndarray] = {}

    def begin(self, training: Training) -> None:
        """Forget an earlier training."""
        self.sign = sign_of(training.result.metric(self.metric))
        self.best, self.epoch, self.stopped, self.weights = np.inf * self.sign, -1, False, {}

    def epoch_done(self, training: Training) -> None:
        """Keep the weights where the figure is the best so far; stop the training where it has not been for long."""
        epoch, figure = len(training.history.epochs) - 1, held_out(training.result, self.metric, "EarlyStopping")
        if self.sign * figure < self.sign * self.best - (self.change if self.weights else 0.0):
            self.best, self.epoch, self.weights = figure, epoch, training.net.state_dict()
        self.stopped = epoch - self.epoch >= self.patience
        if self.stopped:
            training.stop()

    def end(self, training: Training) -> str | None:
        """Give the net the weights of its best epoch, unless an error ended the training, and say so."""
        if training.error is not None or not (self.restore and self.weights):
            return None
        training.net.load_state_dict(self.weights)
        return f"the net has the weights of epoch {self.epoch + 1}, its best"

    def named_state(self) -> dict[str, Any]:
        """The best figure, its epoch and its weights."""
        return {"best": self.best, "epoch": self.epoch, "stopped": self.stopped,
                **{f"weights.{name}": array for name, array in self.weights.items()}}

    def load_named_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `named_state` gave."""
        self.best, self.epoch, self.stopped = float(state["best"]), int(state["epoch"]), bool(state["stopped"])
        self.weights = {name.removeprefix("weights."): array for name, array in state.items() if name.startswith("weights.")}

    def __repr__(self) -> str:
        seen = f": best {self.metric} {self.best:.4g} in epoch {self.epoch + 1}" if self.weights else ""
        return f"<EarlyStopping, patience {self.patience}{seen}>"


def sign_of(metric: Metric) -> float:
    """1 where lower is better, as of the loss and errors, -1 where higher is."""
    return 1.0 if metric.lower_is_better else -1.0


def held_out(run: Run, metric: str, owner: str) -> float:
    """The validation figure of a run's last epoch; `owner`, who asks, is named in the error."""
    figures: dict[str, Any] = {**run.epochs[-1].validation, **run.epochs[-1].watched} if run.epochs else {}
    if metric not in figures:
        why = f"it has {', '.join(figures)}" if figures else "there are no validation data"
        raise ArgumentError(f"{owner}: the run has no validation figure {metric!r}", why=why,
                            repair="give fit validation=... and name one of its figures" if not figures else "name one of these")
    return float(figures[metric])
