"""What a network computes inside: the outputs of all layers for one picture, and predictions for many, in compiled functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import nn
from ...compile import compile
from ...data.loaders.dataset import Dataset
from ...functions import softmax
from ...inside.confusion import Confusion
from ...modes import no_grad
from ...nn.module import entries
from ...train.mode import Mode

MISTAKES = 12  # that are shown
LEAST_SHARE = 1e-12  # so that the loss of a probability that is 0 in float32 is finite


@dataclass(frozen=True)
class LayerFacts:
    """A layer of the network as the page shows it: its path, what it is, and the shape (units, ...) of its output."""

    path: str
    text: str
    kind: str
    shape: tuple[int, ...]

    @property
    def spatial(self) -> bool:
        """Whether its output has maps."""
        return len(self.shape) == 3


def layers_of(net: nn.Module, shape: tuple[int, ...]) -> list[LayerFacts]:
    """The layers of a Sequential of plain layers, in their order."""
    outputs = {row.path: row.output for row in net.summary((1, *shape)).rows}
    return [LayerFacts(entry.display, entry.value.describe(), type(entry.value).__name__, tuple((outputs[entry.display] or ())[1:]))
            for entry in entries(net) if isinstance(entry.value, nn.Module) and not entry.value.children()]


@dataclass(frozen=True)
class Predictions:
    """Probabilities (N, classes) for the pictures of a data set, beside its targets."""

    probabilities: np.ndarray
    targets: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """(N,): the class with the largest probability."""
        return self.probabilities.argmax(axis=1)

    @property
    def accuracy(self) -> float:
        """The share of right predictions."""
        return float((self.predicted == self.targets).mean())

    @property
    def loss(self) -> float:
        """The mean cross entropy."""
        return float(-np.log(np.maximum(self.of_targets, LEAST_SHARE)).mean())

    @property
    def of_targets(self) -> np.ndarray:
        """(N,): the probability of the right class."""
        return self.probabilities[np.arange(len(self.targets)), self.targets].astype(np.float64)

    def confusion(self, classes: tuple[str, ...]) -> Confusion:
        """The confusion matrix."""
        return Confusion.counted(self.targets, self.predicted, classes)

    def worst(self, count: int = MISTAKES) -> np.ndarray:
        """The indices of wrong predictions, the one whose right class has the smallest probability first."""
        wrong = np.flatnonzero(self.predicted != self.targets)
        return wrong[np.argsort(self.of_targets[wrong], kind="stable")][:count]


class Probe:
    """Compiled functions that look into one network; each is compiled when it is first called, for each number of pictures."""

    def __init__(self, net: nn.Module, layers: list[LayerFacts]) -> None:
        self.net, self.layers = net, layers
        self.probabilities = compile(lambda x: softmax(net(x), axis=1))
        self.inner = compile(lambda x: softmax(net(x), axis=1), taps=[layer.path for layer in layers])
        self.single = {layer.path: compile(lambda x: net(x), taps=[layer.path]) for layer in layers}

    def predict(self, dataset: Dataset) -> Predictions:
        """Probabilities for all pictures of a data set, in one call; 0 where a network that diverged gives none."""
        with Mode(self.net, training=False, quiet=True), no_grad():
            return Predictions(np.nan_to_num(self.probabilities(dataset.inputs).numpy()), dataset.targets)

    def outputs(self, picture: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """(probabilities (classes,), the output of each layer) for one picture (C, H, W)."""
        with Mode(self.net, training=False, quiet=True), no_grad():
            shares = self.inner(picture[None]).numpy()[0]
        return shares, [self.inner.tapped[layer.path].numpy()[0] for layer in self.layers]

    def activations(self, pictures: np.ndarray, layer: int) -> np.ndarray:
        """The output (N, units, ...) of one layer for many pictures."""
        path = self.layers[layer].path
        with Mode(self.net, training=False, quiet=True), no_grad():
            self.single[path](pictures)
        return self.single[path].tapped[path].numpy()
