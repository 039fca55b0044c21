"""The optimizers of the estimators: where scikit-learn's differ from slopes' in a detail, they are scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import optim
from ..constraint import NOT_NEGATIVE
from ..graph.dtype import DType
from ..nn.hyper_parameter import HyperParameter
from ..optim.optimizer import Coefficients, Optimizer, State
from ..tensor import Tensor


class UncorrectedAdam(optim.Adam):
    """Adam with w <- w - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps): eps is added before the correction of v.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, end of section 2.
    """

    def coefficients(self, dtype: DType) -> Coefficients:
        c = super().coefficients(dtype)
        c.scaled_eps = self.eps.astype(dtype)
        return c


class Momentum(Optimizer):
    """v <- m v - lr g, w <- w + v; with nesterov w <- w + m v - lr g. Unlike in optim.SGD, a new learning rate leaves v as it is.

    Source: Sutskever et al., "On the importance of initialization and momentum", 2013.
    """

    momentum = HyperParameter(NOT_NEGATIVE)

    def __init__(self, nesterov: bool) -> None:
        super().__init__(lr=1e-3)
        self.momentum, self.nesterov = 0.9, nesterov

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {"velocity": np.zeros(parameter.shape, parameter.dtype)}

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        velocity = c.momentum * state["velocity"] - c.lr * gradient
        change = c.momentum * velocity - c.lr * gradient if self.nesterov else velocity
        return parameter + change, {"velocity": velocity}


SOLVERS: dict[str, Callable[[], Optimizer]] = {
    "adam": UncorrectedAdam, "adamw": lambda: optim.AdamW(weight_decay=1e-2), "sgd": optim.SGD,
    "momentum": lambda: Momentum(nesterov=False), "nesterov": lambda: Momentum(nesterov=True)}
