"""A network and data that a program hands to the playground, in the playground's own terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import random
from ..errors import ArgumentError
from ..nn import BatchNorm1d, Dropout, Linear, Module, Sequential
from ..random import Generator
from .messages import read_fields
from .playground.data import HALF
from .playground.settings import ACTIVATIONS, MOST_CLASSES, MOST_POINTS, OWN, LayerSettings, Settings, build_network, widths

FIXED = ("problem", "data", "points", "layers", "features", "classes", "initial")  # settings that network and data decide
KINDS = ("the playground shows nn.Sequential of Linear layers, each perhaps with BatchNorm1d, an activation and Dropout after it, and a "
         "last Linear")


@dataclass(frozen=True)
class UserNetwork:
    """The settings that stand for a network and its data, and the weights that the network had."""

    settings: Settings
    weights: Mapping[str, np.ndarray]

    def begins(self, settings: Settings) -> bool:
        """Whether a training with these settings begins with the weights: its network is the same, and no others are asked for."""
        mine = self.settings
        return (settings.layers, settings.features, settings.problem, settings.seed, settings.initial) == (
            mine.layers, mine.features, mine.problem, mine.seed, mine.initial) and widths(settings) == widths(mine)


def read_network(net: Module, data: Any, **more: Any) -> UserNetwork:
    """The playground's settings for a network and points; ArgumentError where it cannot show them. `more` are further settings."""
    inputs, targets = arrays_of(data)
    points, problem = points_of(inputs, targets)
    fixed = [name for name in more if name in FIXED]
    if fixed:
        raise ArgumentError(f"play: {', '.join(fixed)} cannot be chosen", why="network and data decide on it", repair="leave it out")
    chosen = read_fields(Settings, {name: plain(value) for name, value in more.items()}, "play")
    values = {name: getattr(chosen, name) for name in more}
    settings = Settings(problem=problem, data=OWN, points=points, layers=layers_of(net), **values)
    check_output(net, settings)
    return UserNetwork(settings, {name: np.array(value) for name, value in net.state_dict().items()})


def plain(value: Any) -> Any:
    """A NumPy number as Python's."""
    return value.item() if isinstance(value, np.generic) else value


def arrays_of(data: Any) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a Dataset or a pair."""
    pair = (data.inputs, data.targets) if hasattr(data, "inputs") and hasattr(data, "targets") else data
    if not isinstance(pair, Sequence) or len(pair) != 2:
        raise ArgumentError(f"play: the data are {type(data).__name__}", repair="give a Dataset, or a pair (inputs, targets)")
    return np.asarray(pair[0]), np.asarray(pair[1])


def points_of(inputs: np.ndarray, targets: np.ndarray) -> tuple[tuple[tuple[float, float, float], ...], str]:
    """The points with their targets, and the problem: classification of whole numbers, else regression."""
    if inputs.ndim != 2 or inputs.shape[1] != 2 or inputs.dtype.kind not in "fiu":
        raise ArgumentError(f"play: the inputs have shape {inputs.shape}", why="the playground shows points of the plane",
                            repair="give inputs of shape (N, 2), such as two columns of yours: x[:, :2]")
    flat = targets.reshape(-1)
    if len(flat) != len(inputs) or flat.dtype.kind not in "fiub":
        raise ArgumentError(f"play: targets of shape {targets.shape} and type {targets.dtype} for {len(inputs)} inputs",
                            repair="give a class (a whole number) or a figure for each input")
    if len(inputs) > MOST_POINTS:
        raise ArgumentError(f"play: {len(inputs):,} points", why=f"the playground shows at most {MOST_POINTS:,}",
                            repair=f"give a part of them: (x[:{MOST_POINTS}], y[:{MOST_POINTS}])")
    if not np.isfinite(inputs).all() or not np.isfinite(flat).all():
        raise ArgumentError("play: the data are not finite", repair="leave out the rows with nan or inf")
    if np.abs(inputs).max(initial=0) > HALF:
        raise ArgumentError(f"play: the inputs reach from {inputs.min():.4g} to {inputs.max():.4g}",
                            why=f"the playground shows the plane from -{HALF:g} to {HALF:g}",
                            repair="scale them, for the training, too: x = 2 * (x - x.mean(axis=0)) / x.std(axis=0)")
    problem = "regression" if flat.dtype.kind == "f" else "classification"
    if problem == "classification" and not 0 <= flat.min(initial=0) <= flat.max(initial=0) < MOST_CLASSES:
        raise ArgumentError(f"play: classes from {flat.min()} to {flat.max()}",
                            why=f"the playground shows classes from 0 to {MOST_CLASSES - 1}", repair="number them from 0")
    return tuple((float(x1), float(x2), float(y)) for (x1, x2), y in zip(inputs, flat)), problem


def layers_of(net: Any) -> tuple[LayerSettings, ...]:
    """The hidden layers of a network; ArgumentError for any other than the playground's kind."""
    modules = list(net) if type(net) is Sequential else []
    if not modules or not isinstance(modules[0], Linear) or not isinstance(modules[-1], Linear):
        raise refused(net, "")
    groups: list[list[Module]] = []
    for module in modules[:-1]:
        if isinstance(module, Linear):
            groups.append([module])
        else:
            groups[-1].append(module)
    return tuple(layer_of(net, *group) for group in groups)


def layer_of(net: Any, linear: Any, *after: Module) -> LayerSettings:
    """The settings of a Linear layer and of what follows it, in the playground's order."""
    rest = list(after)
    batch_norm = bool(rest) and isinstance(rest[0], BatchNorm1d)
    rest = rest[1:] if batch_norm else rest
    activation = activation_of(rest[0]) if rest else None
    rest = rest[1:] if activation else rest
    dropout = rest[0].p if rest and isinstance(rest[0], Dropout) else 0.0
    if len(rest) > (1 if dropout else 0):
        raise refused(net, f"{rest[-1].describe()} is none of these, or not in this order")
    return LayerSettings(int(linear.out_features), activation or "linear", batch_norm, float(dropout))


def activation_of(module: Module) -> str | None:
    """The playground's name of an activation."""
    return next((name for name, part in ACTIVATIONS.items() if part is not None and part.make().describe() == module.describe()), None)


def check_output(net: Any, settings: Settings) -> None:
    """The network that the settings build is the one that was given, of float32."""
    with random.using(Generator(settings.seed)):
        mine, built = describe(net), describe(build_network(settings))
    if mine[:-1] == built[:-1] and mine[-1] != built[-1]:
        inputs, outputs = widths(settings)[-2:]
        raise ArgumentError(f"play: the last layer is {mine[-1]}, but the data need {built[-1]}",
                            why="each class has an output, a figure has one", repair=f"end the network with nn.Linear({inputs}, {outputs})")
    if mine != built:
        raise refused(net, f"with these settings it would be {', '.join(built)}")
    if any(str(parameter.dtype) != "float32" for parameter in net.parameters()):
        raise ArgumentError(f"play: the weights are of type {net[0].weight.dtype}", why="the playground trains in float32",
                            repair="convert them: net.float()")


def describe(net: Any) -> list[str]:
    """The layers of a network in words."""
    return [module.describe() for module in net]


def refused(net: Any, why: str) -> ArgumentError:
    """The error of a network of another kind."""
    return ArgumentError(f"play: the playground cannot show this {type(net).__name__}", why=f"{KINDS}{'; ' if why else ''}{why}",
                         repair="sl.graph(net, x) and net.summary(x) show networks of every kind")
