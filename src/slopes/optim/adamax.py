"""Adamax: Adam with the largest recent gradient in place of the running mean of squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.build import build
from ..graph.dtype import DType
from ..tensor import Tensor
from .adam import Betas, Moments
from .optimizer import Coefficients, State


class Adamax(Moments):
    """w <- w - lr / (1 - b1^t) m / u, with m <- b1 m + (1 - b1) g and u <- max(b2 u, |g| + eps).

    g is the gradient plus weight_decay w. State of each parameter: exp_avg m and exp_inf u, of its shape, initially zeros; the number
    of steps t is shared. Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, section 7.1.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0, -2.0])
    >>> opt = optim.Adamax([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(4).tolist()  # the first step is lr long, whatever the gradient
    [0.8999999761581421, -1.899999976158142]
    """

    def __init__(self, params: Any = None, lr: float = 2e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, *, maximize: bool = False) -> None:
        super().__init__(lr, betas, eps, weight_decay, maximize)
        self.start(params)

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {name: np.zeros(parameter.shape, parameter.dtype) for name in ("exp_avg", "exp_inf")}

    def coefficients(self, dtype: DType) -> Coefficients:
        steps = self.steps.astype(np.float64)
        return self.cast(dtype, {"one_minus_beta1": 1 - self.beta1, "step_size": self.rate / (1 - self.beta1 ** steps)})

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        gradient = self.add_weight_decay(gradient, parameter, c)
        mean = state["exp_avg"] + c.one_minus_beta1 * (gradient - state["exp_avg"])
        largest = build("maximum", c.beta2 * state["exp_inf"], build("abs", gradient) + c.eps)
        return parameter - c.step_size * (mean / largest), {"exp_avg": mean, "exp_inf": largest}
