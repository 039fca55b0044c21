"""The settings of the playground: everything that decides, together with a seed, what a training does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ... import nn, optim
from ...errors import ArgumentError
from ...nn.module import Module
from ...optim import schedules
from ...optim.optimizer import Optimizer
from ...optim.schedules import ScheduleFunction
from ..messages import Choice, Items, Number, Record, choice, flag, items, number, whole

MOST_LAYERS, MOST_UNITS, MOST_PARAMETERS = 40, 512, 1_000_000
MOST_POINTS, MOST_CLASSES = 5000, 8
LONGEST_TRAINING = 500_000  # steps: more losses than anyone looks at, in memory that stays small
FOREVER = 1_000_000  # epochs of a training whose rate has no schedule


@dataclass(frozen=True)
class Part:
    """Something that a setting names: how it is made, and the same as Python text."""

    make: Callable[..., Any]
    text: str


def layer(name: str, **options: Any) -> Part:
    """A layer of nn without parameters."""
    kind = getattr(nn, name)
    return Part(lambda: kind(**options), f"nn.{name}({', '.join(f'{key}={value!r}' for key, value in options.items())})")


ACTIVATIONS: dict[str, Part | None] = {
    "linear": None, "tanh": layer("Tanh"), "ReLU": layer("ReLU"), "sigmoid": layer("Sigmoid"), "leaky ReLU": layer("LeakyReLU"),
    "ELU": layer("ELU"), "SELU": layer("SELU"), "GELU": layer("GELU"), "SiLU": layer("SiLU"), "Mish": layer("Mish"),
    "softplus": layer("Softplus"), "softsign": layer("Softsign"), "hard tanh": layer("Hardtanh"), "ReLU6": layer("ReLU6"),
    "soft shrink": layer("Softshrink")}


def rule(name: str, **options: Any) -> Part:
    """An optimizer of optim with a learning rate."""
    kind, more = getattr(optim, name), "".join(f", {key}={value!r}" for key, value in options.items())
    return Part(lambda lr: kind(lr=lr, **options), f"optim.{name}(lr={{lr!r}}{more})")


OPTIMIZERS = {
    "SGD": rule("SGD"), "momentum": rule("SGD", momentum=0.9), "Nesterov": rule("SGD", momentum=0.9, nesterov=True), "Adam": rule("Adam"),
    "AdamW": rule("AdamW"), "NAdam": rule("NAdam"), "RAdam": rule("RAdam"), "Adamax": rule("Adamax"), "Adagrad": rule("Adagrad"),
    "Adadelta": rule("Adadelta"), "RMSprop": rule("RMSprop"), "Rprop": rule("Rprop"), "Lion": rule("Lion"), "Adafactor": rule("Adafactor")}

NOT_OFFERED = {  # optimizers that one setting of the rate does not describe, and why
    "Muon": "it takes matrices only: the biases would need another optimizer, with a rate of its own",
    "Combined": "it is made of several optimizers"}


def curve(name: str, make: Callable[[int], ScheduleFunction], arguments: str) -> Part:
    """A schedule of optim.schedules for a number of steps; {n} in its text is that number, {n//10} a tenth of it."""
    return Part(make, f"optim.schedules.{name}({arguments})")


SCHEDULES: dict[str, Part | None] = {
    "constant": None,
    "linear": curve("Linear", lambda n: schedules.Linear(steps=n), "steps={n}"),
    "cosine": curve("Cosine", lambda n: schedules.Cosine(steps=n), "steps={n}"),
    "one cycle": curve("OneCycle", lambda n: schedules.OneCycle(steps=n), "steps={n}"),
    "polynomial": curve("Polynomial", lambda n: schedules.Polynomial(2.0, steps=n), "2.0, steps={n}"),
    "steps": curve("Step", lambda n: schedules.Step(max(1, n // 4), 0.3), "{quarter}, 0.3"),
    "exponential": curve("Exponential", lambda n: schedules.Exponential(0.01 ** (1 / n)), "0.01 ** (1 / {n})"),
    "warm restarts": curve("CosineRestarts", lambda n: schedules.CosineRestarts(max(1, n // 4)), "{quarter}"),
    "cyclic": curve("Cyclic", lambda n: schedules.Cyclic(0.1, max(1, n // 8)), "0.1, {eighth}"),
    "warm-up": curve("WarmUp", lambda n: schedules.WarmUp(max(1, n // 8)), "{eighth}"),
    "plateau": curve("Plateau", lambda n: schedules.Plateau(gamma=0.5), "gamma=0.5")}

PENALTIES = ("none", "L1", "L2")
FEATURES = {  # what the network sees of the coordinates x1 and x2
    "x1": Part(lambda x1, x2: x1, "x1"), "x2": Part(lambda x1, x2: x2, "x2"),
    "x1^2": Part(lambda x1, x2: x1 ** 2, "x1 ** 2"), "x2^2": Part(lambda x1, x2: x2 ** 2, "x2 ** 2"),
    "x1 x2": Part(lambda x1, x2: x1 * x2, "x1 * x2"),
    "sin x1": Part(lambda x1, x2: np.sin(x1), "np.sin(x1)"), "sin x2": Part(lambda x1, x2: np.sin(x2), "np.sin(x2)"),
    "cos x1": Part(lambda x1, x2: np.cos(x1), "np.cos(x1)"), "cos x2": Part(lambda x1, x2: np.cos(x2), "np.cos(x2)"),
    "radius": Part(lambda x1, x2: np.hypot(x1, x2), "np.hypot(x1, x2)"),
    "angle": Part(lambda x1, x2: np.arctan2(x2, x1), "np.arctan2(x2, x1)")}
CLASSIFICATION = ("circle", "xor", "gauss", "spiral", "moons", "rings", "blobs", "pinwheel", "checkerboard")
REGRESSION = ("plane", "hills", "waves")
OWN = "own"  # points that were drawn or pasted


@dataclass(frozen=True)
class LayerSettings:
    """A hidden layer: Linear, perhaps BatchNorm1d, an activation, perhaps Dropout."""

    width: int = whole(1, MOST_UNITS, default=4)
    activation: str = choice(*ACTIVATIONS, default="tanh")
    batch_norm: bool = flag(default=False)
    dropout: float = number(0, 0.95, default=0.0)


@dataclass(frozen=True)
class Settings:
    """All settings; the fields state their ranges.

    problem        "classification", or "regression" of one figure
    noise          percent; ratio: percent of the points to train on; count: points; classes: those of data sets that have a choice
    initial        the factor by which the first weights differ from those that layers begin with: 0 makes all of them zero
    epochs         length of the schedule, where the rate has one
    points         own points: (x1, x2, class or figure)
    """

    problem: str = choice("classification", "regression", default="classification")
    data: str = choice(*CLASSIFICATION, *REGRESSION, OWN, default="circle")
    classes: int = whole(2, MOST_CLASSES, default=3)
    count: int = whole(10, MOST_POINTS, default=500)
    noise: float = number(0, 100, default=0.0)
    ratio: float = number(5, 95, default=50.0)
    batch: int = whole(1, MOST_POINTS, default=10)
    features: tuple[str, ...] = items(Choice(tuple(FEATURES)), len(FEATURES), least=1, default=("x1", "x2"))
    layers: tuple[LayerSettings, ...] = items(Record(LayerSettings), MOST_LAYERS, default=(LayerSettings(4), LayerSettings(2)))
    optimizer: str = choice(*OPTIMIZERS, default="Adam")
    rate: float = number(1e-6, 1000, default=0.03)
    schedule: str = choice(*SCHEDULES, default="constant")
    epochs: int = whole(1, 100_000, default=500)
    penalty: str = choice(*PENALTIES, default="none")
    strength: float = number(0, 100, default=0.001)
    initial: float = number(0, 100, default=1.0)
    seed: int = whole(0, 2**31 - 1, default=0)
    data_seed: int = whole(0, 2**31 - 1, default=0)
    points: tuple[tuple[float, float, float], ...] = items(Items(Number(-1e6, 1e6), 3, least=3), MOST_POINTS, default=())

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def regression(self) -> bool:
        """Whether targets are figures, not classes."""
        return self.problem == "regression"


def check_settings(settings: Settings) -> None:
    """Raise ArgumentError where settings do not fit each other, or the network is too large."""
    kinds = REGRESSION if settings.regression else CLASSIFICATION
    if settings.data not in (*kinds, OWN):
        raise ArgumentError(f"the data set {settings.data} is not one for {settings.problem}", repair=f"choose one of {', '.join(kinds)}",
                            where="in the settings")
    if len(set(settings.features)) < len(settings.features):
        raise ArgumentError("a feature is chosen twice", repair="choose each once", where="in the settings")
    if count_parameters(settings) > MOST_PARAMETERS:
        raise ArgumentError(f"the network would have {count_parameters(settings):,} parameters, about "
                            f"{work_per_epoch(settings) / 1e9:,.1f} billion operations in each epoch",
                            why=f"the playground's limit is {MOST_PARAMETERS:,} parameters",
                            repair="take fewer layers or units; sl.fit trains networks of any size", where="in the settings")


def widths(settings: Settings) -> list[int]:
    """The widths of input, hidden layers and output."""
    return [len(settings.features), *(layer.width for layer in settings.layers), output_width(settings)]


def output_width(settings: Settings) -> int:
    """1 for a figure, else the number of classes."""
    if settings.regression:
        return 1
    if settings.data == OWN:
        return max(2, 1 + max((int(point[2]) for point in settings.points), default=0))
    return settings.classes if settings.data in ("blobs", "pinwheel", "rings") else 2


def count_parameters(settings: Settings) -> int:
    """Weights and biases of the network, with scales and shifts of batch norm."""
    sizes = widths(settings)
    return sum(before * after + after for before, after in pairwise(sizes)) + sum(
        2 * layer.width for layer in settings.layers if layer.batch_norm)


def work_per_epoch(settings: Settings) -> float:
    """Floating-point operations of one epoch, forward and backward."""
    return 6.0 * count_parameters(settings) * settings.count * settings.ratio / 100


def build_network(settings: Settings) -> Module:
    """The network, drawn with the current generator of random numbers."""
    sizes, parts = widths(settings), []
    for i, hidden in enumerate(settings.layers):
        parts += [make() for make in layer_makers(sizes[i], hidden)]
    return nn.Sequential(*parts, nn.Linear(sizes[-2], sizes[-1]))


def layer_makers(inputs: int, hidden: LayerSettings) -> list[Callable[[], Module]]:
    """What makes the modules of a hidden layer, in order."""
    activation = ACTIVATIONS[hidden.activation]
    return [lambda: nn.Linear(inputs, hidden.width), *([lambda: nn.BatchNorm1d(hidden.width)] if hidden.batch_norm else []),
            *([activation.make] if activation is not None else []), *([lambda: nn.Dropout(hidden.dropout)] if hidden.dropout else [])]


def layer_texts(inputs: int, hidden: LayerSettings) -> list[str]:
    """The same as Python text."""
    activation = ACTIVATIONS[hidden.activation]
    return [f"nn.Linear({inputs}, {hidden.width})", *([f"nn.BatchNorm1d({hidden.width})"] if hidden.batch_norm else []),
            *([activation.text] if activation is not None else []), *([f"nn.Dropout({hidden.dropout!r})"] if hidden.dropout else [])]


def network_lines(settings: Settings) -> list[str]:
    """A line of Python for each layer of the network."""
    sizes = widths(settings)
    return [*(", ".join(layer_texts(sizes[i], hidden)) for i, hidden in enumerate(settings.layers)), f"nn.Linear({sizes[-2]}, {sizes[-1]})"]


def build_optimizer(settings: Settings) -> Optimizer:
    """The optimizer with its learning rate."""
    return OPTIMIZERS[settings.optimizer].make(settings.rate)


def build_schedule(settings: Settings, steps_per_epoch: int) -> ScheduleFunction | None:
    """The schedule over all epochs; None where the rate stays."""
    part = SCHEDULES[settings.schedule]
    return None if part is None else part.make(settings.epochs * steps_per_epoch)


def schedule_text(settings: Settings, steps_per_epoch: int) -> str:
    """The same as Python text; "" where the rate stays."""
    part, n = SCHEDULES[settings.schedule], settings.epochs * steps_per_epoch
    return "" if part is None else part.text.format(n=n, quarter=max(1, n // 4), eighth=max(1, n // 8))


def training_epochs(settings: Settings) -> int:
    """The epochs of the training: those of the schedule, or as good as endless."""
    return FOREVER if settings.schedule == "constant" else settings.epochs

