"""Snapshots of one training as an ensemble: several nets for the price of one."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import COUNT, check
from ..errors import ArgumentError
from ..nn.ensemble import Ensemble
from .training import Callback, Training


class Snapshots(Callback):
    """`fit(..., callbacks=[snapshots], schedule=snapshots.schedule)`: keep the weights at the end of each of `count` cycles, in which
    the rate falls from its height to almost 0 and begins anew.

    The factor of the rate in step s of n is (1 + cos(pi (s mod c) / c)) / 2 with c = n / count: each cycle ends in a valley of its
    own. After the run `.ensemble()` is an nn.Ensemble of the nets as they were. Epochs should be a multiple of count.
    Raises ArgumentError when asked for an ensemble before the first snapshot.
    Source: Huang et al., "Snapshot ensembles: train 1, get M for free", 2017.

    >>> import numpy as np, slopes as sl
    >>> from slopes import nn
    >>> x = np.random.default_rng(0).normal(size=(64, 2))
    >>> points = sl.data.Dataset(x, (x[:, 0] * x[:, 1] > 0).astype(int))
    >>> shots = sl.train.Snapshots(count=3)
    >>> net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    >>> run = sl.fit(net, points, epochs=6, schedule=shots.schedule, callbacks=[shots], progress=False)
    >>> shots.ensemble().details()
    "3 nets, mean='probabilities'"
    """

    def __init__(self, count: int = 5) -> None:
        check("Snapshots", {"count": COUNT}, {"count": count})
        self.count = count
        self.net: Any = None
        self.weights: list[dict[str, np.ndarray]] = []

    def schedule(self, step: int, steps: int) -> float:
        """The factor of the rate in a step of the run."""
        cycle = -(-steps // self.count)
        return (1 + math.cos(math.pi * (step % cycle) / cycle)) / 2

    def begin(self, training: Training) -> None:
        """Forget an earlier training."""
        if training.best is not None:
            raise ArgumentError("Snapshots: the training has epochs='auto'", why="each cycle takes its share of the epochs",
                                repair="say how many epochs it trains, a multiple of count")
        self.net, self.weights = training.net, []

    def epoch_done(self, training: Training) -> None:
        """Keep the weights when a cycle ends with this epoch."""
        done, epochs = len(training.history.epochs), training.epochs
        if (done * self.count) // epochs > ((done - 1) * self.count) // epochs:
            self.weights.append(training.net.state_dict())

    def named_state(self) -> dict[str, np.ndarray]:
        """The weights of all snapshots."""
        return {f"weights.{i}.{name}": array for i, weights in enumerate(self.weights) for name, array in weights.items()}

    def load_named_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `named_state` gave."""
        names = [name.split(".", 2) for name in state]
        self.weights = [{path: state[f"weights.{i}.{path}"] for _, index, path in names if int(index) == i}
                        for i in range(len({index for _, index, _ in names}))]

    def ensemble(self, mean: str = "probabilities") -> Ensemble:
        """Copies of the net, one with the weights of each snapshot, that answer together."""
        if not self.weights:
            raise ArgumentError("Snapshots: there is no snapshot yet", repair="pass it to fit in callbacks=, and train first")
        nets = [copy.deepcopy(self.net) for _ in self.weights]
        for net, weights in zip(nets, self.weights):
            net.load_state_dict(weights)
        return Ensemble(*nets, mean=mean)
