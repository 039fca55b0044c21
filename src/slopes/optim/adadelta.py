"""Adadelta: step sizes from running means of earlier steps, without a learning rate to choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import NOT_NEGATIVE, SHARE, Constraint
from ..graph.build import build
from ..graph.dtype import DType
from ..nn.hyper_parameter import HyperParameter
from ..tensor import Tensor
from .optimizer import Coefficients, Optimizer, OptionalTerm, State


class Adadelta(Optimizer):
    """w <- w - lr d, where d = g sqrt(u + eps) / sqrt(v + eps): a step in the units of w.

    v <- rho v + (1 - rho) g^2, then d, then u <- rho u + (1 - rho) d^2. g is the gradient plus weight_decay w. State of each
    parameter, of its shape and initially zeros: square_avg v and acc_delta u. Source: Zeiler, "ADADELTA: an adaptive learning rate
    method", 2012 (who has no lr: it is 1).

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0])
    >>> opt = optim.Adadelta([w], rho=0.75, eps=1.0)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(4).tolist()  # 1 - 2 / sqrt(0.25 * 4 + 1)
    [-0.4142000079154968]
    """

    rho = HyperParameter(SHARE)
    eps = HyperParameter(NOT_NEGATIVE)
    weight_decay = OptionalTerm(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Optimizer.constraints, "rho": SHARE, "eps": NOT_NEGATIVE,
                                             "weight_decay": NOT_NEGATIVE}

    def __init__(self, params: Any = None, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0,
                 *, maximize: bool = False) -> None:
        super().__init__(lr, maximize)
        self.rho, self.eps, self.weight_decay = rho, eps, weight_decay
        self.start(params)

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {name: np.zeros(parameter.shape, parameter.dtype) for name in ("square_avg", "acc_delta")}

    def coefficients(self, dtype: DType) -> Coefficients:
        return self.cast(dtype, {"one_minus_rho": 1 - self.rho})

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        gradient = self.add_weight_decay(gradient, parameter, c)
        square = c.rho * state["square_avg"] + c.one_minus_rho * (gradient * gradient)
        step = gradient * (build("sqrt", state["acc_delta"] + c.eps) / build("sqrt", square + c.eps))
        delta = c.rho * state["acc_delta"] + c.one_minus_rho * (step * step)
        return parameter - c.lr * step, {"square_avg": square, "acc_delta": delta}
