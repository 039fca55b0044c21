"""A schedule that observes results: the rate decreases when they no longer improve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...constraint import NATURAL, NOT_NEGATIVE, SHARE_OR_ONE, one_of
from ...errors import ArgumentError
from .base import Schedule


@dataclass
class Plateau(Schedule):
    """Multiply by `gamma` whenever a monitored value has not improved for more than `patience` epochs.

    threshold  an improvement is a decrease by more than this fraction of the best value, or with threshold_mode="abs" by more than
               this; with mode="max", an increase
    watch      the monitored value: "loss" or a metric, of the validation data if there are any
    cooldown   epochs after a reduction that are not counted;   floor  the smallest factor

    fit updates it after every epoch. In your own loop: `plateau.see(value)` after each epoch, then `opt.lr = lr * plateau.scale`.
    Every run of fit resets it. Source and defaults: PyTorch's ReduceLROnPlateau,
    whose factor is gamma here, and min_lr, a rate, is floor.

    >>> from slopes.optim import schedules
    >>> plateau = schedules.Plateau(gamma=0.5, patience=1)
    >>> [plateau.see(loss) for loss in (3.0, 2.0, 2.0, 2.0, 2.0)]
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    mode: str = "min"
    gamma: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    floor: float = 0.0
    watch: str = "loss"
    scale: float = field(default=1.0, init=False)
    constraints = {"gamma": SHARE_OR_ONE, "patience": NATURAL, "threshold": NOT_NEGATIVE, "cooldown": NATURAL,
                   "floor": SHARE_OR_ONE, "mode": one_of("min", "max"), "threshold_mode": one_of("rel", "abs")}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.begin()

    def begin(self) -> None:
        """Reset all state."""
        self.scale, self.best, self.bad, self.resting = 1.0, math.inf if self.mode == "min" else -math.inf, 0, 0

    def factor(self, step: int, steps: int) -> float:
        return self.scale

    def see(self, value: float) -> float:
        """Record the value after an epoch; returns the factor from now on."""
        value = float(value)
        better = self.is_better(value)
        self.best, self.bad = (value, 0) if better else (self.best, self.bad + 1)
        if self.resting:
            self.resting, self.bad = self.resting - 1, 0
        if self.bad > self.patience:
            self.scale, self.resting, self.bad = max(self.scale * self.gamma, self.floor), self.cooldown, 0
        return self.scale

    def is_better(self, value: float) -> bool:
        gain = self.best - value if self.mode == "min" else value - self.best
        if math.isinf(self.best):
            return gain > 0
        return gain > (self.threshold if self.threshold_mode == "abs" else self.threshold * abs(self.best))

    def observe(self, results: Mapping[str, float]) -> None:
        if self.watch not in results:
            raise ArgumentError(f"Plateau: there is no {self.watch!r} to watch", why=f"the measured values are {', '.join(results)}",
                                repair='watch "loss", or name the metric in metrics= of fit')
        self.see(results[self.watch])

    def named_state(self) -> dict[str, float]:
        return {"scale": self.scale, "best": self.best, "bad": self.bad, "resting": self.resting}

    def load_named_state(self, state: Mapping[str, float]) -> None:
        self.scale, self.best = float(state["scale"]), float(state["best"])
        self.bad, self.resting = int(state["bad"]), int(state["resting"])
