"""`torch.optim.lr_scheduler`: schedules that set the learning rates of an optimizer at each `step()`."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from ...errors import ArgumentError
from ...optim import schedules
from ..sides import on_side

INITIAL: WeakKeyDictionary[Any, float] = WeakKeyDictionary()  # the rates of groups when they got their first schedule


def initial_lr(group: Any) -> float:
    """The rate that a group had before any schedule."""
    return INITIAL.setdefault(group, float(group.lr))


class LRScheduler:
    """The base: `make(base)` is the schedule of a group that starts with the rate `base`, a function of the step that gives a factor."""

    def __init__(self, optimizer: Any, make: Callable[[float], Callable[[int], float]], last_epoch: int = -1,
                 base_lrs: Sequence[float] | None = None) -> None:
        self.optimizer = optimizer
        self.base_lrs = [initial_lr(group) for group in optimizer.groups] if base_lrs is None else list(base_lrs)
        self.schedules = [make(base) for base in self.base_lrs]
        self.last_epoch = last_epoch
        self.step()

    def step(self, epoch: int | None = None) -> None:
        """Set the rates for the next epoch."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        with on_side(core=True):
            for group, base, schedule in zip(self.optimizer.groups, self.base_lrs, self.schedules):
                group.lr = base * schedule(self.last_epoch)

    def get_last_lr(self) -> list[float]:
        return [float(group.lr) for group in self.optimizer.groups]

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch, "base_lrs": self.base_lrs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        vars(self).update(state_dict)


class LambdaLR(LRScheduler):
    """base * lr_lambda(epoch); a list has a function for each group."""

    def __init__(self, optimizer: Any, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]], last_epoch: int = -1) -> None:
        functions = iter([lr_lambda] * len(optimizer.groups) if callable(lr_lambda) else lr_lambda)
        super().__init__(optimizer, lambda base: next(functions), last_epoch)


class StepLR(LRScheduler):
    """base * gamma^(epoch // step_size)."""

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        super().__init__(optimizer, lambda base: schedules.Step(step_size, gamma), last_epoch)


