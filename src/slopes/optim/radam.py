"""RAdam: Adam whose adaptive rates begin once enough gradients were seen to estimate them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import FLAG, Constraint, check
from ..graph.build import build
from ..graph.dtype import DType
from ..tensor import Tensor
from .adam import Betas, Moments
from .optimizer import Coefficients, State

LEAST_LENGTH = 5.0  # of the average: below it the variance of the adaptive rate is unknown


class RAdam(Moments):
    """w <- w - lr r_t m_hat sqrt(1 - b2^t) / (sqrt(v) + eps) where rho_t > 5, otherwise w <- w - lr m_hat; m and v as in Adam.

    rho_t = rho - 2 t b2^t / (1 - b2^t), with rho = 2 / (1 - b2) - 1, is the length of the average of squares so far, and
    r_t = sqrt((rho_t - 4) (rho_t - 2) rho / ((rho - 4) (rho - 2) rho_t)) makes up for its variance: a warm-up without a schedule.
    g is the gradient plus weight_decay w; with decoupled_weight_decay=True the decay is AdamW's. State as in Adam. Source: Liu et al.,
    "On the variance of the adaptive learning rate and beyond", 2020.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0, -2.0])
    >>> opt = optim.RAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(4).tolist()  # the first five steps are those of gradient descent with momentum
    [0.800000011920929, -1.600000023841858]
    """

    constraints: Mapping[str, Constraint] = {**Moments.constraints, "decoupled_weight_decay": FLAG}

    def __init__(self, params: Any = None, lr: float = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, decoupled_weight_decay: bool = False, *, maximize: bool = False) -> None:
        check("RAdam", {"decoupled_weight_decay": FLAG}, {"decoupled_weight_decay": decoupled_weight_decay})
        super().__init__(lr, betas, eps, weight_decay, maximize)
        self.decoupled_weight_decay = decoupled_weight_decay
        self.start(params)

    def coefficients(self, dtype: DType) -> Coefficients:
        """Computed in float64, then cast: `rectified` is lr r_t sqrt(1 - b2^t) / (1 - b1^t), `plain` the rate of the first steps."""
        steps = self.steps.astype(np.float64)
        power = self.beta2 ** steps
        whole = 2 / (1 - self.beta2) - 1
        length = whole - 2 * steps * power / (1 - power)
        known = length > LEAST_LENGTH
        used = build("where", known, length, 6.0)  # the root of something positive, also where it is not used
        ratio = (used - 4) * (used - 2) * whole / ((whole - 4) * (whole - 2) * used)
        rate = self.rate / (1 - self.beta1 ** steps)
        return self.cast(dtype, {
            "one_minus_beta1": 1 - self.beta1, "one_minus_beta2": 1 - self.beta2, "decay": 1 - self.rate * self.weight_decay,
            "rectified": build("where", known, rate * build("sqrt", ratio * (1 - power)), 0.0), "plain": build("where", known, 0.0, rate)})

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        gradient, parameter = self.decayed(gradient, parameter, c, self.decoupled_weight_decay)
        mean, square = self.running_means(gradient, state, c)
        step = mean * (c.rectified / (build("sqrt", square) + c.eps) + c.plain)
        return parameter - step, {"exp_avg": mean, "exp_avg_sq": square}
