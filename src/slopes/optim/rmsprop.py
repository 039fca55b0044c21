"""RMSprop: a learning rate per weight, from a running mean of the squared gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import FLAG, NOT_NEGATIVE, SHARE, Constraint, check
from ..graph.build import build
from ..graph.dtype import DType
from ..nn.hyper_parameter import HyperParameter
from ..tensor import Tensor
from .optimizer import Coefficients, Optimizer, OptionalTerm, State


class RMSprop(Optimizer):
    """w <- w - lr g / (sqrt(v) + eps), where v <- alpha v + (1 - alpha) g^2 is a running mean of the squared gradient.

    With centered=True v is replaced by the variance v - m^2, where m <- alpha m + (1 - alpha) g. With momentum the step is
    lr b, where b <- momentum b + g / (sqrt(v) + eps). g is the gradient plus weight_decay w. State of each parameter, of its
    shape and initially zeros: square_avg v, grad_avg m (centered), momentum_buffer b (momentum). Source: Tieleman and Hinton,
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

    alpha = HyperParameter(SHARE)
    eps = HyperParameter(NOT_NEGATIVE)
    weight_decay = OptionalTerm(NOT_NEGATIVE)
    momentum = OptionalTerm(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Optimizer.constraints, "alpha": SHARE, "eps": NOT_NEGATIVE,
                                             "weight_decay": NOT_NEGATIVE, "momentum": NOT_NEGATIVE, "centered": FLAG}

    def __init__(self, params: Any = None, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0,
                 momentum: float = 0.0, centered: bool = False, maximize: bool = False) -> None:
        super().__init__(lr, maximize)
        check("RMSprop", {"centered": FLAG}, {"centered": centered})
        self.alpha, self.eps, self.weight_decay, self.momentum, self.centered = alpha, eps, weight_decay, momentum, centered
        self.start(params)

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        names = ["square_avg"] + ["grad_avg"] * self.centered + ["momentum_buffer"] * ("momentum" in self.terms)
        return {name: np.zeros(parameter.shape, parameter.dtype) for name in names}

    def coefficients(self, dtype: DType) -> Coefficients:
        return self.cast(dtype, {"one_minus_alpha": 1 - self.alpha})

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        gradient = self.add_weight_decay(gradient, parameter, c)
        new_state = {"square_avg": c.alpha * state["square_avg"] + c.one_minus_alpha * (gradient * gradient)}
        variance = new_state["square_avg"]
        if self.centered:
            mean = new_state["grad_avg"] = state["grad_avg"] + c.one_minus_alpha * (gradient - state["grad_avg"])
            variance = build("maximum", variance - mean * mean, 0.0)  # rounding may make it negative where gradients hardly vary
        step = gradient / (build("sqrt", variance) + c.eps)
        if "momentum" in self.terms:
            step = new_state["momentum_buffer"] = c.momentum * state["momentum_buffer"] + step
        return parameter - c.lr * step, new_state
