"""Adaptive softmax: a cheap softmax over a large vocabulary, with fewer features for rare words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..constraint import COUNT, FACTORY, FLAG, POSITIVE, RISING, check
from ..errors import ArgumentError, ShapeError
from ..graph.build import build
from ..graph.dtype import is_integer
from ..ops.composite import concat, log_softmax, part, where
from ..tensor import Tensor, asarray
from .linear import Linear
from .losses.labels import check_labels, label_type_error
from .module import Module
from .sequential import Sequential
from .where import known_value, layer_and_location


class AdaptiveOutput(NamedTuple):
    """output: the log probability of every target, in the targets' shape; loss: minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """log p(c | x), with classes sorted from frequent to rare: a head softmax over the first `cutoffs[0]` classes and the groups of
    rarer ones, and a softmax over a narrow layer in each group: log p(c) = log p(group i) + log p(c | group i).

    x: (..., in_features). layer(x) returns the log probabilities (..., n_classes), layer(x, targets) with integer targets (...)
    an AdaptiveOutput (output, loss), and layer.predict(x) the most probable class. The weights of a group of m classes are
    (width, in_features) and (m, width), width = in_features / div_value^(i + 1): for 33,000 words, 256 features and cutoffs
    (2000, 10000) a total of 1.4 million instead of 8.5. As shapes are static, all groups are computed for all examples; the
    savings come from the narrow products.
    Names and initial values are PyTorch's. In fit: `loss=lambda h, t: net.head(h, t).loss`, where the net returns the features h.
    Raises ArgumentError unless cutoffs increase and are below n_classes, ShapeError, DTypeError and OutOfRangeError for inputs.
    Source: Grave et al., "Efficient softmax approximation for GPUs", 2017.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> layer = nn.AdaptiveLogSoftmaxWithLoss(16, 1000, cutoffs=(50, 200))
    >>> x, words = sl.normal((5, 16)), sl.tensor([3, 49, 50, 199, 999])
    >>> layer(x).shape, layer(x, words).output.shape, layer(x, words).loss.shape
    ((5, 1000), (5,), ())
    >>> abs(float(layer(x).exp().sum(axis=1).mean()) - 1) < 1e-5
    True
    """

    constraints = {"in_features": COUNT, "n_classes": COUNT, "cutoffs": RISING, "div_value": POSITIVE, "head_bias": FLAG, **FACTORY}

    def __init__(self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0,
                 head_bias: bool = False, device: Any = None, dtype: Any = None) -> None:
        owner = "AdaptiveLogSoftmaxWithLoss"
        check(owner, self.constraints, {"in_features": in_features, "n_classes": n_classes, "cutoffs": cutoffs,
                                        "div_value": div_value, "head_bias": head_bias})
        if cutoffs[-1] >= n_classes:
            raise ArgumentError(f"{owner}: cutoffs={tuple(cutoffs)} must stay below n_classes={n_classes}",
                                why="the last group goes from the last cutoff to the last class")
        self.in_features, self.n_classes, self.cutoffs = int(in_features), int(n_classes), (*map(int, cutoffs), int(n_classes))
        self.head = Linear(self.in_features, self.cutoffs[0] + len(cutoffs), bias=head_bias)
        widths = [max(1, int(self.in_features // div_value ** (i + 1))) for i in range(len(cutoffs))]
        self.tail = [Sequential(Linear(self.in_features, width, bias=False), Linear(width, stop - start, bias=False))
                     for width, start, stop in zip(widths, self.cutoffs, self.cutoffs[1:])]
        self.to(device, dtype)

    def forward(self, x: Tensor, targets: Any = None) -> Any:
        if targets is None:
            return self.all_classes(x)
        targets = self.check_targets(x, targets)
        head = log_softmax(self.head(x), axis=-1)
        output = select(head, targets, self.cutoffs[0])
        for i, (group, start, stop) in enumerate(zip(self.tail, self.cutoffs, self.cutoffs[1:])):
            inside = select(log_softmax(group(x), axis=-1), targets - start, stop - start)
            group_output = self.group_log_probability(head, i).reshape(inside.shape) + inside
            output = where((targets >= start) & (targets < stop), group_output, output)
        return AdaptiveOutput(output, -output.mean())

    def all_classes(self, x: Tensor) -> Tensor:
        """log p of every class."""
        head = log_softmax(self.head(x), axis=-1)
        groups = [log_softmax(group(x), axis=-1) + self.group_log_probability(head, i) for i, group in enumerate(self.tail)]
        return concat([part(head, head.ndim - 1, 0, self.cutoffs[0]), *groups], axis=-1)

    def predict(self, x: Tensor) -> Tensor:
        """The likeliest class: (..., in_features) -> (...)."""
        return self(x).argmax(axis=-1)

    def group_log_probability(self, head: Tensor, group: int) -> Tensor:
        """log p of a whole group, (..., 1)."""
        index = self.cutoffs[0] + group
        return part(head, head.ndim - 1, index, index + 1)

    def check_targets(self, x: Tensor, targets: Any) -> Tensor:
        """The targets as integers of the examples' shape."""
        targets = asarray(targets)
        if not is_integer(targets.dtype):
            raise label_type_error("AdaptiveLogSoftmaxWithLoss", x, targets)
        if targets.shape != x.shape[:-1]:
            what, where_ = layer_and_location(self, x)
            raise ShapeError(f"{what}: x is {tuple(x.shape)}, the targets are {tuple(targets.shape)}",
                             why="there is one target for every row of features", where=where_)
        values = known_value(targets)
        if values is not None:
            check_labels("AdaptiveLogSoftmaxWithLoss", values, self.n_classes, None)
        return targets if targets.dtype.kind == "i" else targets.astype(np.int64)

    def details(self) -> str:
        return f"{self.in_features} -> {self.n_classes}, cutoffs={self.cutoffs[:-1]}"


def select(log_probabilities: Tensor, targets: Tensor, count: int) -> Tensor:
    """The log probability of each target in 0..count - 1; the results for other targets are ignored."""
    inside = where((targets >= 0) & (targets < count), targets, 0).reshape((*targets.shape, 1))
    return build("take_along_axis", log_probabilities, inside, axis=log_probabilities.ndim - 1).reshape(targets.shape)
