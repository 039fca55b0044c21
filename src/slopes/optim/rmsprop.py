"""RMSprop: every weight at its own rate, from a running mean of the squares of its gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import FLAG, NOT_NEGATIVE, SHARE, Constraint, check
from ..graph.dtype import DType
from ..graph.operation import build
from ..nn.number import Number
from ..tensor import Tensor
from .optimizer import Factors, Optimizer, State, Term


class RMSprop(Optimizer):
    """w <- w - lr g / (sqrt(v) + eps), where v <- alpha v + (1 - alpha) g^2 is a running mean of the squared gradient.

    With centered=True the root is taken of the variance, v - m^2, where m <- alpha m + (1 - alpha) g. With a momentum the step is
    lr b, where b <- momentum b + g / (sqrt(v) + eps). g is the gradient plus weight_decay w. State beside each parameter, of its
    shape and at first zeros: square_avg v, grad_avg m (centered), momentum_buffer b (momentum). Source: Tieleman and Hinton,
    "Lecture 6.5: rmsprop", 2012; centered: Graves, "Generating sequences with recurrent neural networks", 2013.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0, -2.0])
    >>> opt = optim.RMSprop([w], lr=0.1, alpha=0.75)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(4).tolist()  # the first v is a quarter of g^2
    [0.800000011920929, -1.7999999523162842]
    """

    alpha = Number(SHARE)
    eps = Number(NOT_NEGATIVE)
    weight_decay = Term(NOT_NEGATIVE)
    momentum = Term(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Optimizer.constraints, "alpha": SHARE, "eps": NOT_NEGATIVE,
                                             "weight_decay": NOT_NEGATIVE, "momentum": NOT_NEGATIVE, "centered": FLAG}

    def __init__(self, parameters: Any = None, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0,
                 momentum: float = 0.0, centered: bool = False, maximize: bool = False) -> None:
        super().__init__(lr, maximize)
        check("RMSprop", {"centered": FLAG}, {"centered": centered})
        self.alpha, self.eps, self.weight_decay, self.momentum, self.centered = alpha, eps, weight_decay, momentum, centered
        self.start(parameters)

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        names = ["square_avg"] + ["grad_avg"] * self.centered + ["momentum_buffer"] * ("momentum" in self.terms)
        return {name: np.zeros(parameter.shape, parameter.dtype) for name in names}

    def factors(self, dtype: DType) -> Factors:
        return {**self.cast_numbers(dtype), "new": (1 - self.alpha).astype(dtype)}

    def update(self, gradient: Tensor, parameter: Tensor, state: State, factors: Factors | None = None) -> tuple[Tensor, State]:
        number = self.factors(parameter.dtype) if factors is None else factors
        if "weight_decay" in self.terms:
            gradient = gradient + number["weight_decay"] * parameter
        changed = {"square_avg": number["alpha"] * state["square_avg"] + number["new"] * (gradient * gradient)}
        spread = changed["square_avg"]
        if self.centered:
            mean = changed["grad_avg"] = state["grad_avg"] + number["new"] * (gradient - state["grad_avg"])
            spread = build("maximum", spread - mean * mean, 0.0)  # rounding may leave it below 0 where gradients hardly vary
        step = gradient / (build("sqrt", spread) + number["eps"])
        if "momentum" in self.terms:
            step = changed["momentum_buffer"] = number["momentum"] * state["momentum_buffer"] + step
        return parameter - number["lr"] * step, changed
