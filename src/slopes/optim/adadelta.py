"""Adadelta: every weight moves by about as much as it moved lately, so that no rate has to be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import NOT_NEGATIVE, SHARE, Constraint
from ..graph.dtype import DType
from ..graph.operation import build
from ..nn.number import Number
from ..tensor import Tensor
from .optimizer import Factors, Optimizer, State, Term


class Adadelta(Optimizer):
    """w <- w - lr d, where d = g sqrt(u + eps) / sqrt(v + eps): a step in the unit of w, not in that of its inverse.

    v <- rho v + (1 - rho) g^2, then d, then u <- rho u + (1 - rho) d^2. g is the gradient plus weight_decay w. State beside each
    parameter, of its shape and at first zeros: square_avg v and acc_delta u. Source: Zeiler, "ADADELTA: an adaptive learning rate
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

    rho = Number(SHARE)
    eps = Number(NOT_NEGATIVE)
    weight_decay = Term(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Optimizer.constraints, "rho": SHARE, "eps": NOT_NEGATIVE,
                                             "weight_decay": NOT_NEGATIVE}

    def __init__(self, parameters: Any = None, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0,
                 maximize: bool = False) -> None:
        super().__init__(lr, maximize)
        self.rho, self.eps, self.weight_decay = rho, eps, weight_decay
        self.start(parameters)

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {name: np.zeros(parameter.shape, parameter.dtype) for name in ("square_avg", "acc_delta")}

    def factors(self, dtype: DType) -> Factors:
        return {**self.cast_numbers(dtype), "new": (1 - self.rho).astype(dtype)}

    def update(self, gradient: Tensor, parameter: Tensor, state: State, factors: Factors | None = None) -> tuple[Tensor, State]:
        number = self.factors(parameter.dtype) if factors is None else factors
        if "weight_decay" in self.terms:
            gradient = gradient + number["weight_decay"] * parameter
        square = number["rho"] * state["square_avg"] + number["new"] * (gradient * gradient)
        step = gradient * (build("sqrt", state["acc_delta"] + number["eps"]) / build("sqrt", square + number["eps"]))
        moved = number["rho"] * state["acc_delta"] + number["new"] * (step * step)
        return parameter - number["lr"] * step, {"square_avg": square, "acc_delta": moved}
