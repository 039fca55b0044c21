"""Adagrad: a learning rate per weight, which decreases with the sum of its squared gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import NOT_NEGATIVE, Constraint, check
from ..graph.build import build
from ..graph.dtype import DType
from ..nn.hyper_parameter import HyperParameter
from ..tensor import Tensor
from .optimizer import Coefficients, Optimizer, OptionalTerm, State


class Adagrad(Optimizer):
    """w <- w - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps), where s <- s + g^2 sums the squares of all gradients so far.

    g is the gradient plus weight_decay w. State of each parameter: sum s, of its shape, initially initial_accumulator_value;
    the number of steps t is shared, and counted only with an lr_decay. Source: Duchi, Hazan, Singer, "Adaptive subgradient methods
    for online learning and stochastic optimization", 2011.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0, -2.0])
    >>> opt = optim.Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().tolist()  # the first step is lr long, whatever the gradient
    [0.5, -1.5]
    """

    eps = HyperParameter(NOT_NEGATIVE)
    lr_decay = OptionalTerm(NOT_NEGATIVE)
    weight_decay = OptionalTerm(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Optimizer.constraints, "eps": NOT_NEGATIVE, "lr_decay": NOT_NEGATIVE,
                                             "weight_decay": NOT_NEGATIVE, "initial_accumulator_value": NOT_NEGATIVE}

    def __init__(self, params: Any = None, lr: float = 1e-2, lr_decay: float = 0.0, weight_decay: float = 0.0,
                 initial_accumulator_value: float = 0.0, eps: float = 1e-10, *, maximize: bool = False) -> None:
        super().__init__(lr, maximize)
        check("Adagrad", self.constraints, {"initial_accumulator_value": initial_accumulator_value})
        self.lr_decay, self.weight_decay, self.eps = lr_decay, weight_decay, eps
        self.initial_accumulator_value = initial_accumulator_value
        self.start(params)

    @property
    def counts_steps(self) -> bool:
        """With lr_decay only."""
        return "lr_decay" in self.terms

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {"sum": np.full(parameter.shape, self.initial_accumulator_value, parameter.dtype)}

    def coefficients(self, dtype: DType) -> Coefficients:
        """The learning rate is computed in float64, then cast."""
        if "lr_decay" not in self.terms:
            return self.cast(dtype)
        return self.cast(dtype, {"lr": self.rate / (1 + (self.steps - 1).astype(np.float64) * self.lr_decay)})

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        gradient = self.add_weight_decay(gradient, parameter, c)
        total = state["sum"] + gradient * gradient
        return parameter - c.lr * (gradient / (build("sqrt", total) + c.eps)), {"sum": total}
