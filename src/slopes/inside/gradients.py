"""Norms of gradients and sizes of updates, by layer and by time step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..errors import ShapeError
from ..nn.losses import cross_entropy
from ..optim import SGD
from ..parameter import Parameter
from ..plot import Picture, View, new_figure, tidy
from ..tensor import Tensor
from ..train.checks import paired
from ..train.rates import own_copy
from ..train.replay import restore_after
from ..train.training import Training
from .watch import Layer, evaluate_once, find_layer, last_output, slope

Loss = Callable[[Any, Tensor], Tensor]
USUAL = (1e-3, 1e-2)  # typical ratio of update size to weight size in successful training


@dataclass
class GradientNorms(View):
    """names and norms: of each weight's gradient (root of the mean of squares), from the input's side to the output's, or of the
    gradient at each step of a sequence; sizes: the weights' own, on the same scale (empty for steps)."""

    names: list[str]
    norms: np.ndarray
    sizes: np.ndarray
    title: str

    def draw(self) -> Picture:
        """Points on a logarithmic scale."""
        figure = new_figure(max(4.0, 0.28 * len(self.names) + 1.5), 3.2)
        axes = figure.subplots()
        positions = np.arange(len(self.names))
        axes.plot(positions, np.maximum(self.norms, 1e-30), "o-", color="#2b6cb0", markersize=4, linewidth=0.8, label="gradient")
        if len(self.sizes):
            axes.plot(positions, np.maximum(self.sizes, 1e-30), "_", color="#c05621", markersize=10, label="weight")
            axes.legend(frameon=False, fontsize="small")
        finish(axes, self.names, self.title)
        return Picture(figure)


@dataclass
class UpdateSizes(View):
    """names and ratios: the size of one update of each weight, relative to the weight's size."""

    names: list[str]
    ratios: np.ndarray

    def draw(self) -> Picture:
        """Points on a logarithmic scale, with the typical range of 0.1 to 1 percent as a band."""
        figure = new_figure(max(4.0, 0.28 * len(self.names) + 1.5), 3.2)
        axes = figure.subplots()
        axes.axhspan(*USUAL, color="#2f855a", alpha=0.15, label="usual")
        axes.plot(np.arange(len(self.names)), np.maximum(self.ratios, 1e-30), "o-", color="#2b6cb0", markersize=4, linewidth=0.8)
        axes.legend(frameon=False, fontsize="small")
        finish(axes, self.names, "size of one update beside the weight's")
        return Picture(figure)


