"""The training parameters that all estimators have, with scikit-learn's names: their checks, and what a preset makes of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..constraint import COUNT, FLAG, NOT_NEGATIVE, POSITIVE, REAL, SHARE, Constraint, check, is_count, is_real, one_of
from ..errors import ArgumentError
from ..tables.training import DEFAULTS
from .architectures import ACTIVATIONS
from .objectives import REGRESSION

STOCHASTIC = ("adam", "sgd", "adamw")
PLAIN, TABLE = "plain", "table"
USUAL_BATCH = 200  # batch_size="auto": at most all examples

WITHOUT_END = Constraint("a whole number of at least 1, or infinity", lambda value: is_count(value) or value == np.inf, (0, 2.5, "3"))
BATCH = Constraint("a whole number of at least 1, or 'auto'", lambda value: is_count(value) or (isinstance(value, str) and value == "auto"),
                   (0, 2.5, "some"))
BETWEEN = Constraint("a number p with 0 < p < 1", lambda value: is_real(value) and 0 < value < 1, (0, 1, -0.5, "0.5"))
FLAG_OR_COUNT = Constraint("True, False or a whole number", lambda value: isinstance(value, (int, np.bool_, np.integer)),
                           ("yes", None))

CONSTRAINTS: Mapping[str, Constraint] = {
    "activation": one_of(*ACTIVATIONS), "solver": one_of("lbfgs", "sgd", "adam"), "alpha": NOT_NEGATIVE, "batch_size": BATCH,
    "learning_rate": one_of("constant", "invscaling", "adaptive", "cosine"), "learning_rate_init": POSITIVE, "power_t": REAL,
    "max_iter": COUNT, "shuffle": FLAG, "tol": NOT_NEGATIVE, "verbose": FLAG_OR_COUNT, "warm_start": FLAG, "momentum": SHARE,
    "nesterovs_momentum": FLAG, "early_stopping": FLAG, "validation_fraction": BETWEEN, "beta_1": SHARE, "beta_2": SHARE,
    "epsilon": POSITIVE, "n_iter_no_change": WITHOUT_END, "max_fun": COUNT, "dropout": SHARE, "noise": SHARE, "calibrated": FLAG,
    "loss": Constraint("'squared_error', 'poisson' or a function (outputs, targets)",
                       lambda value: callable(value) or (isinstance(value, str) and value in REGRESSION), ("mean", 3)),
    "preset": one_of(PLAIN, TABLE), "n_components": COUNT, "kernel_size": COUNT, "units": COUNT, "layers": COUNT,
    "bidirectional": FLAG, "embedding": COUNT, "kind": one_of("gru", "lstm", "rnn")}


@dataclass(frozen=True)
class Settings:
    """The parameters of a training; the last three are set by presets only."""

    solver: str = "adam"
    alpha: float = 1e-4
    batch_size: int | str = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = 1e-3
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    tol: float = 1e-4
    verbose: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: float = 10
    max_fun: int = 15_000
    weight_decay: float = 0.0
    smoothing: float = 0.0
    standardized: bool = False

    @property
    def stochastic(self) -> bool:
        """Whether the solver goes by batches."""
        return self.solver in STOCHASTIC

    @property
    def optimizer(self) -> str:
        """The optimizer, as `solvers.SOLVERS` calls it."""
        if self.solver == "sgd" and self.momentum:
            return "nesterov" if self.nesterovs_momentum else "momentum"
        return self.solver if self.stochastic else "sgd"

    @property
    def hyper_parameters(self) -> dict[str, float]:
        """The hyper-parameters of the optimizer, by its names; its learning rate is an input of each step."""
        adam = {"beta1": self.beta_1, "beta2": self.beta_2, "eps": self.epsilon}
        return {"adam": adam, "adamw": {**adam, "weight_decay": self.weight_decay}, "momentum": {"momentum": self.momentum},
                "nesterov": {"momentum": self.momentum}}.get(self.optimizer, {})

    @property
    def schedule(self) -> str:
        """The schedule of the learning rate: "invscaling" and "adaptive" are those of sgd only."""
        return self.learning_rate if self.solver == "sgd" or self.learning_rate == "cosine" else "constant"

    def rows(self, examples: int) -> int:
        """The size of a batch."""
        return min(USUAL_BATCH if isinstance(self.batch_size, str) else int(self.batch_size), examples)

    def for_table(self, examples: int) -> Settings:
        """The settings of `slopes train table` for so many examples; the best epoch is chosen by held-out examples."""
        return dataclasses.replace(
            self, solver="adamw", alpha=0.0, batch_size=DEFAULTS.batch_size(examples), learning_rate="cosine",
            learning_rate_init=DEFAULTS.rate_for(examples), max_iter=DEFAULTS.epochs_for(examples), early_stopping=True,
            n_iter_no_change=np.inf, beta_2=0.95, weight_decay=DEFAULTS.decay, smoothing=DEFAULTS.smoothing, standardized=True)


NAMES = [field.name for field in dataclasses.fields(Settings)]


def settings_of(estimator: Any) -> Settings:
    """The settings of an estimator, after a check of all its parameters."""
    values = estimator.get_params(deep=False)
    check(type(estimator).__name__, CONSTRAINTS, values)
    return Settings(**{name: values[name] for name in NAMES if name in values})


def layer_sizes(owner: str, name: str, value: Any) -> tuple[int, ...]:
    """The sizes of hidden layers: whole numbers above 0, or one of them."""
    sizes = tuple(value) if hasattr(value, "__iter__") and not isinstance(value, str) else (value,)
    if not all(is_count(size) for size in sizes):
        raise ArgumentError(f"{owner}: {name} must be > 0, got {list(sizes)}.", why="each is the number of units of a layer",
                            repair=f"for example {name}=(100, 50)")
    return tuple(int(size) for size in sizes)
