"""The settings of a training: what to minimise, with which optimizer, for how long."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ..backend import Backend, on_mesh
from ..constraint import POSITIVE
from ..errors import ArgumentError
from ..optim import Average, clip_by_norm, limit_norm
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .checks import check_counts
from .metrics import MetricLike
from .schedule import Schedule
from .statistics import Statistics, statistics_of
from .totals import Loss
from .weighting import ClassWeight

ParameterFunction = Callable[[list[Tensor]], Any]
Augment = Callable[[Any, Tensor], tuple[Any, Tensor]]
Penalty = Callable[[Any], Tensor]


@dataclass(frozen=True, kw_only=True)
class TrainSpec:
    """The settings of a training, all with defaults; `sl.fit` documents each of them.

    Raises ArgumentError for a batch_size or accumulate below 1, epochs below 0, and a penalty, clip, constrain or statistics that can
    do nothing.

    >>> from slopes.train import TrainSpec
    >>> TrainSpec(epochs=3, schedule="cosine").batch_size
    64
    """

    loss: Loss | None = None
    optimizer: Optimizer | None = None
    epochs: int | Literal["auto"] = 1
    batch_size: int = 64
    validation: Any = None
    metrics: Iterable[MetricLike] | MetricLike | None = None
    seed: int = 0
    schedule: str | Schedule | None = None
    clip: float | ParameterFunction | None = None
    accumulate: int = 1
    average: Average | None = None
    augment: Augment | None = None
    penalty: Penalty | None = None
    constrain: float | ParameterFunction | None = None
    storage: str = "float32"
    statistics: Statistics | Iterable[str] | str | None = None
    class_weight: ClassWeight | None = None
    backend: str | Backend = "native"
    mesh: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "backend", on_mesh(self.backend, self.mesh))
        check_counts(self.batch_size, self.epochs, self.accumulate)
        if self.statistics is not None:
            object.__setattr__(self, "statistics", statistics_of(self.statistics))
        if self.penalty is not None and not callable(self.penalty):
            raise ArgumentError(f"penalty is {self.penalty!r}, not a function of the net",
                                repair="for example penalty=lambda net: 1e-5 * nn.l1_penalty(net)")
        check_limit("clip", self.clip, "it is the largest norm that all gradients together may have")
        check_limit("constrain", self.constrain, "it is the largest norm that the weights into a unit may have")

    def clip_function(self) -> ParameterFunction | None:
        """The function that changes the gradients before the update."""
        return limit_function(self.clip, clip_by_norm)

    def constrain_function(self) -> ParameterFunction | None:
        """The function that changes the parameters after the update."""
        return limit_function(self.constrain, limit_norm)


def check_limit(name: str, value: float | ParameterFunction | None, why: str) -> None:
    """A limit is a number above 0, a function, or None."""
    if not (value is None or callable(value) or POSITIVE.holds(value)):
        raise ArgumentError(f"{name} is {value!r}", why=why,
                            repair="use a number above 0, such as 1.0, or a function of the list of parameters")


def limit_function(value: float | ParameterFunction | None, action: Callable[..., Any]) -> ParameterFunction | None:
    """The function itself, or `action` with the number as its limit."""
    return value if value is None or callable(value) else functools.partial(action, limit=value)