class MultiStepLR(LRScheduler):
    """base * gamma^(milestones passed)."""

    def __init__(self, optimizer: Any, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        super().__init__(optimizer, lambda base: schedules.MultiStep(milestones, gamma), last_epoch)


class ExponentialLR(LRScheduler):
    """base * gamma^epoch."""

    def __init__(self, optimizer: Any, gamma: float, last_epoch: int = -1) -> None:
        super().__init__(optimizer, lambda base: schedules.Exponential(gamma), last_epoch)


class LinearLR(LRScheduler):
    """base times a factor that moves from start_factor to end_factor in total_iters steps."""

    def __init__(self, optimizer: Any, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5,
                 last_epoch: int = -1) -> None:
        super().__init__(optimizer, lambda base: schedules.Linear(start_factor, end_factor, total_iters), last_epoch)


class ConstantLR(LRScheduler):
    """base * factor for total_iters steps, then base."""

    def __init__(self, optimizer: Any, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        super().__init__(optimizer, lambda base: lambda epoch: factor if epoch < total_iters else 1.0, last_epoch)


class PolynomialLR(LRScheduler):
    """base (1 - epoch / total_iters)^power."""

    def __init__(self, optimizer: Any, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        super().__init__(optimizer, lambda base: schedules.Polynomial(power, total_iters), last_epoch)


class CosineAnnealingLR(LRScheduler):
    """eta_min + (base - eta_min) (1 + cos(pi epoch / T_max)) / 2, which rises again after T_max."""

    def __init__(self, optimizer: Any, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.eta_min = eta_min

        def make(base: float) -> Callable[[int], float]:
            floor = eta_min / base
            return lambda epoch: floor + (1 - floor) * (1 + math.cos(math.pi * epoch / T_max)) / 2

        super().__init__(optimizer, make, last_epoch)


class CosineAnnealingWarmRestarts(LRScheduler):
    """Cosines of T_0, T_0 T_mult, ... steps, one after the other."""

    def __init__(self, optimizer: Any, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        super().__init__(optimizer, lambda base: schedules.CosineRestarts(T_0, T_mult, eta_min / base), last_epoch)


class OneCycleLR(LRScheduler):
    """Up to max_lr and down again in total_steps (or epochs * steps_per_epoch); the momentum does not change."""

    def __init__(self, optimizer: Any, max_lr: float, total_steps: int | None = None, epochs: int | None = None,
                 steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos", *, div_factor: float = 25.0,
                 final_div_factor: float = 1e4, three_phase: bool = False, last_epoch: int = -1) -> None:
        steps = total_steps if total_steps is not None else (epochs or 0) * (steps_per_epoch or 0)
        super().__init__(optimizer, lambda base: schedules.OneCycle(steps, pct_start, anneal_strategy, div_factor, final_div_factor,
                                                                    three_phase), last_epoch, [max_lr] * len(optimizer.groups))


class CyclicLR(LRScheduler):
    """Up from base_lr to max_lr in step_size_up steps and down again in step_size_down; the momentum does not change."""

    def __init__(self, optimizer: Any, base_lr: float, max_lr: float, step_size_up: int = 2000, step_size_down: int | None = None,
                 mode: str = "triangular", gamma: float = 1.0, cycle_momentum: bool = False, last_epoch: int = -1) -> None:
        if cycle_momentum:
            raise ArgumentError("CyclicLR: cycle_momentum=True", why="schedules set learning rates only", repair="leave it out")
        cycle = schedules.Cyclic(base_lr / max_lr, step_size_up, step_size_down, mode, gamma)
        super().__init__(optimizer, lambda base: cycle, last_epoch, [max_lr] * len(optimizer.groups))


class MultiplicativeLR(LRScheduler):
    """The rate times lr_lambda(epoch) in each epoch."""

    def __init__(self, optimizer: Any, lr_lambda: Callable[[int], float], last_epoch: int = -1) -> None:
        super().__init__(optimizer, lambda base: lambda epoch: math.prod(lr_lambda(i) for i in range(1, epoch + 1)), last_epoch)


class SequentialLR:
    """One schedule after the other: the next one begins, at its epoch 0, at each milestone."""

    def __init__(self, optimizer: Any, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1) -> None:
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError(f"SequentialLR: {len(schedulers)} schedules and {len(milestones)} milestones",
                                why="a milestone is where the next schedule begins", repair=f"pass {len(schedulers) - 1} milestones")
        self.optimizer, self.schedulers, self.milestones, self.last_epoch = optimizer, list(schedulers), list(milestones), last_epoch + 1
        self.schedulers[0].step(0)

    def step(self) -> None:
        """Set the rates for the next epoch."""
        self.last_epoch += 1
        i = bisect.bisect_right(self.milestones, self.last_epoch)
        starts = i > 0 and self.milestones[i - 1] == self.last_epoch
        self.schedulers[i].step(0 if starts else None)

    def get_last_lr(self) -> list[float]:
        """The rate of each group."""
        return self.schedulers[0].get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch, "_schedulers": states_of(self.schedulers)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.last_epoch = state_dict["last_epoch"]
        load_states(self.schedulers, state_dict["_schedulers"])


def states_of(schedulers: Sequence[LRScheduler]) -> list[dict[str, Any]]:
    return [one.state_dict() for one in schedulers]


def load_states(schedulers: Sequence[LRScheduler], states: Sequence[dict[str, Any]]) -> None:
    """Set the positions of several schedules; ArgumentError unless there is a state for each."""
    if len(states) != len(schedulers):
        raise ArgumentError(f"load_state_dict: a state of {len(states)} schedules for {len(schedulers)}",
                            why="each schedule has its own position", repair="make the schedules as those that were saved")
    for one, state in zip(schedulers, states):
        one.load_state_dict(state)


FACTORS = (StepLR, MultiStepLR, ExponentialLR, LinearLR, ConstantLR, PolynomialLR, MultiplicativeLR,
           CosineAnnealingLR)  # each step multiplies the rate, that of a cosine if eta_min=0


class ChainedScheduler:
    """Several schedules at once: the rate is the initial rate times the product of their factors.

    A CosineAnnealingLR must have eta_min=0, and acts as in PyTorch for T_max steps; it then rises again, while PyTorch restarts it
    without the other factors.
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Any = None) -> None:
        if not schedulers:
            raise ArgumentError("ChainedScheduler: no schedules", why="the rate is the product of their factors",
                                repair="pass a list of at least one")
        for one in schedulers:
            if not isinstance(one, FACTORS) or (isinstance(one, CosineAnnealingLR) and one.eta_min):
                raise ArgumentError(f"ChainedScheduler: {type(one).__name__} sets the rate and does not multiply it",
                                    why="the schedules before it would have no effect", repair="SequentialLR runs one after the other"
                                    + ("; eta_min=0 makes it a factor" if isinstance(one, CosineAnnealingLR) else ""))
        self.schedulers = list(schedulers)
        self.optimizer = optimizer if optimizer is not None else self.schedulers[0].optimizer
        if any(one.optimizer is not self.optimizer for one in self.schedulers):
            raise ArgumentError("ChainedScheduler: schedules of different optimizers", why="their factors multiply the same rates",
                                repair="make one ChainedScheduler for each optimizer")
        self.set_rates()

    def step(self) -> None:
        """Set the rates for the next epoch."""
        for one in self.schedulers:
            one.step()
        self.set_rates()

    def state_dict(self) -> dict[str, Any]:
        return {"_schedulers": states_of(self.schedulers)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        load_states(self.schedulers, state_dict["_schedulers"])

    def set_rates(self) -> None:
        with on_side(core=True):
            for i, group in enumerate(self.optimizer.groups):
                group.lr = initial_lr(group) * math.prod(one.schedules[i](one.last_epoch) for one in self.schedulers)

    def get_last_lr(self) -> list[float]:
        """The rate of each group."""
        return [float(group.lr) for group in self.optimizer.groups]


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
