"""`torch.optim.lr_scheduler`: schedules that set the learning rates of an optimizer at each `step()`."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ..sides import on_side


class LRScheduler:
    """The base: `rate(base, epoch)` is the learning rate of a group that started with `base`, after this many steps."""

    def __init__(self, optimizer: Any, last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        self.base_lrs = [float(group.lr) for group in optimizer.groups]
        self.last_epoch = last_epoch
        self.step()

    def rate(self, base: float, epoch: int, group: int) -> float:
        raise NotImplementedError(f"{type(self).__name__} has no rate(base, epoch, group)")

    def step(self, epoch: int | None = None) -> None:
        """Set the rates for the next epoch."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self.apply([self.rate(base, self.last_epoch, i) for i, base in enumerate(self.base_lrs)])

    def apply(self, rates: Sequence[float]) -> None:
        with on_side(core=True):
            for group, rate in zip(self.optimizer.groups, rates):
                group.lr = rate

    def get_last_lr(self) -> list[float]:
        return [float(group.lr) for group in self.optimizer.groups]

    def state_dict(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "optimizer" and not callable(value)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        vars(self).update(state_dict)


class LambdaLR(LRScheduler):
    """base * lr_lambda(epoch)."""

    def __init__(self, optimizer: Any, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]], last_epoch: int = -1) -> None:
        self.lr_lambdas = [lr_lambda] * len(optimizer.groups) if callable(lr_lambda) else list(lr_lambda)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int, group: int) -> float:
        return base * self.lr_lambdas[group](epoch)


class StepLR(LRScheduler):
    """base * gamma^(epoch // step_size)."""

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int, group: int) -> float:
        return base * self.gamma ** (epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """base * gamma^(milestones passed)."""

    def __init__(self, optimizer: Any, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones, self.gamma = sorted(Counter(milestones).elements()), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int, group: int) -> float:
        return base * self.gamma ** bisect_right(self.milestones, epoch)


class ExponentialLR(LRScheduler):
    """base * gamma^epoch."""

    def __init__(self, optimizer: Any, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int, group: int) -> float:
        return base * self.gamma ** epoch


class LinearLR(LRScheduler):
    """base times a factor that moves from start_factor to end_factor in total_iters steps."""

    def __init__(self, optimizer: Any, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5,
                 last_epoch: int = -1) -> None:
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int, group: int) -> float:
        return base * (self.start_factor + (self.end_factor - self.start_factor) * min(epoch, self.total_iters) / self.total_iters)


class CosineAnnealingLR(LRScheduler):
    """eta_min + (base - eta_min) (1 + cos(pi epoch / T_max)) / 2."""

    def __init__(self, optimizer: Any, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int, group: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2


class ReduceLROnPlateau:
    """Multiply the rates by `factor` when a metric has not improved for more than `patience` steps."""

    def __init__(self, optimizer: Any, mode: str = "min", factor: float = 0.1, patience: int = 10, threshold: float = 1e-4,
                 threshold_mode: str = "rel", cooldown: int = 0, min_lr: float = 0.0, eps: float = 1e-8) -> None:
        self.optimizer, self.mode, self.factor, self.patience, self.threshold = optimizer, mode, factor, patience, threshold
        self.threshold_mode, self.cooldown, self.min_lr, self.eps = threshold_mode, cooldown, min_lr, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0

    def improves(self, value: float) -> bool:
        margin = abs(self.best) * self.threshold if self.threshold_mode == "rel" and math.isfinite(self.best) else self.threshold
        return value < self.best - margin if self.mode == "min" else value > self.best + margin

    def step(self, metrics: Any) -> None:
        value, self.last_epoch = float(metrics), self.last_epoch + 1
        better = self.improves(value)
        self.best = value if better else self.best
        self.cooldown_counter = max(self.cooldown_counter - 1, 0)
        self.num_bad_epochs = 0 if better or self.cooldown_counter else self.num_bad_epochs + 1
        if self.num_bad_epochs > self.patience:
            self.reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def reduce(self) -> None:
        with on_side(core=True):
            for group in self.optimizer.groups:
                rate = float(group.lr)
                new = max(rate * self.factor, self.min_lr)
                group.lr = new if rate - new > self.eps else rate

    def get_last_lr(self) -> list[float]:
        return [float(group.lr) for group in self.optimizer.groups]


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch.optim.lr_scheduler.{name} is not in slopes.torch; in slopes: sl.optim.schedules, passed to "
                         "sl.fit(schedule=), or LambdaLR with a function of the epoch")
