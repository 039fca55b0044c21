"""NAdam: Adam with Nesterov momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import FLAG, NOT_NEGATIVE, Constraint, check
from ..graph.build import build
from ..graph.dtype import DType
from ..nn.hyper_parameter import HyperParameter
from ..tensor import Tensor
from .adam import Betas, Moments
from .optimizer import Coefficients, State


class NAdam(Moments):
    """w <- w - lr ((1 - mu_t) / (1 - p_t) g + mu_(t+1) / (1 - p_t mu_(t+1)) m) / (sqrt(v_hat) + eps), with Adam's m and v_hat.

    mu_t = b1 (1 - 0.96^(t momentum_decay) / 2) increases slowly to b1; p_t = mu_1 mu_2 ... mu_t. g is the gradient plus
    weight_decay w; with decoupled_weight_decay=True the decay is AdamW's. State as in Adam, plus the scalar mu_product p_t for
    each parameter, initially 1. Source: Dozat, "Incorporating Nesterov momentum into Adam", 2016.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0, -2.0])
    >>> opt = optim.NAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(2).tolist()
    [0.8899999856948853, -1.8899999856948853]
    """

    momentum_decay = HyperParameter(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Moments.constraints, "momentum_decay": NOT_NEGATIVE, "decoupled_weight_decay": FLAG}

    def __init__(self, params: Any = None, lr: float = 2e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False,
                 *, maximize: bool = False) -> None:
        check("NAdam", {"decoupled_weight_decay": FLAG}, {"decoupled_weight_decay": decoupled_weight_decay})
        super().__init__(lr, betas, eps, weight_decay, maximize)
        self.momentum_decay, self.decoupled_weight_decay = momentum_decay, decoupled_weight_decay
        self.start(params)

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {**super().init(parameter), "mu_product": np.ones((), np.float64)}

    def coefficients(self, dtype: DType) -> Coefficients:
        """Adam's, and the momenta of this step and the next, which remain float64."""
        c = super().coefficients(dtype)
        c.momentum, c.next_momentum = self.momentum(self.steps), self.momentum(self.steps + 1)
        return c

    def momentum(self, steps: Tensor) -> Tensor:
        """mu_t."""
        return self.beta1 * (1 - 0.5 * 0.96 ** (steps.astype(np.float64) * self.momentum_decay))

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        gradient, parameter = self.decayed(gradient, parameter, c, self.decoupled_weight_decay)
        mean, square = self.running_means(gradient, state, c)
        product = state["mu_product"] * c.momentum
        gradient_rate, mean_rate = self.rates(product, c, parameter.dtype)
        step = (gradient_rate * gradient + mean_rate * mean) / (build("sqrt", square) / c.root + c.eps)
        return parameter - step, {"exp_avg": mean, "exp_avg_sq": square, "mu_product": product}

    def rates(self, product: Tensor, c: Coefficients, dtype: DType) -> tuple[Tensor, Tensor]:
        """The learning rates of the gradient and of its running mean."""
        gradient_rate = self.rate * (1 - c.momentum) / (1 - product)
        mean_rate = self.rate * c.next_momentum / (1 - product * c.next_momentum)
        return gradient_rate.astype(dtype), mean_rate.astype(dtype)
