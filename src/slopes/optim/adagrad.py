"""AdaGrad: every weight at its own rate, smaller the more it has moved already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import NOT_NEGATIVE, Constraint, check
from ..graph.dtype import DType
from ..graph.operation import build
from ..nn.number import Number
from ..tensor import Tensor
from .optimizer import Factors, Optimizer, State, Term


class Adagrad(Optimizer):
    """w <- w - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps), where s <- s + g^2 sums the squares of all gradients so far.

    g is the gradient plus weight_decay w. State beside each parameter: sum s, of its shape, at first initial_accumulator_value;
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

    eps = Number(NOT_NEGATIVE)
    lr_decay = Term(NOT_NEGATIVE)
    weight_decay = Term(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Optimizer.constraints, "eps": NOT_NEGATIVE, "lr_decay": NOT_NEGATIVE,
                                             "weight_decay": NOT_NEGATIVE, "initial_accumulator_value": NOT_NEGATIVE}

    def __init__(self, parameters: Any = None, lr: float = 1e-2, lr_decay: float = 0.0, weight_decay: float = 0.0,
                 initial_accumulator_value: float = 0.0, eps: float = 1e-10, maximize: bool = False) -> None:
        super().__init__(lr, maximize)
        check("Adagrad", self.constraints, {"initial_accumulator_value": initial_accumulator_value})
        self.lr_decay, self.weight_decay, self.eps = lr_decay, weight_decay, eps
        self.initial_accumulator_value = initial_accumulator_value
        self.start(parameters)

    @property
    def counts(self) -> bool:  # type: ignore[override]
        """Only a falling rate asks for the number of the step."""
        return "lr_decay" in self.terms

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {"sum": np.full(parameter.shape, self.initial_accumulator_value, parameter.dtype)}

    def factors(self, dtype: DType) -> Factors:
        """The rate is computed in float64, as Python numbers would be, and then cast."""
        found = self.cast_numbers(dtype)
        if "lr_decay" in self.terms:
            found["lr"] = (self.lr / (1 + (self.steps - 1).astype(np.float64) * self.lr_decay)).astype(dtype)
        return found

    def update(self, gradient: Tensor, parameter: Tensor, state: State, factors: Factors | None = None) -> tuple[Tensor, State]:
        number = self.factors(parameter.dtype) if factors is None else factors
        if "weight_decay" in self.terms:
            gradient = gradient + number["weight_decay"] * parameter
        total = state["sum"] + gradient * gradient
        return parameter - number["lr"] * (gradient / (build("sqrt", total) + number["eps"])), {"sum": total}
