"""The networks of the estimators as values: equal values build equal networks, so that fits can share a compiled program."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .. import nn
from ..errors import ArgumentError, missing_method
from ..nn.transformer import make_dropout
from ..ops.composite import concat
from ..tensor import Tensor

Shape = tuple[int, ...]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity, "logistic": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}
LOGISTIC_FACTOR, FACTOR = 2.0, 6.0  # of the initial weights, as in scikit-learn


@dataclass(frozen=True)
class Architecture:
    """The base: `build` makes the network, `rows_alone` says that the output of a row does not depend on the other rows of its batch.

    shape    of one example;   outputs  the number of outputs
    """

    shape: Shape
    outputs: int

    rows_alone = True
    shared = True  # whether fits share programs: `build` reads nothing but the fields

    def build(self) -> nn.Module:
        """The network, with initial weights from slopes' random numbers."""
        raise missing_method(self, "build")

    def initialize(self, net: nn.Module, generator: np.random.RandomState) -> None:
        """Replace initial weights by others."""

    def products(self, net: nn.Module) -> int:
        """About how many products the network computes for one example."""
        return parameter_count(net) * math.prod(self.shape)


@dataclass(frozen=True)
class Dense(Architecture):
    """Dense layers with one activation and dropout after it; with `edges`, numbers go through bins first."""

    hidden: tuple[int, ...]
    activation: str
    dropout: float = 0.0
    edges: tuple[tuple[float, ...], ...] = ()

    def build(self) -> nn.Module:
        bins = nn.Bins.from_edges([list(edges) for edges in self.edges]) if self.edges else None
        width = self.shape[0] if bins is None else bins.outputs
        layers: list[nn.Module] = [] if bins is None else [bins]
        for before, after in pairwise((width, *self.hidden)):
            layers += [nn.Linear(before, after), ACTIVATIONS[self.activation](), *dropout_layers(self.dropout)]
        return nn.Sequential(*layers, nn.Linear((width, *self.hidden)[-1], self.outputs))

    def initialize(self, net: nn.Module, generator: np.random.RandomState) -> None:
        """Glorot's uniform numbers, drawn in scikit-learn's order, so that equal seeds give equal networks; not with bins."""
        if not self.edges:
            initialize_as_glorot(net, self.activation, generator)

    def products(self, net: nn.Module) -> int:
        return parameter_count(net)


@dataclass(frozen=True)
class Coder(Architecture):
    """An encoder of dense layers to a code of `outputs` numbers, and its mirror image back; `noise` hides a share of the inputs."""

    hidden: tuple[int, ...]
    activation: str
    dropout: float = 0.0
    noise: float = 0.0

    def build(self) -> nn.Module:
        return CoderNetwork(self)

    def initialize(self, net: nn.Module, generator: np.random.RandomState) -> None:
        initialize_as_glorot(net, self.activation, generator)

    def products(self, net: nn.Module) -> int:
        return parameter_count(net)


@dataclass(frozen=True)
class Encoder(Coder):
    """The encoder alone."""

    def build(self) -> nn.Module:
        return CoderNetwork(self).encoder


class CoderNetwork(nn.Module):
    """y = decoder(encoder(x)), all dense: (N, D) -> (N, D)."""

    def __init__(self, plan: Coder) -> None:
        width, = plan.shape
        self.noise = nn.MaskingNoise(plan.noise) if plan.noise else nn.Identity()
        self.encoder = dense_layers((width, *plan.hidden, plan.outputs), plan)
        self.decoder = dense_layers((plan.outputs, *plan.hidden[::-1], width), plan)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(self.noise(x)))


