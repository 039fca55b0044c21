"""What is shown of a network: the boundary, the map of every unit, dead units and gradients, each by one compiled function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import functions as F
from ... import nn
from ...compile import compile
from ...modes import enable_grad, no_grad
from ...nn.losses import cross_entropy, mse_loss
from ...nn.module import Module
from ...tensor import Tensor, asarray
from ...train.mode import Mode
from .data import HALF
from .points import Points, features_of
from .settings import Settings, count_parameters, layer_makers, widths

MAPS = ((40, 100), (24, 300), (16, sys.maxsize))  # points along each axis of the map of a unit, and the units up to which there are so many
BOUNDARIES = ((200, 3e8), (100, 6e8), (60, float("inf")))  # points along each axis, and the operations up to which there are so many


@dataclass(frozen=True)
class View:
    """boundary (G, G) and, with three classes or more, certainty (G, G); maps (units, side, side) of features, hidden units and outputs
    in their order; spread (hidden units,), the range of a unit's outputs over the training points: 0 for a dead one."""

    boundary: np.ndarray
    certainty: np.ndarray | None
    maps: np.ndarray
    spread: np.ndarray


class Inspector:
    """Evaluates a network on a grid of the plane. Values from -1 to 1 are sent as 0 to 255, classes as they are."""

    def __init__(self, net: Module, settings: Settings, points: Points) -> None:
        self.net, self.regression = net, settings.regression
        self.groups = groups_of(settings)
        self.side = boundary_side(settings)
        self.grid = grid_features(self.side, settings)
        self.map_side = next(side for side, most in MAPS if sum(widths(settings)) <= most)
        self.small = grid_features(self.map_side, settings)
        self.features = to_bytes(np.clip(self.small.numpy() / scale_of(self.small.numpy()), -1, 1))
        self.training = asarray(points.inputs[: points.cut]), asarray(points.targets[: points.cut])
        self.look, self.slope = compile(self.evaluate), compile(self.differentiate)

    def view(self) -> View:
        """The network as it is now."""
        return self.view_by(self.look)

    def eager_view(self) -> View:
        """The same without compiling, for the first look."""
        return self.view_by(self.evaluate)

    def view_by(self, evaluate: Callable[..., tuple[list[Tensor], list[Tensor], list[Tensor]]]) -> View:
        """The network as it is now, by the function or its compiled form."""
        with Mode(self.net, training=False, quiet=True), no_grad():
            boundary, maps, spread = evaluate(self.grid, self.small, self.training[0])
        units = np.concatenate([self.features, *(tensor.numpy() for tensor in maps)], axis=1)
        planes = [tensor.numpy().reshape(self.side, self.side) for tensor in boundary]
        return View(planes[0], planes[1] if len(planes) > 1 else None, units.T.reshape(-1, self.map_side, self.map_side),
                    np.concatenate([tensor.numpy() for tensor in spread]) if spread else np.zeros(0, np.float32))

    def gradients(self) -> list[np.ndarray]:
        """The gradients of the loss over all training points, of each weight and bias in order."""
        with Mode(self.net, training=False, quiet=True):
            return [tensor.numpy() for tensor in self.slope(*self.training)]

    # Compiled

    def evaluate(self, grid: Tensor, small: Tensor, training: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """The planes of the boundary, the maps of hidden units and outputs, and the spread of hidden units."""
        *hidden, outputs = self.outputs(small)
        *seen, _ = self.outputs(training)
        maps = [quantised(layer) for layer in hidden] + [quantised(self.signed(outputs))]
        return self.planes(self.outputs(grid)[-1]), maps, [layer.max(axis=0) - layer.min(axis=0) for layer in seen]

    def outputs(self, x: Tensor) -> list[Tensor]:
        """What each hidden layer and the output layer give."""
        results = []
        for group in self.groups:
            for i in group:
                x = self.net[i](x)  # type: ignore[index]
            results.append(x)
        return results

    def signed(self, outputs: Tensor) -> Tensor:
        """Figures as they are; probabilities of classes from -1 to 1."""
        return outputs if self.regression else 2 * F.softmax(outputs, axis=1) - 1

    def planes(self, outputs: Tensor) -> list[Tensor]:
        """What the boundary shows: a figure, the probability of the second of two classes, or the class and how certain it is."""
        if self.regression:
            return [quantised(outputs)]
        probabilities = F.softmax(outputs, axis=1)
        if outputs.shape[1] == 2:
            return [quantised(2 * probabilities[:, 1] - 1)]
        return [F.argmax(outputs, axis=1).astype("uint8"), quantised(2 * probabilities.max(axis=1) - 1)]

    def differentiate(self, inputs: Tensor, targets: Tensor) -> list[Tensor]:
        """The gradients of weights and biases."""
        self.net.zero_grad()
        with enable_grad():
            loss = (mse_loss if self.regression else cross_entropy)(self.net(inputs), targets)
        loss.backward()
        return [tensor.grad for tensor in weights_of(linear_layers(self.net)) if tensor.grad is not None]


def linear_layers(net: Any) -> list[nn.Linear]:
    """The layers with weights between units."""
    return [layer for layer in net if isinstance(layer, nn.Linear)]


def weights_of(layers: Sequence[nn.Linear]) -> list[Tensor]:
    """Weights and bias of each layer, in order."""
    return [tensor for layer in layers for tensor in (layer.weight, layer.bias) if tensor is not None]


def groups_of(settings: Settings) -> list[range]:
    """The indices of the modules of each hidden layer and of the output."""
    groups, start = [], 0
    for hidden in settings.layers:
        stop = start + len(layer_makers(1, hidden))
        groups.append(range(start, stop))
        start = stop
    return [*groups, range(start, start + 1)]


def boundary_side(settings: Settings) -> int:
    """How many points along each axis the boundary can have in a few hundredths of a second."""
    work = 2.0 * count_parameters(settings)
    return next(side for side, most in BOUNDARIES if side * side * work <= most)


def grid_features(side: int, settings: Settings) -> Tensor:
    """The features of a grid over the plane: row by row from the top, as pictures are drawn."""
    middle = (np.arange(side) + 0.5) / side * 2 * HALF - HALF
    x1, x2 = np.meshgrid(middle, middle[::-1])
    return asarray(features_of(np.stack([x1.reshape(-1), x2.reshape(-1)], axis=1), settings))


def scale_of(features: np.ndarray) -> np.ndarray:
    """The largest magnitude of each feature."""
    return np.maximum(np.abs(features).max(axis=0), 1e-6)


def quantised(values: Tensor) -> Tensor:
    """Values from -1 to 1 as 0 to 255; others are clipped."""
    return (values.clip(-1.0, 1.0) * 127.5 + 128).astype("uint8")


def to_bytes(values: np.ndarray) -> np.ndarray:
    """The same of arrays."""
    return (values * 127.5 + 128).astype(np.uint8)
