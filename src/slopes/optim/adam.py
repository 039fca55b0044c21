"""Adam and AdamW: every weight at its own rate, from running means of the gradient and of its square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import NOT_NEGATIVE, SHARE, Constraint
from ..errors import ArgumentError
from ..graph.dtype import DType
from ..graph.operation import build
from ..nn.number import Number
from ..tensor import Tensor
from .optimizer import Factors, Optimizer, State, Term

Betas = tuple[float, float]


class Moments(Optimizer):
    """The common part of Adam and AdamW: the two running means, their correction at the start, and the step from them."""

    beta1 = Number(SHARE)
    beta2 = Number(SHARE)
    eps = Number(NOT_NEGATIVE)
    weight_decay = Term(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Optimizer.constraints, "beta1": SHARE, "beta2": SHARE, "eps": NOT_NEGATIVE,
                                             "weight_decay": NOT_NEGATIVE}
    counts = True

    def __init__(self, parameters: Any, lr: float, betas: Betas, eps: float, weight_decay: float, maximize: bool) -> None:
        super().__init__(lr, maximize)
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay
        self.start(parameters)

    @property
    def betas(self) -> tuple[Tensor, Tensor]:
        """The shares that the two running means keep at each step."""
        return self.beta1, self.beta2

    @betas.setter
    def betas(self, values: Betas) -> None:
        if not isinstance(values, (tuple, list)) or len(values) != 2:
            raise ArgumentError(f"{type(self).__name__}: betas must be two numbers, not {values!r}",
                                repair="the usual ones are (0.9, 0.999)")
        self.beta1, self.beta2 = values

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {name: np.zeros(parameter.shape, parameter.dtype) for name in ("exp_avg", "exp_avg_sq")}

    def factors(self, dtype: DType) -> Factors:
        """Computed in float64, as Python numbers would be, and then cast.

        width = sqrt(1 - b2^t) is moved out of sqrt(v_hat) + eps = (sqrt(v) + eps width) / width: one division less for each element.
        """
        steps = self.steps.astype(np.float64)
        width = build("sqrt", 1 - self.beta2 ** steps)
        exact = {"new1": 1 - self.beta1, "new2": 1 - self.beta2, "rate": self.lr * width / (1 - self.beta1 ** steps),
                 "width": width, "least": self.eps * width, "kept": 1 - self.lr * self.weight_decay}
        return {**self.cast_numbers(dtype), **{name: number.astype(dtype) for name, number in exact.items()}}

    def moved(self, gradient: Tensor, parameter: Tensor, state: State, number: Factors) -> tuple[Tensor, State]:
        """parameter - lr m_hat / (sqrt(v_hat) + eps), and the new m and v."""
        mean = state["exp_avg"] + number["new1"] * (gradient - state["exp_avg"])
        square = number["beta2"] * state["exp_avg_sq"] + number["new2"] * (gradient * gradient)
        moved = parameter - number["rate"] * (mean / (build("sqrt", square) + number["least"]))
        return moved, {"exp_avg": mean, "exp_avg_sq": square}


class Adam(Moments):
    """w <- w - lr m_hat / (sqrt(v_hat) + eps), with running means m and v of the gradient and of its square.

    m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, m_hat = m / (1 - b1^t), v_hat = v / (1 - b2^t).
    g is the gradient plus weight_decay w (AdamW keeps the decay apart from g). State beside each parameter: exp_avg m and
    exp_avg_sq v, of its shape, at first zeros; the number of steps t is shared. A weight decay of 0 at construction is no part
    of the compiled program. Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0, -2.0])
    >>> opt = optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(4).tolist()  # the first step is lr long, whatever the gradient
    [0.8999999761581421, -1.899999976158142]
    """

    def __init__(self, parameters: Any = None, lr: float = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, maximize: bool = False) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay, maximize)

    def update(self, gradient: Tensor, parameter: Tensor, state: State, factors: Factors | None = None) -> tuple[Tensor, State]:
        number = self.factors(parameter.dtype) if factors is None else factors
        if "weight_decay" in self.terms:
            gradient = gradient + number["weight_decay"] * parameter
        return self.moved(gradient, parameter, state, number)


class AdamW(Moments):
    """Adam with the decay apart from the gradient: first w <- w - lr weight_decay w, then Adam's step.

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

    def __init__(self, parameters: Any = None, lr: float = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, maximize: bool = False) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay, maximize)

    def update(self, gradient: Tensor, parameter: Tensor, state: State, factors: Factors | None = None) -> tuple[Tensor, State]:
        number = self.factors(parameter.dtype) if factors is None else factors
        if "weight_decay" in self.terms:
            parameter = number["kept"] * parameter
        return self.moved(gradient, parameter, state, number)
