"""Adam and AdamW: a learning rate per weight, from running means of the gradient and its square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import FLAG, NOT_NEGATIVE, SHARE, Constraint, check
from ..graph.build import build
from ..graph.dtype import DType
from ..nn.hyper_parameter import HyperParameter
from ..tensor import Tensor
from .optimizer import Coefficients, Optimizer, OptionalTerm, State, check_pair

Betas = tuple[float, float]


class Moments(Optimizer):
    """The common part of Adam and its variants: the two running means and their bias correction."""

    beta1 = HyperParameter(SHARE)
    beta2 = HyperParameter(SHARE)
    eps = HyperParameter(NOT_NEGATIVE)
    weight_decay = OptionalTerm(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Optimizer.constraints, "beta1": SHARE, "beta2": SHARE, "eps": NOT_NEGATIVE,
                                             "weight_decay": NOT_NEGATIVE}

    def __init__(self, lr: float, betas: Betas, eps: float, weight_decay: float, maximize: bool) -> None:
        super().__init__(lr, maximize)
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay

    @property
    def counts_steps(self) -> bool:
        """For the bias correction."""
        return True

    @property
    def betas(self) -> tuple[Tensor, Tensor]:
        """The decay rates of the two running means."""
        return self.beta1, self.beta2

    @betas.setter
    def betas(self, values: Betas) -> None:
        check_pair(type(self).__name__, "betas", values, "(0.9, 0.999)")
        self.beta1, self.beta2 = values

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {name: np.zeros(parameter.shape, parameter.dtype) for name in ("exp_avg", "exp_avg_sq")}

    def coefficients(self, dtype: DType) -> Coefficients:
        """Computed in float64, then cast.

        root = sqrt(1 - b2^t) is moved out of sqrt(v_hat) + eps = (sqrt(v) + eps root) / root: one division less per element.
        """
        steps = self.steps.astype(np.float64)
        root = build("sqrt", 1 - self.beta2 ** steps)
        return self.cast(dtype, {"one_minus_beta1": 1 - self.beta1, "one_minus_beta2": 1 - self.beta2,
                                 "step_size": self.rate * root / (1 - self.beta1 ** steps), "root": root, "scaled_eps": self.eps * root,
                                 "decay": 1 - self.rate * self.weight_decay})

    def running_means(self, gradient: Tensor, state: State, c: Coefficients) -> tuple[Tensor, Tensor]:
        """The new m and v."""
        mean = state["exp_avg"] + c.one_minus_beta1 * (gradient - state["exp_avg"])
        return mean, c.beta2 * state["exp_avg_sq"] + c.one_minus_beta2 * (gradient * gradient)

    def decayed(self, gradient: Tensor, parameter: Tensor, c: Coefficients, decoupled: bool) -> tuple[Tensor, Tensor]:
        """The gradient with that of the L2 penalty, or, where the decay is decoupled, the smaller parameter."""
        if "weight_decay" not in self.terms:
            return gradient, parameter
        return (gradient, c.decay * parameter) if decoupled else (gradient + c.weight_decay * parameter, parameter)


class Adam(Moments):
    """w <- w - lr m_hat / (sqrt(v_hat) + eps), with running means m and v of the gradient and of its square.

    m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, m_hat = m / (1 - b1^t), v_hat = v / (1 - b2^t).
    g is the gradient plus weight_decay w; with decoupled_weight_decay=True the decay is AdamW's. With amsgrad=True the largest v so
    far takes the place of v in the step. State of each parameter: exp_avg m, exp_avg_sq v and, with amsgrad, max_exp_avg_sq, of its
    shape, initially zeros; the number of steps t is shared. A weight decay of 0 at construction is not part of the compiled program.
    Sources: Kingma and Ba, "Adam: a method for stochastic optimization", 2015; amsgrad: Reddi, Kale, Kumar, "On the convergence of
    Adam and beyond", 2018.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0, -2.0])
    >>> opt = optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(4).tolist()  # the first step is lr long, whatever the gradient
    [0.8999999761581421, -1.899999976158142]
    """

    constraints: Mapping[str, Constraint] = {**Moments.constraints, "amsgrad": FLAG, "decoupled_weight_decay": FLAG}

    def __init__(self, params: Any = None, lr: float = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, amsgrad: bool = False, *, maximize: bool = False,
                 decoupled_weight_decay: bool = False) -> None:
        super().__init__(lr, betas, eps, weight_decay, maximize)
        flags = {"amsgrad": amsgrad, "decoupled_weight_decay": decoupled_weight_decay}
        check(type(self).__name__, dict.fromkeys(flags, FLAG), flags)
        self.amsgrad, self.decoupled_weight_decay = amsgrad, decoupled_weight_decay
        self.start(params)

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        more = {"max_exp_avg_sq": np.zeros(parameter.shape, parameter.dtype)} if self.amsgrad else {}
        return {**super().init(parameter), **more}

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        gradient, parameter = self.decayed(gradient, parameter, c, self.decoupled_weight_decay)
        mean, square = self.running_means(gradient, state, c)
        new = {"exp_avg": mean, "exp_avg_sq": square}
        if self.amsgrad:
            square = new["max_exp_avg_sq"] = build("maximum", state["max_exp_avg_sq"], square)
        return parameter - c.step_size * (mean / (build("sqrt", square) + c.scaled_eps)), new


class AdamW(Adam):
    """Adam with decoupled weight decay: first w <- w - lr weight_decay w, then Adam's step.

    Defaults, state and options as in Adam, but weight_decay=0.01. Source: Loshchilov and Hutter, "Decoupled weight decay
    regularization", 2019.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0])
    >>> opt = optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * 0).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(4).tolist()
    [0.949999988079071]
    """

    constraints: Mapping[str, Constraint] = {**Moments.constraints, "amsgrad": FLAG}

    def __init__(self, params: Any = None, lr: float = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)
