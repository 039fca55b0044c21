"""What a recipe is: a network, the data it is for, and every hyper-parameter with its default and the reason for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import nn, optim
from ..errors import ArgumentError

OPTIMIZERS: dict[str, Callable[[float], Any]] = {
    "sgd": lambda rate: optim.SGD(lr=rate),
    "momentum": lambda rate: optim.SGD(lr=rate, momentum=0.9),
    "adam": lambda rate: optim.Adam(lr=rate),
    "adamw": lambda rate: optim.AdamW(lr=rate),
}
RATES = {"sgd": 0.1, "momentum": 0.02, "adam": 1e-3, "adamw": 1e-3}


@dataclass(frozen=True)
class Setting:
    """A hyper-parameter: its default, why that is a good one, and what it may be: one of some choices (none: anything of its type),
    for numbers with a point at least `least` (None: 0)."""

    default: Any
    reason: str
    choices: tuple[Any, ...] = ()
    least: float | None = None


@dataclass(frozen=True)
class Recipe:
    """How to train one kind of network well, and the result to expect.

    `sizes` are arguments of the network besides its input's shape and the classes; `options` are hyper-parameters of which
    `training` makes more arguments of fit.
    """

    name: str
    caption: str
    network: Callable[..., nn.Module]
    datasets: tuple[str, ...]
    epochs: Setting
    batch: Setting
    optimizer: Setting
    schedule: Setting
    rates: dict[str, float] = field(default_factory=lambda: dict(RATES))
    rate_reason: str = "the usual first choice for this optimizer"
    dataset_reason: str = "the data that this network is known for"
    sizes: dict[str, Setting] = field(default_factory=dict)
    options: dict[str, Setting] = field(default_factory=dict)
    training: Callable[[dict[str, Any]], dict[str, Any]] = lambda values: {}
    expected: str = ""

    def settings(self) -> dict[str, Setting]:
        """All hyper-parameters by name, in the order in which they are told."""
        others = ", ".join(f"{rate:g} with {name}" for name, rate in self.rates.items() if name != self.optimizer.default)
        return {"dataset": Setting(self.datasets[0], self.dataset_reason, self.datasets), "epochs": self.epochs, "batch": self.batch,
                "optimizer": self.optimizer, "rate": Setting(self.rates[self.optimizer.default], f"{self.rate_reason}; {others}"),
                "schedule": self.schedule, **self.sizes, **self.options}

    def chosen(self, **given: Any) -> dict[str, Any]:
        """The values of all hyper-parameters: those given (None counts as not given), else the defaults.

        The default rate follows the optimizer. Raises ArgumentError for an unknown name or a dataset that the recipe is not for.
        """
        unknown = sorted(set(given) - set(self.settings()))
        if unknown:
            raise ArgumentError(f"recipe {self.name} has no {', '.join(unknown)}", repair=f"it has {', '.join(self.settings())}")
        given = {name: value for name, value in given.items() if value is not None}
        values = {name: setting.default for name, setting in self.settings().items()} | given
        if values["dataset"] not in self.datasets:
            raise ArgumentError(f"recipe {self.name} is not for {values['dataset']!r}",
                                repair=f"use {' or '.join(self.datasets)}")
        if "rate" not in given:
            values["rate"] = self.rates[checked_optimizer(values["optimizer"])]
        return values

    def build(self, shape: tuple[int, ...], classes: int, values: dict[str, Any]) -> nn.Module:
        """The untrained network for inputs of `shape` (without the batch axis) and so many classes."""
        return self.network(shape, classes, **{name: values[name] for name in self.sizes})


def checked_optimizer(name: str) -> str:
    """The name, if it is one of OPTIMIZERS."""
    if not isinstance(name, str) or name not in OPTIMIZERS:
        raise ArgumentError(f"no optimizer is called {name!r}", repair=f"use one of {', '.join(OPTIMIZERS)}")
    return name


def make_optimizer(name: str, rate: float) -> Any:
    """A new optimizer of this name, unbound."""
    return OPTIMIZERS[checked_optimizer(name)](rate)