def dense_layers(sizes: tuple[int, ...], plan: Coder) -> nn.Sequential:
    """Dense layers of these sizes; activation and dropout between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), ACTIVATIONS[plan.activation](), *dropout_layers(plan.dropout)]
    return nn.Sequential(*layers[: -1 - len(dropout_layers(plan.dropout))])


@dataclass(frozen=True)
class Convolutional(Architecture):
    """Convolutions that keep the size of the image, each followed by the activation and, where a side has 4 pixels or more, by
    max pooling that halves it; then dense layers."""

    channels: tuple[int, ...]
    kernel: int
    hidden: tuple[int, ...]
    activation: str
    dropout: float = 0.0

    def build(self) -> nn.Module:
        depth, height, width = self.shape
        layers: list[nn.Module] = []
        for before, after in pairwise((depth, *self.channels)):
            layers += [nn.Conv2d(before, after, self.kernel, padding="same"), ACTIVATIONS[self.activation]()]
            window = (2 if height >= 4 else 1, 2 if width >= 4 else 1)
            if window != (1, 1):
                layers.append(nn.MaxPool2d(window))
                height, width = height // window[0], width // window[1]
        sizes = ((depth, *self.channels)[-1] * height * width, *self.hidden)
        layers.append(nn.Flatten())
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), ACTIVATIONS[self.activation](), *dropout_layers(self.dropout)]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], self.outputs))

    def products(self, net: nn.Module) -> int:
        kernels = sum(layer.weight.size for _, layer in net.named_modules() if isinstance(layer, nn.Conv2d))
        return parameter_count(net) + kernels * math.prod(self.shape[1:])


@dataclass(frozen=True)
class Recurrent(Architecture):
    """A recurrent layer over the steps of a sequence, and a dense layer after its last state; `vocabulary` embeds whole numbers."""

    kind: str
    hidden: int
    layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    vocabulary: int | None = None
    embedding: int = 32

    def build(self) -> nn.Module:
        return RecurrentNetwork(self)

    def products(self, net: nn.Module) -> int:
        return parameter_count(net) * self.shape[0]


RECURRENT = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}


class RecurrentNetwork(nn.Module):
    """y = W [h_T, h_1'] + b: the last states of both directions (or of one) of the last layer; x: (N, T, D), or tokens (N, T, 1)."""

    def __init__(self, plan: Recurrent) -> None:
        self.embedding = None if plan.vocabulary is None else nn.Embedding(plan.vocabulary, plan.embedding)
        width = plan.shape[1] if plan.vocabulary is None else plan.embedding
        self.hidden, self.bidirectional = plan.hidden, plan.bidirectional
        self.memory = RECURRENT[plan.kind](width, plan.hidden, plan.layers, batch_first=True, bidirectional=plan.bidirectional,
                                             dropout=plan.dropout if plan.layers > 1 else 0.0)
        self.dropout = make_dropout(plan.dropout)
        self.head = nn.Linear(plan.hidden * (2 if plan.bidirectional else 1), plan.outputs)

    def forward(self, x: Tensor) -> Tensor:
        if self.embedding is not None:
            x = self.embedding(x[:, :, 0].astype(np.int64))
        outputs, _ = self.memory(x)
        last = outputs[:, -1]
        if self.bidirectional:
            last = concat([outputs[:, -1, : self.hidden], outputs[:, 0, self.hidden :]], axis=1)
        return self.head(self.dropout(last))


@dataclass(frozen=True)
class Custom(Architecture):
    """The network that a function of the user makes, as build(shape, outputs)."""

    function: Callable[[Shape, int], nn.Module]

    rows_alone = False
    shared = False  # the function may read what changes between two fits

    def build(self) -> nn.Module:
        net: Any = self.function(self.shape, self.outputs)
        if not isinstance(net, nn.Module):
            raise ArgumentError(f"build{self.shape, self.outputs} returned {net!r:.60}, not a module",
                                repair="return a network: build=lambda shape, outputs: nn.Linear(shape[0], outputs)")
        return net


def parameter_count(net: nn.Module) -> int:
    """How many numbers the parameters have."""
    return sum(parameter.size for parameter in net.parameters())


def dropout_layers(share: float) -> list[nn.Module]:
    """A layer of dropout, or none."""
    return [nn.Dropout(share)] if share else []


def initialize_as_glorot(net: nn.Module, activation: str, generator: np.random.RandomState) -> None:
    """Uniform weights (in, out) and biases within sqrt(factor / (in + out)) for all dense layers, as scikit-learn draws them.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """
    factor = LOGISTIC_FACTOR if activation == "logistic" else FACTOR
    for _, layer in net.named_modules():
        if isinstance(layer, nn.Linear):
            assert layer.bias is not None, "dense layers of estimators have a bias"
            outputs, inputs = layer.weight.shape
            bound = math.sqrt(factor / (inputs + outputs))
            weight = generator.uniform(-bound, bound, (inputs, outputs))
            layer.weight.assign(weight.T.astype(layer.weight.dtype))
            layer.bias.assign(generator.uniform(-bound, bound, outputs).astype(layer.bias.dtype))
