"""Ensembles: the averaged prediction of several networks."""

from __future__ import annotations

import math
from typing import Any

from ..constraint import check, one_of
from ..errors import ArgumentError
from ..ops.composite import log_softmax, logsumexp, stack
from ..tensor import Tensor
from .module import Module
from .sequential import check_modules


class Ensemble(Module):
    """y = log(mean over nets of softmax(net_k(x))): the log of the mean probabilities; with mean="outputs", the mean of net_k(x).

    x: input of every net; outputs (N, classes, ...) of one shape. cross_entropy and accuracy accept y like logits. For regression,
    use mean="outputs". Raises ArgumentError without nets.
    Source: Hansen and Salamon, "Neural network ensembles", 1990; Goodfellow et al., Deep Learning, section 7.11.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> both = nn.Ensemble(nn.Linear(4, 3), nn.Linear(4, 3))
    >>> float(both(sl.ones((2, 4))).exp().sum())  # two examples, probabilities
    2.0
    """

    constraints = {"mean": one_of("probabilities", "outputs")}
    nets: list[Module]
    unnamed = "nets"

    def __init__(self, *nets: Module, mean: str = "probabilities") -> None:
        check("Ensemble", self.constraints, {"mean": mean})
        check_modules("Ensemble", nets)
        if not nets:
            raise ArgumentError("Ensemble: there are no nets", repair="pass at least one")
        self.nets, self.mean = list(nets), mean

    def forward(self, x: Any) -> Tensor:
        outputs = [net(x) for net in self.nets]
        if self.mean == "outputs":
            return stack(outputs, 0).mean(axis=0)
        return logsumexp(stack([log_softmax(output, axis=1) for output in outputs], 0), 0) - math.log(len(self.nets))

    def details(self) -> str:
        return f"{len(self.nets)} nets, mean={self.mean!r}"