def finish(axes: Any, names: list[str], title: str) -> None:
    """Set a logarithmic y axis, tick labels, title and style."""
    axes.set_yscale("log")
    step = max(1, len(names) // 30)
    axes.set_xticks(range(0, len(names), step), names[::step], rotation=90, fontsize=7)
    axes.set_title(title, fontsize="small")
    tidy(axes, "", "")


def gradient_norms(net: nn.Module, inputs: Any, targets: Any, loss: Loss | None = None, **settings: Any) -> GradientNorms:
    """The root mean square of each weight's gradient (parameters of two axes or more), in a training step of `sl.fit` on one batch.

    loss, and settings such as clip, augment, penalty, accumulate and storage, are those of `fit`: gradients are the ones that its
    update uses. To follow them while a net learns, see the statistics of train.Statistics.
    A decrease by orders of magnitude from the last layer to the first is a vanishing gradient (deep sigmoid networks), an increase an
    exploding one; ReLU networks with He initialization preserve the size. The network and its gradients are restored afterwards.
    Raises what `fit` raises. Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> deep = nn.Sequential(*[layer for _ in range(12) for layer in (nn.Linear(8, 8), nn.Sigmoid())])
    >>> norms = sl.inside.gradient_norms(deep, sl.normal((16, 8)), sl.zeros((16, 8)), nn.mse_loss).norms
    >>> bool(norms[0] < 1e-4 * norms[-1])
    True
    """
    weights = named_weights(net)
    names = [f"net.{name}.grad/norm" for name, _ in weights]
    measured = measure_step(net, inputs, targets, names, loss=loss, optimizer=SGD(lr=0.0), **settings)
    norms = [norm / math.sqrt(math.prod(weight.shape)) for norm, (_, weight) in zip(measured, weights)]
    sizes = np.array([size(weight.detach().numpy()) for _, weight in weights])
    return GradientNorms([name for name, _ in weights], np.array(norms), sizes, "root mean square of gradients, by weight")


def measure_step(net: nn.Module, inputs: Any, targets: Any, names: Sequence[str], **settings: Any) -> list[float]:
    """Statistics of one training step whose batch is all these examples; everything is afterwards as it was."""
    examples = len(inputs[0] if isinstance(inputs, tuple) else inputs)
    with restore_after(net):
        chunk = Training(net, paired(inputs, targets), batch_size=max(1, examples), statistics=names, **settings).advance(1)
    return [float(chunk[name][0]) for name in names]


def gradient_norms_over_time(net: nn.Module, inputs: Any, targets: Any, layer: Layer, loss: Loss = cross_entropy,
                             axis: int = 1) -> GradientNorms:
    """|d loss / d y_t| for each step t along `axis` of the output y of a layer: how far gradients reach back in time.

    The norm is over features, averaged over the batch. For the inputs of a recurrent network, name its embedding (or wrap an
    nn.Identity before it). A norm that decreases towards the past is a vanishing gradient in backpropagation through time.
    Raises ShapeError when the output has no such axis. Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent
    neural networks", 2013.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> class Faint(nn.Module):  # each step halves what it knows of the steps before
    ...     def __init__(self):
    ...         self.inputs = nn.Identity()
    ...     def forward(self, x):
    ...         x, state = self.inputs(x), 0.0
    ...         for t in range(x.shape[1]):
    ...             state = 0.5 * state + x[:, t]
    ...         return state
    >>> over_time = sl.inside.gradient_norms_over_time(Faint(), sl.ones((4, 5, 1)), sl.zeros((4, 1)), "inputs", nn.mse_loss)
    >>> (over_time.norms[1:] / over_time.norms[:-1]).round(3).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """
    path, module = find_layer(net, layer)

    def function(x: Tensor, targets: Tensor) -> Tensor:
        value = loss(net(x), targets)
        return slope(value, last_output(module))

    with restore_after(net):
        slopes = evaluate_once(net, function, inputs, targets).numpy()
    if not 0 < axis < slopes.ndim:
        raise ShapeError(f"gradient_norms_over_time: {path} gives {slopes.shape}, which has no axis {axis} of steps")
    rows = np.moveaxis(slopes, axis, 1).reshape(slopes.shape[0], slopes.shape[axis], -1)
    norms = np.sqrt((rows.astype(np.float64) ** 2).sum(axis=2)).mean(axis=0)
    return GradientNorms([str(t) for t in range(len(norms))], norms, np.zeros(0), f"gradient at each step of {path}")


def update_sizes(net: nn.Module, inputs: Any, targets: Any, optimizer: Any, loss: Loss | None = None, **settings: Any) -> UpdateSizes:
    """|w' - w| / |w| of each weight w (parameters of two axes or more), where w' is w after a training step of `sl.fit` on one batch.

    loss, and settings such as clip, augment, penalty and constrain, are those of `fit`.
    About 0.001 to 0.01 is typical: with much more, the learning rate is too high for this layer; with much less, it hardly learns.
    The state (moments) of an optimizer that has trained the net is used; net, gradients and optimizer are restored afterwards.
    An all-zero weight has the ratio infinity if it changes, otherwise 0. Raises what `fit` raises, ArgumentError for an optimizer of
    another net. Source: Karpathy, notes of Stanford's course CS231n, "Neural networks, part 3: learning and evaluation", 2015.

    >>> import slopes as sl
    >>> from slopes import nn, optim
    >>> net, x, labels = nn.Linear(4, 3), sl.normal((8, 4)), sl.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    >>> slow, fast = (sl.inside.update_sizes(net, x, labels, optim.SGD(lr=lr)).ratios for lr in (0.1, 1.0))
    >>> bool(abs(fast[0] / slow[0] - 10) < 0.01)
    True
    """
    names = [name for name, _ in named_weights(net)]
    ratios = measure_step(net, inputs, targets, [f"net.{name}.update/ratio" for name in names], loss=loss,
                          optimizer=own_copy(optimizer, net), **settings)
    return UpdateSizes(names, np.array(ratios))


def named_weights(net: nn.Module) -> list[tuple[str, Parameter]]:
    """Trainable parameters of two axes or more, with names."""
    return [(name, parameter) for name, parameter in net.named_parameters() if parameter.ndim > 1 and parameter.requires_grad]


def size(array: np.ndarray) -> float:
    """The root mean square."""
    return float(np.sqrt(np.mean(array.astype(np.float64) ** 2)))
